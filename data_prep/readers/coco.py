"""COCO keypoints: annotations/person_keypoints_*.json and images, or another file of this form.

People, scales and labels are chosen by the rules of the original's `coco_to_tfrecords.py`, which
define HMR's training set. Coordinates stay 0-based.
"""

import re
from pathlib import Path

import numpy as np
from pycocotools import mask as coco_mask

from data_prep.reader_items import CropRule, IndexNote, LabelledPerson, Skipped
from data_prep.readers import coco_file, person_size
from hmr_tf.body import skeleton
from hmr_tf.data import coco_names, crop, photograph_paths
from hmr_tf.files.errors import InputError

_ANKLES = list(skeleton.indices(("left_ankle", "right_ankle"), skeleton.KEYPOINTS))
_TORSO = [
    skeleton.indices((f"{side}_shoulder", f"{side}_hip"), skeleton.KEYPOINTS)
    for side in ("left", "right")
]
_HEAD_AND_SHOULDERS = (
    *skeleton.FACE_KEYPOINTS,
    *("left_shoulder", "right_shoulder", "neck", "head_top"),
)
_ELSEWHERE = [i for i, name in enumerate(skeleton.KEYPOINTS) if name not in _HEAD_AND_SHOULDERS]

MIN_VISIBLE = 6
MIN_MASK_HEIGHT_PX = 60
DIAGONAL_PX, TORSO_PX, NO_TORSO_DIAGONAL_PX = crop.PERSON_PX, 75.0, 50.0
CROP = CropRule(window_px=400)
MAX_IMAGE_PX = 65_500  # the largest side of a JPEG
BINARY = "people of a file whose visibilities are 0 and 1: 1 is taken for visible"


def read(data_dir, split, annotations="", category=""):
    """Yields a LabelledPerson or Skipped for each person, by image id, then in the file's order.

    Args:
      data_dir: folder with annotations/; the images in images/train2014/ or train2014/ (or 2017),
        under the names of 2014 or of 2017.
      split: "train" or "val".
      annotations: file of keypoints in COCO's form; its file names start at data_dir, its images
        are made upright. Empty: COCO's.
      category: name of the category of people; empty: person.

    Raises:
      InputError: no such split, no annotation file, an unreadable one, no image folder, no such
        category, an unknown keypoint.
    """
    if split not in photograph_paths.COCO_SPLITS:
        raise InputError(f"coco has no split {split}: pass --split=train or --split=val")
    data_dir = Path(data_dir)
    path = Path(annotations) if annotations else _annotation_file(data_dir, split)
    content = coco_file.read(path, category)
    names = {image_id: image["file_name"] for image_id, image in content.images.items()}
    if annotations:
        paths, ambiguous = photograph_paths.find(data_dir, names)
    else:
        folders, ambiguous = _image_folders(data_dir, split), {}
        paths = {key: photograph_paths.coco_path(folders, name) for key, name in names.items()}
    is_binary = bool(annotations) and _is_binary(content.people)
    if is_binary:
        yield IndexNote(BINARY, sum(map(len, content.people.values())))
    yield from content.skipped
    for image_id, image in content.images.items():
        for annotation, columns, num_listed in content.people.get(image_id, ()):
            if image_id in ambiguous:
                yield Skipped("several images of one name", ambiguous[image_id])
                continue
            points = _points(annotation, columns, num_listed, is_binary)
            yield _person(annotation, points, image, paths[image_id], bool(annotations))


def _annotation_file(data_dir, split):
    years = photograph_paths.COCO_YEARS
    names = [f"annotations/person_keypoints_{split}{year}.json" for year in years]
    for name in names:
        if (data_dir / name).is_file():
            return data_dir / name
    raise InputError(f"there is no {' or '.join(names)} in {data_dir}: pass COCO's folder")


def _image_folders(data_dir, split):
    present = photograph_paths.coco_folders(data_dir, split)
    if not present:
        raise InputError(
            f"there are no images in {data_dir}: make images/{split}2014 or images/{split}2017"
        )
    return present


def _is_binary(people):
    """Whether no keypoint of the file has COCO's 2: some tools write 1 for every labelled one."""
    listed = (annotation.get("keypoints") for group in people.values() for annotation, *_ in group)
    flags = {
        flag
        for keypoints in listed
        if isinstance(keypoints, list)
        for flag in keypoints[2::3]
        if isinstance(flag, (int, float))
    }
    return 1 in flags and flags <= {-1, 0, 1}


def _points(annotation, columns, num_listed, is_binary):
    """(19, 3) x, y, v of `skeleton.KEYPOINTS`; a reason (text, is_problem) to skip the person."""
    if coco_names.is_crowd(annotation):
        return "a crowd", False
    if not annotation.get("keypoints"):
        return "no keypoints", False
    try:
        listed = np.array(annotation["keypoints"], float).reshape(num_listed, 3)  # null: NaN
    except (TypeError, ValueError, OverflowError):
        return f"keypoints are not {num_listed} times x, y, v", True
    visibility = listed[:, 2]
    has_none = np.isnan(listed).all(axis=1) | (visibility == 0) | (visibility == -1)
    listed[has_none] = 0  # not labelled: tools write zeros, null, NaN or -1
    if not np.isfinite(listed).all():
        return "keypoints are not numbers", True
    if not set(listed[:, 2].tolist()) <= {0, 1, 2}:
        return f"keypoints are not {num_listed} times x, y, v, with v of 0, 1 or 2", True
    if not listed[:, 2].any():
        return "no keypoints", False
    if 0 < np.abs(listed[:, :2]).max() <= 1:
        return "keypoints between -1 and 1, not pixels", True
    points = np.zeros((len(skeleton.KEYPOINTS), 3))
    points[list(columns)] = listed[list(columns.values())]
    if is_binary:
        points[:, 2] *= 2
    if (points[:, 2] == 2).sum() < MIN_VISIBLE:
        return f"fewer than {MIN_VISIBLE} visible keypoints", False
    if not points[_ELSEWHERE, 2].any():
        return "only face and shoulders", False
    return points


def _person(annotation, points, image, path, make_upright):
    where = f"{image['file_name']}, annotation {coco_names.shown(annotation.get('id'))}"
    if isinstance(points, tuple):
        return Skipped(points[0], where, is_problem=points[1])
    has_mask = bool(annotation.get("segmentation"))
    try:
        height_px = _mask_height(annotation, image) if has_mask else _box_height(annotation)
    except Exception:  # pycocotools and numpy raise anything for a wrong mask or box
        return Skipped("mask unreadable" if has_mask else "box unreadable", where)
    if height_px is None:
        return Skipped("mask empty" if has_mask else "box empty", where)
    if height_px <= MIN_MASK_HEIGHT_PX:
        return Skipped(f"mask at most {MIN_MASK_HEIGHT_PX} px high", where, is_problem=False)
    keypoints_px, labelled = points[:, :2], points[:, 2].astype(int)
    scale = _scale(keypoints_px, labelled > 0)
    if scale is None:
        return Skipped("keypoints all in one place", where)
    return LabelledPerson(
        path,
        keypoints_px,
        labelled,
        filename=image["file_name"] if make_upright else Path(image["file_name"]).name,
        has_face=True,
        crop_rule=CROP,
        scale=scale,
        labelled_size=coco_names.image_size(image, MAX_IMAGE_PX),
        make_upright=make_upright,
    )


def _mask_height(annotation, image):
    """Pixels between the mask's first and last row; None for an empty mask.

    The original means max(width, height) but takes the height (`coco_to_tfrecords.py:112,124`):
    people who lie down are skipped in its training set, and here too.
    """
    mask = annotation["segmentation"]
    if isinstance(mask, list):  # tools also write points and lines
        mask = [polygon for polygon in mask if len(polygon) >= 6]
        if not mask:
            return _box_height(annotation)
        if coco_names.image_size(image, MAX_IMAGE_PX) is None:
            return np.ptp([y for polygon in mask for y in polygon[1::2]])
    _check_mask(mask, image)
    if isinstance(mask, list):  # polygons
        mask = coco_mask.merge(coco_mask.frPyObjects(mask, image["height"], image["width"]))
    elif isinstance(mask["counts"], list):
        mask = coco_mask.frPyObjects(mask, *mask["size"])
    width, height = coco_mask.toBbox(mask)[2:]
    return height - 1 if width and height else None


def _box_height(annotation):
    """Height of the box (x, y, width, height): other files may have boxes instead of masks."""
    box = annotation.get("bbox")
    if not box:
        return np.inf
    x, y, width, height, *_ = map(float, box) if isinstance(box, list) else ()
    if not np.isfinite([width, height]).all() or 0 < max(abs(x), abs(y), width, height) <= 1:
        raise ValueError("the box is not numbers, or not pixels")
    return height if min(width, height) > 0 else None


def _check_mask(mask, image):
    """Raises ValueError for masks that would crash pycocotools, which checks no number."""
    if isinstance(mask, dict):
        counts, size = mask["counts"], mask["size"]
        if isinstance(counts, str):  # compressed: every number ends with a character of bit 0x20
            is_valid = re.fullmatch(r"[0-o]*[0-O]", counts)
        else:
            is_valid = min(counts) >= 0 and sum(counts) == size[0] * size[1]
    else:
        size = (image["height"], image["width"])
        is_valid = np.abs([x for polygon in mask for x in polygon]).max() < 10 * max(size)
    if not is_valid or min(size) < 1 or max(size) > MAX_IMAGE_PX:
        raise ValueError("a mask of impossible numbers or size")


def _scale(keypoints_px, labelled):
    """Factor that scales the person to HMR's training size; None if all points are in one place.

    With an ankle, the diagonal of the labelled points' box becomes 150 px, else the torso 75 px,
    else the diagonal 50 px (`coco_to_tfrecords.py:158-191`).
    """
    if labelled[_ANKLES].any():
        length, target_px = person_size.diagonal(keypoints_px, labelled), DIAGONAL_PX
    else:
        length, target_px = person_size.mean_length(keypoints_px, labelled, _TORSO), TORSO_PX
    if length is None:
        length, target_px = person_size.diagonal(keypoints_px, labelled), NO_TORSO_DIAGONAL_PX
    return target_px / length if length else None

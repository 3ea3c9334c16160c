"""COCO keypoints: annotations/person_keypoints_*.json and its images.

People, scales and labels are chosen by the rules of the original's `coco_to_tfrecords.py`, which
define HMR's training set. Coordinates stay 0-based.
"""

import contextlib
import io
import json
import os
import re
from pathlib import Path

import numpy as np
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from data_prep.labelled import CropRule, LabelledPerson, Skipped
from data_prep.readers import person_size
from hmr_tf.body import skeleton
from hmr_tf.data import crop
from hmr_tf.files.errors import InputError

SPLITS = ("train", "val")
YEARS = ("2014", "2017")

# COCO has no neck and no head top.
_SHARED = [name for name in skeleton.KEYPOINTS if name in skeleton.COCO_KEYPOINTS]
_TO = list(skeleton.indices(_SHARED, skeleton.KEYPOINTS))
_FROM = list(skeleton.indices(_SHARED, skeleton.COCO_KEYPOINTS))
_ANKLES = list(skeleton.indices(("left_ankle", "right_ankle"), skeleton.KEYPOINTS))
_TORSO = [
    skeleton.indices((f"{side}_shoulder", f"{side}_hip"), skeleton.KEYPOINTS)
    for side in ("left", "right")
]
_FACE_AND_SHOULDERS = (*skeleton.FACE_KEYPOINTS, "left_shoulder", "right_shoulder")
_ELSEWHERE = [
    i for i, name in enumerate(skeleton.COCO_KEYPOINTS) if name not in _FACE_AND_SHOULDERS
]

MIN_VISIBLE = 6
MIN_MASK_HEIGHT_PX = 60
DIAGONAL_PX, TORSO_PX, NO_TORSO_DIAGONAL_PX = crop.PERSON_PX, 75.0, 50.0
CROP = CropRule(window_px=400)
MAX_IMAGE_PX = 65_500  # the largest side of a JPEG


def read(data_dir, split, annotations=""):
    """Yields a LabelledPerson or Skipped for each person, by image id, then in the file's order.

    Args:
      data_dir: folder with annotations/; the images in images/train2014/ or train2014/ (or 2017),
        under the names of 2014 or of 2017.
      split: "train" or "val".
      annotations: your own file of COCO keypoints; its file names start at data_dir. Empty: COCO's.

    Raises:
      InputError: no such split, no annotation file, an unreadable one, no image folder.
    """
    if split not in SPLITS:
        raise InputError(f"coco has no split {split}: pass --split=train or --split=val")
    data_dir = Path(data_dir)
    if annotations:
        coco, folders = _read_annotations(Path(annotations)), [data_dir]
    else:
        coco = _read_annotations(_annotation_file(data_dir, split))
        folders = _image_folders(data_dir, split)
    people_ids = {key for key, value in coco.cats.items() if value.get("name") == "person"} or {1}
    for image_id in sorted(coco.imgs):
        image = coco.imgs[image_id]
        path = _image_path(folders, image["file_name"])
        for annotation in coco.imgToAnns[image_id]:
            if annotation.get("category_id") in people_ids:
                yield _person(annotation, coco, path, Path(image["file_name"]).name)


def _annotation_file(data_dir, split):
    names = [f"annotations/person_keypoints_{split}{year}.json" for year in YEARS]
    for name in names:
        if (data_dir / name).is_file():
            return data_dir / name
    raise InputError(f"there is no {' or '.join(names)} in {data_dir}: pass COCO's folder")


def _read_annotations(path):
    try:
        coco = COCO()
        coco.dataset = json.loads(path.read_bytes())
        with contextlib.redirect_stdout(io.StringIO()):  # it prints messages
            coco.createIndex()
        if not all(isinstance(image["file_name"], str) for image in coco.imgs.values()):
            raise TypeError("a file_name is no text")
        sorted(coco.imgs)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{path} is not a readable file of COCO keypoints ({error!r}); download it again"
        ) from error
    return coco


def _image_folders(data_dir, split):
    """Folders of the split first; in 2017 the images of 2014 were divided into other splits."""
    others = [other for other in SPLITS if other != split]
    names = [f"{part}{year}" for part in (split, *others) for year in YEARS]
    folders = [data_dir / parent / name for name in names for parent in ("images", ".")]
    present = [folder for folder in folders if folder.is_dir()]
    if not present:
        raise InputError(
            f"there are no images in {data_dir}: make images/{split}2014 or images/{split}2017"
        )
    return present


def _image_path(folders, file_name):
    """Path of the image under its name of 2014 or 2017; if there is none, of where it should be."""
    number = re.sub(r"^COCO_(train|val)2014_", "", file_name)
    names = dict.fromkeys((file_name, number, *(f"COCO_{s}2014_{number}" for s in SPLITS)))
    paths = (os.path.join(folder, name) for name in names for folder in folders)
    return next(filter(os.path.isfile, paths), os.path.join(folders[0], file_name))


def _points(annotation, where):
    """(17, 3) x, y, v of the keypoints, or Skipped if they are missing, wrong or too few."""
    if annotation.get("iscrowd"):
        return Skipped("a crowd", where, is_problem=False)
    if not annotation.get("keypoints") or annotation.get("num_keypoints") == 0:
        return Skipped("no keypoints", where, is_problem=False)
    try:
        points = np.array(annotation["keypoints"], float).reshape(len(skeleton.COCO_KEYPOINTS), 3)
    except (TypeError, ValueError):
        return Skipped("keypoints are not 17 times x, y, v", where)
    if not np.isfinite(points).all():
        return Skipped("keypoints are not numbers", where)
    flags = points[:, 2]
    if not set(flags.tolist()) <= {0, 1, 2}:
        return Skipped("keypoints are not 17 times x, y, v", where)
    if (flags == 2).sum() < MIN_VISIBLE:
        return Skipped(f"fewer than {MIN_VISIBLE} visible keypoints", where, is_problem=False)
    if not flags[_ELSEWHERE].any():
        return Skipped("only face and shoulders", where, is_problem=False)
    return points


def _person(annotation, coco, path, filename):
    where = f"{filename}, annotation {annotation.get('id')}"
    points = _points(annotation, where)
    if isinstance(points, Skipped):
        return points
    has_mask = bool(annotation.get("segmentation"))
    try:
        height_px = _mask_height(annotation, coco) if has_mask else _box_height(annotation)
    except Exception:  # pycocotools and numpy raise anything for a wrong mask or box
        return Skipped("mask unreadable" if has_mask else "box unreadable", where)
    if height_px is None:
        return Skipped("mask empty", where)
    if height_px <= MIN_MASK_HEIGHT_PX:
        return Skipped(f"mask at most {MIN_MASK_HEIGHT_PX} px high", where, is_problem=False)
    keypoints = np.zeros((len(skeleton.KEYPOINTS), 3))
    keypoints[_TO] = points[_FROM]
    keypoints_px, labelled = keypoints[:, :2], keypoints[:, 2].astype(int)
    scale = _scale(keypoints_px, labelled > 0)
    if scale is None:
        return Skipped("keypoints all in one place", where)
    return LabelledPerson(
        path,
        keypoints_px,
        labelled,
        filename=filename,
        has_face=True,
        crop_rule=CROP,
        scale=scale,
    )


def _mask_height(annotation, coco):
    """Pixels between the mask's first and last row; None for an empty mask.

    The original means max(width, height) but takes the height (`coco_to_tfrecords.py:112,124`):
    people who lie down are skipped in its training set, and here too.
    """
    _check_mask(annotation["segmentation"], coco.imgs[annotation["image_id"]])
    width, height = coco_mask.toBbox(coco.annToRLE(annotation))[2:]
    return height - 1 if width and height else None


def _box_height(annotation):
    """Height of the box (x, y, width, height): own data may have boxes instead of masks."""
    box = annotation.get("bbox")
    if not box:
        return np.inf
    if not (isinstance(box[3], (int, float)) and np.isfinite(box[3])):
        raise ValueError("the height of the box is not a number")
    return box[3]


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
    diagonal = person_size.diagonal(keypoints_px, labelled)
    torso = person_size.mean_length(keypoints_px, labelled, _TORSO)
    if labelled[_ANKLES].any():
        length, wanted = diagonal, DIAGONAL_PX
    elif torso is not None:
        length, wanted = torso, TORSO_PX
    else:
        length, wanted = diagonal, NO_TORSO_DIAGONAL_PX
    return wanted / length if length else None

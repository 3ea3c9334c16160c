"""The labelled people of a JSON file in COCO's form, as an evaluation needs them.

An evaluation refuses a file with a wrong entry: without it the figures would be of other people.
"""

import hashlib
from pathlib import Path
from typing import NamedTuple, Optional

import numpy as np

from hmr_tf.body.skeleton import COCO_KEYPOINTS, KEYPOINTS
from hmr_tf.data import coco_names, photograph_paths
from hmr_tf.files.errors import InputError
from hmr_tf.inference import box_files, openpose

MAX_NUMBER = 1e9  # pixels, or square pixels; larger ones are errors in the file


class CocoPerson(NamedTuple):
    """A person as annotated."""

    keypoints: np.ndarray  # (17, 3) x, y, flag in the order of COCO_KEYPOINTS; 0: not labelled
    box: tuple  # (x, y, width, height), pixels
    area: float  # of the mask, square pixels
    is_crowd: bool  # several people in one annotation: a prediction there counts neither way

    @property
    def is_labelled(self):
        """Whether the person has to be predicted."""
        return not self.is_crowd and bool((self.keypoints[:, 2] > 0).any())


class CocoPhotograph(NamedTuple):
    """A photograph of the file and its people."""

    image_id: object  # int or str
    file_name: str
    path: Path  # of the photograph; of where it should be if there is none
    size: Optional[tuple]  # (height, width) as the file states it
    people: list  # of CocoPerson


class CocoLabels(NamedTuple):
    """The content of a file."""

    photographs: list  # of CocoPhotograph, by image id
    category_id: object  # of people
    num_areas_from_boxes: int  # people without an area


def digest(labels):
    """SHA-256 of the photographs' names and of all labels of the CocoLabels."""
    sha256 = hashlib.sha256()
    for photograph in labels.photographs:
        sha256.update(repr((photograph.image_id, photograph.file_name)).encode())
        for person in photograph.people:
            sha256.update(
                repr(tuple(person._replace(keypoints=person.keypoints.tolist()))).encode()
            )
    return sha256.hexdigest()


def read(path, data_dir, category=""):
    """Reads the labelled people of a file.

    Args:
      path: JSON with images, annotations and categories. Keypoints are COCO's 17, or those that the
        category lists: they are mapped to COCO's by name, and the others are not labelled.
      data_dir: folder of the photographs, where the file names start; or COCO's folder.
      category: name of the category of people; empty: person.

    Returns:
      CocoLabels. Frames that PoseTrack marks as not labelled (`is_labeled`) are left out.

    Raises:
      InputError: another kind of file, a wrong entry, or no person with labelled keypoints.
    """
    named = f"--annotations={path}"
    content = openpose.read_json(path, "annotations", box_files.MAX_BYTES)
    keys = ("images", "annotations")
    if not isinstance(content, dict) or not all(isinstance(content.get(k), list) for k in keys):
        raise InputError(f"{named} is not a file of COCO keypoints: no lists images, annotations.")
    try:
        columns, category_id = _columns_by_category(content.get("categories"), category)
        people, from_boxes = _people_by_image(content, columns)
        photographs = _photographs(content["images"], people, data_dir)
    except InputError as error:
        raise InputError(f"{named}: {error}") from error
    if not any(person.is_labelled for photo in photographs for person in photo.people):
        raise InputError(f"{named} has no person with labelled keypoints.")
    return CocoLabels(photographs, category_id, from_boxes)


def _columns_by_category(categories, name):
    """({category id: ([(index in COCO_KEYPOINTS, column)], number of columns)}, the first id)."""
    entries, columns = coco_names.entries_by_id(categories), {}
    for key in sorted(coco_names.person_category_ids(categories, name), key=_by_kind):
        listed = entries.get(key, {}).get("keypoints") or COCO_KEYPOINTS
        by_index = coco_names.keypoint_columns(listed)
        pairs = [
            (k, by_index[KEYPOINTS.index(keypoint)])
            for k, keypoint in enumerate(COCO_KEYPOINTS)
            if KEYPOINTS.index(keypoint) in by_index
        ]
        if not pairs:
            raise InputError(f"no keypoint is one of COCO's: {', '.join(COCO_KEYPOINTS)}")
        columns[key] = pairs, len(listed)
    return columns, next(iter(columns))


def _people_by_image(content, columns):
    """({image id: list of CocoPerson}, how many of them have no area)."""
    people, from_boxes = {}, 0
    categories = coco_names.entries_by_id(content.get("categories"))
    for number, annotation in enumerate(content["annotations"]):
        entry = annotation if isinstance(annotation, dict) else {}
        category_id = coco_names.category_id(entry, categories)
        if category_id not in columns:
            continue
        try:
            pairs, num_listed = columns[category_id]
            keypoints = _keypoints(entry.get("keypoints"), pairs, num_listed)
            box = _box(entry.get("bbox"))
            area = entry.get("area")
            if area is None:
                area, from_boxes = coco_names.AREA_OF_BOX * box[2] * box[3], from_boxes + 1
            elif not _is_number(area) or area < 0:
                raise InputError(f"has the area {coco_names.shown(area)}")
        except InputError as error:
            shown = coco_names.shown(entry.get("id", "none"))
            raise InputError(f"annotation {number} (id {shown}) {error}") from error
        person = CocoPerson(keypoints, box, float(area), coco_names.is_crowd(entry))
        people.setdefault(coco_names.entry_id(entry.get("image_id")), []).append(person)
    return people, from_boxes


def _keypoints(listed, pairs, num_listed):
    """(17, 3) of an annotation's list; InputError for another length or what is no number."""
    keypoints = np.zeros((len(COCO_KEYPOINTS), 3))
    if not listed:  # a crowd, or a person whose keypoints were not annotated
        return keypoints
    try:
        values = np.array(listed, float).reshape(num_listed, 3)  # null: NaN
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"has keypoints that are not {num_listed} times x, y, v") from error
    flags = np.nan_to_num(values[:, 2]).clip(0)
    if not (np.abs(values[flags > 0]) < MAX_NUMBER).all():
        raise InputError("has a labelled keypoint that is not a number of pixels")
    values = np.where(flags[:, None] > 0, values, 0.0)
    for index, column in pairs:
        keypoints[index] = values[column]
    return keypoints


def _box(values):
    is_box = isinstance(values, list) and len(values) == 4 and all(map(_is_number, values))
    if not is_box:
        raise InputError(f"has no bbox x, y, width, height, but {coco_names.shown(values)}")
    return tuple(map(float, values))


def _is_number(value):
    """Whether a value is a number of a size that an image can have."""
    return isinstance(value, (int, float)) and -MAX_NUMBER < value < MAX_NUMBER


def _photographs(entries, people, data_dir):
    """list of CocoPhotograph, by image id."""
    images = {}
    for number, entry in enumerate(entries):
        key = coco_names.entry_id(entry.get("id")) if isinstance(entry, dict) else None
        if key is None or not isinstance(entry.get("file_name"), str):
            raise InputError(f"images[{number}] has no id or no file_name")
        if key in images:
            raise InputError(f"two images have the id {coco_names.shown(key)}")
        images[key] = entry
    unknown = [key for key in people if key not in images]
    if unknown:
        raise InputError(
            f"annotations of an image that is not listed, image_id {coco_names.shown(unknown[0])}"
        )
    labelled = {k: entry for k, entry in images.items() if entry.get("is_labeled", True)}
    paths = _paths(data_dir, {key: entry["file_name"] for key, entry in labelled.items()})
    return [
        CocoPhotograph(
            image_id=key,
            file_name=labelled[key]["file_name"],
            path=paths[key],
            size=coco_names.image_size(labelled[key]),
            people=people.get(key, []),
        )
        for key in sorted(labelled, key=_by_kind)
    ]


def _paths(data_dir, names):
    """{image id: Path}, in COCO's folders where the names do not start at data_dir."""
    paths, ambiguous = photograph_paths.find(data_dir, names)
    if ambiguous:
        raise InputError(f"several images of one name: {next(iter(ambiguous.values()))}")
    folders = photograph_paths.coco_folders(data_dir)
    return {
        key: Path(photograph_paths.coco_path(folders, names[key]))
        if folders and not Path(path).is_file()
        else Path(path)
        for key, path in paths.items()
    }


def _by_kind(key):
    """Numbers in their order, then texts."""
    return isinstance(key, str), key

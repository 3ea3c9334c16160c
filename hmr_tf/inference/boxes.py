"""Reads bounding boxes of people from OpenPose's JSON, COCO's JSON or CSV.

A box is (x, y, width, height) in pixels of the photograph.
"""

import csv
import json
import math
from pathlib import Path
from typing import NamedTuple, Optional

from hmr_tf.files.errors import InputError
from hmr_tf.inference import openpose

MAX_BYTES = 2**30
_COLUMNS = ("image", "x", "y", "width", "height")


class BoxesByName(NamedTuple):
    """The boxes of each photograph."""

    by_name: dict  # base name of the photograph without its ending -> list of boxes
    default: Optional[list] = None  # boxes of every photograph that is not in `by_name`

    def find(self, *names):
        """List of boxes for the first of these names that is known; else the default, or []."""
        for name in names:
            if name in self.by_name:
                return self.by_name[name]
        return self.default or []


def read(path):
    """Reads the boxes of one or many photographs.

    Args:
      path: OpenPose's JSON of one photograph, a folder of such files (NAME_keypoints.json), COCO
        annotations or detections with a list of images, or a CSV with the columns image, x, y,
        width, height.

    Returns:
      BoxesByName. The boxes of a single OpenPose file are the default for all photographs.

    Raises:
      InputError: the file is missing or has none of these forms.
    """
    path = Path(path)
    if path.is_dir():
        files = sorted(path.glob("*.json"))
        if not files:
            raise InputError(f"--boxes={path} holds no JSON files of OpenPose.")
        names = [file.stem.replace("_keypoints", "") for file in files]
        return BoxesByName(dict(zip(names, map(_openpose_boxes, files))))
    if not path.is_file():
        raise InputError(f"--boxes={path}: no such file.")
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"--boxes={path} is larger than {MAX_BYTES >> 20} MB.")
    if path.suffix.lower() == ".csv":
        return BoxesByName(_read_csv(path))
    try:
        content = json.loads(path.read_bytes())
        if "people" in content:
            return BoxesByName({}, _openpose_boxes(path))
        return BoxesByName(_coco_boxes(content))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise InputError(
            f"--boxes={path} is no JSON of OpenPose (people) or COCO (images, annotations with "
            f"bbox): {error!r}"
        ) from error


def check(box, height, width):
    """Raises InputError for a box that does not overlap the photograph."""
    x, y, box_width, box_height = box
    shown = ",".join(f"{value:g}" for value in box)
    if not all(map(math.isfinite, box)):
        raise InputError(f"The box {shown} is not four numbers.")
    if not (box_width > 0 and box_height > 0):
        raise InputError(f"The box {shown} is empty: x,y,width,height, the last two above 0.")
    if x >= width or y >= height or x + box_width <= 0 or y + box_height <= 0:
        raise InputError(f"The box {shown} lies outside the {width} x {height} photograph.")


def _openpose_boxes(path):
    return [detection.box for detection in openpose.read(path)]


def _coco_boxes(content):
    """COCO annotations -> boxes by image name, without crowds and other categories than people."""
    names = {image["id"]: Path(image["file_name"]).stem for image in content["images"]}
    boxes = {name: [] for name in names.values()}
    for annotation in content["annotations"]:
        if annotation.get("category_id", 1) == 1 and not annotation.get("iscrowd"):
            boxes[names[annotation["image_id"]]].append(_box(annotation["bbox"]))
    return boxes


def _read_csv(path):
    boxes = {}
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            for row in csv.DictReader(file):
                box = _box([row[column] for column in _COLUMNS[1:]])
                boxes.setdefault(Path(row["image"]).stem, []).append(box)
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise InputError(
            f"--boxes={path} is no CSV with the columns {', '.join(_COLUMNS)}: {error!r}"
        ) from error
    if not boxes:
        raise InputError(f"--boxes={path} has no row below the columns {', '.join(_COLUMNS)}.")
    return boxes


def _box(values):
    x, y, width, height = (float(value) for value in values)
    return x, y, width, height

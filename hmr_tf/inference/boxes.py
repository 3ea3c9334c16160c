"""Reads bounding boxes of people from OpenPose's JSON, COCO's JSON or CSV.

A box is (x, y, width, height) in pixels of the photograph.
"""

import math
from pathlib import Path
from typing import Callable, NamedTuple, Optional

import numpy as np
from absl import logging

from hmr_tf.data import coco_names
from hmr_tf.data.coco_names import shown
from hmr_tf.files.errors import InputError
from hmr_tf.files.image_size import is_same_shape
from hmr_tf.files.listed_paths import ListedPaths, trailing_number
from hmr_tf.inference import box_files, openpose

_JSON_STARTS = (b"{", b"[")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LOW_SCORE = 0.3  # of a detection; the threshold that demos of detectors take
LARGEST_BOX = 10  # times the photograph's diagonal; of a face's photograph the body has 7 to 9


class FrameBoxes(NamedTuple):
    """The boxes of a video's frames."""

    of_frame: Callable  # number of a frame, from 0 -> list of boxes
    names: dict  # number of a frame -> listed name
    problems: list  # of str, one for each listed name that is not a frame's


class BoxesByName(NamedTuple):
    """The boxes of each photograph."""

    by_name: dict  # path of the photograph, as the file lists it -> list of boxes
    default: Optional[list] = None  # boxes of every photograph that is not in `by_name`
    problems: tuple = ()  # of str, one for each entry of the file that cannot be used

    def of_photographs(self, paths):
        """dict: path -> list of boxes, empty where there are none, or an InputError.

        The latter where a name is ambiguous, see `files.listed_paths.ListedPaths`, or where no name
        is that of any photograph. If all names are numbers, as ids in COCO's results, they are
        those at the ends of the photographs' names.
        """
        names = ListedPaths(self.by_name).find_all(paths)
        if not any(names.values()):
            by_number = self._photographs_by_number(paths)
            names = {path: by_number.get(path) for path in paths}
        if self.by_name and self.default is None and not any(names.values()):
            listed = ", ".join([*map(shown, list(self.by_name)[:3]), "..."][: len(self.by_name)])
            return {
                path: InputError(f"{path}: --boxes has no box for it; it names {listed}")
                for path in paths
            }
        return {
            path: name
            if isinstance(name, InputError)
            else self.by_name.get(name, self.default or [])
            for path, name in names.items()
        }

    def _photographs_by_number(self, paths):
        """dict: path -> listed number, or InputError where several photographs end with it."""
        if not all(name.isdecimal() for name in self.by_name):
            return {}
        names = {int(name): name for name in self.by_name}
        paths_of = {}
        for path in paths:
            number = trailing_number(Path(path).name)
            if number in names:
                paths_of.setdefault(number, []).append(path)
        return {
            path: names[number]
            if len(of_number) == 1
            else InputError(f"{names[number]} may be {of_number[0]} or {of_number[1]}")
            for number, of_number in paths_of.items()
            for path in of_number
        }

    def of_frames(self, stem, count_frames=lambda: 0):
        """The boxes of a video by the numbers of its frames.

        Args:
          stem: of the video's name.
          count_frames: function: the video's number of frames, 0: unknown; called where it decides.

        Returns:
          FrameBoxes.

        Raises:
          InputError: no name has a number, or two names have the same.
        """
        names, problems = {}, []
        for name in self.by_name:
            number = trailing_number(name)
            if number is None:
                problems.append(
                    f"--boxes names {shown(name)}, which is not a frame of {stem}: names end with "
                    "the number of the frame, as 0, 1, 2 or frame_000000.png"
                )
                continue
            if number in names:
                both = f"{shown(names[number])} and {shown(name)}"
                raise InputError(f"--boxes names frame {number} twice: {both}")
            names[number] = name
        if problems and not names:
            raise InputError(problems[0])
        first = _first_number(names, count_frames)
        if names and 0 not in names:
            logging.log_first_n(
                logging.WARNING, "--boxes names no frame 0: its frames count from %d.", 1, first
            )
        names = {number - first: name for number, name in names.items()}

        def boxes_of(number):
            return self.by_name[names[number]] if number in names else self.default or []

        return FrameBoxes(boxes_of, names, problems)


def _first_number(names, count_frames):
    """The number of the first frame, 0 or 1: 1 if the numbers end at the number of frames.

    Files that begin with 1, as ffmpeg numbers them, are counted from 1 too; bare numbers from 0.
    """
    if not names or 0 in names:
        return 0
    is_file_of_1 = min(names) == 1 and not names[1].isdecimal()
    return int(is_file_of_1 or max(names) == count_frames())


def read(path, category=""):
    """Reads the boxes of one or many photographs.

    Args:
      path: OpenPose's JSON of one photograph, a folder of such files (NAME_keypoints.json), COCO
        annotations with a list of images or detections, or a CSV with the columns image, x, y,
        width, height.
      category: name of COCO's category; empty: person.

    Returns:
      BoxesByName. The boxes of a single OpenPose file are the default for all photographs.

    Raises:
      InputError: the file is missing, has none of these forms, or no usable box.
    """
    path = Path(path)
    if path.is_dir():
        result = _read_folder(path)
    elif is_json(path):
        content = openpose.read_json(path, "boxes", box_files.MAX_BYTES)
        if isinstance(content, dict) and any(key in content for key in openpose.PEOPLE_KEYS):
            people = openpose.read(path, flag="boxes")
            boxes = [detection.box for detection in people.detections]
            return BoxesByName({}, boxes, tuple(people.problems))
        by_name, problems = box_files.read_json(content, f"--boxes={path}", category)
        if isinstance(content, list):
            _warn_of_low_scores(content, category)
        result = BoxesByName(by_name, problems=tuple(problems))
    else:
        by_name, problems = box_files.read_csv(path)
        result = BoxesByName(by_name, problems=tuple(problems))
    if result.problems and not any(result.by_name.values()):
        raise InputError(
            f"--boxes={path} has no usable box; of {len(result.problems)} entries the first: "
            f"{result.problems[0]}"
        )
    return result


def is_json(path):
    """Whether a file of boxes is JSON, by its name or its first bytes, and not a CSV."""
    if path.suffix.lower() in (".json", ".csv", ".tsv") or not path.is_file():
        return path.suffix.lower() == ".json"
    with open(path, "rb") as file:
        return file.read(1000).removeprefix(_BYTE_ORDER_MARK).lstrip().startswith(_JSON_STARTS)


def _warn_of_low_scores(entries, category):
    """A warning where a detector's results also list what it hardly believes to be people."""
    ids = coco_names.person_category_ids(None, category)
    people = [x for x in entries if isinstance(x, dict) and box_files.is_person(x, {}, ids)]
    scores = [person.get("score") for person in people]
    low = sum(isinstance(score, (int, float)) and score < _LOW_SCORE for score in scores)
    if low:
        logging.warning(
            "%d of %d detections have a score below %g: they are predicted as the others. Leave "
            "them out of the file where they are no people.",
            low,
            len(people),
            _LOW_SCORE,
        )


def check(box, height, width):
    """Raises InputError for a box that does not overlap the photograph."""
    shown = _as_text(box)
    if len(box) != 4 or not all(map(math.isfinite, box)):
        raise InputError(f"The box {shown} is not four numbers: x, y, width, height.")
    x, y, box_width, box_height = box
    if not (box_width > 0 and box_height > 0):
        raise InputError(f"The box {shown} is empty: x,y,width,height, the last two above 0.")
    if x >= width or y >= height or x + box_width <= 0 or y + box_height <= 0:
        raise InputError(f"The box {shown} lies outside the {width} x {height} photograph.")


def check_given(box, height, width):
    """As `check`, for a box that the user gives: also refuses one that is far too large."""
    check(box, height, width)
    *_, box_width, box_height = box
    if math.hypot(box_width, box_height) > LARGEST_BOX * math.hypot(width, height):
        raise InputError(
            f"The box {_as_text(box)} is more than {LARGEST_BOX} times as large as the {width} x "
            f"{height} photograph: boxes are in its pixels, not in those of a larger copy."
        )


def _as_text(box):
    return ",".join(f"{value:g}" for value in box)


def are_corners(box, height, width):
    """Whether a box reaches far out of the photograph, and not if it is read as two corners."""
    x, y, box_width, box_height = box
    is_far = x + 0.9 * box_width > width or y + 0.9 * box_height > height
    return is_far and max(0, x) < box_width <= width and max(0, y) < box_height <= height


def usable(boxes, height, width):
    """(list of the boxes that `check_given` accepts, list of what was wrong with the others).

    Those of `box_files.SizedBoxes` are scaled to an image of another size; none are accepted if it
    has another shape.
    """
    stated = getattr(boxes, "size", None)
    if stated and tuple(stated) != (height, width):
        if not is_same_shape(stated, (height, width)):
            reason = f"{width} x {height} pixels, but the file of boxes states"
            return [], [
                f"It has {reason} {stated[1]:g} x {stated[0]:g}: give boxes of the upright picture."
            ]
        logging.log_first_n(
            logging.WARNING,
            "Boxes are scaled where their file states another size of an image.",
            1,
        )
        factors = (width / stated[1], height / stated[0]) * 2
        boxes = [tuple(np.multiply(box, factors).tolist()) for box in boxes]
    good, problems = [], []
    for box in boxes:
        try:
            check_given(box, height, width)
            good.append(box)
        except InputError as error:
            problems.append(str(error))
    return good, problems


def _read_folder(folder):
    files = sorted(file for file in folder.glob("*") if file.suffix.lower() == ".json")
    files = [file for file in files if not file.name.startswith(".")]
    if not files:
        raise InputError(f"--boxes={folder} holds no JSON files of OpenPose.")
    by_name, file_of_name, problems = {}, {}, []
    for file in files:
        name = file.stem.removesuffix("_keypoints")
        try:
            if name in file_of_name:
                raise InputError(f"{file} and {file_of_name[name].name} are of one photograph")
            content = openpose.read_json(file, "boxes", openpose.MAX_BYTES)
            people = openpose.parse(content, named=f"--boxes={file}")
        except InputError as error:
            problems.append(str(error))
            continue
        file_of_name[name] = file
        by_name[name] = [detection.box for detection in people.detections]
        problems += [f"{file.name}: {problem}" for problem in people.problems]
    return BoxesByName(by_name, problems=tuple(problems))

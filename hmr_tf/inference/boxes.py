"""Reads bounding boxes of people from OpenPose's JSON, COCO's JSON or CSV.

A box is (x, y, width, height) in pixels of the photograph.
"""

import csv
import io
import math
from pathlib import Path
from typing import NamedTuple, Optional

from hmr_tf.data import coco_names
from hmr_tf.files.errors import InputError
from hmr_tf.files.listed_paths import ListedPaths, trailing_number
from hmr_tf.inference import openpose

MAX_BYTES = 2**30
_COLUMNS = ("image", "x", "y", "width", "height")
_DELIMITERS = ",;\t"


class BoxesByName(NamedTuple):
    """The boxes of each photograph."""

    by_name: dict  # path of the photograph, as the file lists it -> list of boxes
    default: Optional[list] = None  # boxes of every photograph that is not in `by_name`
    problems: tuple = ()  # of str, one for each entry of the file that cannot be used

    def of_photographs(self, paths):
        """dict: path -> list of boxes, empty where there are none; InputError for ambiguous ones.

        See `files.listed_paths.ListedPaths`.
        """
        listed = ListedPaths(self.by_name).find_all(paths)
        return {
            path: name
            if isinstance(name, InputError)
            else self.by_name.get(name, self.default or [])
            for path, name in listed.items()
        }

    def of_frames(self, stem, count_frames=lambda: 0):
        """The boxes of a video by the numbers of its frames.

        Args:
          stem: of the video's name.
          count_frames: function: the video's number of frames, 0: unknown; called where it decides.

        Returns:
          function: number of a frame, from 0 -> list of boxes; and the dict: number -> listed name.

        Raises:
          InputError: a name has no number, or two names have the same.
        """
        names = {}
        for name in self.by_name:
            number = trailing_number(name)
            if number is None:
                raise InputError(
                    f"--boxes names {name}, which is not a frame of {stem}: names end with the "
                    "number of the frame, as 0, 1, 2 or frame_000000.png"
                )
            if number in names:
                raise InputError(f"--boxes names frame {number} twice: {names[number]} and {name}")
            names[number] = name
        first = _first_number(names, count_frames)
        names = {number - first: name for number, name in names.items()}

        def boxes_of(number):
            return self.by_name[names[number]] if number in names else self.default or []

        return boxes_of, names


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
    elif path.suffix.lower() == ".csv":
        result = _read_csv(path)
    else:
        content = openpose.read_json(path, "boxes", MAX_BYTES)
        if isinstance(content, dict) and "people" in content:
            people = openpose.read(path, flag="boxes")
            boxes = [detection.box for detection in people.detections]
            return BoxesByName({}, boxes, tuple(people.problems))
        result = _coco_boxes(content, f"--boxes={path}", category)
    if result.problems and not any(result.by_name.values()):
        raise InputError(
            f"--boxes={path} has no usable box; of {len(result.problems)} entries the first: "
            f"{result.problems[0]}"
        )
    return result


def check(box, height, width):
    """Raises InputError for a box that does not overlap the photograph."""
    shown = ",".join(f"{value:g}" for value in box)
    if len(box) != 4 or not all(map(math.isfinite, box)):
        raise InputError(f"The box {shown} is not four numbers: x, y, width, height.")
    x, y, box_width, box_height = box
    if not (box_width > 0 and box_height > 0):
        raise InputError(f"The box {shown} is empty: x,y,width,height, the last two above 0.")
    if x >= width or y >= height or x + box_width <= 0 or y + box_height <= 0:
        raise InputError(f"The box {shown} lies outside the {width} x {height} photograph.")


def usable(boxes, height, width):
    """(list of the boxes that `check` accepts, list of what was wrong with the others)."""
    good, problems = [], []
    for box in boxes:
        try:
            check(box, height, width)
            good.append(box)
        except InputError as error:
            problems.append(str(error))
    return good, problems


def _read_folder(folder):
    files = sorted(file for file in folder.glob("*.json") if not file.name.startswith("."))
    if not files:
        raise InputError(f"--boxes={folder} holds no JSON files of OpenPose.")
    by_name, problems = {}, []
    for file in files:
        name = file.stem.replace("_keypoints", "")
        try:
            content = openpose.read_json(file, "boxes", openpose.MAX_BYTES)
            people = openpose.parse(content, named=f"--boxes={file}")
        except InputError as error:
            problems.append(str(error))
            continue
        by_name[name] = [detection.box for detection in people.detections]
        problems += [f"{file.name}: {problem}" for problem in people.problems]
    return BoxesByName(by_name, problems=tuple(problems))


def _coco_boxes(content, named, category):
    """Annotations, or a list of detections, -> BoxesByName without crowds and other categories."""
    if isinstance(content, list):
        names, annotations = None, content
        ids = coco_names.person_category_ids(None, category)
    else:
        if not isinstance(content, dict) or not all(
            isinstance(content.get(key), list) for key in ("images", "annotations")
        ):
            keys = ", ".join(map(str, content)) if isinstance(content, dict) else ""
            raise InputError(
                f"{named} is not a JSON of OpenPose (people) or COCO (images, annotations with "
                f"bbox); it has {keys[:200] or 'no names'}"
            )
        names = {
            key: image.get("file_name")
            for key, image in coco_names.entries_by_id(content["images"]).items()
        }
        annotations = content["annotations"]
        try:
            ids = coco_names.person_category_ids(content.get("categories"), category)
        except InputError as error:
            raise InputError(f"{named}: {error}") from error
    by_name = {name: [] for name in (names or {}).values() if isinstance(name, str)}
    problems = []
    for number, annotation in enumerate(annotations):
        try:
            _add_annotation(by_name, annotation, names, ids)
        except InputError as error:
            shown = annotation.get("id", "none") if isinstance(annotation, dict) else "none"
            problems.append(f"annotation {number} (id {shown}) {error}")
    if not by_name and not problems:
        raise InputError(f"{named} {_no_people(annotations, ids)}")
    return BoxesByName(by_name, problems=tuple(problems))


def _no_people(annotations, ids):
    """Why a list of detections has no boxes of people."""
    kinds = {str(entry.get("category_id")) for entry in annotations if isinstance(entry, dict)}
    if not kinds:
        return "lists no photographs"
    return (
        f"has no entry of category_id {' or '.join(sorted(map(str, ids)))}, which is a person; it "
        f"has {', '.join(sorted(kinds)[:8])}; pass one of them as --category=ID"
    )


def _add_annotation(by_name, annotation, names, ids):
    """Adds one annotation's box; InputError if it has none."""
    if not isinstance(annotation, dict):
        raise InputError("is not a dictionary")
    kind = coco_names.entry_id(annotation.get("category_id"))
    if (kind is not None and kind not in ids) or coco_names.is_crowd(annotation):
        return
    key = coco_names.entry_id(annotation.get("image_id"))
    name = str(key) if names is None and key is not None else (names or {}).get(key)
    if not isinstance(name, str):
        raise InputError(f"belongs to no image with a file_name (image_id {key})")
    values = annotation.get("bbox", annotation.get("box"))
    if values is None:
        raise InputError("has no bbox")
    by_name.setdefault(name, []).append(_box(values))


def _read_csv(path):
    rows = csv.DictReader(io.StringIO(text := _text(path)), delimiter=_delimiter(text))
    by_name, problems = {}, []
    try:
        rows.fieldnames = _header(rows.reader, path)
        for row in rows:
            cells = {name: (row[name] or "").strip() for name in _COLUMNS}
            if not any(cells.values()):
                continue
            decimal = "," if rows.reader.dialect.delimiter == ";" else "."  # some write 1,5
            values = [cells[name].replace(decimal, ".") for name in _COLUMNS[1:]]
            try:
                if not cells["image"]:
                    raise InputError("names no image")
                by_name.setdefault(cells["image"], []).append(_box(values))
            except InputError as error:
                problems.append(f"line {rows.reader.line_num} {error}")
    except csv.Error as error:
        reason = f"line {rows.reader.line_num} ({error})"
        raise InputError(f"--boxes={path} is not a CSV that can be read, {reason}") from error
    if not by_name and not problems:
        raise InputError(f"--boxes={path} has no row below the columns {', '.join(_COLUMNS)}.")
    return BoxesByName(by_name, problems=tuple(problems))


def _header(reader, path):
    """The names in the first line that is not empty, in lower case; none of an empty file."""
    header = [" ".join(name.lower().split()) for name in next(filter(None, reader), [])]
    if header and not set(_COLUMNS) <= set(header):
        raise InputError(
            f"--boxes={path} is not a CSV with the columns {', '.join(_COLUMNS)}; its first line "
            f"is {', '.join(header)[:200]}"
        )
    return header


def _text(path):
    """A text file's content: UTF-8 or UTF-16 as it begins, else Windows' cp1252."""
    if not path.is_file():
        raise InputError(f"--boxes={path}: no such file.")
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"--boxes={path} is larger than {MAX_BYTES >> 20} MB.")
    content = path.read_bytes()
    is_utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if is_utf16 else ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise InputError(f"--boxes={path} is not text: save the CSV as UTF-8.")


def _delimiter(text):
    """Of a CSV: the one of `_DELIMITERS` that its first line has most of, empty ones aside."""
    return max(_DELIMITERS, key=text.lstrip().split("\n", 1)[0].count)


def _box(values):
    """(x, y, width, height); InputError for other content."""
    try:
        x, y, width, height = (float(value) for value in values)
    except (TypeError, ValueError, OverflowError) as error:
        shown = ",".join(map(str, values)) if isinstance(values, (list, tuple)) else values
        raise InputError(f"has the box {str(shown)[:80]}, not four numbers") from error
    if not all(map(math.isfinite, (x, y, width, height))):
        raise InputError("has a box that is not finite")
    if not (width > 0 and height > 0):
        raise InputError(f"has an empty box {x:g},{y:g},{width:g},{height:g}")
    if max(abs(x), abs(y), width, height) <= 1:
        raise InputError(
            f"has the box {x:g},{y:g},{width:g},{height:g}: shares of the photograph, not pixels"
        )
    return x, y, width, height

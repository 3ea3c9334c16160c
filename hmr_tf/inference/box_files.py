"""Reads boxes of people from COCO's JSON, lists of detections, AlphaPose's JSON and CSV."""

import csv
import io
import math

from hmr_tf.data import coco_names
from hmr_tf.files.errors import InputError
from hmr_tf.inference import openpose

MAX_BYTES = 2**30
_COLUMNS = ("image", "x", "y", "width", "height")
_DELIMITERS = ",;\t"
_CORNERS = "corners x1, y1, x2, y2; needed are x, y, width, height"
_TOLERANCE = 0.005  # of an area that a file states
_MAX_AREA = 1e12  # of an image


class SizedBoxes(list):
    """The boxes of an image, and the size that their file states of it.

    Attributes:
      size: (height, width), or None.
    """

    def __init__(self, size=None):
        super().__init__()
        self.size = size


def read_json(content, named, category):
    """Boxes of COCO's annotations, of a list of detections, or of AlphaPose's dictionary of images.

    Crowds and other categories are left out.

    Args:
      content: what the JSON holds.
      named: the file, for messages.
      category: name of COCO's category, or the id in a list of detections; empty: person.

    Returns:
      dict: listed name -> list of boxes; list of str, one for each entry that cannot be used.

    Raises:
      InputError: the content has another form, holds no people, or corners in place of boxes.
    """
    if _is_by_image(content):
        return _read_alphapose(content)
    is_list = isinstance(content, list)
    annotations = content if is_list else _coco_annotations(content, named)
    try:
        images = None if is_list else coco_names.Images(content["images"])
        categories = None if is_list else content.get("categories")
        ids = coco_names.person_category_ids(categories, category)
        if is_list:
            _check_list(annotations)
    except InputError as error:
        raise InputError(f"{named}: {error}") from error
    entries = coco_names.entries_by_id(categories)
    sizes = images.sizes if images else {}
    by_name = {name: SizedBoxes(size) for name, size in sizes.items()}
    problems, boxes, has_people = [], [], False
    for number, annotation in enumerate(annotations):
        try:
            if not isinstance(annotation, dict):
                raise InputError("is not a dictionary")
            if not is_person(annotation, entries, ids):
                continue
            has_people = True
            if coco_names.is_crowd(annotation):
                continue
            name, size = images.find(annotation) if images else (_listed_name(annotation), None)
            box = _box_of(annotation, is_list)
            by_name.setdefault(name, []).append(box)
            boxes.append((box, annotation.get("area"), size))
        except InputError as error:
            key = annotation.get("id", "none") if isinstance(annotation, dict) else "none"
            problems.append(f"annotation {number} (id {coco_names.shown(key)}) {error}")
    if annotations and not has_people and not problems and not ids & set(entries):
        raise InputError(f"{named} {coco_names.no_people(annotations, ids)}")
    if not by_name and not problems:
        raise InputError(f"{named} lists no photographs")
    if _are_corners(boxes):
        shown = ",".join(f"{value:g}" for value in boxes[0][0])
        raise InputError(
            f"{named} has boxes such as {shown}, which are {_CORNERS}; boxes that do reach so far "
            "out of their images are read with an area, width * height, in each annotation"
        )
    return by_name, problems


def _is_by_image(content):
    """AlphaPose's {"a.jpg": {"people": [...]}, ...}, or with "bodies"."""
    return (
        isinstance(content, dict)
        and bool(content)
        and all(
            isinstance(image, dict) and any(key in image for key in openpose.PEOPLE_KEYS)
            for image in content.values()
        )
    )


def _read_alphapose(content):
    by_name, problems = {}, []
    for name, image in content.items():
        try:
            people = openpose.parse(image)
        except InputError as error:
            problems.append(f"{coco_names.shown(name)}: {error}")
            continue
        by_name[name] = [detection.box for detection in people.detections]
        problems += [f"{coco_names.shown(name)}: {problem}" for problem in people.problems]
    return by_name, problems


def _coco_annotations(content, named):
    if not isinstance(content, dict) or not all(
        isinstance(content.get(key), list) for key in ("images", "annotations")
    ):
        is_dict = isinstance(content, dict) and content
        keys = ", ".join(map(coco_names.shown, list(content)[:8])) if is_dict else "no names"
        raise InputError(
            f"{named} is not a JSON of OpenPose (people) or COCO (lists of images and of "
            f"annotations with bbox); it has {keys}"
        )
    return content["annotations"]


def _check_list(annotations):
    """Raises InputError for lists of other programs."""
    entries = [entry for entry in annotations if isinstance(entry, dict)]
    if entries and not any("image_id" in entry for entry in entries):
        keys = ", ".join(map(coco_names.shown, list(entries[0])[:8])) or "nothing"
        raise InputError(
            "detections need image_id and bbox, as in COCO's results and AlphaPose's; the first "
            f"has {keys}"
        )


def _listed_name(annotation):
    """The name, or number, of the photograph of a detection."""
    value = annotation.get("image_id")
    key = value if isinstance(value, str) else coco_names.entry_id(value)
    if key is None:
        raise InputError(f"belongs to no image (image_id {coco_names.shown(value)})")
    return str(key)


def is_person(annotation, categories, ids):
    """Whether an annotation is of a person; InputError if that is not stated."""
    kind = coco_names.category_id(annotation, categories)
    if kind is None:
        raise InputError("has no category_id")
    return kind in ids or annotation.get("category_id") is None


def _box_of(annotation, is_detection):
    """The box of an annotation; without one, that of a detection's keypoints."""
    values = annotation.get("bbox", annotation.get("box"))
    if values is None and is_detection and annotation.get("keypoints"):
        detection = openpose.detection_from_list(annotation["keypoints"])
        if detection is None:
            raise InputError("has no bbox, and no area between confident keypoints")
        return detection.box
    if values is None:
        raise InputError("has no bbox")
    if str(annotation.get("bbox_mode", 1)) in ("0", "BoxMode.XYXY_ABS"):  # Detectron2's
        raise InputError(f"has a box of bbox_mode 0, {_CORNERS}")
    return box_of_values(values)


def _are_corners(boxes):
    """Whether boxes are x1, y1, x2, y2 by their stated areas, or by the sizes of their images.

    Args:
      boxes: list of (x, y, width, height), area or None, and (height, width) of the image or None.
    """
    if not boxes or not all(width > x and height > y for (x, y, width, height), *_ in boxes):
        return False
    numbers = [(box, area) for box, area, _ in boxes if isinstance(area, (int, float))]
    areas = [(box, area) for box, area in numbers if 0 < area < _MAX_AREA]
    if areas:
        return all(
            abs((x2 - x) * (y2 - y) - area) <= _TOLERANCE * area < abs(x2 * y2 - area)
            for (x, y, x2, y2), area in areas
        )
    if not all(size and box[2] <= size[1] and box[3] <= size[0] for box, _, size in boxes):
        return False
    num_beyond = sum(
        x + width > 1.1 * size[1] or y + height > 1.1 * size[0]
        for (x, y, width, height), _, size in boxes
    )
    return 2 * num_beyond > len(boxes)


def read_csv(path):
    """Boxes of a CSV with the columns image, x, y, width, height, as `read_json` returns them.

    Raises:
      InputError: the file is missing, is no such table, or has no row.
    """
    text = _text(path)
    rows = csv.DictReader(io.StringIO(text), delimiter=_delimiter(text))
    by_name, problems = {}, []
    try:
        rows.fieldnames = _header(rows.reader, path)
        for row in rows:
            cells = {name: (row[name] or "").strip() for name in _COLUMNS}
            if not any(cells.values()):
                continue
            is_comma_free = rows.reader.dialect.delimiter != ","  # some write 1,5
            values = [cells[name] for name in _COLUMNS[1:]]
            values = [value.replace(",", ".") for value in values] if is_comma_free else values
            try:
                if not cells["image"]:
                    raise InputError("names no image")
                if any(cell.strip() for cell in row.get(None, ())):
                    raise InputError("has more cells than the first line; commas in its numbers?")
                by_name.setdefault(cells["image"], []).append(box_of_values(values))
            except InputError as error:
                problems.append(f"line {rows.reader.line_num} {error}")
    except csv.Error as error:
        reason = f"line {rows.reader.line_num} ({error})"
        raise InputError(f"--boxes={path} is not a CSV that can be read, {reason}") from error
    if not by_name and not problems:
        raise InputError(f"--boxes={path} has no row below the columns {', '.join(_COLUMNS)}.")
    return by_name, problems


def _header(reader, path):
    """The names in the first line that is not empty, in lower case; none of an empty file."""
    header = [" ".join(name.lower().split()) for name in next(filter(None, reader), [])]
    is_distinct = all(header.count(name) == 1 for name in _COLUMNS)
    if header and not is_distinct:
        first_line = coco_names.shown(", ".join(header))
        raise InputError(
            f"--boxes={path} is not a CSV with the columns {', '.join(_COLUMNS)}, each once; its "
            f"first line is {first_line}"
        )
    return header


def _text(path):
    """A text file's content: UTF-8 or UTF-16 as it begins, else Windows' cp1252; lines end in \\n.

    Excel's first line sep=; is left out.
    """
    if not path.is_file():
        raise InputError(f"--boxes={path}: no such file.")
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"--boxes={path} is larger than {MAX_BYTES >> 20} MB.")
    content = path.read_bytes()
    for encoding in _encodings(content):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        lines = text.replace("\r\n", "\n").replace("\r", "\n")
        first, _, others = lines.partition("\n")
        return others if first.strip('" ').lower().startswith("sep=") else lines
    raise InputError(f"--boxes={path} is not text: save the CSV as UTF-8.")


def _encodings(content):
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return ("utf-16",)
    if b"\0" in content[:2]:
        return ("utf-16-be" if content[0] == 0 else "utf-16-le",)
    return "utf-8-sig", "cp1252"


def _delimiter(text):
    """Of a CSV: the one of `_DELIMITERS` that its first line has most of, empty ones aside."""
    return max(_DELIMITERS, key=text.lstrip().split("\n", 1)[0].count)


def box_of_values(values):
    """A list of four numbers or texts -> (x, y, width, height); InputError for other content."""
    try:
        if not isinstance(values, (list, tuple)) or any("_" in str(value) for value in values):
            raise TypeError  # Python takes 1_0 for 10
        x, y, width, height = (float(value) for value in values)
    except (TypeError, ValueError, OverflowError) as error:
        is_list = isinstance(values, (list, tuple))
        shown = coco_names.shown(",".join(map(coco_names.shown, values)) if is_list else values)
        raise InputError(f"has the box {shown}, not four numbers") from error
    if not all(map(math.isfinite, (x, y, width, height))):
        raise InputError("has a box that is not finite")
    if not (width > 0 and height > 0):
        raise InputError(f"has an empty box {x:g},{y:g},{width:g},{height:g}")
    if max(abs(x), abs(y), width, height) <= 1:
        raise InputError(
            f"has the box {x:g},{y:g},{width:g},{height:g}: shares of the photograph, not pixels"
        )
    return x, y, width, height

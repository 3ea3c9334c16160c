"""A JSON file of COCO's form: images and the annotations of people, checked entry by entry."""

import json
from typing import NamedTuple

from data_prep.reader_items import Skipped
from hmr_tf.body import skeleton
from hmr_tf.data import coco_names
from hmr_tf.files.errors import InputError

_JSON_NAMES = {
    list: "list",
    str: "text",
    int: "number",
    float: "number",
    bool: "word",
    type(None): "null",
}


class CocoFile(NamedTuple):
    """The usable entries of a file."""

    images: dict  # id -> entry with a file_name, in the order of the ids
    people: dict  # image id -> list of (annotation, columns of its keypoints, number of these)
    skipped: list  # of Skipped: the other entries


def read(path, category=""):
    """Reads a file.

    Args:
      path: Path.
      category: name of the category of people; empty: person.

    Returns:
      CocoFile. Columns are from `coco_names.keypoint_columns`.

    Raises:
      InputError: it is another kind of file, has no such category, or an unknown keypoint.
    """
    content = _read_json(path)
    try:
        columns = _columns_by_category(content.get("categories"), category)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    images, unusable_images = _images(content["images"], path.name)
    people, others = _people_by_image(content, images, columns, path.name)
    if others and not people and not any(skipped.is_problem for skipped in others):
        raise InputError(f"{path} {coco_names.no_people(content['annotations'], columns)}")
    return CocoFile(images, people, skipped=unusable_images + others)


def _columns_by_category(categories, name):
    """dict: id of each category of people -> `coco_names.keypoint_columns` and their number."""
    entries, columns = coco_names.entries_by_id(categories), {}
    for key in coco_names.person_category_ids(categories, name):
        names = entries.get(key, {}).get("keypoints") or skeleton.COCO_KEYPOINTS
        columns[key] = coco_names.keypoint_columns(names), len(names)
    return columns


def _read_json(path):
    """The file's dict with the lists images and annotations; InputError if it is something else."""
    try:
        content = path.read_bytes()
        try:
            content = json.loads(content)
        except UnicodeDecodeError:  # Windows'
            content = json.loads(content.decode("cp1252"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not a JSON file, or truncated; download it again") from error
    keys = ("images", "annotations")
    is_dict = isinstance(content, dict)
    if not is_dict or not all(isinstance(content.get(key), list) for key in keys):
        present = (
            ", ".join(map(coco_names.shown, list(content)[:8]))
            if is_dict and content
            else "nothing"
        )
        what = f"a dictionary of {present}" if is_dict else f"a {_JSON_NAMES[type(content)]}"
        raise InputError(
            f"{path} is not a file of COCO keypoints: it has no lists images and annotations, but "
            f"is {what}"
        )
    return content


def _images(entries, filename):
    """dict: id -> entry of each image, and a list of Skipped for those without id or file name."""
    images, unusable = {}, []
    for number, entry in enumerate(entries):
        image_id = coco_names.entry_id(entry.get("id")) if isinstance(entry, dict) else None
        if image_id is None or not _is_file_name(entry.get("file_name")):
            where = f"{filename}, images[{number}]"
            unusable.append(Skipped("image without id or file_name", where))
        else:
            images[image_id] = entry
    order = sorted(images, key=lambda key: (isinstance(key, str), key))
    return {image_id: images[image_id] for image_id in order}, unusable


def _is_file_name(value):
    return isinstance(value, str) and bool(value.strip(" ./\\")) and "\0" not in value


def _people_by_image(content, images, columns, filename):
    """dict: image id -> (annotation, columns, their number) of people; a list of other Skipped."""
    people, others = {}, []
    _, ambiguous = coco_names.images_by_id(content["images"])
    categories = coco_names.entries_by_id(content.get("categories"))
    for number, entry in enumerate(content["annotations"]):
        where = f"{filename}, annotations[{number}]"
        entry = entry if isinstance(entry, dict) else {}
        image_id = coco_names.entry_id(entry.get("image_id"))
        category_id = coco_names.category_id(entry, categories)
        if image_id not in images:
            others.append(Skipped("annotation of no listed image", where))
        elif category_id is None:
            others.append(Skipped("annotation without category_id", where))
        elif category_id not in columns:
            where = f"{where}, category_id {coco_names.shown(category_id)}"
            others.append(Skipped("of another category", where, is_problem=False))
        elif image_id in ambiguous:
            others.append(Skipped("several images of one id", f"{where}: {ambiguous[image_id]}"))
        else:
            people.setdefault(image_id, []).append((entry, *columns[category_id]))
    return people, others

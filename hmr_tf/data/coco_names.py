"""Names in files of COCO's form: which categories are people, which keypoint is which."""

import json
import re

from hmr_tf.body import skeleton
from hmr_tf.files.errors import InputError

PERSON, PERSON_ID = "person", 1  # COCO's; the id counts only where a file names no categories
# The area of a person without a mask: this share of the box, as mmpose
# (`base_coco_style_dataset.py`) and Ultralytics take it.
AREA_OF_BOX = 0.53
_MAX_SIDE = 1e6  # of an image, pixels
# Other names of `skeleton.KEYPOINTS`: of PoseTrack, MPII, CrowdPose and Halpe.
_ALIASES = {
    "head_bottom": "neck",
    "upper_neck": "neck",
    "top_head": "head_top",
    "top_of_head": "head_top",
    "left_heap": "left_hip",
    "right_heap": "right_hip",
}
# Keypoints that HMR does not use. A head without "top" may be its middle or its top.
_UNUSED_OF_SIDES = (
    *("big_toe", "small_toe", "toe", "heel", "foot", "hand", "thumb", "foot_index"),
    *("eye_inner", "eye_outer", "mouth", "pinky", "index"),  # MediaPipe's
)
_UNUSED = {
    *("root", "center_hip", "center_shoulder", "neck_base"),  # JRDB's, Human3.6M's
    *("pelvis", "hip", "mid_hip", "thorax", "spine", "chest", "head", "chin", "sternum"),
    *(f"{side}_{part}" for side in ("left", "right") for part in _UNUSED_OF_SIDES),
}
# COCO-WholeBody's faces and hands.
_UNUSED_PARTS = re.compile(
    r"face_\d+|(left|right)_hand_(root|\d+)|(left|right)_\w*(thumb|finger)\d+"
)
_SIDES = {"left": "left", "l": "left", "right": "right", "r": "right"}


def entry_id(value):
    """An id as int or text, None for anything else. 7, "7" and 7.0 are one id."""
    if isinstance(value, str):
        return int(value) if re.fullmatch(r"[0-9]{1,18}", value) else value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) else None


def shown(value):
    """A value of a JSON file as text for messages: short, in one line."""
    text = value if isinstance(value, str) else json.dumps(value)
    return "".join(letter if letter.isprintable() else "?" for letter in text[:80])


def is_crowd(annotation):
    """Whether an annotation is of a crowd: iscrowd is 1, "1" or true."""
    value = annotation.get("iscrowd")
    return bool(value) and str(value).strip().lower() not in ("0", "0.0", "false")


def entries_by_id(entries):
    """dict: id -> dictionary, of a list of dictionaries; what has no id is left out."""
    entries = entries if isinstance(entries, list) else []
    named = [(entry_id(entry.get("id")), entry) for entry in entries if isinstance(entry, dict)]
    return {key: entry for key, entry in named if key is not None}


def images_by_id(entries):
    """Images by their ids, and the ids that stand for several images.

    Files that were put together from others count from 1 again.

    Args:
      entries: the file's "images".

    Returns:
      dict: id -> the last entry with this id; dict: id -> text, of ids with several file names.
    """
    names = {}
    for entry in entries if isinstance(entries, list) else []:
        key = entry_id(entry.get("id")) if isinstance(entry, dict) else None
        if key is not None and isinstance(entry.get("file_name"), str):
            names.setdefault(key, {})[entry["file_name"]] = True
    return entries_by_id(entries), {
        key: f"image id {key} is {' and '.join(map(shown, list(of_id)[:3]))}"
        for key, of_id in names.items()
        if len(of_id) > 1
    }


def image_size(image, largest=_MAX_SIDE):
    """(height, width) that COCO's entry of an image states, or None; sides up to `largest`."""
    size = image.get("height"), image.get("width")
    is_size = all(isinstance(side, (int, float)) and 0 < side <= largest for side in size)
    return size if is_size else None


class Images:
    """The images that COCO's JSON lists.

    Attributes:
      sizes: dict: name of each image -> its `image_size`.
    """

    def __init__(self, entries):
        """Args: entries: the file's "images"."""
        self._by_id, self._ambiguous = images_by_id(entries)
        self.sizes = {
            image["file_name"]: image_size(image)
            for image in self._by_id.values()
            if isinstance(image.get("file_name"), str)
        }

    def find(self, annotation):
        """Name and `image_size` of an annotation's image; InputError if none or several fit."""
        key = entry_id(annotation.get("image_id"))
        if key in self._ambiguous:
            raise InputError(f"belongs to several images: {self._ambiguous[key]}")
        image = self._by_id.get(key, {})
        name = image.get("file_name")
        if not isinstance(name, str):
            stated = shown(annotation.get("image_id"))
            raise InputError(f"belongs to no image with a file_name (image_id {stated})")
        return name, image_size(image)


def category_id(annotation, entries):
    """Id of an annotation's category; None where the file has several and it states none.

    Some files write the category's name in place of its id.

    Args:
      annotation: dictionary.
      entries: the file's "categories", from `entries_by_id`.
    """
    key = entry_id(annotation.get("category_id"))
    if key is None and len(entries) < 2:
        return next(iter(entries), PERSON_ID)
    if isinstance(key, str) and key not in entries:
        names = {_category_name(entry): other for other, entry in entries.items()}
        return names.get(key.strip().lower(), key)
    return key


def _category_name(entry):
    return _name_of(entry).strip().lower()


def _name_of(category):
    name = category.get("name")
    return name if isinstance(name, str) else "" if name is None else shown(name)


def person_category_ids(categories, name=""):
    """Ids of the categories that hold people.

    Args:
      categories: the file's "categories"; entries without id are passed over.
      name: of the category; empty: person. An id where no category has a name.

    Returns:
      set of ids, from `entry_id`.

    Raises:
      InputError: no category has this name, or its id stands for another category too.
    """
    named = {key: _name_of(entry) for key, entry in entries_by_id(categories).items()}
    _check_distinct_ids(categories)
    category_name = (name or PERSON).strip().lower()
    if not any(named.values()):
        if not name:
            return {PERSON_ID, PERSON}
        if not named or entry_id(category_name) in named:
            return {entry_id(category_name)}
    ids = {key for key, value in named.items() if value.strip().lower() == category_name}
    if not ids:
        present = ", ".join(sorted(map(shown, filter(None, named.values())))) or "none with a name"
        raise InputError(
            f"no category is called {name or PERSON}; the file has: {present}; pass one of them as "
            "--category=NAME"
        )
    return ids


def no_people(annotations, ids):
    """Why a file without people has none: the categories of its annotations are others."""
    kinds = {shown(entry.get("category_id")) for entry in annotations if isinstance(entry, dict)}
    people, others = " or ".join(sorted(map(shown, ids))), ", ".join(sorted(kinds)[:8]) or "none"
    return (
        f"has no entry of category_id {people}, which is a person; it has {others}; "
        "pass one of them as --category=ID"
    )


def _check_distinct_ids(categories):
    names = {}
    for entry in categories if isinstance(categories, list) else []:
        key = entry_id(entry.get("id")) if isinstance(entry, dict) else None
        if key is not None and names.setdefault(key, _category_name(entry)) != _category_name(
            entry
        ):
            raise InputError(
                f"two categories have the id {shown(key)}: {shown(names[key])} and "
                f"{shown(_category_name(entry))}; give each category its own id"
            )


def keypoint_columns(names):
    """Maps the keypoints of a category to `skeleton.KEYPOINTS` by their names.

    Args:
      names: list of a category's "keypoints"; None: COCO's 17.

    Returns:
      dict: index in `skeleton.KEYPOINTS` -> index in `names`.

    Raises:
      InputError: a name is unknown or comes twice, or none is one of HMR's keypoints.
    """
    if names is None:
        names = skeleton.COCO_KEYPOINTS
    if not isinstance(names, (list, tuple)):
        raise InputError(f"its category's keypoints are {shown(names)}, not a list of names")
    standard = [_standard_name(name) if isinstance(name, str) else "" for name in names]
    unknown = [
        shown(name)
        for name, known in zip(names, standard)
        if known not in (*skeleton.KEYPOINTS, *_UNUSED) and not _UNUSED_PARTS.fullmatch(known)
    ]
    if unknown:
        named = ", ".join(unknown)
        raise InputError(
            f"unknown keypoints: {named[:197] + '...' * (len(named) > 197)}; known are "
            f"{', '.join(skeleton.KEYPOINTS)}, and some that are not used, as pelvis and left_heel"
        )
    columns = {}
    for column, name in enumerate(standard):
        if (
            name in skeleton.KEYPOINTS
            and columns.setdefault(skeleton.KEYPOINTS.index(name), column) != column
        ):
            raise InputError(f"two keypoints are called {name}")
    if not columns:
        raise InputError(f"no keypoint is one of {', '.join(skeleton.KEYPOINTS)}")
    return columns


def _standard_name(name):
    """ "Left Shoulder", "leftShoulder", "LShoulder", "lshoulder", ... -> "left_shoulder"."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=^[LR])(?=[A-Z][a-z])", "_", name.strip())
    words = re.sub(
        r"^(left|right|[lr])(?=(shoulder|elbow|wrist|hip|knee|ankle)$)", r"\1_", words, flags=re.I
    )
    words = [word for word in re.split(r"[\W_]+", words.lower()) if word]
    side = next((_SIDES[word] for word in words if word in _SIDES), None)
    rest = [word for word in words if word not in _SIDES]
    standard = "_".join(([side] if side else []) + rest)
    return _ALIASES.get(standard, standard)

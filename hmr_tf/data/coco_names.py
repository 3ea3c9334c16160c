"""Names in files of COCO's form: which categories are people, which keypoint is which."""

import re

from hmr_tf.body import skeleton
from hmr_tf.files.errors import InputError

PERSON, PERSON_ID = "person", 1  # COCO's; the id counts only where a file names no categories
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
_UNUSED = {
    *("pelvis", "hip", "mid_hip", "thorax", "spine", "chest", "head", "chin", "sternum"),
    *(
        f"{side}_{part}"
        for side in ("left", "right")
        for part in ("big_toe", "small_toe", "toe", "heel", "foot", "hand", "thumb", "foot_index")
    ),
}
_SIDES = {"left": "left", "l": "left", "right": "right", "r": "right"}


def entry_id(value):
    """An id as int or text, None for anything else. 7, "7" and 7.0 are one id."""
    if isinstance(value, str):
        return int(value) if re.fullmatch(r"[0-9]{1,18}", value) else value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) else None


def is_crowd(annotation):
    """Whether an annotation is of a crowd: iscrowd is 1, "1" or true."""
    value = annotation.get("iscrowd")
    return bool(value) and str(value).strip().lower() not in ("0", "0.0", "false")


def entries_by_id(entries):
    """dict: id -> dictionary, of a list of dictionaries; what has no id is left out."""
    entries = entries if isinstance(entries, list) else []
    named = [(entry_id(entry.get("id")), entry) for entry in entries if isinstance(entry, dict)]
    return {key: entry for key, entry in named if key is not None}


def person_category_ids(categories, name=""):
    """Ids of the categories that hold people.

    Args:
      categories: the file's "categories"; entries without id are passed over.
      name: of the category; empty: person. An id where no category has a name.

    Returns:
      set of ids, from `entry_id`.

    Raises:
      InputError: no category has this name.
    """
    named = {key: str(entry.get("name", "")) for key, entry in entries_by_id(categories).items()}
    category_name = (name or PERSON).strip().lower()
    if not any(named.values()):
        if not name:
            return {PERSON_ID, PERSON}
        if not named or entry_id(category_name) in named:
            return {entry_id(category_name)}
    ids = {key for key, value in named.items() if value.strip().lower() == category_name}
    if not ids:
        present = ", ".join(sorted(filter(None, named.values()))) or "none with a name"
        raise InputError(
            f"no category is called {name or PERSON}; the file has: {present}; pass one of them as "
            "--category=NAME"
        )
    return ids


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
    standard = [_standard_name(str(name)) for name in names]
    unknown = [
        str(name)
        for name, known in zip(names, standard)
        if known not in skeleton.KEYPOINTS and known not in _UNUSED
    ]
    if unknown:
        raise InputError(
            f"unknown keypoints: {', '.join(unknown)}; known are {', '.join(skeleton.KEYPOINTS)}, "
            "and some that are not used, as pelvis and left_heel"
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
    """ "Left Shoulder", "leftShoulder", "l_shoulder", "shoulder_left" -> "left_shoulder"."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.strip())
    words = [word for word in re.split(r"[\W_]+", words.lower()) if word]
    side = next((_SIDES[word] for word in words if word in _SIDES), None)
    rest = [word for word in words if word not in _SIDES]
    standard = "_".join(([side] if side else []) + rest)
    return _ALIASES.get(standard, standard)

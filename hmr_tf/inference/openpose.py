"""OpenPose's JSON: who is in a photograph, and where (the original's `util/openpose.py`)."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hmr_tf.files.errors import InputError

# Keypoints found with less confidence are not counted (the original's `vis_thr`).
THRESHOLD = 0.2
MAX_BYTES = 2**26
# The name of a person's keypoints: before version 1.2 of the format, and since.
_KEYS = ("pose_keypoints", "pose_keypoints_2d")


class Detection(NamedTuple):
    """A person that was found in a photograph."""

    box: tuple  # (x, y, width, height), pixels
    score: float  # mean confidence of the keypoints that count


def read(path, threshold=THRESHOLD):
    """The people of one photograph.

    Args:
      path: JSON of OpenPose, of any number of keypoints, with either name of them.
      threshold: least confidence of a keypoint.

    Returns:
      [Detection] in the order of the file. Who has fewer than two places among his confident
      keypoints is left out: the original takes such a person for the best one, and stops.

    Raises:
      InputError: no such file, no JSON of OpenPose, nobody in it.
    """
    try:
        if Path(path).stat().st_size > MAX_BYTES:
            raise InputError(f"--json_path={path} is too large for one photograph")
        people = json.loads(Path(path).read_bytes())["people"]
        found = [detection(_keypoints(person), threshold) for person in people]
    except FileNotFoundError as error:
        raise InputError(f"--json_path={path}: no such file") from error
    except (OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"--json_path={path} is no JSON of OpenPose with people and {' or '.join(_KEYS)}: "
            f"{error!r}"
        ) from error
    found = [detection for detection in found if detection]
    if not found:
        raise InputError(
            f"--json_path={path}: nobody has keypoints of confidence over {threshold}; pass --box"
        )
    return found


def most_confident(detections):
    """The one with the highest score, the first of equals: whom the original takes."""
    return max(detections, key=lambda detection: detection.score)


def _keypoints(person):
    """(K, 3) x, y, confidence."""
    old, new = _KEYS
    values = person[new if new in person else old]
    return np.array(values, np.float64).reshape(-1, 3)


def detection(keypoints, threshold=THRESHOLD):
    """(K, 3) x, y, confidence -> Detection, or None where too little is confident."""
    counted = keypoints[(keypoints[:, 2] > threshold) & np.isfinite(keypoints).all(axis=1)]
    if not len(counted):
        return None
    low, high = counted[:, :2].min(axis=0), counted[:, :2].max(axis=0)
    if (low == high).all():
        return None
    return Detection((*low.tolist(), *(high - low).tolist()), float(counted[:, 2].mean()))

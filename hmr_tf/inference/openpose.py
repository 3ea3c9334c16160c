"""Reads the people in OpenPose's JSON of a photograph (the original's `util/openpose.py`)."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hmr_tf.files.errors import InputError

# Keypoints with less confidence are ignored (the original's `vis_thr`).
THRESHOLD = 0.2
MAX_BYTES = 2**26
# The key of a person's keypoints before version 1.2 of the format, and since.
_KEYS = ("pose_keypoints", "pose_keypoints_2d")


class Detection(NamedTuple):
    """A person detected in a photograph."""

    box: tuple  # (x, y, width, height), pixels, around the confident keypoints
    score: float  # mean confidence of those keypoints


def read(path, threshold=THRESHOLD):
    """Reads the people of one photograph.

    Args:
      path: OpenPose's JSON, with any number of keypoints, under either key.
      threshold: least confidence of a keypoint.

    Returns:
      list of Detection in the order of the file. People whose confident keypoints all lie at one
      point are left out; the original stops at such a person.

    Raises:
      InputError: the file is missing, is not OpenPose's JSON, or has no person in it.
    """
    try:
        if Path(path).stat().st_size > MAX_BYTES:
            raise InputError(f"--json_path={path} is too large for one photograph")
        people = json.loads(Path(path).read_bytes())["people"]
        detections = [detection_from_keypoints(_keypoints(p), threshold) for p in people]
    except FileNotFoundError as error:
        raise InputError(f"--json_path={path}: no such file") from error
    except (OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"--json_path={path} is no JSON of OpenPose with people and {' or '.join(_KEYS)}: "
            f"{error!r}"
        ) from error
    detections = [detection for detection in detections if detection]
    if not detections:
        raise InputError(
            f"--json_path={path}: no person has keypoints of confidence over {threshold}; "
            "pass --box"
        )
    return detections


def most_confident(detections):
    """The Detection with the highest score, the first of equals, as the original chooses."""
    return max(detections, key=lambda detection: detection.score)


def _keypoints(person):
    """(K, 3) x, y, confidence."""
    old, new = _KEYS
    values = person[new if new in person else old]
    return np.array(values, np.float64).reshape(-1, 3)


def detection_from_keypoints(keypoints, threshold=THRESHOLD):
    """(K, 3) x, y, confidence -> Detection, or None where the confident ones have no extent."""
    confident = keypoints[(keypoints[:, 2] > threshold) & np.isfinite(keypoints).all(axis=1)]
    if not len(confident):
        return None
    low, high = confident[:, :2].min(axis=0), confident[:, :2].max(axis=0)
    if (low == high).all():
        return None
    return Detection((*low.tolist(), *(high - low).tolist()), float(confident[:, 2].mean()))

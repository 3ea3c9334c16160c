"""OpenPose's JSON: people in a photograph and their boxes (the original's `util/openpose.py`)."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hmr_tf.files.errors import InputError

# Keypoints with a lower confidence are left out (the original's `vis_thr`).
THRESHOLD = 0.2
MAX_BYTES = 2**26
PEOPLE_KEYS = ("people", "bodies")  # the latter is AlphaPose's
# Keys of a person's keypoints: since version 1.2 of the format, before, and AlphaPose's.
_KEYS = ("pose_keypoints_2d", "pose_keypoints", "joints")
_MAX_CONFIDENCE = 2.0  # OpenPose's exceed 1 a little; 2 is COCO's flag for visible


class Detection(NamedTuple):
    """A person detected in a photograph."""

    box: tuple  # (x, y, width, height), pixels
    score: float  # mean of the keypoints' confidences


class People(NamedTuple):
    """The usable people of a file, and what was wrong with the others."""

    detections: list  # of Detection, in the order of the file
    problems: list  # of str, one for each entry that cannot be used


def read(path, threshold=THRESHOLD, flag="json_path"):
    """Reads the people of one photograph.

    Args:
      path: OpenPose's JSON, with any number of keypoints, under either key.
      threshold: least confidence of a keypoint.
      flag: that named the file, for messages.

    Returns:
      People. People whose confident keypoints all lie at one point are left out; the original stops
      at such a person.

    Raises:
      InputError: the file is missing, is not OpenPose's JSON, or has no usable person in it.
    """
    named = f"--{flag}={path}"
    people = parse(read_json(path, flag, MAX_BYTES), threshold, named)
    if not people.detections:
        reason = f" ({'; '.join(people.problems[:3])})" if people.problems else ""
        raise InputError(
            f"{named}: no person has keypoints of confidence over {threshold}{reason}; pass --box"
        )
    return people


def read_json(path, flag, max_bytes):
    """The content of a JSON file; InputError for a file that is missing, too large or not JSON."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"--{flag}={path}: no such file")
    try:
        if path.stat().st_size > max_bytes:
            raise InputError(f"--{flag}={path} is larger than {max_bytes >> 20} MB")
        content = path.read_bytes()
        try:
            return json.loads(content)
        except UnicodeDecodeError:
            return json.loads(content.decode("cp1252"))
    except OSError as error:
        raise InputError(f"--{flag}={path} cannot be read: {error.strerror}") from error
    except json.JSONDecodeError as error:
        raise InputError(
            f"--{flag}={path} is not JSON: it breaks off or is damaged in line {error.lineno}, "
            f"column {error.colno}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"--{flag}={path} is not a JSON file that can be read") from error


def parse(content, threshold=THRESHOLD, named="it"):
    """`People` of OpenPose's JSON, which may be none; InputError if it has another form.

    Args:
      content: what the JSON holds.
      threshold: least confidence of a keypoint.
      named: of the file, for messages.
    """
    content = content if isinstance(content, dict) else {}
    people = next((content[key] for key in PEOPLE_KEYS if key in content), None)
    if not isinstance(people, list):
        raise InputError(f"{named} is not a JSON of OpenPose: it has no list of people")
    detections, problems = [], []
    for number, person in enumerate(people):
        try:
            detection = detection_from_list(_keypoints(person), threshold)
        except InputError as error:
            problems.append(f"person {number} {error}")
            continue
        detections += [detection] if detection else []
    return People(detections, problems)


def most_confident(detections):
    """The Detection with the highest score, the first of equals, as the original chooses."""
    return max(detections, key=lambda detection: detection.score)


def detection_from_list(values, threshold=THRESHOLD):
    """Detection of a list x, y, confidence, x, y, ..., or None; see `detection_from_keypoints`.

    Raises:
      InputError: other content, or coordinates that are not pixels.
    """
    detection = detection_from_keypoints(_triples(values), threshold)
    if detection and max(abs(x) for x in detection.box) <= 1:
        raise InputError(
            "has coordinates between -1 and 1, not pixels; write pixels (openpose "
            "--keypoint_scale=0)"
        )
    return detection


def _keypoints(person):
    """The list of a person's keypoints; InputError if there is none."""
    person = person if isinstance(person, dict) else {}
    values = next((person[key] for key in _KEYS if person.get(key)), None)
    if not values:
        raise InputError(f"has no body keypoints ({' or '.join(_KEYS)})")
    return values


def _triples(values):
    """A list x, y, confidence, x, y, ... -> (K, 3); InputError for other content."""
    try:
        keypoints = np.array(values, np.float64).ravel()
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError("has keypoints that are not numbers") from error
    if len(keypoints) % 3:
        pairs = f": {len(keypoints) // 2} pairs x, y?" if len(keypoints) % 2 == 0 else ""
        raise InputError(
            f"has {len(keypoints)} numbers{pairs}; needed are x, y, confidence of each keypoint"
        )
    keypoints = keypoints.reshape(-1, 3)
    confidences = keypoints[np.isfinite(keypoints).all(axis=1), 2]
    if len(confidences) and not (0 <= confidences.min() and confidences.max() <= _MAX_CONFIDENCE):
        wrong = confidences[(confidences < 0) | (confidences > _MAX_CONFIDENCE)][0]
        pairs = f" ({keypoints.size // 2} pairs x, y?)" if keypoints.size % 2 == 0 else ""
        raise InputError(
            f"has a confidence of {wrong:g}{pairs}; needed are x, y, confidence of each keypoint, "
            "the latter from 0 to 1"
        )
    return keypoints


def detection_from_keypoints(keypoints, threshold=THRESHOLD):
    """(K, 3) x, y, confidence -> Detection, or None where the confident ones enclose no area."""
    confident = keypoints[(keypoints[:, 2] > threshold) & np.isfinite(keypoints).all(axis=1)]
    if not len(confident):
        return None
    low, high = confident[:, :2].min(axis=0), confident[:, :2].max(axis=0)
    if (low == high).any():
        return None
    return Detection((*low.tolist(), *(high - low).tolist()), float(confident[:, 2].mean()))

"""Detects people with MoveNet MultiPose, an optional extra that `tools.movenet` installs.

It finds up to six people with 17 keypoints each in an image of 256 pixels. Apache-2.0, Google.
"""

from typing import NamedTuple

import cv2
import numpy as np
import tensorflow as tf

from hmr_tf.body.skeleton import COCO_KEYPOINTS
from hmr_tf.files import checkpoint_files, optional_models
from hmr_tf.files.errors import InputError
from hmr_tf.inference import openpose

_LONG_SIDE, _STRIDE = 256, 32
_MIN_SCORE = 0.25
_MIN_ONLY_SCORE = 0.2  # of the best person where no one reaches the other
# Below this score of its best person a photograph is rotated too: MoveNet misses people who lie or
# stand on their hands. Another rotation must be better by the margin.
_UPRIGHT_SCORE, _UPRIGHT_MARGIN = 0.5, 0.05
# Least confidence of a keypoint in the box. Keypoints of bent limbs are often right at it, and a
# box that leaves limbs out harms the network more than one that is too large.
MIN_CONFIDENCE = 0.15
# MoveNet's values of a person: 17 times y, x, confidence; y, x, y, x of the box; the score.
_NUM_KEYPOINT_VALUES = 3 * len(COCO_KEYPOINTS)


class DetectedPerson(NamedTuple):
    """A person in a photograph."""

    box: tuple  # (x, y, width, height), pixels, around the confident keypoints
    keypoints_px: np.ndarray  # (17, 3) x, y, confidence, order of `skeleton.COCO_KEYPOINTS`
    score: float  # mean confidence of the keypoints in the box


class Detector:
    """Photograph -> the people in it, the most confident first."""

    def __init__(self, folder):
        """Args: folder: what `python -m tools.movenet --output=FOLDER` made.

        Raises:
          InputError: the folder holds no detector, or a damaged one.
        """
        optional_models.check_detector(folder)
        try:
            self._model = tf.saved_model.load(str(folder))  # kept: it holds the function's tensors
            self._detect = self._model.signatures["serving_default"]
            (self._input,) = self._detect.structured_input_signature[1]
        except (OSError, KeyError, ValueError, tf.errors.OpError) as error:
            checkpoint_files.refuse_pattern(folder, "detector")
            raise InputError(
                f"--detector={folder} is damaged: make it again with tools.movenet."
            ) from error

    def __call__(self, image):
        """(H, W, 3) uint8 RGB -> list of the boxes of `detect`."""
        return [person.box for person in self.detect(image)]

    def detect(self, image):
        """(H, W, 3) uint8 RGB -> list of DetectedPerson.

        A box encloses the keypoints in the photograph, by which HMR scales people
        (`openpose.py:21-35` of the original), not the outline.
        """
        height, width = image.shape[:2]
        keypoints, scores = self._best_rotation(image)
        keypoints = keypoints[scores >= np.clip(scores.max(), _MIN_ONLY_SCORE, _MIN_SCORE)]
        keypoints[..., :2] = np.clip(keypoints[..., :2], 0, (width, height))
        detections = [openpose.detection_from_keypoints(k, MIN_CONFIDENCE) for k in keypoints]
        people = [(d, k) for d, k in zip(detections, keypoints) if d is not None]
        people.sort(key=lambda person: -person[0].score)
        return [DetectedPerson(detection.box, k, detection.score) for detection, k in people]

    def _best_rotation(self, image):
        """(6, 17, 3) keypoints and (6,) scores of the rotation with the most confident person."""
        best = self._detect_people(image)
        if best[1].max() >= _UPRIGHT_SCORE:
            return best
        to_beat = best[1].max() + _UPRIGHT_MARGIN
        for quarters in (1, 2, 3):
            keypoints, scores = self._detect_people(np.rot90(image, quarters))
            if scores.max() > to_beat:
                to_beat = scores.max()
                best = rotated_back(keypoints, quarters, *image.shape[:2]), scores
        return best

    def _detect_people(self, image):
        """(H, W, 3) -> (6, 17, 3) x, y in pixels, confidence; (6,) scores; of six people."""
        scale = _LONG_SIDE / max(image.shape[:2])
        height, width = size = [max(1, round(side * scale)) for side in image.shape[:2]]
        full = [-(-side // _STRIDE) * _STRIDE for side in size]
        padded = np.zeros([*full, 3], np.int32)
        padded[:height, :width] = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        people = self._detect_padded(padded)
        yxc = people[:, :_NUM_KEYPOINT_VALUES].reshape(len(people), len(COCO_KEYPOINTS), 3)
        points = yxc[..., 1::-1] * padded.shape[1::-1] / scale
        return np.concatenate([points, yxc[..., 2:]], axis=-1), people[:, -1]

    def _detect_padded(self, image):
        """(H, W, 3) int32, sides multiples of 32 -> (6, 56) MoveNet's values of six people."""
        (people,) = self._detect(**{self._input: tf.constant(image[None])}).values()
        return people[0].numpy()


def rotated_back(keypoints, quarters, height, width):
    """Keypoints of `np.rot90(image, quarters)` -> those of the image of this height and width.

    Args:
      keypoints: (..., 3) x, y in pixels, confidence.
      quarters: of a rotation against the clock, 0 to 3.
      height, width: of the image that is not rotated.

    Returns:
      (..., 3).
    """
    x, y, confidence = np.moveaxis(keypoints, -1, 0)
    x, y = ((x, y), (width - y, x), (width - x, height - y), (y, height - x))[quarters]
    return np.stack([x, y, confidence], axis=-1)

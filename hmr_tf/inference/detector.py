"""Detects people with MoveNet MultiPose, an optional extra that `tools.movenet` installs.

It finds up to six people with 17 keypoints each in an image of 256 pixels. Apache-2.0, Google.
"""

from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf

from hmr_tf.body.skeleton import COCO_KEYPOINTS
from hmr_tf.files.errors import InputError
from hmr_tf.inference import openpose

DEFAULT_FOLDER = Path("models") / "movenet"  # where the README makes it
_LONG_SIDE, _STRIDE = 256, 32
_MODEL = "saved_model.pb"
_MIN_SCORE = 0.25
# MoveNet's values of a person: 17 times y, x, confidence; y, x, y, x of the box; the score.
_NUM_KEYPOINT_VALUES = 3 * len(COCO_KEYPOINTS)


def find_folder(folder=""):
    """The folder of the detector: the one named, else `DEFAULT_FOLDER` if it was made, else ""."""
    return str(folder or (DEFAULT_FOLDER if (DEFAULT_FOLDER / _MODEL).is_file() else ""))


class Detector:
    """Photograph -> boxes of the people in it, the most confident first."""

    def __init__(self, folder):
        """Args: folder: what `python -m tools.movenet --output=FOLDER` made.

        Raises:
          InputError: the folder holds no detector, or a damaged one.
        """
        if not (Path(folder) / _MODEL).is_file():
            raise InputError(
                f"--detector={folder} holds no detector: make it, "
                f"`python -m tools.movenet --output={folder}`."
            )
        try:
            self._model = tf.saved_model.load(str(folder))  # kept: it holds the function's tensors
            self._detect = self._model.signatures["serving_default"]
            (self._input,) = self._detect.structured_input_signature[1]
        except (OSError, KeyError, ValueError, tf.errors.OpError) as error:
            raise InputError(
                f"--detector={folder} is damaged: make it again with tools.movenet."
            ) from error

    def __call__(self, image):
        """(H, W, 3) uint8 RGB -> list of (x, y, width, height), pixels.

        A box encloses the confident keypoints, by which HMR scales people (`openpose.py:21-35` of
        the original), not the outline.
        """
        scale = _LONG_SIDE / max(image.shape[:2])
        height, width = size = [max(1, round(side * scale)) for side in image.shape[:2]]
        full = [-(-side // _STRIDE) * _STRIDE for side in size]
        padded = np.zeros([*full, 3], np.int32)
        padded[:height, :width] = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        people = self._detect_padded(padded)
        people = people[people[:, -1] >= _MIN_SCORE]
        yxc = people[:, :_NUM_KEYPOINT_VALUES].reshape(len(people), len(COCO_KEYPOINTS), 3)
        points = yxc[..., 1::-1] * padded.shape[1::-1] / scale
        keypoints = np.concatenate([points, yxc[..., 2:]], axis=-1)
        detections = [openpose.detection_from_keypoints(person) for person in keypoints]
        detections = sorted(filter(None, detections), key=lambda detection: -detection.score)
        return [detection.box for detection in detections]

    def _detect_padded(self, image):
        """(H, W, 3) int32, sides multiples of 32 -> (6, 56) MoveNet's values of six people."""
        (people,) = self._detect(**{self._input: tf.constant(image[None])}).values()
        return people[0].numpy()

"""Where the person is, without a box or a detector: the network looks around its keypoints.

From a few windows of a photograph it predicts keypoints, crops again around them, and so on. The
window whose keypoints most others agree with wins. The search returns one person, a detector all.
"""

from typing import NamedTuple

import cv2
import numpy as np

from hmr_tf.body import camera
from hmr_tf.data import crop as crops
from hmr_tf.networks import flip_test

# Predictions from each start; those of the first round do not count, as its windows are arbitrary.
ROUNDS = 4
# Rounds whose crops are mirrored: what the network predicts for both is more often right.
_MIRRORED_ROUNDS = (2,)
FOLLOW_ROUNDS = 2  # from where the person was in the frame before
# Factor that enlarges the window around the keypoints: where the network is unsure its limbs are
# too short, and windows would shrink from round to round.
_ENLARGED = 1.1
# Two predictions agree if their mean distance is below this share of the person's diagonal.
_AGREEING = 0.05
_DIFFERING = 0.07  # and beyond this share all distances count alike where the best is chosen
_MIN_INSIDE = 4  # keypoints in the photograph that a window is made of; fewer: all of them
_MIN_SHARE = 1 / 8  # smallest side of a window, of the photograph's longer side
_MAX_SHARE = 2.0
_MAX_LONG_SIDE = 8  # in sides of the network's input; larger photographs are made smaller first
_MAX_NORM = 10.0  # keypoints of a broken network end here; half of the crop is 1
_BATCH = 32
_ASIDE, _SMALLER = 1 / 4, 0.6  # windows beside the middle: by shares of the photograph's sides


class Windows(NamedTuple):
    """N square windows of a photograph, inputs of the network."""

    centers_px: np.ndarray  # (N, 2)
    sides_px: np.ndarray  # (N,)


class SearchResult(NamedTuple):
    """The person of a photograph."""

    box: tuple  # (x, y, width, height), for `person_crops.crop_person`
    agreement: float  # share of the windows that led to these keypoints, 0 to 1


class PersonSearch:
    """Photograph -> the box of one person in it."""

    def __init__(self, predict, image_size):
        """Args: predict: of `networks.engines.Engine`; image_size: S, side of its crops."""
        self._predict_crops = predict
        self._size = image_size

    def __call__(self, image, box_before=None):
        """Finds the person.

        Args:
          image: (H, W, 3) uint8 RGB.
          box_before: where the person was in the frame before; None: anywhere.

        Returns:
          SearchResult.
        """
        scale = min(1.0, _MAX_LONG_SIDE * self._size / max(image.shape[:2]))
        if scale < 1:
            height, width = (max(1, round(side * scale)) for side in image.shape[:2])
            image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        if box_before is None:
            windows, rounds = starts(*image.shape[:2]), ROUNDS
        else:
            windows, rounds = around_box(np.multiply(box_before, scale)), FOLLOW_ROUNDS
        all_windows, keypoints_px = [], []
        for number in range(rounds):
            windows = bounded(windows, *image.shape[:2])
            all_windows.append(windows)
            is_mirrored = number in _MIRRORED_ROUNDS
            keypoints_px.append(self._predict(image, windows, is_mirrored))
            windows = around_keypoints(keypoints_px[-1], *image.shape[:2])
        all_windows = Windows(*(np.concatenate(field) for field in zip(*all_windows[1:])))
        keypoints_px = np.concatenate(keypoints_px[1:])
        best, agreement = most_agreed(keypoints_px)
        box = box_of_window(
            all_windows.centers_px[best], all_windows.sides_px[best], keypoints_px[best]
        )
        return SearchResult(tuple((box / scale).tolist()), agreement)

    def _predict(self, image, windows, is_mirrored=False):
        """(N, 19, 2) keypoints in pixels of the photograph, from crops or their mirror images."""
        cropped = [
            crops.crop_padded(image, self._size / side, center, self._size)
            for center, side in zip(*windows)
        ]
        pixels = np.stack([pixels for pixels, _ in cropped]).astype(np.float32) / 127.5 - 1.0
        pixels = pixels[:, :, ::-1] if is_mirrored else pixels
        batches = [pixels[i : i + _BATCH] for i in range(0, len(pixels), _BATCH)]
        keypoints_px = [self._predict_crops(batch)["keypoints2d_px"] for batch in batches]
        lowest, highest = camera.pixels_from_norm(np.array([-_MAX_NORM, _MAX_NORM]), self._size)
        finite = np.nan_to_num(np.concatenate(keypoints_px), nan=self._size / 2)
        in_crops = np.clip(finite, lowest, highest)
        if is_mirrored:
            in_crops = flip_test.mirror_keypoints(in_crops, self._size)
        return np.stack([crops.to_image(k, crop) for k, (_, crop) in zip(in_crops, cropped)])


def starts(height, width):
    """Windows: the whole photograph, a larger one, its middle, both ends, four smaller ones."""
    long, short = max(height, width), min(height, width)
    sides = np.array([width, height])
    to_end = (sides - short) / 2
    aside = _ASIDE * sides * [(-1, 0), (1, 0), (0, -1), (0, 1)]
    centers = sides / 2 + np.stack([*np.zeros((3, 2)), -to_end, to_end, *aside])
    shares = np.array([1.0, 1.5, *[short / long] * 3, *[_SMALLER] * 4])
    return Windows(centers, shares * long)


def around_box(box):
    """Windows around the (x, y, width, height) of a person: of its size, smaller and larger."""
    x, y, width, height = box
    side = _side_of_diagonal(np.hypot(width, height))
    sides = side * np.array([0.85, 1.0, 1.2])
    return Windows(np.tile([x + width / 2, y + height / 2], (len(sides), 1)), sides)


def around_keypoints(keypoints_px, height, width):
    """Windows around the keypoints that are in the photograph.

    Args:
      keypoints_px: (N, 19, 2).
      height, width: of the photograph.

    Returns:
      Windows, one for each person.
    """
    inside = ((keypoints_px >= 0) & (keypoints_px < (width, height))).all(axis=-1)
    inside[inside.sum(axis=1) < _MIN_INSIDE] = True
    low = np.where(inside[..., None], keypoints_px, np.inf).min(axis=1)
    high = np.where(inside[..., None], keypoints_px, -np.inf).max(axis=1)
    diagonals = np.linalg.norm(high - low, axis=-1)
    return Windows((low + high) / 2, _ENLARGED * _side_of_diagonal(diagonals))


def _side_of_diagonal(diagonal_px):
    """Side of the crop in which a person of this diagonal is `crops.PERSON_PX` tall."""
    return diagonal_px * crops.CROP_PX / crops.PERSON_PX


def bounded(windows, height, width):
    """The same windows, centred in the photograph, neither tiny nor huge."""
    long = max(height, width)
    return Windows(
        np.clip(windows.centers_px, 0, (width, height)),
        np.clip(windows.sides_px, _MIN_SHARE * long, _MAX_SHARE * long),
    )


def most_agreed(keypoints_px):
    """The prediction with which most others agree.

    Args:
      keypoints_px: (N, 19, 2) of the same photograph.

    Returns:
      Its index, and the share of predictions, itself among them, that agree with it.
    """
    diagonals = np.linalg.norm(np.ptp(keypoints_px, axis=1), axis=-1)
    apart = np.linalg.norm(keypoints_px[:, None] - keypoints_px, axis=-1).mean(axis=-1)
    apart = apart / np.maximum(np.sqrt(diagonals[:, None] * diagonals), 1e-6)
    best = int(np.minimum(apart, _DIFFERING).mean(axis=1).argmin())
    return best, float((apart[best] < _AGREEING).mean())


def box_of_window(center_px, side_px, keypoints_px):
    """(4,) x, y, width, height, of which `person_crops.crop_person` makes this window again.

    It has the sides' ratio of the (19, 2) keypoints.
    """
    extent = np.ptp(keypoints_px, axis=0)
    extent = np.maximum(extent, 0.1 * extent.max() + 1e-6)
    extent = extent * (side_px * crops.PERSON_PX / crops.CROP_PX / np.linalg.norm(extent))
    return np.concatenate([center_px - extent / 2, extent])

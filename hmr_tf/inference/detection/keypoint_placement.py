"""Scale and offset that move predicted keypoints, and their camera, onto other ones."""

from typing import NamedTuple

import numpy as np

_MIN_SCALE = 1e-6  # of the camera
# The camera stays as predicted with the weight of so many keypoints of confidence 1.
_CAMERA_WEIGHT = 2.0
# A keypoint this far off, in shares of the person's diagonal, counts half.
_ROBUST_SHARE = 0.1
_NUM_STEPS = 5  # of reweighted least squares
_SCALES = (0.5, 2.0)  # bounds: a negative one would draw an upright body upside down


class Placement(NamedTuple):
    """How predicted keypoints are moved towards target ones: scale * point + offset."""

    scale: np.ndarray  # (N,)
    offset: np.ndarray  # (N, 2) in the unit of the points
    error: np.ndarray  # (N,) mean distance left, in shares of the targets' diagonal


def move_cameras(cameras, placement):
    """(N, 3) weak perspective, and the Placement of its keypoints2d_norm -> (N, 3)."""
    scale = placement.scale * cameras[:, 0]
    safe = np.where(np.abs(scale) > _MIN_SCALE, scale, np.inf)
    translation = cameras[:, 1:] + placement.offset / safe[:, None]
    return np.concatenate([scale[:, None], translation], axis=1).astype(np.float32)


def place(points, targets, weights):
    """Scale and offset that move predicted points onto detected ones, by robust least squares.

    Args:
      points: (N, K, 2) predictions of the same person.
      targets: (N, K, 2) the detected keypoints in the same units.
      weights: (K,) of the detected keypoints, 0 for those not detected; all may be 0.

    Returns:
      Placement, its scales within `_SCALES`. A prediction that is not finite has an infinite error.
    """
    is_finite = np.isfinite(points).all(axis=(1, 2))
    points = np.where(is_finite[:, None, None], points, 0.0)
    middle = points.mean(axis=1, keepdims=True)
    x, y = points - middle, targets - middle
    squared_size = np.maximum((x**2).sum(axis=2).mean(axis=1), 1e-12)
    diagonals = np.maximum(np.linalg.norm(np.ptp(x, axis=1), axis=-1), 1e-6)
    solution = np.tile([1.0, 0.0, 0.0], (len(points), 1))  # scale, offset of the middle
    for _ in range(_NUM_STEPS):
        apart = np.linalg.norm(solution[:, :1, None] * x + solution[:, None, 1:] - y, axis=-1)
        w = weights / (1 + (apart / diagonals[:, None] / _ROBUST_SHARE) ** 2)
        a, b = np.zeros((len(x), 3, 3)), np.zeros((len(x), 3))
        a[:, 0, 0] = np.einsum("nk,nkc,nkc->n", w, x, x) + _CAMERA_WEIGHT * squared_size
        a[:, 0, 1:] = a[:, 1:, 0] = np.einsum("nk,nkc->nc", w, x)
        a[:, 1, 1] = a[:, 2, 2] = w.sum(axis=1) + _CAMERA_WEIGHT
        b[:, 0] = np.einsum("nk,nkc,nkc->n", w, x, y) + _CAMERA_WEIGHT * squared_size
        b[:, 1:] = np.einsum("nk,nkc->nc", w, y)
        scale = np.clip(np.linalg.solve(a, b[..., None])[:, 0], *_SCALES)
        offset = (b[:, 1:] - scale * a[:, 0, 1:]) / a[:, 1, 1, None]
        solution = np.concatenate([scale, offset], axis=1)
    scale, offset = solution[:, 0], solution[:, 1:]
    apart = np.linalg.norm(scale[:, None, None] * x + offset[:, None] - y, axis=-1)
    detected = targets[:, weights > 0] if weights.any() else targets
    sizes = np.linalg.norm(np.ptp(detected, axis=1), axis=-1)
    error = (apart @ weights) / max(weights.sum(), 1e-6) / np.maximum(sizes, 1e-6)
    offset = offset + (1 - scale[:, None]) * middle[:, 0]
    return Placement(scale, offset, np.where(is_finite, error, np.inf))

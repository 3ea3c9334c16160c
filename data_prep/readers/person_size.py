"""The size of a person in an image: distances of labelled points, which decide the scale."""

import numpy as np

from hmr_tf.data import crop

_SMALLEST_BODY_M, _LARGEST_BODY_M, _MAX_M = 0.1, 20.0, 1e4


@np.errstate(over="ignore", invalid="ignore")  # points at 1e300 are skipped later, with a reason
def diagonal(keypoints_px, labelled):
    """Diagonal of the labelled points' box, pixels.

    Args:
      keypoints_px: (K, 2) points.
      labelled: (K,) 0 for points without label; at least one has one.
    """
    low, high = crop.box_of_labelled(keypoints_px, labelled)
    return np.linalg.norm(high - low)


@np.errstate(over="ignore", invalid="ignore")
def mean_length(keypoints_px, labelled, pairs):
    """Mean distance of the pairs whose points are both labelled, pixels; None if there are none.

    Args:
      keypoints_px, labelled: as in `diagonal`.
      pairs: [(index, index)] of the points.
    """
    lengths = [
        np.linalg.norm(keypoints_px[first] - keypoints_px[second])
        for first, second in pairs
        if labelled[first] and labelled[second]
    ]
    return np.mean(lengths) if lengths else None


@np.errstate(over="ignore", invalid="ignore")
def is_in_another_unit(joints):
    """Whether the box of (J, 3) joints in metres is no body's: they are millimetres or the like.

    False for joints that are not finite, or are far too large: they are no numbers.
    """
    diagonal_m = np.linalg.norm(np.ptp(joints, axis=0))
    return bool(diagonal_m < _SMALLEST_BODY_M or _LARGEST_BODY_M < diagonal_m < _MAX_M)

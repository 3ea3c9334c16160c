"""The size of a person in an image: distances of labelled points, which decide the scale."""

import numpy as np

from hmr_tf.data import crop


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

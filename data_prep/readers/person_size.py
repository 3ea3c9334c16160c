"""How large a person is in an image: lengths between labelled points, which decide the scale."""

import numpy as np

from hmr_tf.data import crop


@np.errstate(over="ignore")  # a point at 1e300 is refused later, with its reason
def diagonal(keypoints_px, labelled):
    """Diagonal of the labelled points' box, pixels.

    Args:
      keypoints_px: (K, 2) points.
      labelled: (K,) 0 where a point is not labelled; at least one is.
    """
    low, high = crop.box_of_labelled(keypoints_px, labelled)
    return np.linalg.norm(high - low)


@np.errstate(over="ignore")
def mean_length(keypoints_px, labelled, pairs):
    """Mean distance of the pairs of points of which both are labelled, pixels; None without one.

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

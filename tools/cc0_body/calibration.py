"""Moves keypoints of the regressor to where people mark them in photographs.

The offsets were measured once, on training people alone: SMPL was fitted to their labels in two
rounds, of 1,375 and 1,438 people of LSP-extended and Stanford 40. For each keypoint the differences
between label and projection, over all views, are explained by one offset in the frame of the bone
that carries it (least squares with Huber weights of 20 mm, both data sets alike, left and right
mirrored). Fitting absorbs about half of each offset, so the second round's offsets are multiplied
by 1.6. On 1,375 fits with the result the medians along the torso are within 3 % of its length for
every keypoint, where the shoulders had been 5 to 8 % too low.
"""

import numpy as np

from hmr_tf.body import skeleton

# Keypoint -> (x, y, z) metres in the rest pose; of right keypoints the mirror image of the left.
OFFSETS_M = {
    "left_hip": (-0.000122554673, -0.012009916361, -0.003671785168),
    "left_shoulder": (-0.020490786668, 0.04559862109, -0.020062148498),
    "left_elbow": (0.035701754471, -0.016236795809, -0.033613419277),
    "neck": (0.0, 0.052486425169, 0.027324939951),
    "head_top": (0.0, -0.025323191097, -0.007595852404),
}
_NEAR_M = 0.12  # of the keypoint: vertices that may get a weight
_NUM_NEAR = 24  # about so many of them get one: the weights stay small
_SMALLEST_SINGULAR = 1e-6  # relative; below it a direction has no vertices


def calibrated(rows, template, lbs_weights, offsets_m=None):
    """Adds weights that sum to 0 to the rows of keypoints, so that each moves by its offset.

    Args:
      rows: (19, V) keypoint regressor.
      template: (V, 3) vertices in rest pose, metres.
      lbs_weights: (V, 24) skinning weights.
      offsets_m: keypoint -> (3,) metres; None: `OFFSETS_M`. Right ones follow from the left.

    Returns:
      (19, V) float64 rows with sum 1: of all such rows over the vertices used, those with the
      smallest change.
    """
    rows, template = np.array(rows, np.float64), np.asarray(template, np.float64)
    bones = np.asarray(lbs_weights).argmax(1)
    for name, offset in _both_sides(OFFSETS_M if offsets_m is None else offsets_m).items():
        row = rows[skeleton.KEYPOINTS.index(name)]
        used = _vertices(row, template, bones)
        conditions = np.concatenate([np.ones([1, len(used)]), template[used].T])
        row[used] += np.linalg.lstsq(
            conditions, np.concatenate([[0.0], offset]), rcond=_SMALLEST_SINGULAR
        )[0]
        row[used] /= row[used].sum()
    return rows


def _both_sides(offsets_m):
    both = {}
    for name, offset in offsets_m.items():
        both[name] = np.array(offset, np.float64)
        if name.startswith("left_"):
            both[name.replace("left_", "right_")] = both[name] * [-1, 1, 1]
    return both


def _vertices(row, template, bones):
    """Ids of the vertices that a row uses, and of some more near by that follow the same bones."""
    used = np.flatnonzero(row)
    is_near = np.linalg.norm(template - row @ template, axis=1) < _NEAR_M
    near = np.flatnonzero(is_near & np.isin(bones, bones[used]))
    return np.union1d(used, near[:: max(1, len(near) // _NUM_NEAR)])

"""Moves keypoints of the regressor to where people mark them in photographs.

The offsets were measured once, on training people alone: SMPL was fitted to their labels in two
rounds, of 978 people of LSP-extended and Stanford 40 each. For each keypoint the differences
between label and projection, over all views, are explained by one offset in the frame of the bone
that carries it (least squares with Huber weights of 20 mm, both data sets alike, left and right
mirrored). Fitting absorbs about half of each offset, so the second round's are multiplied by 1.6.
Elbows, wrists, knees and ankles stay at the joints, where they were within 2.1 % of a torso's
length. In a third round the medians along the torso are within 2.5 % of its length for every
keypoint.
"""

import numpy as np

from hmr_tf.body import skeleton

# Keypoint -> (x, y, z) metres in the rest pose; of right keypoints the mirror image of the left.
OFFSETS_M = {
    "left_hip": (0.0079, -0.0218, 0.0114),
    "left_shoulder": (-0.0099, 0.0183, -0.0101),
    "neck": (0.0, 0.0402, 0.0292),
    "head_top": (0.0, -0.0095, -0.0068),
}
# Keypoint -> the joint that moves the bone which carries it; of right ones the right joint.
BONES = {"left_hip": "pelvis", "left_shoulder": "spine3", "neck": "spine3", "head_top": "head"}
_NEAREST = 200  # vertices of that bone that get a weight: enough that the weights stay small
_RIGID = 0.8  # the least skinning weight of a vertex that follows the bone
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
    for name, offset in _both_sides(OFFSETS_M if offsets_m is None else offsets_m).items():
        row = rows[skeleton.KEYPOINTS.index(name)]
        used = _vertices(name, row @ template, template, lbs_weights)
        conditions = np.concatenate([np.ones([1, len(used)]), template[used].T])
        row[used] += np.linalg.lstsq(
            conditions, np.concatenate([[0.0], offset]), rcond=_SMALLEST_SINGULAR
        )[0]
        row /= row.sum()
    return rows


def _both_sides(offsets_m):
    both = {}
    for name, offset in offsets_m.items():
        both[name] = np.array(offset, np.float64)
        if name.startswith("left_"):
            both[name.replace("left_", "right_")] = both[name] * [-1, 1, 1]
    return both


def _vertices(name, point, template, lbs_weights):
    """Ids of the vertices nearest to a keypoint that follow its bone, and no other.

    Vertices of two bones would carry the offset away when the joint between them bends.
    """
    side, _, _ = name.partition("_")
    bone = BONES[name.replace("right_", "left_")].replace("left_", f"{side}_")
    rigid = np.flatnonzero(np.asarray(lbs_weights)[:, skeleton.SMPL_JOINTS.index(bone)] > _RIGID)
    distance = np.linalg.norm(template[rigid] - point, axis=1)
    return rigid[np.argsort(distance)[:_NEAREST]]

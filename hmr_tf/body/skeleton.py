"""Joint vocabularies by name. Mirror maps and mappings are computed from the names, never typed.

"left" and "right" are the person's. "head_top" (LSP) and "head" (SMPL) are different points.
"""

import numpy as np

# The 24 joints of SMPL, each with its parent, in the order of `kintree_table`.
_SMPL_TREE = (
    ("pelvis", None),
    ("left_hip", "pelvis"),
    ("right_hip", "pelvis"),
    ("spine1", "pelvis"),
    ("left_knee", "left_hip"),
    ("right_knee", "right_hip"),
    ("spine2", "spine1"),
    ("left_ankle", "left_knee"),
    ("right_ankle", "right_knee"),
    ("spine3", "spine2"),
    ("left_foot", "left_ankle"),
    ("right_foot", "right_ankle"),
    ("neck", "spine3"),
    ("left_collar", "spine3"),
    ("right_collar", "spine3"),
    ("head", "neck"),
    ("left_shoulder", "left_collar"),
    ("right_shoulder", "right_collar"),
    ("left_elbow", "left_shoulder"),
    ("right_elbow", "right_shoulder"),
    ("left_wrist", "left_elbow"),
    ("right_wrist", "right_elbow"),
    ("left_hand", "left_wrist"),
    ("right_hand", "right_wrist"),
)
SMPL_JOINTS = tuple(name for name, _ in _SMPL_TREE)
SMPL_PARENTS = tuple(
    -1 if parent is None else SMPL_JOINTS.index(parent) for _, parent in _SMPL_TREE
)

# The 14 joints of Leeds Sports Pose; the first columns of the original's `cocoplus_regressor`.
LSP_JOINTS = (
    "right_ankle",
    "right_knee",
    "right_hip",
    "left_hip",
    "left_knee",
    "left_ankle",
    "right_wrist",
    "right_elbow",
    "right_shoulder",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "neck",
    "head_top",
)
FACE_KEYPOINTS = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
# The 19 keypoints of HMR ("cocoplus"): LSP's 14 joints, then COCO's five face points.
KEYPOINTS = LSP_JOINTS + FACE_KEYPOINTS

# COCO's 17 keypoints.
COCO_KEYPOINTS = (
    *FACE_KEYPOINTS,
    *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist"),
    *("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle"),
)
# OpenPose's BODY_25.
OPENPOSE_KEYPOINTS = (
    *("nose", "neck", "right_shoulder", "right_elbow", "right_wrist"),
    *("left_shoulder", "left_elbow", "left_wrist", "pelvis", "right_hip", "right_knee"),
    *("right_ankle", "left_hip", "left_knee", "left_ankle"),
    *("right_eye", "left_eye", "right_ear", "left_ear"),
    *("left_big_toe", "left_small_toe", "left_heel"),
    *("right_big_toe", "right_small_toe", "right_heel"),
)
# OpenPose's 18 of its COCO model, as 3DPW's poses2d have them.
OPENPOSE_18_KEYPOINTS = tuple(name for name in OPENPOSE_KEYPOINTS[:19] if name != "pelvis")
# The 17 joints of Human3.6M that are in use; its "nose" lies at the front of the upper neck.
H36M_JOINTS = (
    *("pelvis", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle"),
    *("spine", "neck", "nose", "head_top", "left_shoulder", "left_elbow", "left_wrist"),
    *("right_shoulder", "right_elbow", "right_wrist"),
)
# The 17 joints of MPI-INF-3DHP's test set, in its order.
MPI_INF_3DHP_JOINTS = (
    *("head_top", "neck", "right_shoulder", "right_elbow", "right_wrist"),
    *("left_shoulder", "left_elbow", "left_wrist", "right_hip", "right_knee", "right_ankle"),
    *("left_hip", "left_knee", "left_ankle", "pelvis", "spine", "head"),
)

# Bones drawn between the 19 keypoints, child first, as in the original's `util/renderer.py`.
KEYPOINT_BONES = (
    ("right_ankle", "right_knee"),
    ("right_knee", "right_hip"),
    ("right_hip", "neck"),
    ("left_hip", "neck"),
    ("left_knee", "left_hip"),
    ("left_ankle", "left_knee"),
    ("right_wrist", "right_elbow"),
    ("right_elbow", "right_shoulder"),
    ("right_shoulder", "neck"),
    ("left_shoulder", "neck"),
    ("left_elbow", "left_shoulder"),
    ("left_wrist", "left_elbow"),
    ("neck", "head_top"),
    ("nose", "head_top"),
    ("left_eye", "nose"),
    ("right_eye", "nose"),
    ("left_ear", "left_eye"),
    ("right_ear", "right_eye"),
)


def indices(names, vocabulary):
    """Positions of `names` in `vocabulary`, as a tuple of int; ValueError for a name it lacks."""
    return tuple(vocabulary.index(name) for name in names)


def convert(points, source, target):
    """Reorders points from one vocabulary to another, by name.

    Args:
      points: (..., len(source), C) array.
      source, target: tuples of names, such as the vocabularies of this module. A source may repeat
        a name, as KEYPOINTS + SMPL_JOINTS of joined points does: the first one counts.

    Returns:
      (..., len(target), C) float array; NaN where the source has no such point.

    Raises:
      ValueError: not as many points as the source has names.
    """
    points = np.asarray(points, float)
    if points.ndim < 2 or points.shape[-2] != len(source):
        raise ValueError(f"points must be (..., {len(source)}, C); received {points.shape}")
    converted = np.full((*points.shape[:-2], len(target), points.shape[-1]), np.nan)
    for index, name in enumerate(target):
        if name in source:
            converted[..., index, :] = points[..., source.index(name), :]
    return converted


def mirror(vocabulary):
    """Index map that swaps left and right: `points[mirror(v)]` are those of the mirrored body."""

    def other_side(name):
        side, _, rest = name.partition("_")
        opposite = {"left": "right", "right": "left"}.get(side)
        return f"{opposite}_{rest}" if opposite else name

    return indices([other_side(name) for name in vocabulary], vocabulary)


def lsp_joints_from_keypoints(keypoints):
    """(..., 19, C) COCO+ keypoints -> (..., 14, C), the LSP joints among them."""
    return keypoints[..., : len(LSP_JOINTS), :]


LSP_HIPS = indices(("right_hip", "left_hip"), LSP_JOINTS)


def middle_of_hips(points):
    """(..., K, 3) array or tensor whose first points are `LSP_JOINTS` -> (..., 1, 3)."""
    right, left = (points[..., hip : hip + 1, :] for hip in LSP_HIPS)
    return 0.5 * (right + left)


def centred_on_hips(points):
    """The same points with the middle of the hips as origin, as the loss and MPJPE compare them.

    Source: the original's `ops.py:50-60`.
    """
    return points - middle_of_hips(points)

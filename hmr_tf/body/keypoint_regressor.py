"""The regressor of HMR's 19 keypoints, for SMPL files that have none: the official ones.

Only HMR's file has the learned regressor. A file with it can be given; otherwise SMPL's joints
and six of its vertices are used instead. SMPL's joints, from ankles to shoulders, lie a little
deeper in the body than where annotators mark them.
"""

from pathlib import Path

import numpy as np

from hmr_tf.body.skeleton import KEYPOINTS, SMPL_JOINTS
from hmr_tf.files import safe_npz, safe_pickle
from hmr_tf.files.errors import InputError

KEY = "cocoplus_regressor"
NUM_SMPL_VERTICES = 6890
# Vertex ids of SMPL's mesh, from 0: the face as in `smplx` (its vertex_ids.py; the paper's footnote
# counts from 1), the top of the head as in DavidBoja/SMPL-Anthropometry.
FACE_VERTICES = {
    "head_top": 412,
    "nose": 332,
    "left_eye": 2800,
    "right_eye": 6260,
    "left_ear": 583,
    "right_ear": 4071,
}


def read(path):
    """Reads the regressor from a file.

    Args:
      path: .npy of (19, V) numbers, or an SMPL file (.pkl, .npz) with a cocoplus_regressor.

    Returns:
      (19, V) float64 array; V is not checked.

    Raises:
      InputError: the file does not exist or holds no regressor.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"--keypoint_regressor={path}: no such file.")
    if path.suffix.lower() == ".npy":
        return safe_npz.load_npy(path)
    if path.suffix.lower() == ".npz":
        content = safe_npz.load(path, [KEY], pickled=True)
    else:
        content = safe_pickle.load(path)
    if not isinstance(content, dict) or KEY not in content:
        raise InputError(
            f"--keypoint_regressor={path} holds no {KEY}: give a .npy of {len(KEYPOINTS)} x V "
            "numbers, or HMR's neutral_smpl_with_cocoplus_reg.pkl."
        )
    return safe_pickle.to_array(content[KEY])


def from_joint_regressor(joint_regressor):
    """SMPL's joint regressor (24, V) -> (19, V) from its joints and `FACE_VERTICES`.

    Raises:
      InputError: the mesh is not SMPL's, so that its vertex ids mean nothing.
    """
    num_vertices = joint_regressor.shape[-1]
    if num_vertices != NUM_SMPL_VERTICES:
        raise InputError(
            f"it has no {KEY} and {num_vertices} vertices, SMPL has {NUM_SMPL_VERTICES}: its "
            "keypoints are unknown. Pass --keypoint_regressor=FILE."
        )
    regressor = np.zeros((len(KEYPOINTS), num_vertices))
    for row, name in zip(regressor, KEYPOINTS):
        if name in FACE_VERTICES:
            row[FACE_VERTICES[name]] = 1
        else:
            row[:] = joint_regressor[SMPL_JOINTS.index(name)]
    return regressor

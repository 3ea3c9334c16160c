"""Checks of what an SMPL file holds."""

import numpy as np

from hmr_tf.body.skeleton import KEYPOINTS, SMPL_JOINTS
from hmr_tf.body.theta import NUM_BETAS
from hmr_tf.files.errors import InputError

# By number of joints: what is downloaded beside SMPL and has the same keys.
_OTHER_MODELS = {5: "FLAME", 16: "MANO", 52: "SMPL-H", 55: "SMPL-X"}


def check_arrays(arrays):
    """InputError for arrays with another number of axes, and for files of hands, heads and SMPL-X.

    Args:
      arrays: dict of the file's arrays, by SMPL's keys.
    """
    for key, array in arrays.items():
        num_axes = 3 if key in ("shapedirs", "posedirs") else 2
        if array.ndim != num_axes or (not array.size and key != "f"):
            raise InputError(f"{key} has shape {array.shape}, an SMPL model has {num_axes} axes.")
        if not np.isfinite(array).all():
            raise InputError(f"{key} holds numbers that are not finite.")
        if key in ("f", "kintree_table") and array.size and np.abs(array).max() >= 2**32:
            raise InputError(f"{key} holds {np.abs(array).max():.3g}, which is no index.")
    other = _OTHER_MODELS.get(arrays["kintree_table"].shape[-1])
    if other:
        raise InputError(f"this is {other}; download SMPL, whose names begin with SMPL_ or basic")


def check_shapes(body):
    """InputError for fields of other shapes, numbers that are not finite, or wrong indices."""
    num_vertices, num_joints = len(body.v_template), len(SMPL_JOINTS)
    expected = {
        "v_template": (num_vertices, 3),
        "shapedirs": (num_vertices, 3, NUM_BETAS),
        "posedirs": (num_vertices, 3, 9 * (num_joints - 1)),
        "joint_regressor": (num_joints, num_vertices),
        "lbs_weights": (num_vertices, num_joints),
        "keypoint_regressor": (len(KEYPOINTS), num_vertices),
        "faces": (len(body.faces), 3),
        "parents": (num_joints,),
    }
    for name, shape in expected.items():
        array = getattr(body, name)
        if array.shape != shape:
            raise InputError(f"{name} has shape {array.shape}, an SMPL model needs {shape}.")
        if not np.isfinite(array).all():
            raise InputError(f"{name} holds numbers that are not finite.")
    if len(body.faces) and not 0 <= body.faces.min() <= body.faces.max() < num_vertices:
        raise InputError(f"a face names a vertex outside 0..{num_vertices - 1}.")
    if body.parents[0] != -1 or not all(0 <= p < j for j, p in enumerate(body.parents[1:], 1)):
        raise InputError("kintree_table is not a tree in which every parent comes first.")


def check_rest_pose(body):
    """InputError for a body that is not in metres with y up, or whose skin has no joints."""
    _, height, depth = np.ptp(body.v_template, axis=0)
    if not 0.1 < height < 10:
        raise InputError(
            f"the body is {height:.3g} units tall, so not in metres: scale v_template, shapedirs "
            "and posedirs."
        )
    if depth > height:
        raise InputError("the body is taller along z than along y: SMPL's rest pose has y up.")
    if np.abs(body.lbs_weights.sum(axis=1) - 1).max() > 0.1:
        raise InputError("the skinning weights of some vertices do not add up to 1.")

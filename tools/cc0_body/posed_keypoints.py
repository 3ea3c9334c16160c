"""Rows of the limbs' keypoints that stay at the joints when the body moves.

A row that was fitted to people in rest pose alone is right there and nowhere else: the vertices
around a joint follow both of its bones, and their mean leaves a bent elbow by up to 15 cm. Here the
rows are fitted to bodies in random poses.
"""

import numpy as np
import tensorflow as tf

from hmr_tf.body import skeleton, smpl
from tools.cc0_body import pose_blend, regressors

LIMBS = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
_NUM_BODIES, _NUM_CANDIDATES = 200, 400
_SEED = 11


def follow_joints(rows, model, mirror):
    """Replaces the rows of the limbs' keypoints.

    Args:
      rows: (19, V) keypoint regressor.
      model: `BodyModel` without these rows; its mesh and joints are posed.
      mirror: (V,) index of each vertex's reflection.

    Returns:
      (19, V) float64 rows, non-negative, with sum 1, each over vertices near its joint; right
      rows are the left ones reflected.
    """
    rows = np.array(rows, np.float64)
    vertices, joints = _random_bodies(model)
    rest_joints = model.joint_regressor @ model.v_template
    for limb in LIMBS:
        joint = skeleton.SMPL_JOINTS.index(f"left_{limb}")
        distance = np.linalg.norm(model.v_template - rest_joints[joint], axis=1)
        candidates = np.argsort(distance, kind="stable")[:_NUM_CANDIDATES]
        row = np.zeros(rows.shape[1])
        row[candidates] = regressors.regress(vertices[:, candidates], joints[:, joint])
        rows[skeleton.KEYPOINTS.index(f"left_{limb}")] = row
        rows[skeleton.KEYPOINTS.index(f"right_{limb}")] = row[mirror]
    return rows


def random_poses(rng, count):
    """(count, 24, 3) axis-angle within `pose_blend.RANGE_OF_MOTION_DEG`, zero for the root."""
    pose = np.zeros([count, len(skeleton.SMPL_JOINTS), 3])
    for name, limits in pose_blend.RANGE_OF_MOTION_DEG.items():
        low, high = np.radians(limits).T
        pose[:, skeleton.SMPL_JOINTS.index(name)] = rng.uniform(low, high, [count, 3])
        if name.startswith("left_"):
            right = skeleton.SMPL_JOINTS.index(name.replace("left_", "right_"))
            pose[:, right] = rng.uniform(low, high, [count, 3]) * [1, -1, -1]
    return pose


def _random_bodies(model):
    """-> vertices (N, V, 3) and SMPL joints (N, 24, 3), metres, of random shapes and poses."""
    rng = np.random.default_rng(_SEED)
    pose = tf.constant(random_poses(rng, _NUM_BODIES), tf.float32)
    betas = tf.constant(rng.normal(size=[_NUM_BODIES, 10]), tf.float32)
    bodies = smpl.SMPL(model)(pose, betas)
    return bodies.vertices.numpy().astype(np.float64), bodies.smpl_joints.numpy().astype(np.float64)

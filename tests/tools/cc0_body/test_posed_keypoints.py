"""Keypoints of the limbs stay at the joints while the body moves."""

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf.body import body_model, skeleton, smpl
from tests.fakes import motions
from tools.cc0_body import calibration, posed_keypoints

# Largest distance, metres, from the joint; of calibrated ones, from the offset beside it.
LIMITS = {
    "elbow": 0.015,
    "wrist": 0.005,
    "knee": 0.015,
    "ankle": 0.005,
    "hip": 0.04,
    "shoulder": 0.03,
}


@pytest.fixture(scope="module")
def moving_bodies():
    """`Body` of 50 random poses and shapes."""
    rng = np.random.default_rng(3)
    pose = tf.constant(posed_keypoints.random_poses(rng, 50), tf.float32)
    betas = tf.constant(rng.normal(size=(50, 10)), tf.float32)
    return smpl.SMPL(body_model.read_model())(pose, betas)


@pytest.mark.parametrize("limb", posed_keypoints.LIMBS)
def test_cc0_body_keypoint_follows_its_joint(moving_bodies, limb):
    world = motions.world_rotations(moving_bodies.rotations.numpy())
    for side, sign in (("left", 1), ("right", -1)):
        joint = skeleton.SMPL_JOINTS.index(f"{side}_{limb}")
        keypoint = moving_bodies.joints3d[:, skeleton.KEYPOINTS.index(f"{side}_{limb}")].numpy()
        offset = np.array(calibration.OFFSETS_M.get(f"left_{limb}", (0, 0, 0))) * [sign, 1, 1]
        bone = skeleton.SMPL_JOINTS.index(calibration.BONES.get(f"left_{limb}", "pelvis"))
        error = keypoint - moving_bodies.smpl_joints[:, joint].numpy() - world[:, bone] @ offset
        assert np.linalg.norm(error, axis=1).max() < LIMITS[limb], side


@pytest.mark.parametrize(("limb", "axis", "sign"), [("elbow", 1, -1), ("knee", 0, 1)])
def test_cc0_body_hinge_stays_where_it_is_when_it_bends(limb, axis, sign):
    """At every bend up to 2 rad; the rows of version 1.0 moved the elbow by 15 cm."""
    pose = np.zeros([9, 24, 3], np.float32)
    pose[:, skeleton.SMPL_JOINTS.index(f"left_{limb}"), axis] = sign * np.linspace(0, 2, 9)
    body = smpl.SMPL(body_model.read_model())(tf.constant(pose), tf.zeros([9, 10]))
    point = body.joints3d[:, skeleton.KEYPOINTS.index(f"left_{limb}")].numpy()
    assert np.linalg.norm(point - point[0], axis=1).max() < 0.015


def test_cc0_body_keypoint_rows_are_weighted_means():
    model = body_model.read_model()
    for limb in ("elbow", "wrist", "knee", "ankle"):
        row = model.keypoint_regressor[skeleton.KEYPOINTS.index(f"left_{limb}")]
        assert row.min() >= 0
        assert np.count_nonzero(row) < 40
        np.testing.assert_allclose(row.sum(), 1.0, atol=1e-6)

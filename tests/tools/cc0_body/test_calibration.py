"""The calibration of the built-in body's keypoints: offsets, vertices, the committed file."""

import numpy as np
import tensorflow as tf
from scipy import spatial

from hmr_tf.body import body_model, skeleton, smpl
from tests.fakes import motions
from tools.cc0_body import build_body, calibration, posed_keypoints


def test_cc0_body_calibration_moves_each_keypoint_by_its_offset():
    model = body_model.read_model(body_model.BUILT_IN_1_0)
    before, template = model.keypoint_regressor, model.v_template
    offsets = {"left_hip": (0.01, -0.02, 0.03), "neck": (0.0, 0.03, 0.01)}
    rows = calibration.calibrated(before, template, model.lbs_weights, offsets)
    expected = dict.fromkeys(skeleton.KEYPOINTS, (0.0, 0.0, 0.0))
    expected.update(offsets, right_hip=(-0.01, -0.02, 0.03))
    moved = (rows - before) @ template
    np.testing.assert_allclose(moved, [expected[x] for x in skeleton.KEYPOINTS], atol=1e-6)
    np.testing.assert_allclose(rows.sum(1), 1.0)
    unmoved = [name not in (*offsets, "right_hip") for name in skeleton.KEYPOINTS]
    np.testing.assert_array_equal(rows[unmoved], before[unmoved])


def test_cc0_body_calibration_stays_with_the_bone_when_joints_bend(rng):
    former = body_model.read_model(body_model.BUILT_IN_1_0)
    rows = calibration.calibrated(former.keypoint_regressor, former.v_template, former.lbs_weights)
    pose = tf.constant(rng.normal(0, 0.7, (20, 24, 3)), tf.float32)
    posed = smpl.SMPL(former)(pose, tf.zeros([20, 10]))
    moved = np.einsum("kv,bvc->bkc", rows - former.keypoint_regressor, posed.vertices)
    world = motions.world_rotations(posed.rotations.numpy())
    for left, offset in calibration.OFFSETS_M.items():
        for side, sign in (("left_", 1), ("right_", -1)):
            keypoint, bone = (x.replace("left_", side) for x in (left, calibration.BONES[left]))
            bone = world[:, skeleton.SMPL_JOINTS.index(bone)]
            expected = bone @ (np.array(offset) * [sign, 1, 1])
            error = moved[:, skeleton.KEYPOINTS.index(keypoint)] - expected
            assert np.linalg.norm(error, axis=1).max() < 0.02, keypoint


def test_cc0_body_calibration_of_the_former_body_gives_the_committed_one():
    former, new = body_model.read_model(body_model.BUILT_IN_1_0), body_model.read_model()
    _, mirror = spatial.cKDTree(former.v_template).query(former.v_template * [-1, 1, 1])
    rows = build_body.keypoints_of_people(former, mirror)
    np.testing.assert_allclose(rows, new.keypoint_regressor, atol=5e-5)  # of another machine
    offsets = rows - posed_keypoints.follow_joints(former.keypoint_regressor, former, mirror)
    assert np.abs(offsets).max() < 0.2  # small weights: no extrapolation

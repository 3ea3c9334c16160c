"""The calibration of the built-in body's keypoints: offsets, vertices, the committed file."""

import numpy as np

from hmr_tf.body import body_model, skeleton
from tools.cc0_body import calibration


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
    assert np.abs(rows - before).max() < 0.1
    unmoved = [name not in (*offsets, "right_hip") for name in skeleton.KEYPOINTS]
    np.testing.assert_array_equal(rows[unmoved], before[unmoved])


def test_cc0_body_calibration_uses_near_vertices_of_the_same_bones():
    model = body_model.read_model(body_model.BUILT_IN_1_0)
    before, template = model.keypoint_regressor, model.v_template
    rows = calibration.calibrated(before, template, model.lbs_weights)
    bones = model.lbs_weights.argmax(1)
    for old, new in zip(before, rows):
        added = np.flatnonzero((new != 0) & (old == 0))
        assert np.isin(bones[added], bones[old != 0]).all()
        assert (np.linalg.norm(template[added] - old @ template, axis=1) < 0.12).all()
        assert len(added) < 60


def test_cc0_body_calibration_of_the_former_body_gives_the_committed_one():
    former, new = body_model.read_model(body_model.BUILT_IN_1_0), body_model.read_model()
    rows = calibration.calibrated(former.keypoint_regressor, former.v_template, former.lbs_weights)
    np.testing.assert_allclose(rows, new.keypoint_regressor, atol=1e-8)

"""Keypoints and cameras moved onto other keypoints."""

import numpy as np

from hmr_tf.body import camera
from hmr_tf.inference.detection import keypoint_placement


def test_moved_camera_projects_where_the_placement_moves_keypoints(rng):
    points = rng.normal(size=(3, 19, 3))
    cameras = rng.normal(size=(3, 3)) + np.array([2, 0, 0])
    placement = keypoint_placement.Placement(
        scale=rng.uniform(0.5, 2, size=3), offset=rng.normal(size=(3, 2)), error=np.zeros(3)
    )
    moved = keypoint_placement.move_cameras(cameras, placement)
    scale, offset = placement.scale[:, None, None], placement.offset[:, None]
    expected = scale * camera.project(points, cameras) + offset
    np.testing.assert_allclose(camera.project(points, moved), expected, atol=1e-5)


def test_place_moves_most_of_the_way_and_outliers_hardly_count(rng):
    targets = rng.uniform(-1, 1, size=(1, 19, 2))
    points = (targets - (0.1, -0.2)) / 1.2
    placement = keypoint_placement.place(points, targets, np.ones(19))
    moved = placement.scale[:, None, None] * points + placement.offset[:, None]
    before, after = (np.linalg.norm(x - targets, axis=-1) for x in (points, moved))
    assert after.mean() < 0.25 * before.mean()
    with_outlier = targets.copy()
    with_outlier[0, 3] += 5
    other = keypoint_placement.place(points, with_outlier, np.ones(19))
    np.testing.assert_allclose(other.scale, placement.scale, atol=0.05)
    np.testing.assert_allclose(other.offset, placement.offset, atol=0.05)


def test_place_of_much_weight_moves_points_onto_their_targets(rng):
    points = rng.uniform(-1, 1, size=(2, 19, 2)) + np.array([0.4, -0.3])
    scale, offset = np.array([1.2, 0.8]), np.array([(0.05, -0.1), (0.1, 0.02)])
    targets = scale[:, None, None] * points + offset[:, None]
    placement = keypoint_placement.place(points, targets, np.full(19, 1e9))
    np.testing.assert_allclose(placement.scale, scale, atol=1e-6)
    np.testing.assert_allclose(placement.offset, offset, atol=1e-6)
    np.testing.assert_allclose(placement.error, 0, atol=1e-6)


def test_place_never_turns_a_body_upside_down(rng):
    points = rng.normal(size=(1, 19, 2))
    placement = keypoint_placement.place(points, -points, np.ones(19))
    assert placement.scale >= 0.5
    assert placement.error > 0.1
    far = keypoint_placement.place(points, 50 * points + 3, np.full(19, 100.0))
    assert far.scale == 2


def test_place_changes_nothing_without_detected_keypoints(rng):
    points, targets = rng.normal(size=(2, 3, 19, 2))
    placement = keypoint_placement.place(points, targets, np.zeros(19))
    np.testing.assert_allclose(placement.scale, 1, atol=1e-6)
    np.testing.assert_allclose(placement.offset, 0, atol=1e-6)
    np.testing.assert_array_equal(placement.error, 0)


def test_place_prefers_any_prediction_to_one_that_is_not_finite(rng):
    points = rng.normal(size=(3, 19, 2))
    points[0, 4] = np.nan
    points[2, 4, 1] = np.inf
    placement = keypoint_placement.place(points, rng.normal(size=(3, 19, 2)), np.ones(19))
    assert placement.error.argmin() == 1
    assert np.isfinite(placement.scale).all()
    assert np.isfinite(placement.offset).all()

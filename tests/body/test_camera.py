"""Weak perspective, pixels, and the pinhole that agrees with it."""

import numpy as np
import tensorflow as tf

from hmr_tf.body import camera


def test_project_translates_before_it_scales():
    points = tf.constant([[[1.0, 2.0, 9.0]]])
    moved = camera.project(points, tf.constant([[2.0, 0.5, -1.0]]))
    np.testing.assert_allclose(moved[0, 0], [3.0, 2.0])


def test_pixels_from_norm_x_right_y_down():
    """x to the right, y down: (0, 0) is the middle, (224, 224) the lower right corner."""
    corners = camera.pixels_from_norm(np.array([[0.0, 0.0], [1.0, 1.0], [-1.0, 1.0]]), 224)
    np.testing.assert_allclose(corners, [[112, 112], [224, 224], [0, 224]])


def test_pixels_from_norm_count_from_the_upper_left_corner(rng):
    points_px = rng.uniform(-50, 300, size=(5, 19, 2))
    norm = 2 * points_px / 224 - 1
    np.testing.assert_allclose(camera.pixels_from_norm(norm, 224), points_px, atol=1e-9)


def test_perspective_translation_agrees_with_weak_perspective(rng):
    """A flat body in the plane of the camera's distance lies on the same pixels in both."""
    points = (rng.normal(size=(4, 19, 3)) * (0.5, 0.5, 0)).astype(np.float32)
    cameras = tf.constant([[0.9, 0.1, -0.2], [0.5, 0, 0], [1.4, -0.3, 0.3], [0.2, 1, 1]])
    weak = camera.pixels_from_norm(camera.project(tf.constant(points), cameras), 224)
    there = points + camera.perspective_translation(cameras, 224)[:, None]
    pinhole = camera.CROP_FOCAL_PX * there[..., :2] / there[..., 2:] + 112
    np.testing.assert_allclose(pinhole, weak, atol=1e-3)


def test_perspective_translation_is_in_front_of_the_camera_at_any_scale():
    cameras = tf.constant([[0.0, 0, 0], [-0.8, 0, 0], [1e-9, 0, 0]])
    depth = camera.perspective_translation(cameras, 224)[:, 2]
    assert (depth.numpy() > 0).all()
    assert np.isfinite(depth).all()

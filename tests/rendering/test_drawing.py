"""Keypoints and bones lie where they belong; crops become pictures."""

import numpy as np
import tensorflow as tf

from hmr_tf.body import skeleton
from hmr_tf.rendering import drawing


def test_draw_keypoints_places_points_and_colours_them_by_side():
    image = np.zeros((100, 100, 3), np.uint8)
    points, visible = np.full((19, 2), np.nan), np.zeros(19)
    for name, point in {"left_wrist": (20.5, 10.5), "left_elbow": (40.5, 10.5)}.items():
        index = skeleton.KEYPOINTS.index(name)
        points[index], visible[index] = point, 1
    points[skeleton.KEYPOINTS.index("right_knee")] = (70.5, 70.5)
    drawn = drawing.draw_keypoints(image, points, visible)
    assert not image.any()
    assert drawn[10, 20, 2] > 200  # blue: left
    assert drawn[10, 30, 2] > 200  # the bone between
    assert not drawn[60:].any()  # not visible
    visible[skeleton.KEYPOINTS.index("right_knee")] = 1
    assert drawing.draw_keypoints(image, points, visible)[70, 70, 0] > 200  # orange: right
    points[:] = 1e12
    assert drawing.draw_keypoints(image, points, np.ones(19)).shape == image.shape


def test_draw_bones_in_one_colour_without_points():
    image = np.zeros((100, 100, 3), np.uint8)
    points = np.full((19, 2), np.nan)
    for name, point in {"left_wrist": (20.5, 10.5), "left_elbow": (40.5, 10.5)}.items():
        points[skeleton.KEYPOINTS.index(name)] = point
    drawn = drawing.draw_bones(image, points, color=(255, 255, 255))
    assert not image.any()
    assert (drawn[10, 20:41] > 100).all()
    assert (drawn == drawn[..., :1]).all()
    assert not drawn[12:].any()
    assert not drawn[:9].any()


def test_uint8_from_norm_covers_all_values_and_clips():
    norm = np.arange(256, dtype=np.float32) / 127.5 - 1.0
    np.testing.assert_allclose(drawing.uint8_from_norm(norm), np.arange(256), atol=1)
    clipped = drawing.uint8_from_norm(tf.constant([-3.0, -1.0, 1.0, 3.0]))
    np.testing.assert_array_equal(clipped, [0, 0, 255, 255])

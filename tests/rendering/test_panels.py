"""Pictures of the people of a photograph."""

import numpy as np

from hmr_tf.inference import person_crops
from hmr_tf.rendering import drawing, panels


def test_overlay_shows_keypoints_by_the_camera_that_shows_the_mesh(rng, monkeypatch):
    """Of a person 2 m away, weak perspective and the pinhole differ by many pixels."""
    joints3d = rng.uniform(-0.5, 0.5, (19, 3)).astype(np.float32)
    person = person_crops.Person(
        vertices=joints3d[:3],
        joints3d=joints3d,
        keypoints2d_px=np.zeros((19, 2), np.float32),
        transl=np.float32([0.2, 0.1, 2]),
        focal_px=np.float32(100),
        principal_px=np.float32([40, 30]),
    )
    drawn = []
    monkeypatch.setattr(
        drawing, "draw_keypoints", lambda image, points, _: drawn.append(points) or image
    )
    image = np.zeros((60, 80, 3), np.uint8)
    panels.overlay(image, [person], np.array([[0, 1, 2]]))
    x, y, z = (joints3d + person["transl"]).T
    expected = np.stack([100 * x / z + 40, 100 * y / z + 30], axis=1)
    np.testing.assert_allclose(drawn, [expected], rtol=1e-5, atol=1e-4)
    panels.demo_panels(image, [person], np.array([[0, 1, 2]]))
    np.testing.assert_array_equal(drawn[1:], [person["keypoints2d_px"]])  # the original's panel

"""People of one photograph drawn together and rotated."""

import cv2
import numpy as np
import pytest

from hmr_tf.body import camera
from hmr_tf.inference import person_crops
from hmr_tf.rendering import draw_people


@pytest.mark.parametrize("degrees", [60.0, -60.0, 180.0])
def test_scene_shows_all_rotated_people(degrees):
    """One far behind another who stands at the edge; each is a tetrahedron."""
    corners = np.float32([(0, -0.8, 0), (-0.5, 0.8, -0.3), (0.5, 0.8, -0.3), (0, 0.8, 0.6)])
    faces = np.array([(0, 1, 2), (0, 2, 3), (0, 3, 1), (1, 3, 2)])
    pinhole = {"focal_px": np.float32(400.0), "principal_px": np.float32([100, 80])}
    people = [
        person_crops.Person(vertices=corners, transl=np.float32(place), **pinhole)
        for place in ((-0.9, 0, 4), (2, 1, 12))
    ]
    _, mask = draw_people.draw(people, faces, (160, 200), degrees=degrees)
    count, *_ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    assert count - 1 == 2
    assert not mask[[0, -1]].any()
    assert not mask[:, [0, -1]].any()


@pytest.mark.parametrize("degrees", [0.0, 90.0])
def test_scene_without_photograph_fills_the_picture(degrees):
    corners = np.float32([(0, -0.8, 0), (-0.5, 0.8, -0.3), (0.5, 0.8, -0.3), (0, 0.8, 0.6)])
    faces = np.array([(0, 1, 2), (0, 2, 3), (0, 3, 1), (1, 3, 2)])
    far_aside = person_crops.Person(vertices=corners, transl=np.float32([9, -4, 30]))
    picture = draw_people.draw_without_photograph([far_aside], faces, size_px=100, degrees=degrees)
    rows, columns = np.nonzero((picture < 255).any(axis=-1))
    assert 55 < np.ptp(rows) < 100
    assert min(rows.min(), columns.min(), 99 - rows.max(), 99 - columns.max()) > 0


def test_scene_keeps_people_who_are_in_the_picture():
    pinhole = camera.Pinhole(200.0, (50.0, 40.0))
    points = np.float32([(-0.1, 0, 4), (0.3, 0.2, 4.2)])
    moved, camera_moved = draw_people._all_in_view(points, pinhole, (80, 100))
    np.testing.assert_array_equal(moved, points)
    np.testing.assert_allclose(camera_moved.principal_px, pinhole.principal_px, atol=1e-5)

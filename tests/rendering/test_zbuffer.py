"""The z-buffer against exact small cases and a slow rasterizer that reads like the definition."""

import numpy as np
import pytest

from hmr_tf.body import body_model
from hmr_tf.rendering import zbuffer
from hmr_tf.rendering.zbuffer import rasterize


def slow_rasterizer(points_px, depth, faces, height, width):
    """One image, float64: every pixel asks every front face. Returns face, barycentric, depth."""
    points_px, depth = np.float64(points_px), np.float64(depth)
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    face = np.full((height, width), -1)
    barycentric = np.zeros((height, width, 3))
    nearest = np.full((height, width), np.inf)
    for number, corners in enumerate(faces):
        if (depth[corners] <= 0).any():
            continue
        (ax, ay), (bx, by), (cx, cy) = points_px[corners]
        opposite = np.stack(
            [
                (bx - x) * (cy - y) - (by - y) * (cx - x),
                (cx - x) * (ay - y) - (cy - y) * (ax - x),
                (ax - x) * (by - y) - (ay - y) * (bx - x),
            ],
            axis=-1,
        )
        is_front = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax) < 0
        weights = opposite / depth[corners]  # 1 / depth is linear in the picture, depth is not
        covered = is_front & (opposite <= 0).all(-1)
        distance = opposite.sum(-1) / np.where(covered, weights.sum(-1), 1)
        drawn = covered & (distance < nearest)
        face[drawn], nearest[drawn] = number, distance[drawn]
        barycentric[drawn] = weights[drawn] / weights[drawn].sum(-1, keepdims=True)
    return face, barycentric, nearest


def pictures(fragments):
    """Fragments -> face, barycentric weights (B, H, W, 3) with zeros where nothing is, depth."""
    weights = np.zeros((*fragments.face.shape, 3), np.float32)
    weights.reshape(-1, 3)[fragments.pixel] = fragments.barycentric
    pixel = np.sort(fragments.pixel)
    np.testing.assert_array_equal(pixel, np.flatnonzero(fragments.face >= 0))
    return fragments.face, weights, fragments.depth


def draw(points_px, depth, faces, height=4, width=4):
    fragments = rasterize([points_px], [depth], faces, height, width)
    return [part[0] for part in pictures(fragments)]


# Corners run counter-clockwise in the picture: down the left side, then right along the bottom.
LOWER_LEFT = [[0, 0], [0, 4], [4, 4]]
UPPER_RIGHT = [[0, 0], [4, 4], [4, 0]]


def test_zbuffer_triangle_covers_the_centres_it_contains():
    face, barycentric, depth = draw([[0, 1], [0, 4], [4, 4]], [2, 2, 2], [[0, 1, 2]])
    expected = [[-1, -1, -1, -1], [0, -1, -1, -1], [0, 0, -1, -1], [0, 0, 0, -1]]
    np.testing.assert_array_equal(face, expected)
    np.testing.assert_allclose(depth, np.where(np.equal(expected, 0), 2, np.inf), rtol=1e-6)
    # Pixel (0, 3) has its centre at (0.5, 3.5): an eighth to the right, a sixth less an eighth up.
    np.testing.assert_allclose(barycentric[3, 0], [1 / 6, 17 / 24, 1 / 8], rtol=1e-6)
    np.testing.assert_array_equal(barycentric[0, 0], [0, 0, 0])


def test_zbuffer_sizes_are_height_width_and_points_x_y():
    face, _, _ = draw([[3, 0], [3, 2], [5, 2], [5, 0]], [1] * 4, [[0, 1, 2], [0, 2, 3]], 2, 6)
    np.testing.assert_array_equal(face >= 0, [[0, 0, 0, 1, 1, 0]] * 2)


def test_zbuffer_draws_a_shared_edge_once_with_the_first_face():
    points = LOWER_LEFT + UPPER_RIGHT  # the diagonal runs through four pixel centres
    for faces in ([[0, 1, 2], [3, 4, 5]], [[3, 4, 5], [0, 1, 2]]):
        face, _, _ = draw(points, [1] * 6, faces)
        np.testing.assert_array_equal(np.diag(face), [0, 0, 0, 0])
        assert (face >= 0).all()


def test_zbuffer_loses_no_pixel_between_faces(rng):
    angles = np.sort(rng.uniform(0, 2 * np.pi, 50))[::-1]
    rim = 60 * np.stack([np.cos(angles), np.sin(angles)], 1)
    for centre in rng.uniform(8, 24, size=(20, 2)):
        points = np.concatenate([[centre], centre + rim])
        fan = [[0, i + 1, (i + 1) % 50 + 1] for i in range(50)]
        face, _, _ = draw(points, np.ones(51), fan, 32, 32)
        assert (face >= 0).all()


def test_zbuffer_nearer_face_wins_in_either_order():
    points, depth = LOWER_LEFT + LOWER_LEFT, [3, 3, 3, 2, 2, 2]
    near_last, _, distance = draw(points, depth, [[0, 1, 2], [3, 4, 5]])
    near_first, _, _ = draw(points, depth, [[3, 4, 5], [0, 1, 2]])
    assert near_last[3, 0] == 1
    assert near_first[3, 0] == 0
    assert distance[3, 0] == pytest.approx(2)


def test_zbuffer_splits_faces_where_they_cross():
    # One face is near on the left, the other on the right; they cross in the middle of the picture.
    quad = [[0, 0], [0, 4], [4, 4], [4, 0]]
    points, depth = quad + quad, [1, 1, 3, 3, 3, 3, 1, 1]
    face, _, _ = draw(points, depth, [[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]])
    np.testing.assert_array_equal(face >= 2, [[0, 0, 1, 1]] * 4)


def test_zbuffer_does_not_draw_the_back_of_a_face():
    face, barycentric, depth = draw(LOWER_LEFT, [1, 1, 1], [[0, 2, 1]])
    assert (face == -1).all()
    assert (barycentric == 0).all()
    assert np.isinf(depth).all()


def test_zbuffer_draws_the_outside_of_the_body():
    # A closed mesh drawn with its inside only would show the far side.
    model = body_model.read_model()
    points = model.v_template * [1, -1, -1] + [0, 0, 5]
    pixels = 200 * points[:, :2] / points[:, 2:] + 64
    _, _, depth = draw(pixels, points[:, 2], model.faces, 128, 128)
    chest_px = pixels[model.joint_regressor.argmax(1)[9]]  # spine3
    assert depth[int(chest_px[1]), int(chest_px[0])] < 5


@pytest.mark.parametrize("bad", [-1.0, 0.0, np.nan, np.inf])
def test_zbuffer_leaves_out_a_face_with_a_corner_behind_the_camera(bad):
    face, _, _ = draw(LOWER_LEFT + UPPER_RIGHT, [1, 1, bad, 1, 1, 1], [[0, 1, 2], [3, 4, 5]])
    assert face[3, 0] == -1
    assert face[0, 3] == 1


def test_zbuffer_takes_corners_outside_the_picture():
    face, _, _ = draw([[-100, -100], [-100, 900], [900, 900]], [1] * 3, [[0, 1, 2]])
    np.testing.assert_array_equal(face, np.tril(np.ones((4, 4))) - 1)
    for far in ([1e7, 0], [np.nan, 0], [0, -np.inf], [0, -5]):
        beside = np.float32([[0, -9], [0, -8], far])
        assert (draw(beside, [1] * 3, [[0, 1, 2]])[0] == -1).all()


def test_zbuffer_with_nothing_to_draw():
    for faces in (np.zeros((0, 3), int), [[0, 0, 0]]):
        face, barycentric, depth = draw(LOWER_LEFT, [1] * 3, faces)
        assert face.shape == depth.shape == barycentric.shape[:2] == (4, 4)
        assert (face == -1).all()
    assert rasterize(np.zeros((0, 3, 2)), np.zeros((0, 3)), [[0, 1, 2]], 4, 4).face.shape == (
        0,
        4,
        4,
    )


def random_mesh(rng, num_vertices=40, num_faces=80, size=40):
    points = rng.uniform(-8, size + 8, (num_vertices, 2)).astype(np.float32)
    depth = rng.uniform(0.5, 4, num_vertices).astype(np.float32)
    depth[rng.integers(num_vertices, size=2)] *= -1
    return points, depth, rng.integers(num_vertices, size=(num_faces, 3))


def assert_same(fragments, expected):
    face, barycentric, depth = expected
    np.testing.assert_array_equal(fragments[0], face)
    np.testing.assert_allclose(fragments[2], depth, rtol=1e-4)
    np.testing.assert_allclose(fragments[1], barycentric, atol=2e-3)


@pytest.mark.parametrize("seed", range(5))
def test_zbuffer_random_meshes_equal_the_slow_rasterizer(seed):
    points, depth, faces = random_mesh(np.random.default_rng(seed))
    assert_same(draw(points, depth, faces, 30, 40), slow_rasterizer(points, depth, faces, 30, 40))


def body_in_picture(yaw, size):
    model = body_model.read_model()
    rotation = [[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]]
    points = model.v_template @ np.transpose(rotation) * [1, -1, -1] + [0, -0.3, 4.5]
    pixels = 500 * points[:, :2] / points[:, 2:] * size / 224 + size / 2
    return pixels.astype(np.float32), points[:, 2].astype(np.float32), model.faces


def test_zbuffer_body_equals_the_slow_rasterizer():
    pixels, depth, faces = body_in_picture(0.7, 224)
    # Asking only the faces near a pixel's tile keeps the slow one bearable.
    face, _, _ = draw(pixels, depth, faces, 224, 224)
    assert 4000 < (face >= 0).sum() < 12000
    for top, left in np.ndindex(7, 7):
        corner = np.float32([left * 32, top * 32])
        low, high = pixels[faces].min(1), pixels[faces].max(1)
        near = np.flatnonzero((high >= corner).all(1) & (low <= corner + 32).all(1))
        tile, _, _ = slow_rasterizer(pixels - np.float64(corner), depth, faces[near], 32, 32)
        tile = np.where(tile >= 0, np.append(near, -1)[tile], -1)
        np.testing.assert_array_equal(face[top * 32 :][:32, left * 32 :][:, :32], tile)


def test_zbuffer_batch_equals_its_images_one_by_one(rng):
    points, depth = zip(*(random_mesh(rng)[:2] for _ in range(3)))
    faces = random_mesh(rng)[2]
    together = pictures(rasterize(points, depth, faces, 40, 40))
    for i in range(3):
        alone = draw(points[i], depth[i], faces, 40, 40)
        for part, expected in zip(together, alone):
            np.testing.assert_array_equal(part[i], expected)


@pytest.mark.parametrize("corner", [(0, 0), (13, 0), (5, 29), (-3, 38)])
def test_zbuffer_window_equals_that_part_of_the_picture(rng, corner):
    points, depth, faces = random_mesh(rng)
    left, top = corner
    part = pictures(rasterize([points], [depth], faces, 11, 17, corner_px=corner))
    around = pictures(rasterize([points], [depth], faces, 60, 60, corner_px=(-3, 0)))
    whole = [values[:, top : top + 11, left + 3 : left + 20] for values in around]
    np.testing.assert_array_equal(part[0], whole[0])
    for ours, expected in zip(part[1:], whole[1:]):
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-6)


def test_zbuffer_does_not_depend_on_max_spans(rng, monkeypatch):
    points, depth, faces = random_mesh(rng)
    expected = draw(points, depth, faces, 40, 40)
    monkeypatch.setattr(zbuffer, "MAX_SPANS", 50)  # less than one picture
    for part, whole in zip(draw(points, depth, faces, 40, 40), expected):
        np.testing.assert_array_equal(part, whole)


def test_zbuffer_many_full_triangles_fit_into_memory():
    # 100 full pictures of 400 x 400: 16 million candidates, drawn in slices.
    depth = np.repeat(np.arange(100, 0, -1), 3)
    points = np.float32([[-10, -10], [-10, 900], [900, -10]] * 100)
    face, _, _ = draw(points, depth, np.arange(300).reshape(100, 3), 400, 400)
    assert (face == 99).all()

"""Overlays: the body is right way up, the right way round, where the camera puts it."""

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf.body import body_model, skeleton, smpl
from hmr_tf.body import camera as body_camera
from hmr_tf.rendering import render, zbuffer

UPRIGHT = (np.pi, 0.0, 0.0)  # facing the viewer
CENTERED = (0.8, 0.0, 0.3)


@pytest.fixture(scope="module")
def model():
    return body_model.read_model()


@pytest.fixture(scope="module")
def pose_body(model):
    layer = smpl.SMPL(model)

    def posed(global_orient=UPRIGHT, **joints):
        pose = np.zeros((1, 24, 3), np.float32)
        pose[0, 0] = global_orient
        for name, axis_angle in joints.items():
            pose[0, skeleton.SMPL_JOINTS.index(name)] = axis_angle
        return layer(tf.constant(pose), tf.zeros([1, 10]))

    return posed


def middle_px(mask):
    """Mean x and y of the pixels in a mask."""
    rows, columns = np.nonzero(mask)
    return np.array([columns.mean(), rows.mean()]) + 0.5


def draw_part(model, body, names, size=224, camera=CENTERED):
    """Mask of the faces that move most with some joints; the rest of the body may hide them."""
    bones = model.lbs_weights.argmax(1)[model.faces[:, 0]]
    labels = np.isin(bones, skeleton.indices(names, skeleton.SMPL_JOINTS))
    points = body.vertices + body_camera.perspective_translation(tf.constant([camera]), size)
    pixels, depth = body_camera.project_perspective(points, 500.0, (size / 2, size / 2))
    fragments = zbuffer.rasterize(pixels, depth, model.faces, size, size)
    return render.part_map(fragments, labels)[0] == 1


def test_render_head_is_up_and_left_hand_on_the_right(model, pose_body):
    body = pose_body()
    body_px = middle_px(render.render_body(body.vertices, [CENTERED], model.faces)[1][0])
    assert middle_px(draw_part(model, body, ["head"]))[1] < body_px[1] - 40
    assert middle_px(draw_part(model, body, ["left_ankle", "right_ankle"]))[1] > body_px[1] + 40
    assert middle_px(draw_part(model, body, ["left_hand"]))[0] > body_px[0] + 40
    assert middle_px(draw_part(model, body, ["right_hand"]))[0] < body_px[0] - 40


def test_render_positive_translation_moves_right_and_down(model, pose_body):
    vertices = pose_body().vertices
    place = [
        middle_px(render.render_body(vertices, [camera], model.faces)[1][0])
        for camera in ((0.5, 0.0, 0.0), (0.5, 0.2, 0.0), (0.5, 0.0, 0.2))
    ]
    translation_px = 0.5 * 0.2 * 112  # s * t, in halves of the crop
    np.testing.assert_allclose(place[1] - place[0], [translation_px, 0], atol=0.5)
    np.testing.assert_allclose(place[2] - place[0], [0, translation_px], atol=0.5)


@pytest.mark.parametrize("size", [224, 96])
def test_render_draws_the_body_where_project_puts_it(model, pose_body, size):
    body = pose_body(left_shoulder=(0, 0, -1.2))
    camera = tf.constant([CENTERED])
    keypoints = body_camera.pixels_from_norm(body_camera.project(body.joints3d, camera), size)[0]
    mask = render.render_body(body.vertices, camera, model.faces, size)[1][0]
    for name in ("left_wrist", "right_wrist", "left_knee", "right_elbow", "neck"):
        x, y = keypoints[skeleton.KEYPOINTS.index(name)].numpy().round().astype(int)
        assert mask[y - 2 : y + 3, x - 2 : x + 3].any(), name


def test_render_camera_is_the_originals():
    """`util/renderer.py:239-262`: translation [tx, ty, 500 / (0.5 * size * s)], focal 500 px."""
    points = tf.constant([[[0.3, -0.2, 0.0]]])
    translation = body_camera.perspective_translation(tf.constant([[0.9, 0.1, 0.2]]), 224)
    pixels, depth = body_camera.project_perspective(
        points + translation[:, None], 500.0, (112.0, 112.0)
    )
    np.testing.assert_allclose(depth[0, 0], 500 / (0.5 * 224 * 0.9))
    np.testing.assert_allclose(pixels[0, 0], [112 * (1 + 0.9 * 0.4), 112], rtol=1e-5)


def test_render_body_hides_the_background(model, pose_body, rng):
    background = rng.integers(0, 256, (1, 64, 64, 3)).astype(np.uint8)
    vertices = pose_body().vertices
    picture, mask = render.render_body(vertices, [CENTERED], model.faces, 64, background=background)
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(picture[~mask], background[~mask])
    # With alpha 1 what was behind the body leaves no trace.
    white, _ = render.render_body(vertices, [CENTERED], model.faces, 64)
    np.testing.assert_array_equal(picture[mask], white[mask])
    assert (white[~mask] == 255).all()


@pytest.mark.parametrize("camera", [(0.8, 50.0, 0.0), (0.8, 0.0, -50.0), (0.0, 0.0, 0.0)])
def test_render_body_out_of_the_picture_leaves_the_background(model, pose_body, camera):
    picture, mask = render.render_body(pose_body().vertices, [camera], model.faces, 32)
    assert mask.sum() <= 1  # s = 0: a body infinitely far away is a dot
    assert (picture[~mask] == 255).all()


def test_render_light_falls_from_above_in_front(model, pose_body):
    # Blue body: every shade keeps the order of the channels, and the lit side is brighter.
    picture, mask = render.render_body(pose_body().vertices, [CENTERED], model.faces)
    red, green, blue = picture[mask].mean(0)
    assert 90 < red < green < blue < 220
    per_vertex = np.broadcast_to(np.float32(render.LIGHT_BLUE), (1, len(model.v_template), 3))
    same, _ = render.render_body(pose_body().vertices, [CENTERED], model.faces, color=per_vertex)
    np.testing.assert_array_equal(picture, same)


def test_vertex_normals_point_out_of_the_body(model):
    sphere = tf.constant(model.v_template[None], tf.float32)
    normals = render.vertex_normals(sphere, model.faces)[0]
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5)
    left_hand = model.lbs_weights.argmax(1) == skeleton.SMPL_JOINTS.index("left_hand")
    tip = model.v_template[left_hand, 0].argmax()
    assert normals[left_hand][tip, 0] > 0.5
    crown = model.v_template[:, 1].argmax()
    assert normals[crown, 1] > 0.7


def test_render_scene_of_photograph_contains_the_crop(model, pose_body):
    """A crop is a window of the photograph: same focal length, principal point moved."""
    vertices = pose_body().vertices
    crop, crop_mask = render.render_body(vertices, [CENTERED], model.faces, 128)
    translation = body_camera.perspective_translation(tf.constant([CENTERED]), 128)
    photo, mask = render.render_scene(
        vertices, translation, model.faces, 500.0, (64 + 30, 64 + 12), (150, 200)
    )
    assert photo.shape == (1, 150, 200, 3)
    window = np.s_[:, 12:140, 30:158]
    assert (crop_mask != mask[window]).sum() <= 2  # rounding of the moved points
    difference = np.abs(crop.astype(int) - photo[window])
    assert np.percentile(difference, 99.9) <= 2


@pytest.mark.parametrize("with_background", [True, False])
def test_render_scene_in_strips_equals_the_whole(
    model, pose_body, rng, monkeypatch, with_background
):
    vertices = pose_body(left_shoulder=(0, 0, -1.2)).vertices
    background = rng.integers(0, 256, (1, 150, 200, 3)).astype(np.uint8)
    translation = body_camera.perspective_translation(tf.constant([CENTERED]), 128)

    def draw():
        scene = (vertices, translation, model.faces, 500.0, (94.3, 76.1), (150, 200))
        return render.render_scene(*scene, background=background if with_background else None)

    expected = draw()
    monkeypatch.setattr(render, "STRIP_PIXELS", 200 * 17)  # the last strip has fewer rows
    for part, whole in zip(draw(), expected):
        np.testing.assert_array_equal(part, whole)  # picture and mask
    assert expected[1].any(axis=(0, 2)).sum() > 3 * 17


def test_render_scene_near_people_hide_far_ones(model, pose_body):
    vertices = pose_body().vertices[0].numpy()
    two = np.concatenate([vertices + np.float32([0, 0, 1]), vertices])[None]
    colors = np.repeat(np.float32([[1, 0, 0], [0, 1, 0]]), len(vertices), axis=0)[None]
    faces = np.concatenate([model.faces, model.faces + len(vertices)])
    picture, mask = render.render_scene(
        two, tf.constant([[0, 0.3, 5.0]]), faces, 500.0, (112, 112), (224, 224), color=colors
    )
    near = picture[mask]
    assert (near[:, 1] > near[:, 0]).mean() > 0.8  # red shows only around the green body


def test_side_view_shows_the_face_in_profile(model, pose_body):
    body = pose_body()
    rotated = render.side_view(body.vertices)
    np.testing.assert_allclose(render.side_view(rotated, -90.0), body.vertices, atol=1e-5)
    nose, ears = (
        np.einsum("kv,vc->kc", model.keypoint_regressor, rotated[0])[list(indices)].mean(0)
        for indices in (
            skeleton.indices(["nose"], skeleton.KEYPOINTS),
            skeleton.indices(["left_ear", "right_ear"], skeleton.KEYPOINTS),
        )
    )
    # Seen from the person's right hand, the face looks to the right.
    assert nose[0] > ears[0] + 0.05


def test_render_pixels_are_the_corners_colours_by_barycentric_weight(rng):
    """Every pixel from its definition in float64, to one grey level."""
    points_px, depth = rng.uniform(0, 24, (2, 12, 2)), rng.uniform(1, 3, (2, 12))
    faces, colors = rng.integers(12, size=(30, 3)), rng.random((2, 12, 3))
    background = rng.integers(0, 256, (2, 20, 24, 3)).astype(np.uint8)
    fragments = zbuffer.rasterize(points_px, depth, faces, 20, 24)
    expected = background.reshape(-1, 3).astype(float)
    assert 300 < len(fragments.pixel) < 900
    for pixel, weights in zip(fragments.pixel, fragments.barycentric):
        body, corners = pixel // (20 * 24), faces[fragments.face.ravel()[pixel]]
        expected[pixel] = 255 * weights @ colors[body, corners]
    drawn = render.paint(fragments, faces, colors, background)
    assert np.abs(drawn.reshape(-1, 3) - expected).max() <= 1


def test_render_shade_is_light_times_cosine():
    """One flat face towards the viewer: each light counts with the cosine of its angle."""
    corners = np.float32([[[0, 0, 2], [0, 1, 2], [1, 1, 2]]])  # the normal is -z
    shaded = render.shade(corners, [[0, 1, 2]], color=(0.5, 0.25, 0.125), ambient=0.1)
    light = 0.1 + 0.50 + 0.54  # the second light comes from behind
    np.testing.assert_allclose(
        shaded, np.broadcast_to(light * np.float32([0.5, 0.25, 0.125]), (1, 3, 3)), rtol=1e-6
    )

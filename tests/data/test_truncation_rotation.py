"""Truncated people and rotated crops: pixels and labels move together."""

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf.body import body_model, camera, rotation, skeleton
from hmr_tf.body.smpl import SMPL
from hmr_tf.data import augment, truncation_rotation

SIZE = 32
LOWER_IS_CUT, UPPER_IS_CUT, LEFT_IS_CUT, RIGHT_IS_CUT = (
    0.1,
    0.75,
    0.85,
    0.95,
)  # second random number
ENDS, MOVES = 0.0, 0.9  # last random number: the image ends, or only the crop moves


def standing(rng, height=60, width=40):
    """A sample of a person from (10, 5) to (30, 55), all keypoints labelled."""
    points = np.stack([np.linspace(10, 30, 19), rng.permutation(np.linspace(5, 55, 19))], axis=1)
    return {
        "image": tf.constant(rng.integers(0, 256, (height, width, 3)), tf.uint8),
        "keypoints_px": tf.constant(np.c_[points, np.ones(19)], tf.float32),
        "center_px": tf.constant([20.0, 30.0]),
        "lsp_joints": tf.constant(rng.normal(size=(14, 3)), tf.float32),
    }


def truncated(sample, side=LOWER_IS_CUT, position=0.5, image=ENDS, probability=1.0, random=0.5):
    numbers = tf.constant([random, side, position, 1.0, image], tf.float32)
    changed, zoom = truncation_rotation.truncate(sample, numbers, probability)
    return {name: np.array(value) for name, value in changed.items()}, float(zoom)


def test_truncation_removes_the_lower_part_and_keeps_its_labels(rng):
    sample = standing(rng)
    changed, zoom = truncated(sample)
    border = 5 + 0.6 * 50  # the middle of CUT_RANGE
    np.testing.assert_array_equal(changed["image"], sample["image"][: int(border)])
    np.testing.assert_array_equal(changed["keypoints_px"], sample["keypoints_px"])
    assert (changed["keypoints_px"][:, 1] > border).any()
    assert changed["center_px"][1] == pytest.approx((5 + border) / 2, abs=1e-4)
    assert zoom == pytest.approx(truncation_rotation.MAX_ZOOM)


@pytest.mark.parametrize(
    ("side", "axis", "moves"),
    [(UPPER_IS_CUT, 1, True), (LEFT_IS_CUT, 0, True), (RIGHT_IS_CUT, 0, False)],
)
def test_truncation_moves_labels_with_the_pixels(rng, side, axis, moves):
    sample = standing(rng)
    changed, _ = truncated(sample, side)
    start = np.zeros(2, int)
    if moves:
        start[axis] = sample["image"].shape[1 - axis] - changed["image"].shape[1 - axis]
        assert start[axis] > 0
    height, width = changed["image"].shape[:2]
    assert (height, width) != sample["image"].shape[:2]
    kept = sample["image"][start[1] : start[1] + height, start[0] : start[0] + width]
    np.testing.assert_array_equal(changed["image"], kept)
    np.testing.assert_allclose(
        changed["keypoints_px"][:, :2] + start, sample["keypoints_px"][:, :2], atol=1e-4
    )
    np.testing.assert_array_equal(changed["keypoints_px"][:, 2], 1)


def test_truncation_by_the_crop_keeps_all_pixels(rng):
    sample = standing(rng)
    changed, zoom = truncated(sample, image=MOVES)
    np.testing.assert_array_equal(changed["image"], sample["image"])
    np.testing.assert_array_equal(changed["keypoints_px"], sample["keypoints_px"])
    assert changed["center_px"][1] < 30
    assert zoom > 1


@pytest.mark.parametrize("changes", [{"probability": 0.0, "random": 0.0}, {"labelled": 4}])
def test_truncation_leaves_the_others_unchanged(rng, changes):
    sample = standing(rng)
    labelled = changes.pop("labelled", 19)
    weights = (np.arange(19) < labelled).astype("float32")
    sample["keypoints_px"] = tf.concat([sample["keypoints_px"][:, :2], weights[:, None]], axis=1)
    changed, zoom = truncated(sample, **changes)
    assert zoom == 1
    for name, value in sample.items():
        np.testing.assert_array_equal(changed[name], value)


def test_truncation_leaves_tiny_images_without_labels_unchanged():
    blank = {"image": tf.zeros([1, 1, 3], tf.uint8), "keypoints_px": tf.zeros([19, 3])}
    changed, zoom = truncated({**blank, "center_px": tf.zeros([2])})
    assert changed["image"].shape == (1, 1, 3)
    assert zoom == 1


def test_truncation_in_the_crop_is_the_edge_repeated(rng):
    changed, _ = truncated(standing(rng))
    sample = {name: tf.constant(value) for name, value in changed.items()}
    image, _ = augment.crop_image(sample, tf.zeros([2]), 1.0, False, 64)
    below = image[32 + 35 - int(changed["center_px"][1]) :]
    np.testing.assert_array_equal(below, np.broadcast_to(below[:1], below.shape))


def test_views_are_the_same_inside_tf_data(rng):
    sample, numbers = standing(rng), tf.constant([0.5, LOWER_IS_CUT, 0.5, 0.5, ENDS])

    def change(_):
        changed, zoom = truncation_rotation.truncate(sample, numbers, 1.0)
        crop, _ = augment.crop_image(
            changed, tf.zeros([2]), zoom, False, truncation_rotation.unrotated_size(SIZE)
        )
        return changed["keypoints_px"], truncation_rotation.rotate_image(crop, 0.3, SIZE)

    (inside,) = tf.data.Dataset.range(1).map(change)
    for eager, value in zip(change(0), inside):
        np.testing.assert_allclose(value, eager, atol=1e-5)
    (drawn,) = tf.data.Dataset.range(1).map(
        lambda index: truncation_rotation.draw([3, index], 64, 30.0)
    )
    for eager, value in zip(truncation_rotation.draw([3, 0], 64, 30.0), drawn):
        np.testing.assert_array_equal(value, eager)


def test_views_angles_are_within_the_limit_and_some_are_zero():
    angles = np.rad2deg(truncation_rotation.draw([0, 1], 1000, 30.0).angle)
    assert 25 < angles.max() <= 30
    assert -30 <= angles.min() < -25
    assert np.mean(angles == 0) == pytest.approx(
        truncation_rotation.UNROTATED_PROBABILITY, abs=0.05
    )
    assert not truncation_rotation.draw([0, 1], 1000, 0.0).angle.numpy().any()


@pytest.mark.parametrize("degrees", [-45, -20, 0, 30, 45])
@pytest.mark.parametrize("image_size", [32, 33])
def test_rotation_keypoints_follow_the_pixels(degrees, image_size):
    """A bright pixel and the label on it end at the same place of the rotated crop."""
    angle, side = np.float32(np.deg2rad(degrees)), truncation_rotation.unrotated_size(image_size)
    margin = (side - image_size) // 2
    for x, y in ((8, 9), (20, 14), (16, 22)):
        image = np.full((side, side, 3), -1, "float32")
        image[y + margin, x + margin] = 1
        rotated = (
            truncation_rotation.rotate_image(tf.constant(image), angle, image_size).numpy()[..., 0]
            + 1
        )
        columns, rows = np.meshgrid(*[np.arange(image_size)] * 2)
        place = [(rotated * places).sum() / rotated.sum() for places in (columns, rows)]
        labels = labels_of(np.array([[x, y]]) / image_size * 2 - 1)
        labels = truncation_rotation.rotate_labels(labels, tf.constant([angle]), image_size)
        expected = (labels["keypoints2d_norm"][0, 0, :2] + 1) * image_size / 2
        assert place == pytest.approx(np.array(expected), abs=0.3)


def labels_of(points_norm, lsp_joints=None, rotations=None):
    points = np.zeros((1, 19, 3), "float32")
    points[0, : len(points_norm)] = np.c_[points_norm, np.ones(len(points_norm))]
    return {
        "keypoints2d_norm": tf.constant(points),
        "lsp_joints": tf.zeros([1, 14, 3]) if lsp_joints is None else lsp_joints,
        "rotations": tf.eye(3, batch_shape=[1, 24]) if rotations is None else rotations,
        "betas": tf.ones([1, 10]),
    }


def test_rotation_labels_unlabelled_points_stay_zero_and_others_may_lie_outside():
    labels = labels_of(np.array([[3.0, 0.0]]))
    labels = truncation_rotation.rotate_labels(labels, tf.constant([np.float32(np.pi / 4)]), SIZE)
    np.testing.assert_array_equal(labels["keypoints2d_norm"][0, 1:], 0)
    assert labels["keypoints2d_norm"][0, 0, 2] == 1
    assert labels["keypoints2d_norm"][0, 0, 1] > 2
    np.testing.assert_array_equal(labels["betas"], 1)


def test_rotation_applies_to_the_projected_body_and_its_labels_alike(rng):
    smpl = SMPL(body_model.read_model())
    pose = rng.normal(size=(1, 24, 3)).astype("float32") * 0.3
    pose[0, 0] = 3.0, 0.2, 0.1  # upright in the camera's frame
    betas, view = tf.ones([1, 10]), tf.constant([[0.8, 0.1, 0.2]])
    body = smpl.joints_only(tf.constant(pose), betas)
    labels = {
        "keypoints2d_norm": tf.concat(
            [camera.project(body.joints3d, view), tf.ones([1, len(skeleton.KEYPOINTS), 1])],
            axis=-1,
        ),
        "lsp_joints": body.lsp_joints,
        "rotations": rotation.matrix_from_axis_angle(tf.constant(pose)),
        "betas": betas,
    }
    angle = tf.constant([0.6])
    rotated = truncation_rotation.rotate_labels(labels, angle, SIZE)
    posed = smpl.joints_only(rotated["rotations"], betas)

    def centred(points):
        return np.array(points - tf.reduce_mean(points, axis=1, keepdims=True))

    # 3D: the body that the new rotations pose has the new joints.
    np.testing.assert_allclose(centred(posed.lsp_joints), centred(rotated["lsp_joints"]), atol=1e-5)
    # 2D: its projection, whichever its translation, is the new keypoints.
    np.testing.assert_allclose(
        centred(camera.project(posed.joints3d, view)),
        centred(rotated["keypoints2d_norm"][..., :2]),
        atol=1e-5,
    )
    assert np.abs(rotated["keypoints2d_norm"] - labels["keypoints2d_norm"]).max() > 0.1

"""Predictions under a negative scale of the camera."""

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf.body import body_model, camera, theta
from hmr_tf.body.smpl import SMPL
from hmr_tf.networks import engines
from hmr_tf.networks.prediction import prediction_from_body, with_positive_scale
from hmr_tf.serving import frozen
from tests.fakes import tiny_body, tiny_hmr


def people(smpl, scales, rng):
    """`Prediction` of random bodies under cameras of these scales."""
    number = len(scales)
    thetas = theta.join(
        camera=np.float32(np.column_stack([scales, rng.normal(size=(number, 2))])),
        pose=np.float32(rng.normal(size=(number, 24, 3))),
        betas=np.float32(rng.normal(size=(number, 10))),
    )
    return prediction_from_body(thetas, smpl(*theta.split(thetas)[1:]))


@pytest.fixture
def smpl(tmp_path):
    return SMPL(body_model.read_model(tiny_body.write(tmp_path / "tiny.npz")))


def test_with_positive_scale_shows_the_same_body_in_the_picture(smpl, rng):
    before = people(smpl, [-0.8, 0.8, -1.2], rng)
    after = with_positive_scale(before)
    np.testing.assert_allclose(after.camera[:, 0], [0.8, 0.8, 1.2])
    for points in ("joints3d", "vertices"):
        drawn = [camera.project(getattr(p, points), p.camera) for p in (before, after)]
        np.testing.assert_allclose(*drawn, atol=1e-5)
        # Depth stays, so this is a rotation and no mirror image.
        depth = [getattr(p, points)[..., 2] for p in (before, after)]
        np.testing.assert_array_equal(*depth)
    np.testing.assert_allclose(np.linalg.det(after.rotations), 1, atol=1e-5)


def test_with_positive_scale_gives_a_theta_of_its_body(smpl, rng):
    after = with_positive_scale(people(smpl, [-0.8, -1.2], rng))
    again = prediction_from_body(after.theta, smpl(*theta.split(after.theta)[1:]))
    for ours, expected in zip(after, again):
        np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_with_positive_scale_leaves_other_bodies_as_they_are(smpl, rng):
    before = people(smpl, [0.9, 0.0, 1.1], rng)
    for ours, expected in zip(with_positive_scale(before), before):
        np.testing.assert_array_equal(ours, expected)


def test_scale_is_negative_in_training_alone(tmp_path, rng):
    """Prediction, the frozen network and the engines all give the body that can be drawn."""
    hmr = tiny_hmr.build(tmp_path)
    images = tiny_hmr.data(rng)[0]["image"]
    mean = hmr.regressor.mean.numpy()
    mean[0, 0] = -0.9
    hmr.regressor.mean.assign(mean)
    assert (hmr(images, training=True)[-1].camera[:, 0] < 0).numpy().all()
    stages = hmr(images, training=False)
    assert all((stage.camera[:, 0] > 0).numpy().all() for stage in stages)
    last = hmr.with_mesh(stages[-1])
    np.testing.assert_allclose(
        last.keypoints2d_norm, camera.project(last.joints3d, last.camera), atol=1e-5
    )
    exported = frozen.freeze(hmr).predict(tf.constant(images))
    computed = engines.in_tensorflow(hmr).predict(images)
    for name in ("theta", "vertices", "joints3d"):
        np.testing.assert_allclose(getattr(exported, name), getattr(last, name), atol=1e-5)
        np.testing.assert_allclose(computed[name], getattr(last, name), atol=1e-5)

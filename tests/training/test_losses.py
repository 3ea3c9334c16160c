import numpy as np
import pytest
import tensorflow as tf

from hmr_tf.networks.prediction import Prediction
from hmr_tf.training import losses
from hmr_tf.training.losses import LossWeights
from tests.fakes import tiny_hmr


def test_keypoint_loss_averages_over_the_labelled_keypoints():
    labels = np.zeros((2, 19, 3), np.float32)
    labels[0, 0] = (0.5, -0.5, 1)
    labels[0, 1] = (9, 9, 0)
    labels[1, 4] = (0, 0, 1)
    predicted = np.zeros((2, 19, 2), np.float32)
    predicted[1, 4] = (1, 3)
    # |0.5| + |0.5| + 1 + 3 over two points of two coordinates
    assert losses.keypoints(labels, predicted, 2.0).numpy() == pytest.approx(5 / 4)


def test_keypoint_loss_counts_a_half_weight_as_one():
    labels = np.zeros((1, 2, 3), np.float32)
    labels[0, :, 2] = (0.5, 1)
    predicted = np.ones((1, 2, 2), np.float32)
    assert losses.keypoints(labels, predicted, 2.0).numpy() == pytest.approx((1 + 2) / 4)


def test_losses_and_gradients_without_labels_are_zero():
    predicted = tf.ones([2, 19, 2])
    with tf.GradientTape() as tape:
        tape.watch(predicted)
        loss = losses.keypoints(tf.zeros([2, 19, 3]), predicted, 0.0)
    assert loss.numpy() == 0
    np.testing.assert_array_equal(tape.gradient(loss, predicted), np.zeros((2, 19, 2)))
    assert losses.squared_3d(tf.ones([2, 42]), tf.zeros([2, 42]), tf.zeros([2]), 0.0).numpy() == 0


def test_squared_3d_loss_counts_only_rows_with_a_label():
    truth = np.zeros((3, 4), np.float32)
    predicted = np.array([[2] * 4, [100] * 4, [4] * 4], np.float32)
    has = np.array([True, False, True])
    assert losses.squared_3d(truth, predicted, has, 2.0).numpy() == pytest.approx(
        0.5 * (4 + 16) / 2
    )


def test_least_squares_loss_sums_outputs_and_averages_bodies():
    scores = np.zeros((4, 25), np.float32)
    scores[0] = 3
    assert losses.least_squares(scores, 1.0, 4.0).numpy() == pytest.approx(25 * (4 + 3) / 4)


def stage(rng, batch=2):
    normal = lambda *shape: tf.constant(rng.normal(size=shape), tf.float32)  # noqa: E731
    return Prediction(
        normal(batch, 85),
        normal(batch, 3),
        normal(batch, 24, 3, 3),
        normal(batch, 10),
        None,
        normal(batch, 19, 3),
        normal(batch, 24, 3),
        normal(batch, 19, 2),
    )


def true_batch(prediction):
    """Labels equal to the prediction."""
    ones = tf.ones_like(prediction.keypoints2d_norm[..., :1])
    return {
        "image": tf.zeros([2, 16, 16, 3]),
        "keypoints2d_norm": tf.concat([prediction.keypoints2d_norm, ones], axis=-1),
        "lsp_joints": prediction.joints3d[:, :14] + 5.0,
        "rotations": prediction.rotations,
        "betas": prediction.betas,
        "has_joints": tf.constant([True, True]),
        "has_smpl": tf.constant([True, True]),
    }


def test_encoder_loss_is_zero_for_the_truth_at_any_distance(rng):
    prediction = stage(rng)
    parts = losses.encoder_losses(
        [stage(rng), prediction],
        true_batch(prediction),
        tf.ones([4, 25]),
        LossWeights(),
        losses.count(true_batch(prediction), {}),
    )
    assert {name: round(float(value), 6) for name, value in parts.items()} == dict.fromkeys(
        ("keypoints", "joints", "smpl", "adversarial", "total"), 0.0
    )


def test_encoder_loss_total_is_the_weighted_sum(rng):
    weights = LossWeights(keypoints=2.0, labels_3d=3.0, discriminator=5.0)
    batch = true_batch(stage(rng))
    counts = losses.count(batch, {})
    parts = losses.encoder_losses([stage(rng)], batch, tf.zeros([2, 25]), weights, counts)
    expected = (
        2 * parts["keypoints"] + 3 * (parts["joints"] + parts["smpl"]) + 5 * parts["adversarial"]
    )
    assert float(parts["total"]) == pytest.approx(float(expected), rel=1e-6)
    assert float(parts["adversarial"]) == pytest.approx(25)
    without = losses.encoder_losses([stage(rng)], batch, None, weights, counts)
    assert "adversarial" not in without
    discriminator = losses.discriminator_losses(
        tf.zeros([2, 25]), tf.ones([2, 25]), weights, num_real=2.0, num_fake=2.0
    )
    assert float(discriminator["total"]) == pytest.approx(5 * (25 + 25))


def test_encoder_losses_of_replicas_add_up_to_that_of_the_batch(rng):
    """Each part is divided by the counts of the whole, although labels are unevenly spread."""
    predictions, truth = [stage(rng, 4), stage(rng, 4)], tiny_hmr.data(rng, num_stage=2)[0]
    truth["has_joints"] = tf.constant([True, True, True, False])
    truth["keypoints2d_norm"] *= tf.constant([1.0, 1.0, 0.0, 1.0])[:, None, None]
    mocap = {"betas": tf.zeros([8, 10])}
    scores = tf.constant(rng.normal(size=(2, 4, 25)), tf.float32)

    def parts(rows, counts=None):
        batch = {name: value[rows] for name, value in truth.items()}
        counts = counts or losses.count(batch, mocap)
        some = [Prediction(*(x if x is None else x[rows] for x in one)) for one in predictions]
        fake_scores = tf.reshape(scores[:, rows], [-1, 25])
        return losses.encoder_losses(some, batch, fake_scores, LossWeights(), counts), counts

    whole, counts = parts(slice(0, 4))
    halves = [parts(rows, counts)[0] for rows in (slice(0, 2), slice(2, 4))]
    for name, value in whole.items():
        assert float(halves[0][name] + halves[1][name]) == pytest.approx(float(value), rel=1e-5)

"""The regressor, the whole network, and what Keras can do with them."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from hmr_tf.body import body_model, camera, theta
from hmr_tf.networks import build, encoder
from hmr_tf.networks.encoder import NUM_FEATURES
from hmr_tf.networks.hmr import HMR, IterativeRegressor, mean_theta
from tests.fakes import tiny_body, tiny_hmr


@pytest.fixture
def features(rng):
    return tf.constant(rng.normal(size=(2, NUM_FEATURES)), tf.float32)


def arrays(predictions):
    return [prediction.numpy() for prediction in predictions]


def test_mean_theta_is_upright_and_faces_the_viewer():
    parts = theta.split(mean_theta(pose=np.ones(72), betas=np.full(10, 2.0)))
    np.testing.assert_allclose(parts.camera, [[0.9, 0, 0]])
    np.testing.assert_allclose(parts.pose[0, 0], [np.pi, 0, 0])
    np.testing.assert_allclose(parts.pose[0, 1:], 1)
    np.testing.assert_allclose(parts.betas, 2)


def test_regressor_adds_its_corrections_to_the_mean(rng, features):
    regressor = IterativeRegressor(mean_theta(), num_stage=3)
    regressor(features)
    correction = rng.normal(size=85).astype(np.float32)
    regressor.fc3.kernel.assign(tf.zeros_like(regressor.fc3.kernel))
    regressor.fc3.bias.assign(correction)
    for stage, prediction in enumerate(regressor(features), 1):
        np.testing.assert_allclose(prediction, mean_theta() + [stage * correction] * 2, atol=1e-5)


def test_regressor_untrained_stays_close_to_the_mean(features):
    """fc3 starts small (the original's models.py:81-88)."""
    assert np.abs(IterativeRegressor(mean_theta())(features)[-1] - mean_theta()).max() < 1.5


def test_regressor_dropout_follows_its_mask(features):
    """Each stage and layer has another mask; kept units count twice; no mask, no dropout."""
    regressor = IterativeRegressor(mean_theta(), num_stage=2)
    everything = np.ones(regressor.random_dropout_mask(2).shape, bool)
    kept = arrays(regressor(features, dropout_mask=everything))
    assert not np.allclose(kept[0], regressor(features)[0])
    for stage in range(2):
        for layer in range(2):
            mask = everything.copy()
            mask[:, stage, layer] = False
            predictions = arrays(regressor(features, dropout_mask=mask))
            assert np.array_equal(predictions[0], kept[0]) == (stage == 1)
            assert not np.allclose(predictions[1], kept[1])
    x = tf.concat([features, tf.tile(mean_theta(), [2, 1])], axis=-1)
    for hidden in (regressor.fc1, regressor.fc2):
        x = 2.0 * hidden(x)
    np.testing.assert_allclose(kept[0], mean_theta() + regressor.fc3(x), atol=1e-5)


def test_dropout_mask_keeps_half_and_follows_its_seed():
    regressor = IterativeRegressor(mean_theta(), num_stage=3)
    masks = [regressor.random_dropout_mask(4, seed).numpy() for seed in ((0, 1), (0, 1), (0, 2))]
    assert masks[0].shape == (4, 3, 2, 1024)
    assert 0.45 < masks[0].mean() < 0.55
    np.testing.assert_array_equal(masks[0], masks[1])
    assert 0.4 < (masks[0] != masks[2]).mean() < 0.6


@pytest.mark.parametrize("traced", [False, True])
def test_dropout_in_training_without_a_mask(features, traced):
    """Every call has a new mask; Keras's seed repeats them; prediction has none."""
    regressor = IterativeRegressor(mean_theta())
    predict = tf.function(regressor) if traced else regressor
    regressor(features)
    still = [arrays(predict(features)) for _ in range(2)]
    np.testing.assert_array_equal(*still)
    np.testing.assert_array_equal(arrays(predict(features, training=False)), still[0])
    keras.utils.set_random_seed(5)
    first, second = (arrays(predict(features, training=True)) for _ in range(2))
    assert not np.allclose(first, still[0])
    assert not np.allclose(first, second)
    if not traced:  # a traced function keeps the seed of its trace
        keras.utils.set_random_seed(5)
        np.testing.assert_array_equal(arrays(predict(features, training=True)), first)


def test_dropout_of_hmr_in_training(tmp_path, rng):
    hmr = tiny_hmr.build(tmp_path)
    images = tiny_hmr.data(rng)[0]["image"]
    first, second = (hmr(images, training=True)[-1].theta.numpy() for _ in range(2))
    assert not np.allclose(first, second)
    mask = hmr.regressor.random_dropout_mask(len(images), (0, 0))
    first, second = (
        hmr(images, training=True, dropout_mask=mask)[-1].theta.numpy() for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


def test_hmr_prediction_agrees_with_smpl(tmp_path, rng):
    path = tiny_body.write(tmp_path / "tiny.npz")
    hmr = build.build(build.Architecture(img_size=64), body_model.read_model(path))
    stages = hmr(tf.constant(rng.uniform(-1, 1, size=(2, 64, 64, 3)), tf.float32))
    assert len(stages) == 3
    last = hmr.with_mesh(stages[-1])
    parts = theta.split(last.theta)
    np.testing.assert_array_equal(parts.camera, last.camera)
    body = hmr.smpl(parts.pose, parts.betas)
    np.testing.assert_allclose(last.vertices, body.vertices, atol=1e-5)
    np.testing.assert_allclose(last.joints3d, body.joints3d, atol=1e-5)
    np.testing.assert_allclose(
        last.keypoints2d_norm, camera.project(body.joints3d, parts.camera), atol=1e-5
    )


@pytest.fixture
def hmr(tmp_path, rng):
    """A tiny network whose variables differ from those of a fresh one, and images for it."""
    hmr = tiny_hmr.build(tmp_path, num_stage=2)
    for variable in hmr.trainable_variables:
        variable.assign_add(0.01 * rng.normal(size=variable.shape))
    return hmr, tiny_hmr.data(rng)[0]["image"]


def assert_same_predictions(first, second):
    for ours, theirs in zip(tf.nest.flatten(first), tf.nest.flatten(second)):
        if ours is not None:
            np.testing.assert_array_equal(ours, theirs)


def test_hmr_survives_clone_model(hmr):
    hmr, images = hmr
    clone = keras.models.clone_model(hmr)
    assert isinstance(clone, HMR)
    assert clone.smpl is hmr.smpl
    assert clone.regressor is not hmr.regressor
    assert len(clone(images)) == len(hmr(images)) == 2
    assert [v.shape for v in clone.weights] == [v.shape for v in hmr.weights]
    assert not np.allclose(clone(images)[-1].theta, hmr(images)[-1].theta)
    clone.set_weights(hmr.get_weights())
    assert_same_predictions(clone(images), hmr(images))
    clone.regressor.mean.assign_add(tf.ones([1, 85]))  # nothing trainable is shared
    assert not np.allclose(clone(images)[-1].theta, hmr(images)[-1].theta)


@pytest.mark.parametrize("suffix", [".weights.h5", ".h5", ""])
def test_hmr_survives_save_weights(hmr, tmp_path, suffix):
    hmr, images = hmr
    path = str(tmp_path / f"hmr{suffix}")
    hmr.save_weights(path)
    other = tiny_hmr.build(tmp_path, num_stage=2)
    assert not np.allclose(other(images)[-1].theta, hmr(images)[-1].theta)
    other.load_weights(path)
    assert_same_predictions(other(images), hmr(images))


def test_regressor_survives_clone_model_in_a_functional_network(features):
    """What Keras's networks need of a layer: a config of plain values."""
    inputs = keras.Input((NUM_FEATURES,))
    mean = mean_theta(betas=np.arange(10))
    network = keras.Model(inputs, IterativeRegressor(mean, num_stage=2)(inputs))
    clone = keras.models.clone_model(network)
    for prediction in clone(tf.zeros([1, NUM_FEATURES])):
        assert np.abs(prediction - mean).max() < 1.5
    again = keras.models.model_from_json(network.to_json())
    again.set_weights(network.get_weights())
    assert_same_predictions(again(features), network(features))


def test_encoder_with_keras_ops_survives_clone_model(tmp_path):
    """Of the encoders only resnet50 holds TensorFlow ops; the config keeps its momentum."""
    tiny = tiny_hmr.build(tmp_path)
    hmr = HMR(encoder.resnet50(32, bn_momentum=0.9), tiny.regressor, tiny.smpl)
    clone = keras.models.clone_model(hmr)
    clone.encoder.set_weights(hmr.encoder.get_weights())
    image = tf.ones([1, 32, 32, 3])
    np.testing.assert_array_equal(clone.encoder(image), hmr.encoder(image))
    assert clone.encoder.get_layer("conv1_bn").momentum == 0.9

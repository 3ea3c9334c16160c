"""The example trains the whole network with plain Keras."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from examples import fine_tune
from tests.fakes import tiny_hmr


@pytest.fixture
def people(rng):
    """Images, and keypoints to the right of where a fresh network projects them."""
    images = rng.uniform(-1, 1, (8, tiny_hmr.SIZE, tiny_hmr.SIZE, 3)).astype(np.float32)
    keypoints = np.concatenate([rng.uniform(0.4, 0.6, (8, 19, 2)), np.ones((8, 19, 1))], axis=-1)
    return images, keypoints.astype(np.float32)


def test_fine_tune_trains_every_part(people, tmp_path):
    keras.utils.set_random_seed(0)
    hmr = tiny_hmr.build(tmp_path)
    before = [variable.numpy() for variable in hmr.trainable_variables]
    statistics = [variable.numpy() for variable in hmr.encoder.non_trainable_variables]
    history = fine_tune.fine_tune(
        hmr, *people, learning_rate=1e-3, batch_size=4, epochs=15, verbose=0
    )
    losses = history.history["loss"]
    assert np.mean(losses[-2:]) < 0.8 * losses[0]
    for old, variable in zip(before, hmr.trainable_variables):
        assert not np.array_equal(old, variable), variable.name
    for old, variable in zip(statistics, hmr.encoder.non_trainable_variables):
        assert not np.array_equal(old, variable), variable.name
    hmr.save_weights(str(tmp_path / "fine_tuned.weights.h5"))
    other = tiny_hmr.build(tmp_path)
    other.load_weights(str(tmp_path / "fine_tuned.weights.h5"))
    np.testing.assert_array_equal(other(people[0])[-1].theta, hmr(people[0])[-1].theta)


def test_fine_tune_loss_counts_labelled_keypoints_only():
    labels = tf.constant([[[0.0, 0.0, 1.0], [9.0, 9.0, 0.0]]])
    predicted = tf.constant([[[0.5, -0.1], [0.0, 0.0]]])
    loss = fine_tune.reprojection_loss(labels, predicted)
    assert loss.numpy() == pytest.approx(0.3)
    assert fine_tune.reprojection_loss(labels * [1.0, 1.0, 0.0], predicted).numpy() == 0

"""The discriminator: one output for each joint, all of them, and the shape."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from hmr_tf.networks.discriminator import OUTPUT_NAMES, Discriminator


def test_discriminator_has_an_output_for_each_joint_pose_and_shape(rng):
    discriminator = Discriminator()
    assert len(OUTPUT_NAMES) == 25
    assert (OUTPUT_NAMES[0], OUTPUT_NAMES[22]) == ("left_hip", "right_hand")
    assert len(discriminator.trainable_variables) == 62
    rotations = tf.constant(rng.normal(size=(3, 23, 3, 3)), tf.float32)
    betas = tf.constant(rng.normal(size=(3, 10)), tf.float32)
    scores = discriminator((rotations, betas)).numpy()
    assert scores.shape == (3, 25)

    moved = rotations.numpy()
    moved[:, OUTPUT_NAMES.index("left_elbow")] += 1
    changed = np.abs(discriminator((moved, betas)) - scores).max(axis=0) > 1e-6
    assert {OUTPUT_NAMES[i] for i in np.flatnonzero(changed)} == {"left_elbow", "all_joints"}
    changed = np.abs(discriminator((rotations, betas + 1)) - scores).max(axis=0) > 1e-6
    assert {OUTPUT_NAMES[i] for i in np.flatnonzero(changed)} == {"betas"}


def test_discriminator_joints_share_their_embedding(rng):
    """Same rotation, same discriminator weights: same score, whichever joint it is."""
    discriminator = Discriminator()
    for out in discriminator.pose_out[1:]:
        out.set_weights(discriminator.pose_out[0].get_weights())
    rotations = tf.tile(tf.constant(rng.normal(size=(2, 1, 3, 3)), tf.float32), [1, 23, 1, 1])
    scores = discriminator((rotations, tf.zeros([2, 10])))[:, :23].numpy()
    np.testing.assert_allclose(scores, scores[:, :1] * np.ones(23), atol=1e-6)


@pytest.fixture
def bodies(rng):
    """Rotations and betas of three bodies, as the discriminator takes them."""
    rotations = tf.constant(rng.normal(size=(3, 23, 3, 3)), tf.float32)
    return rotations, tf.constant(rng.normal(size=(3, 10)), tf.float32)


def test_discriminator_with_wrapped_layers_gives_the_same_scores(bodies):
    """Wrapped layers are called one by one, the others are computed together."""
    discriminator, wrapped = Discriminator(), Discriminator(wrap=lambda layer: layer)
    wrapped.set_weights(discriminator.get_weights())
    np.testing.assert_allclose(wrapped(bodies), discriminator(bodies), atol=1e-6)


def test_discriminator_survives_clone_model(bodies):
    discriminator = Discriminator()
    clone = keras.models.clone_model(discriminator)
    assert not np.array_equal(clone(bodies), discriminator(bodies))
    clone.set_weights(discriminator.get_weights())
    np.testing.assert_array_equal(clone(bodies), discriminator(bodies))


@pytest.mark.parametrize("suffix", [".weights.h5", ".h5", ""])
def test_discriminator_survives_save_weights(bodies, tmp_path, suffix):
    discriminator, other = Discriminator(), Discriminator()
    path = str(tmp_path / f"discriminator{suffix}")
    discriminator.save_weights(path)
    assert not np.array_equal(other(bodies), discriminator(bodies))
    other.load_weights(path)
    np.testing.assert_array_equal(other(bodies), discriminator(bodies))

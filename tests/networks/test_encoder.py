"""The encoder is slim's ResNet-50 v2."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from hmr_tf.networks import build
from hmr_tf.networks.encoder import ENCODERS, NUM_FEATURES, freeze, resnet_v2_50


def test_encoder_has_the_variables_of_slim():
    """Counts of the released checkpoint: 270 variables in resnet_v2_50, 23.5 million weights."""
    encoder = resnet_v2_50(64)
    assert len(encoder.weights) == 270
    assert len(encoder.trainable_weights) == 172
    assert sum(int(np.prod(w.shape)) for w in encoder.trainable_weights) == 23_519_360
    assert encoder.output_shape == (None, NUM_FEATURES)


def test_encoder_pads_as_slim():
    """Even sizes: conv1 pads 3 on both sides; pool1 pads nothing on top and left."""
    encoder = resnet_v2_50(64)
    assert encoder.get_layer("conv1_pad").padding == ((3, 3), (3, 3))
    assert encoder.get_layer("pool1").padding == "same"
    pad = encoder.get_layer("block1_unit_3_bottleneck_v2_conv2_pad")
    assert pad.padding == ((1, 1), (1, 1))
    strides = {
        layer.name: layer.strides[0]
        for layer in encoder.layers
        if layer.name.endswith("conv2") and layer.strides[0] > 1
    }
    assert set(strides) == {
        f"block{b}_unit_{u}_bottleneck_v2_conv2" for b, u in ((1, 3), (2, 4), (3, 6))
    }


def test_encoder_batch_norm_is_slims():
    norms = [x for x in resnet_v2_50(64).layers if isinstance(x, keras.layers.BatchNormalization)]
    assert len(norms) == 49
    assert {(n.epsilon, n.momentum) for n in norms} == {(1e-5, 0.997)}


def test_calibrate_batch_norm_scales_features_of_random_weights(rng):
    encoder = resnet_v2_50(64)
    images = tf.constant(rng.uniform(-1, 1, size=(16, 64, 64, 3)), tf.float32)
    assert np.std(encoder(images)) > 10
    build.calibrate_batch_norm(encoder, images)
    assert np.std(encoder(images)) < 2 * np.std(encoder(images, training=True))
    assert encoder.get_layer("postnorm").momentum == 0.997


FIRST_STAGES = {
    "resnet_v2_50": ("conv1", "block1_", "block2_", "block3_"),
    "resnet50": ("conv1_", "conv2_", "conv3_", "conv4_"),
    "resnet50v2": ("conv1_", "conv2_", "conv3_", "conv4_"),
}


@pytest.mark.parametrize("name", ENCODERS)
def test_encoder_freeze_keeps_the_first_stages_and_trains_the_others(name, rng):
    network = ENCODERS[name](32, 0.5)
    freeze(network, 0)
    assert all(layer.trainable for layer in network.layers)
    freeze(network, 3)
    frozen = FIRST_STAGES[name][:3]
    for layer in network.layers:
        assert layer.trainable == (not layer.name.startswith(frozen)), layer.name
    norms = [x for x in network.layers if isinstance(x, keras.layers.BatchNormalization)]
    before = [norm.moving_mean.numpy() for norm in norms]
    network(rng.normal(size=(2, 32, 32, 3)).astype("f4"), training=True)
    changed = [not np.array_equal(x, norm.moving_mean) for x, norm in zip(before, norms)]
    assert changed == [not norm.name.startswith(frozen) for norm in norms]
    freeze(network, 4)
    last_stage = [layer for layer in network.layers if layer.trainable_weights]
    assert not [x for x in last_stage if x.name.startswith(FIRST_STAGES[name])]
    assert len(last_stage) > 10

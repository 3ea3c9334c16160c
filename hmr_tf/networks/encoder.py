"""Encoders: ResNet-50 v2 as in TF-slim, for which HMR released weights, and the two of Keras.

keras.applications.ResNet50V2 differs from slim's in the padding of the first pooling and in the
epsilon of batch norm; with the same weights its features are 20 % off (largest over rms). But
Keras's networks have ImageNet weights in Keras's format.
Our layers have the names of slim's variable scopes, with "_" for "/": weights are mapped by name.
"""

from tensorflow import keras

layers = keras.layers

NUM_FEATURES = 2048
BN_MOMENTUM = 0.997  # slim's, share of the old moving statistics that batch norm keeps per step
_CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)
# For each block: name, bottleneck depth, number of units, stride of its last unit.
_BLOCKS = (
    ("block1", 64, 3, 2),
    ("block2", 128, 4, 2),
    ("block3", 256, 6, 2),
    ("block4", 512, 3, 1),
)


def resnet_v2_50(image_size=224, bn_momentum=BN_MOMENTUM):
    """The encoder, with fresh weights.

    Args:
      image_size: side of the square input in pixels; weights do not depend on it.
      bn_momentum: as `BN_MOMENTUM`.

    Returns:
      keras.Model: (B, S, S, 3) images in [-1, 1] -> (B, 2048) features.

    Source: He et al. 2016; the original's `models.py:26-55` and slim's `resnet_v2.py`.
    """

    def norm_relu(x, name):
        x = layers.BatchNormalization(momentum=bn_momentum, epsilon=1e-5, name=name)(x)
        return layers.ReLU(name=f"{name}_relu")(x)

    image = keras.Input((image_size, image_size, 3), name="image")
    x = _conv_same(image, 64, 7, 2, name="conv1", use_bias=True)
    x = layers.MaxPool2D(3, 2, padding="same", name="pool1")(x)
    for block, depth, num_units, stride in _BLOCKS:
        for unit in range(1, num_units + 1):
            last = unit == num_units
            name = f"{block}_unit_{unit}_bottleneck_v2"
            x = _bottleneck(x, depth, stride if last else 1, name, norm_relu)
    x = norm_relu(x, "postnorm")
    features = layers.GlobalAveragePooling2D(name="pool5")(x)
    return keras.Model(image, features, name="resnet_v2_50")


def resnet50v2(image_size=224, bn_momentum=BN_MOMENTUM):
    """keras.applications.ResNet50V2 with fresh weights; arguments and result as `resnet_v2_50`."""
    network = keras.applications.ResNet50V2(
        include_top=False,
        weights=None,
        input_shape=(image_size, image_size, 3),
        pooling="avg",
    )
    return _with_momentum(network, bn_momentum)


def resnet50(image_size=224, bn_momentum=BN_MOMENTUM):
    """keras.applications.ResNet50 (v1) with fresh weights; arguments and result as `resnet_v2_50`.

    Its ImageNet weights are Caffe's: for pixels of 0 to 255, blue first, minus the mean colour.
    """
    image = keras.Input((image_size, image_size, 3), name="image")
    bgr = 127.5 * (image[:, :, :, ::-1] + 1.0) - _CAFFE_MEAN_BGR
    network = keras.applications.ResNet50(
        include_top=False, weights=None, input_tensor=bgr, pooling="avg"
    )
    return _with_momentum(network, bn_momentum)


# Values of --encoder and the functions that make the networks.
ENCODERS = {"resnet_v2_50": resnet_v2_50, "resnet50": resnet50, "resnet50v2": resnet50v2}
# For each of the first stages: how its layers' names begin, in Keras's networks and in slim's.
_STAGES = (
    ("conv1_", "conv1"),
    ("conv2_", "block1_"),
    ("conv3_", "block2_"),
    ("conv4_", "block3_"),
)


def freeze(network, num_stages):
    """Freezes the first stages of an encoder: weights and batch norm statistics.

    Steps take less time, as gradients end at the first stage that is trained.

    Args:
      network: of `ENCODERS`.
      num_stages: 0 to 4; the last of the five stages is always trained.
    """
    is_slim = network.name == "resnet_v2_50"
    for keras_prefix, slim_prefix in _STAGES[:num_stages]:
        for layer in network.layers:
            if layer.name.startswith(slim_prefix if is_slim else keras_prefix):
                layer.trainable = False


def cast(network, dtype):
    """A copy of an encoder that computes in `dtype`; its input stays float32."""
    config = network.get_config()
    for layer in config["layers"]:
        if layer["class_name"] != "InputLayer":
            layer["config"]["dtype"] = dtype
    copy = keras.Model.from_config(config)
    copy.set_weights(network.get_weights())
    return copy


def _with_momentum(network, bn_momentum):
    for layer in network.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = bn_momentum
    return network


def _bottleneck(x, depth, stride, name, norm_relu):
    """Pre-activation unit: 1x1, 3x3 with the stride, 1x1 to 4 * `depth`; plus the shortcut."""
    preact = norm_relu(x, f"{name}_preact")
    if x.shape[-1] == 4 * depth:
        shortcut = layers.MaxPool2D(1, stride, name=f"{name}_subsample")(x) if stride > 1 else x
    else:
        shortcut = _conv(preact, 4 * depth, 1, stride, name=f"{name}_shortcut", use_bias=True)
    x = _conv(preact, depth, 1, 1, name=f"{name}_conv1")
    x = norm_relu(x, f"{name}_conv1_BatchNorm")
    x = _conv_same(x, depth, 3, stride, name=f"{name}_conv2")
    x = norm_relu(x, f"{name}_conv2_BatchNorm")
    x = _conv(x, 4 * depth, 1, 1, name=f"{name}_conv3", use_bias=True)
    return layers.Add(name=f"{name}_add")([shortcut, x])


def _conv_same(x, filters, size, stride, name, use_bias=False):
    """slim's `conv2d_same`: with a stride, the padding does not depend on the input's size."""
    if stride == 1:
        return _conv(x, filters, size, 1, name, use_bias, padding="same")
    before, after = (size - 1) // 2, size // 2
    x = layers.ZeroPadding2D(((before, after), (before, after)), name=f"{name}_pad")(x)
    return _conv(x, filters, size, stride, name, use_bias)


def _conv(x, filters, size, stride, name, use_bias=False, padding="valid"):
    return layers.Conv2D(
        filters,
        size,
        stride,
        padding,
        use_bias=use_bias,
        kernel_initializer=keras.initializers.VarianceScaling(2.0),
        name=name,
    )(x)

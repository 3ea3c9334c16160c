"""Builds networks with fresh weights from the architecture that the flags describe."""

import contextlib
import functools
import os
from typing import NamedTuple

import h5py
import numpy as np
import tensorflow as tf
from tensorflow import keras

from hmr_tf.body import body_model
from hmr_tf.body.smpl import SMPL
from hmr_tf.files.errors import InputError
from hmr_tf.networks import encoder
from hmr_tf.networks.hmr import HMR, IterativeRegressor, mean_theta


class Architecture(NamedTuple):
    """What a network is built from: flags of the same names, stored in params.json."""

    smpl_model_path: str = ""  # empty: the built-in body
    keypoint_regressor: str = ""  # empty: that of the SMPL file
    encoder: str = "resnet_v2_50"  # a name of `encoder.ENCODERS`
    img_size: int = 224
    num_stage: int = 3


FILE_FIELDS = ("smpl_model_path", "keypoint_regressor")  # of Architecture: paths of files


def build(
    architecture,
    body,
    bn_momentum=encoder.BN_MOMENTUM,
    mean_params_path="",
    mixed_precision="float32",
    weights_follow=False,
):
    """Builds an HMR with fresh weights.

    Args:
      architecture: Architecture.
      body: `body_model.BodyModel`, see `read_body`.
      bn_momentum, mean_params_path: the flags of the same names.
      mixed_precision: the type in which the encoder computes: float32, bfloat16 or float16. Its
        variables, and everything after it, are float32.
      weights_follow: whether the caller sets all weights: then they are zeros until then, which
        saves the time of drawing 27 million random numbers.
    """
    mean = mean_theta(*read_mean_params(mean_params_path)) if mean_params_path else mean_theta()
    size = architecture.img_size
    smpl = SMPL(body)
    with _zero_weights() if weights_follow else contextlib.nullcontext():
        with _mixed_precision(mixed_precision):
            network = encoder.ENCODERS[architecture.encoder](size, bn_momentum)
        hmr = HMR(network, IterativeRegressor(mean, architecture.num_stage), smpl)
        hmr.build((None, size, size, 3))
    return hmr


def _zero_weights():
    """Scope in which the variables that initializers would fill are zeros."""

    def create(next_creator, **arguments):
        shape, dtype = arguments.get("shape"), arguments.get("dtype") or tf.float32
        if callable(arguments.get("initial_value")) and shape is not None:
            arguments["initial_value"] = functools.partial(tf.zeros, shape, dtype)
        return next_creator(**arguments)

    return tf.variable_creator_scope(create)


@contextlib.contextmanager
def _mixed_precision(dtype):
    """Layers built inside compute in `dtype`, with float32 variables."""
    policy = dtype if dtype == "float32" else f"mixed_{dtype}"
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(policy)
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)


def read_body(architecture, digest=None):
    """Reads the `body_model.BodyModel` of an Architecture.

    Args:
      architecture: Architecture.
      digest: of the body that a stored network was trained with: there are two built-in bodies.
    """
    path = architecture.smpl_model_path or body_model.built_in(digest)
    return body_model.read_model(path, architecture.keypoint_regressor)


def calibrate_batch_norm(network, images):
    """Sets the moving statistics of an encoder with random weights to those of `images`.

    Otherwise its features outside training mode are meaningless until the moving averages have
    caught up. ImageNet weights, from which the original starts, need no calibration.
    """
    norms = [x for x in network.layers if isinstance(x, keras.layers.BatchNormalization)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    network(images, training=True)
    for norm, momentum in zip(norms, momenta):
        norm.momentum = momentum


def read_mean_params(path):
    """Reads (72,) pose and (10,) betas from a neutral_smpl_mean_params.h5; may raise InputError."""
    try:
        with h5py.File(path, "r") as file:
            shapes = {key: file[key].shape for key in ("pose", "shape")}
            if shapes != {"pose": (72,), "shape": (10,)}:
                raise InputError(
                    f"--mean_params_path={path}: pose is {shapes['pose']} and shape "
                    f"{shapes['shape']}, not (72,) and (10,)."
                )
            arrays = tuple(np.asarray(file[key], np.float32) for key in shapes)
            if not all(np.isfinite(array).all() for array in arrays):
                raise InputError(f"--mean_params_path={path} holds numbers that are not finite.")
            return arrays
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        is_file = os.path.isfile(path)
        reason = ", with pose (72,) and shape (10,)" if is_file else ": no such file"
        raise InputError(
            f"--mean_params_path={path} is not a mean-parameter file{reason}."
        ) from error

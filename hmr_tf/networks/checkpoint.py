"""Build an HMR, write what it was built from, and read trained weights back."""

import json
from pathlib import Path

import h5py
import numpy as np
import tensorflow as tf
from tensorflow import keras

from hmr_tf.body import model_file
from hmr_tf.body.smpl import SMPL
from hmr_tf.errors import InputError
from hmr_tf.networks.encoder import resnet_v2_50
from hmr_tf.networks.hmr import HMR, IterativeRegressor, mean_theta

PARAMS = "params.json"
# What a network is built from, and what these are in params.json.
BUILT_FROM = {"smpl_model_path": str, "img_size": int, "num_stage": int}


def build(smpl_model_path="", img_size=224, num_stage=3, bn_momentum=0.997, mean_params_path=""):
    """An HMR with fresh weights. Arguments are the flags of the same names."""
    smpl = SMPL(model_file.read_model(smpl_model_path or None))
    start = mean_theta(*read_mean_params(mean_params_path)) if mean_params_path else mean_theta()
    hmr = HMR(resnet_v2_50(img_size, bn_momentum), IterativeRegressor(start, num_stage), smpl)
    hmr(tf.zeros([1, img_size, img_size, 3]))
    return hmr


def calibrate_batch_norm(encoder, images):
    """Sets the moving statistics of an encoder with random weights to those of `images`.

    Without it such an encoder answers nonsense outside training mode until the moving averages have
    caught up; from ImageNet weights, as the original starts, there is nothing to set.
    """
    norms = [x for x in encoder.layers if isinstance(x, keras.layers.BatchNormalization)]
    momentum = norms[0].momentum
    for norm in norms:
        norm.momentum = 0.0
    encoder(images, training=True)
    for norm in norms:
        norm.momentum = momentum


def read_mean_params(path):
    """(72,) pose and (10,) betas of a neutral_smpl_mean_params.h5, or InputError."""
    try:
        with h5py.File(path, "r") as file:
            shapes = {key: file[key].shape for key in ("pose", "shape")}
            if shapes != {"pose": (72,), "shape": (10,)}:
                raise InputError(
                    f"--mean_params_path={path}: pose is {shapes['pose']} and shape "
                    f"{shapes['shape']}, not (72,) and (10,)."
                )
            return tuple(np.asarray(file[key], np.float32) for key in shapes)
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"--mean_params_path={path} is no mean-parameter file: {error}") from error


def trained_parts(hmr):
    """What a checkpoint holds of an HMR; SMPL's own numbers come from its file."""
    return {"encoder": hmr.encoder, "regressor": hmr.regressor}


def find(load_path):
    """The checkpoint prefix that `--load_path` means; InputError says what is there instead."""
    path = Path(load_path)
    if path.is_dir():
        prefix = tf.train.latest_checkpoint(str(path))
        if prefix is None:
            raise InputError(
                f"--load_path={load_path} holds no checkpoint: train one, --mode=train."
            )
        return prefix
    if not path.with_name(path.name + ".index").is_file():
        raise InputError(
            f"No checkpoint at --load_path={load_path}: give a --model_dir of a training run or a "
            "prefix such as logs/run/ckpt-1000, without .index."
        )
    return str(path)


def read_params(prefix):
    """The flags a checkpoint was trained with, as the dict in the params.json beside it."""
    path = Path(prefix).parent / PARAMS
    try:
        params = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{path}, which says how the model was built: {error}") from error
    kinds = (
        {name: type(params.get(name)) for name in BUILT_FROM} if isinstance(params, dict) else {}
    )
    if kinds != BUILT_FROM:
        raise InputError(
            f"{path} must say how the model was built: {', '.join(BUILT_FROM)}; it does not."
        )
    return params


def load(load_path, smpl_model_path=""):
    """A trained HMR.

    Args:
      load_path: checkpoint prefix, or folder whose newest checkpoint is taken.
      smpl_model_path: the SMPL file to use; empty means the one it was trained with.

    Returns:
      HMR with the weights of the checkpoint.

    Raises:
      InputError: no checkpoint, a damaged one, or one of another network.
    """
    prefix = find(load_path)
    params = read_params(prefix)
    hmr = build(
        smpl_model_path or params["smpl_model_path"], params["img_size"], params["num_stage"]
    )
    restore(prefix, trained_parts(hmr))
    return hmr


def restore(prefix, parts):
    """Reads `parts` (name -> trackable) from a checkpoint; every variable must be there."""
    try:
        status = tf.train.Checkpoint(**parts).restore(prefix)
        status.assert_existing_objects_matched().expect_partial()
    except (tf.errors.OpError, AssertionError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"Checkpoint {prefix} does not fit this network: {reason}") from error

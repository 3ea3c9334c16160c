"""Weights that a training starts from (--pretrained_model_path)."""

from pathlib import Path

import h5py
import numpy as np
from tensorflow import keras

from hmr_tf.files.errors import InputError
from hmr_tf.networks import released, tf1_checkpoint

# The value of the flag for which Keras downloads; the name of its classifier in weight files.
IMAGENET = "imagenet"
_KERAS = {"resnet50": keras.applications.ResNet50, "resnet50v2": keras.applications.ResNet50V2}
_CLASSIFIER = ("predictions", "probs", "fc1000")


def load(path, encoder_name, hmr, discriminator=None):
    """Sets weights from a file of any kind that is known.

    Args:
      path: "released", the network that comes with hmr_tf; "imagenet", which downloads Keras's
        weights; a Keras weight file (.h5) of the encoder; slim's resnet_v2_50.ckpt; or a checkpoint
        of the original HMR, of which encoder, regressor and start are taken, and the discriminator
        where both have one.
      encoder_name: that of `encoder.ENCODERS` which `hmr` has.
      hmr: `networks.hmr.HMR`.
      discriminator: `networks.discriminator.Discriminator` or None.

    Raises:
      InputError: no such file, weights of another network, no internet.
    """
    if path == released.NAME:
        released.assign(released.read(), hmr)
    elif path == IMAGENET:
        _download(encoder_name, hmr.encoder)
    elif Path(path).suffix in (".h5", ".hdf5"):
        read_keras(path, hmr.encoder)
    elif encoder_name != "resnet_v2_50":
        raise InputError(
            f"--pretrained_model_path={path} is no .h5 file, which --encoder={encoder_name} needs: "
            "give Keras's weights, or leave --encoder out for checkpoints of TensorFlow 1."
        )
    else:
        checkpoint = tf1_checkpoint.CheckpointReader(path)
        if checkpoint.is_hmr:
            tf1_checkpoint.assign_hmr(checkpoint, hmr, discriminator)
        else:
            tf1_checkpoint.assign_slim(checkpoint, hmr.encoder)


def read_keras(path, network):
    """Sets a Keras network's weights from an .h5 weight file, by layer name and strictly.

    The classifier's layer may be in the file; every other layer must be in both.

    Raises:
      InputError: no weight file, or one of another network.
    """
    try:
        with h5py.File(path, "r") as file:
            layers = _layers(file["model_weights"] if "model_weights" in file else file)
            values = _matched(layers, network)
    except InputError as error:
        raise InputError(f"{path} holds weights of another network: {error}") from error
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path} is no Keras weight file (.h5): {error}") from error
    for layer, arrays in values:
        layer.set_weights(arrays)


def _layers(group):
    """Layer name -> its datasets in the order of Keras's `layer.weights`."""
    found = {}
    for layer in group.attrs["layer_names"]:
        name = _text(layer)
        weights = [_text(weight) for weight in group[name].attrs["weight_names"]]
        if weights:
            found[name] = [group[name][weight] for weight in weights]
    return found


def _text(value):
    return value if isinstance(value, str) else value.decode()


def _matched(layers, network):
    """[(layer of the network, arrays)]; InputError where file and network differ."""
    ours = {layer.name: layer for layer in network.layers if layer.weights}
    missing, unknown = set(ours) - set(layers), set(layers) - set(ours) - set(_CLASSIFIER)
    if missing or unknown:
        what = f"it lacks {min(missing)}" if missing else f"it holds {min(unknown)}"
        raise InputError(f"{what}, and the network is {network.name}")
    for name, layer in ours.items():
        shapes = [tuple(weight.shape) for weight in layer.weights]
        if [dataset.shape for dataset in layers[name]] != shapes:
            raise InputError(f"{name} is {[d.shape for d in layers[name]]}, not {shapes}")
    return [(layer, [np.asarray(d) for d in layers[name]]) for name, layer in ours.items()]


def _download(encoder_name, network):
    if encoder_name not in _KERAS:
        raise InputError(
            f"--pretrained_model_path={IMAGENET}: Keras has no weights of {encoder_name}; use "
            f"--encoder={' or '.join(_KERAS)}, or slim's resnet_v2_50.ckpt."
        )
    try:
        source = _KERAS[encoder_name](include_top=False, weights=IMAGENET, pooling="avg")
    except Exception as error:  # Keras raises what its downloader met, of any kind
        raise InputError(
            f"--pretrained_model_path={IMAGENET} cannot be downloaded ({error}): download the .h5 "
            "file elsewhere and give its path."
        ) from error
    network.set_weights(source.get_weights())

"""Initial weights of a training run: --pretrained_model_path."""

from pathlib import Path

import h5py
import numpy as np
from tensorflow import keras

from hmr_tf.files.errors import InputError
from hmr_tf.networks import released_weights, tf1_checkpoint

# The value of the flag with which Keras downloads; names of the classifier in weight files.
IMAGENET = "imagenet"
_KERAS = {"resnet50": keras.applications.ResNet50, "resnet50v2": keras.applications.ResNet50V2}
_CLASSIFIER = ("predictions", "probs", "fc1000")


def load(path, encoder_name, hmr, discriminator=None):
    """Sets weights from a file of any known kind.

    Args:
      path: "released", the released network; "imagenet", which downloads Keras's
        weights; a Keras weight file (.h5) of the encoder; slim's resnet_v2_50.ckpt; or a checkpoint
        of the original HMR, from which encoder, regressor and mean theta are read, and the
        discriminator where both have one.
      encoder_name: the name in `encoder.ENCODERS` of the encoder of `hmr`.
      hmr: `networks.hmr.HMR`.
      discriminator: `networks.discriminator.Discriminator` or None.

    Raises:
      InputError: the file does not exist or belongs to another network, or the download fails.
    """
    if path == released_weights.NAME:
        released_weights.assign(released_weights.read(), hmr)
    elif path == IMAGENET:
        _download(encoder_name, hmr.encoder)
    elif Path(path).suffix.lower() in (".h5", ".hdf5"):
        read_keras(path, hmr.encoder)
    elif encoder_name != "resnet_v2_50":
        raise InputError(
            f"--pretrained_model_path={path} is not a .h5 file, which --encoder={encoder_name} "
            "needs: give Keras's weights, or leave --encoder out for checkpoints of TensorFlow 1."
        )
    else:
        checkpoint = tf1_checkpoint.CheckpointReader(path)
        if checkpoint.is_hmr:
            tf1_checkpoint.assign_hmr(checkpoint, hmr, discriminator)
        else:
            tf1_checkpoint.assign_slim(checkpoint, hmr.encoder)


def read_keras(path, network):
    """Sets the weights of a Keras network from an .h5 weight file, by layer name.

    File and network must have the same layers; only the file may have a classifier.

    Raises:
      InputError: the file is not a weight file or belongs to another network.
    """
    try:
        with h5py.File(path, "r") as file:
            datasets = _read_layers(file["model_weights"] if "model_weights" in file else file)
            values = _match_layers(datasets, network)
    except InputError as error:
        raise InputError(f"{path} holds weights of another network: {error}") from error
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        reason = "" if Path(path).is_file() else ": no such file"
        raise InputError(f"{path} is not a Keras weight file (.h5){reason}") from error
    for layer, arrays in values:
        layer.set_weights(arrays)


def _read_layers(group):
    """Layer name -> its datasets in the order of Keras's `layer.weights`."""
    datasets = {}
    for layer in group.attrs["layer_names"]:
        name = _text(layer)
        weights = [_text(weight) for weight in group[name].attrs["weight_names"]]
        if weights:
            datasets[name] = [group[name][weight] for weight in weights]
    return datasets


def _text(value):
    return value if isinstance(value, str) else value.decode()


def _match_layers(datasets, network):
    """[(layer of the network, its arrays)]; InputError where file and network differ."""
    by_name = {layer.name: layer for layer in network.layers if layer.weights}
    missing, unknown = set(by_name) - set(datasets), set(datasets) - set(by_name) - set(_CLASSIFIER)
    if missing or unknown:
        difference = f"it lacks {min(missing)}" if missing else f"it holds {min(unknown)}"
        raise InputError(f"{difference}, and the network is {network.name}")
    for name, layer in by_name.items():
        shapes = [tuple(weight.shape) for weight in layer.weights]
        if [dataset.shape for dataset in datasets[name]] != shapes:
            raise InputError(f"{name} is {[d.shape for d in datasets[name]]}, not {shapes}")
    return [(layer, [np.asarray(d) for d in datasets[name]]) for name, layer in by_name.items()]


def _download(encoder_name, network):
    if encoder_name not in _KERAS:
        raise InputError(
            f"--pretrained_model_path={IMAGENET}: Keras has no weights of {encoder_name}; use "
            f"--encoder={' or '.join(_KERAS)}, or slim's resnet_v2_50.ckpt."
        )
    try:
        source = _KERAS[encoder_name](include_top=False, weights=IMAGENET, pooling="avg")
    except Exception as error:  # the downloader raises errors of any kind
        raise InputError(
            f"--pretrained_model_path={IMAGENET} cannot be downloaded ({error}): download the .h5 "
            "file elsewhere and give its path."
        ) from error
    network.set_weights(source.get_weights())

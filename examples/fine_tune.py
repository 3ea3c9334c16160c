"""Trains HMR further with plain Keras, on arrays: images and the 2D keypoints of their people.

    python -m examples.fine_tune hmr_logdir/ckpt-1000 people.npz fine_tuned.weights.h5

people.npz holds "images" (N, S, S, 3) in [-1, 1] and "keypoints" (N, 19, 3): x, y in [-1, 1] over
the crop, and 1 or 0 for labelled or not. Later: `hmr_tf.load("...").hmr.load_weights(file)`.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # else it lists missing GPU libraries

import hmr_tf  # before TensorFlow, for which it selects Keras 2

# isort: split
import numpy as np
import tensorflow as tf
from tensorflow import keras

from hmr_tf.files import safe_npz
from hmr_tf.files.errors import InputError


class KeypointModel(keras.Model):
    """Crops -> (B, 19, 2) keypoints of the network's last stage."""

    def __init__(self, hmr):
        super().__init__()
        self.hmr = hmr

    def call(self, images, training=None):
        return self.hmr(images, training=training)[-1].keypoints2d_norm


def reprojection_loss(labels, predicted):
    """Mean distance along x and y of the labelled keypoints."""
    labelled = labels[..., 2:]
    distance = tf.reduce_sum(labelled * tf.abs(predicted - labels[..., :2]))
    return tf.math.divide_no_nan(distance, 2.0 * tf.reduce_sum(labelled))


def fine_tune(hmr, images, keypoints, learning_rate=1e-5, **fit_options):
    """Changes the weights of `hmr`; returns Keras's History."""
    model = KeypointModel(hmr)
    model.compile(keras.optimizers.Adam(learning_rate), reprojection_loss)
    return model.fit(images, keypoints, **fit_options)


def read_people(path):
    """Images (N, S, S, 3) and keypoints (N, 19, 3) of people.npz, both float32.

    Raises:
      InputError: no such file, or it holds something else.
    """
    arrays = safe_npz.load(path, ("images", "keypoints"))
    images, keypoints = arrays.get("images"), arrays.get("keypoints")
    side = images.shape[-2] if images is not None and images.ndim == 4 else "S"
    number = len(images) if side != "S" else "N"
    for name, array, shape in (
        ("images", images, (number, side, side, 3)),
        ("keypoints", keypoints, (number, 19, 3)),
    ):
        if array is None or array.shape != shape or not array.size or array.dtype.kind not in "fiu":
            given = "nothing of that name" if array is None else f"{array.dtype} {array.shape}"
            expected = str(shape).replace("'", "")
            raise InputError(f"{path}: {name} must be numbers {expected}; it holds {given}.")
    images = images.astype(np.float32)
    if not np.abs(images).max() <= 1:  # also where there is a NaN
        raise InputError(f"{path}: images must lie in [-1, 1]: pixels / 127.5 - 1.")
    return images, keypoints.astype(np.float32)


def main(arguments):
    """Fine-tunes as the module describes; InputError for wrong arguments."""
    if len(arguments) != 3:
        raise InputError("give three names: network, people.npz, file of weights to write.")
    load_path, data_path, weights_path = arguments
    if not weights_path.endswith(".h5") or not Path(weights_path).parent.is_dir():
        raise InputError(f"{weights_path}: name a file .h5 in a folder that exists.")
    images, keypoints = read_people(data_path)
    network = hmr_tf.load(load_path).hmr
    if images.shape[1] != network.image_size:
        sizes = f"images have {images.shape[1]} px; {load_path} needs {network.image_size}"
        raise InputError(f"{data_path}: {sizes}.")
    fine_tune(network, images, keypoints, batch_size=16, epochs=3)
    network.save_weights(weights_path)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except InputError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)

"""Trains HMR further with plain Keras, on arrays: images and the 2D keypoints of their people.

    python -m examples.fine_tune hmr_logdir/ckpt-1000 people.npz fine_tuned.weights.h5

people.npz holds "images" (N, S, S, 3) in [-1, 1] and "keypoints" (N, 19, 3): x, y in [-1, 1] over
the crop, and 1 or 0 for labelled or not. Later: `hmr_tf.load("...").hmr.load_weights(file)`.
"""

import sys

import hmr_tf  # before TensorFlow, for which it selects Keras 2

# isort: split
import numpy as np
import tensorflow as tf
from tensorflow import keras


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


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.stderr.write("error: give three names: network, people.npz, file of weights to write\n")
        sys.exit(2)
    load_path, data_path, weights_path = sys.argv[1:]
    network, data = hmr_tf.load(load_path).hmr, np.load(data_path)
    fine_tune(network, data["images"], data["keypoints"], batch_size=16, epochs=3)
    network.save_weights(weights_path)

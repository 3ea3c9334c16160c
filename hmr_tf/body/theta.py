"""The 85 numbers the network regresses; their order is defined only here."""

from typing import NamedTuple

import tensorflow as tf

NUM_CAMERA, NUM_POSE, NUM_BETAS = 3, 72, 10
NUM_THETA = NUM_CAMERA + NUM_POSE + NUM_BETAS


class Theta(NamedTuple):
    """The parts of theta."""

    camera: tf.Tensor  # (B, 3) weak perspective: scale, then x and y translation
    pose: tf.Tensor  # (B, 24, 3) axis-angle in radians; joint 0 rotates the whole body
    betas: tf.Tensor  # (B, 10) SMPL shape coefficients


def split(theta):
    """(B, 85) -> Theta. Order as the original's `trainer.py:244-246`."""
    camera, pose, betas = tf.split(theta, [NUM_CAMERA, NUM_POSE, NUM_BETAS], axis=-1)
    return Theta(camera, tf.reshape(pose, [-1, 24, 3]), betas)


def join(camera, pose, betas):
    """(B, 3), (B, 24, 3) and (B, 10) -> (B, 85); the inverse of `split`."""
    return tf.concat([camera, tf.reshape(pose, [-1, NUM_POSE]), betas], axis=-1)

"""A trained network as two functions with constant weights: the fastest form, which is exported.

A call reads and copies no variables, and TensorFlow arranges the weights of the convolutions for
the processor once. SMPL is computed once, for the last stage alone.
"""

from typing import Callable, NamedTuple

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from hmr_tf.body import theta
from hmr_tf.body.smpl import Body
from hmr_tf.networks import encoder
from hmr_tf.networks.prediction import prediction_from_body, with_positive_scale

DTYPES = ("float32", "bfloat16", "float16")


class Frozen(NamedTuple):
    """Two functions without variables."""

    theta: Callable  # (B, S, S, 3) float32 images in [-1, 1] -> (B, 85) of the last stage
    body: Callable  # (B, 24, 3) axis-angle, (B, 10) betas -> smpl.Body
    image_size: int  # S

    def predict(self, images):
        """(B, S, S, 3) in [-1, 1] -> `networks.prediction.Prediction` with the mesh."""
        predicted = self.theta(images)
        _, pose, betas = theta.split(predicted)
        return with_positive_scale(prediction_from_body(predicted, self.body(pose, betas)))


def freeze(hmr, dtype="float32"):
    """The functions of an HMR, with a copy of its weights.

    Args:
      hmr: `networks.hmr.HMR`.
      dtype: of the encoder, one of `DTYPES`. Regressor, SMPL and camera are always float32.
    """
    size = hmr.image_size
    network = hmr.encoder if dtype == "float32" else encoder.cast(hmr.encoder, dtype)

    def last_theta(image):
        features = tf.cast(network(image, training=False), tf.float32)
        return hmr.regressor(features, training=False)[-1]

    image = tf.TensorSpec([None, size, size, 3], tf.float32, name="image")
    pose = tf.TensorSpec([None, 24, 3], tf.float32, name="pose")
    betas = tf.TensorSpec([None, theta.NUM_BETAS], tf.float32, name="betas")
    regress, pose_body = _freeze(last_theta, image), _freeze(hmr.smpl, pose, betas)
    return Frozen(
        theta=lambda image: regress(tf.convert_to_tensor(image))[0],
        body=lambda pose, betas: Body(*pose_body(*map(tf.convert_to_tensor, (pose, betas)))),
        image_size=size,
    )


def _freeze(function, *specs):
    """A concrete function with constants in place of its variables."""
    return convert_variables_to_constants_v2(tf.function(function).get_concrete_function(*specs))

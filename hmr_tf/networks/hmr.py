"""From a crop to a body: encoder, regressor, SMPL, camera (paper, sections 3.1 and 3.2)."""

import numpy as np
import tensorflow as tf
from tensorflow import keras

from hmr_tf.body import theta
from hmr_tf.networks.encoder import NUM_FEATURES
from hmr_tf.networks.prediction import Prediction, prediction_from_body

layers = keras.layers

NUM_HIDDEN = 1024  # units of each hidden layer of the regressor


def mean_theta(pose=None, betas=None):
    """Where the regressor starts (the original's `trainer.py:180-196`).

    Args:
      pose: (72,) mean axis-angle pose, whose global rotation is not used; None means the rest pose.
      betas: (10,) mean shape; None means zeros.

    Returns:
      (1, 85) float32: scale 0.9, no shift, upright and facing the viewer.
    """
    parts = theta.Theta(
        camera=np.float32([[0.9, 0, 0]]),
        pose=np.zeros((1, 24, 3), np.float32),
        betas=np.zeros((1, theta.NUM_BETAS), np.float32),
    )
    if pose is not None:
        parts.pose[0] = np.reshape(pose, (24, 3))
    if betas is not None:
        parts.betas[0] = betas
    parts.pose[0, 0] = (np.pi, 0, 0)
    return theta.join(*parts).numpy()


class IterativeRegressor(layers.Layer):
    """Corrects theta `num_stage` times from the features and its own last answer (IEF).

    Source: paper, section 3.2; the original's `models.py:58-90` and `trainer.py:226-271`. The mean
    is a trained variable, gradients flow through all stages, dropout has a new mask in each. Always
    float32, whatever the encoder computes in.
    """

    def __init__(self, start, num_stage=3, name="3D_module"):
        """Args: start: (1, 85) from `mean_theta`; num_stage: T, at least 1."""
        super().__init__(name=name, dtype="float32")
        self.num_stage = num_stage
        self.dropout_rate = 0.5
        self._start = start
        self.fc1 = layers.Dense(NUM_HIDDEN, activation="relu", name="fc1")
        self.fc2 = layers.Dense(NUM_HIDDEN, activation="relu", name="fc2")
        # The first corrections are close to zero (the original's `models.py:81-88`).
        small = keras.initializers.VarianceScaling(0.01, "fan_avg", "uniform")
        self.fc3 = layers.Dense(theta.NUM_THETA, kernel_initializer=small, name="fc3")

    def build(self, input_shape):
        constant = keras.initializers.Constant(self._start)
        self.mean = self.add_weight("mean_param", (1, theta.NUM_THETA), initializer=constant)
        features = NUM_FEATURES + theta.NUM_THETA
        widths = {self.fc1: features, self.fc2: NUM_HIDDEN, self.fc3: NUM_HIDDEN}
        for layer, width in widths.items():
            with tf.name_scope(layer.name):
                layer.build((None, width))
        super().build(input_shape)

    def call(self, features, noise=None):
        """(B, 2048) features -> list of `num_stage` thetas, (B, 85) each.

        Args:
          features: of the encoder.
          noise: `noise_shape(B)` numbers from [0, 1), the dice of dropout; None: no dropout.
        """
        answer = tf.tile(self.mean, [tf.shape(features)[0], 1])
        answers = []
        for stage in range(self.num_stage):
            x = tf.concat([features, answer], axis=-1)
            for layer, fc in enumerate((self.fc1, self.fc2)):
                x = fc(x)
                if noise is not None:
                    kept = tf.cast(noise[:, stage, layer] >= self.dropout_rate, x.dtype)
                    x *= kept / (1.0 - self.dropout_rate)
            answer = answer + self.fc3(x)
            answers.append(answer)
        return answers

    def noise_shape(self, num_people):
        """What dropout needs: a number for every person, stage, hidden layer and unit."""
        return [num_people, self.num_stage, 2, NUM_HIDDEN]


class HMR(keras.Model):
    """The whole network. `call` gives one `Prediction` per stage, the last one being the answer."""

    def __init__(self, encoder, regressor, smpl, name="hmr"):
        super().__init__(name=name)
        self.encoder = encoder
        self.regressor = regressor
        self.smpl = smpl

    def call(self, images, training=None, noise=None):
        """(B, S, S, 3) in [-1, 1] -> tuple of `Prediction` without meshes, one per stage.

        Args:
          images: the crops.
          training: whether the encoder's batch norms use, and remember, the batch's statistics.
          noise: what the regressor's dropout throws its dice with; None: no dropout.
        """
        features = tf.cast(self.encoder(images, training=training), tf.float32)
        return self.predictions_from_thetas(self.regressor(features, noise=noise))

    def predictions_from_thetas(self, thetas):
        """T thetas (B, 85) -> T `Prediction` without meshes, from one pass of SMPL."""
        joined = tf.concat(thetas, axis=0)
        _, pose, betas = theta.split(joined)
        whole = prediction_from_body(joined, self.smpl.joints_only(pose, betas))
        count = len(thetas)
        fields = [[None] * count if x is None else tf.split(x, count) for x in whole]
        return tuple(Prediction(*stage) for stage in zip(*fields))

    def with_mesh(self, prediction):
        """The same `Prediction` with its vertices."""
        body = self.smpl(prediction.rotations, prediction.betas)
        return prediction._replace(vertices=body.vertices)

    @property
    def image_size(self):
        """Side of the crops it sees, pixels."""
        return self.encoder.input_shape[1]

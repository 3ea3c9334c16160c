"""From a crop to a body: encoder, regressor, SMPL, camera (paper, sections 3.1 and 3.2)."""

import numpy as np
import tensorflow as tf
from tensorflow import keras

from hmr_tf.body import theta
from hmr_tf.networks.encoder import NUM_FEATURES
from hmr_tf.networks.prediction import Prediction, prediction_from_body, with_positive_scale

layers = keras.layers

NUM_HIDDEN = 1024  # units of each hidden layer of the regressor


def mean_theta(pose=None, betas=None):
    """The theta from which the regressor starts (the original's `trainer.py:180-196`).

    Args:
      pose: (72,) mean axis-angle pose; its global rotation is ignored. None means the rest pose.
      betas: (10,) mean shape; None means zeros.

    Returns:
      (1, 85) float32: scale 0.9, no translation, upright and facing the viewer.
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


@keras.saving.register_keras_serializable("hmr_tf")
class IterativeRegressor(layers.Layer):
    """Corrects theta `num_stage` times from the features and its last prediction (IEF).

    Source: paper, section 3.2; the original's `models.py:58-90` and `trainer.py:226-271`. The mean
    theta is a trainable variable, gradients flow through all stages, dropout has a new mask in
    each. Always float32, whatever the encoder computes in.
    """

    def __init__(self, mean, num_stage=3, name="3D_module", **kwargs):
        """Args: mean: (1, 85) from `mean_theta`; num_stage: T, at least 1."""
        super().__init__(name=name, **{"dtype": "float32", **kwargs})
        self.num_stage = num_stage
        self.dropout_rate = 0.5
        self._initial_mean = np.asarray(mean, np.float32)
        self.fc1 = layers.Dense(NUM_HIDDEN, activation="relu", name="fc1")
        self.fc2 = layers.Dense(NUM_HIDDEN, activation="relu", name="fc2")
        # The first corrections are close to zero (the original's `models.py:81-88`).
        small = keras.initializers.VarianceScaling(0.01, "fan_avg", "uniform")
        self.fc3 = layers.Dense(theta.NUM_THETA, kernel_initializer=small, name="fc3")

    def build(self, input_shape):
        constant = keras.initializers.Constant(self._initial_mean)
        self.mean = self.add_weight("mean_param", (1, theta.NUM_THETA), initializer=constant)
        num_features = NUM_FEATURES + theta.NUM_THETA
        widths = {self.fc1: num_features, self.fc2: NUM_HIDDEN, self.fc3: NUM_HIDDEN}
        for layer, width in widths.items():
            with tf.name_scope(layer.name):
                layer.build((None, width))
        super().build(input_shape)

    def call(self, features, training=None, dropout_mask=None):
        """(B, 2048) features -> list of `num_stage` thetas, (B, 85) each.

        Args:
          features: from the encoder.
          training: whether hidden units are dropped.
          dropout_mask: from `random_dropout_mask`, used whatever `training` is; None means a new
            one at each call in training, which `keras.utils.set_random_seed` makes repeatable.
        """
        if training and dropout_mask is None:
            dropout_mask = self.random_dropout_mask(tf.shape(features)[0])

        def drop(x, stage, number):
            if dropout_mask is None:
                return x
            is_kept = tf.cast(dropout_mask[:, stage, number], x.dtype)
            return x * (is_kept / (1.0 - self.dropout_rate))

        # fc1 on [features, prediction]: what the features add is the same in all stages.
        of_features, of_prediction = tf.split(self.fc1.kernel, [NUM_FEATURES, theta.NUM_THETA])
        from_features = tf.matmul(features, of_features) + self.fc1.bias
        prediction = tf.tile(self.mean, [tf.shape(features)[0], 1])
        predictions = []
        for stage in range(self.num_stage):
            x = self.fc1.activation(from_features + tf.matmul(prediction, of_prediction))
            x = self.fc2(drop(x, stage, 0))
            prediction = prediction + self.fc3(drop(x, stage, 1))
            predictions.append(prediction)
        return predictions

    def random_dropout_mask(self, num_people, seed=None):
        """Which hidden units dropout keeps.

        Args:
          num_people: B, an int or a scalar tensor.
          seed: (2,) integers; the same seed gives the same mask on every device. None: the state of
            TensorFlow's random numbers decides.

        Returns:
          (B, num_stage, 2, NUM_HIDDEN) bool, true where a unit is kept.
        """
        shape = [num_people, self.num_stage, 2, NUM_HIDDEN]
        if seed is None:
            uniform = tf.random.uniform(shape)
        else:
            uniform = tf.random.stateless_uniform(shape, seed, alg="philox")
        return uniform >= self.dropout_rate

    def get_config(self):
        arguments = {"mean": self._initial_mean.tolist(), "num_stage": self.num_stage}
        return {**super().get_config(), **arguments}


@keras.saving.register_keras_serializable("hmr_tf")
class HMR(keras.Model):
    """The whole network. `call` gives one `Prediction` per stage; the last one is the result.

    `keras.models.clone_model` gives a network with fresh weights and the same SMPL, whose numbers
    are constants. `save_weights` and `load_weights` work as in any Keras model.
    """

    def __init__(self, encoder, regressor, smpl, name="hmr"):
        """Args:
        encoder: keras.Model, a network of `encoder.ENCODERS`.
        regressor: IterativeRegressor.
        smpl: `body.smpl.SMPL`.
        """
        super().__init__(name=name)
        self.encoder = encoder
        self.regressor = regressor
        self.smpl = smpl

    def build(self, input_shape):
        """Creates the variables that are not there yet; predicts nothing, which would take longer.

        Args:
          input_shape: (None, S, S, 3).
        """
        if not self.regressor.built:
            # Ends with "/": the whole name, wherever `build` is called.
            with tf.name_scope(f"{self.name}/{self.regressor.name}/"):
                self.regressor.build((None, NUM_FEATURES))
        self.built = True

    def call(self, images, training=None, dropout_mask=None):
        """(B, S, S, 3) in [-1, 1] -> tuple of `Prediction` without meshes, one per stage.

        Args:
          images: the crops.
          training: whether the encoder's batch norms use, and remember, the batch's statistics,
            the regressor drops hidden units, and negative scales stay (`with_positive_scale`).
          dropout_mask: as in `IterativeRegressor.call`.
        """
        features = tf.cast(self.encoder(images, training=training), tf.float32)
        thetas = self.regressor(features, training=training, dropout_mask=dropout_mask)
        predictions = self.predictions_from_thetas(thetas)
        return predictions if training else tuple(map(with_positive_scale, predictions))

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
        posed = self.smpl(prediction.rotations, prediction.betas)
        return prediction._replace(vertices=posed.vertices)

    @property
    def image_size(self):
        """Side of the crops that the network takes, pixels."""
        return self.encoder.input_shape[1]

    def get_config(self):
        """The arguments of the constructor, encoder and regressor as Keras writes them.

        SMPL is the object itself: its megabytes of numbers belong into a file, not a config.
        """
        parts = {"encoder": self.encoder, "regressor": self.regressor}
        config = {name: keras.layers.serialize(layer) for name, layer in parts.items()}
        return {**config, "smpl": self.smpl, "name": self.name}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """A network with fresh weights, built, from `get_config`."""
        parts = {
            name: keras.layers.deserialize(config[name], custom_objects)
            for name in ("encoder", "regressor")
        }
        hmr = cls(**{**config, **parts})
        hmr.build((None, hmr.image_size, hmr.image_size, 3))
        return hmr

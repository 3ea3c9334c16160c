"""The adversarial training step, as a keras.Model whose `fit()` is the loop."""

import tensorflow as tf
from tensorflow import keras

from hmr_tf.training import losses


def adam(learning_rate):
    """The original's optimizer: TF1's Adam, epsilon 1e-8 (`trainer.py:118`, `:314-320`).

    Keras's `legacy` class runs TensorFlow's fused Adam kernel, which has TF1's formula and makes
    one pass over the weights; the newer class makes about ten (`benchmarks/training_step.py`).
    """
    return keras.optimizers.legacy.Adam(learning_rate, epsilon=1e-8)


class Trainer(keras.Model):
    """HMR and its critic, trained together."""

    def __init__(self, hmr, critic=None, weights=None, xla=False):
        """Args:
        hmr: `networks.hmr.HMR`.
        critic: `networks.discriminator.Discriminator`, or None to train without the prior.
        weights: `losses.LossWeights`; None means the paper's.
        xla: compile forward, losses and gradients with XLA. The optimizers stay outside: a wholly
          compiled step fails under tf.distribute.
        """
        super().__init__(name="trainer")
        self.hmr = hmr
        self.critic = critic
        self.loss_weights = weights or losses.LossWeights()
        self._differentiated = self._differentiate
        if xla:
            self._differentiated = tf.function(self._differentiate, jit_compile=True)
        self._validation = {}

    def compile(self, encoder_optimizer, critic_optimizer=None, **kwargs):
        """As keras.Model.compile, with an optimizer for each of the two networks."""
        super().compile(**kwargs)
        self.encoder_optimizer = encoder_optimizer
        self.critic_optimizer = critic_optimizer
        # Made now, or the first step would be traced twice and a restored checkpoint find no slots.
        encoder_optimizer._create_all_weights(self.hmr.trained)
        if self.critic is not None:
            critic_optimizer._create_all_weights(self.critic.trainable_variables)

    def call(self, images, training=None):
        return self.hmr(images, training=training)

    def train_step(self, data):
        """One update of encoder and critic from one forward pass (the original's session.run).

        Args:
          data: (batch, mocap); mocap is empty without the critic.
        """
        logs, encoder_gradients, critic_gradients = self._differentiated(*data)
        self.encoder_optimizer.apply_gradients(zip(encoder_gradients, self.hmr.trained))
        if self.critic is not None:
            variables = self.critic.trainable_variables
            self.critic_optimizer.apply_gradients(zip(critic_gradients, variables))
        return logs

    def _differentiate(self, batch, mocap):
        """Named losses, then both lists of gradients, all at the weights before the step."""
        with tf.GradientTape() as encoder_tape, tf.GradientTape() as critic_tape:
            stages = self.hmr(batch["image"], training=True)
            fake_scores = None
            if self.critic is not None:
                fake_scores = self.critic(every_stage(stages), training=True)
                real_scores = self.critic((mocap["rotations"], mocap["betas"]), training=True)
                critic = losses.critic(real_scores, fake_scores, self.loss_weights)
            encoder = losses.encoder(stages, batch, fake_scores, self.loss_weights)
        encoder_gradients = encoder_tape.gradient(encoder["total"], self.hmr.trained)
        if self.critic is None:
            return _named("encoder", encoder), encoder_gradients, []
        critic_gradients = critic_tape.gradient(critic["total"], self.critic.trainable_variables)
        logs = {**_named("encoder", encoder), **_named("critic", critic)}
        return logs, encoder_gradients, critic_gradients

    def test_step(self, data):
        """Validation: the encoder's losses on people kept out, averaged over the batches."""
        batch = data[0] if isinstance(data, (tuple, list)) else data
        stages = self.hmr(batch["image"], training=False)
        parts = losses.encoder(stages, batch, None, self.loss_weights)
        for name, value in parts.items():
            self._mean(name).update_state(value)
        return {name: mean.result() for name, mean in self._validation.items()}

    def _mean(self, name):
        if name not in self._validation:
            self._validation[name] = keras.metrics.Mean(name=name)
        return self._validation[name]

    @property
    def step(self):
        """How many updates the encoder has had."""
        return int(self.encoder_optimizer.iterations)

    @property
    def learned(self):
        """Every variable that training changes: weights and the batch norms' statistics."""
        parts = [self.hmr.encoder, self.hmr.regressor, self.critic]
        return [variable for part in parts if part is not None for variable in part.variables]

    @property
    def metrics(self):
        return list(self._validation.values())


def every_stage(stages):
    """What the critic sees of T predictions: (T * B, 23, 3, 3) rotations without the global one,
    (T * B, 10)."""
    rotations = tf.concat([stage.rotations[:, 1:] for stage in stages], axis=0)
    return rotations, tf.concat([stage.betas for stage in stages], axis=0)


def _named(prefix, parts):
    return {f"{prefix}/{name}": value for name, value in parts.items()}

"""The adversarial training step, as a keras.Model whose `fit()` is the loop."""

import tensorflow as tf
from tensorflow import keras

from hmr_tf.training import losses, step_logs


def adam(learning_rate):
    """The original's optimizer: TF1's Adam, epsilon 1e-8 (`trainer.py:118`, `:314-320`).

    Keras's `legacy` class runs TensorFlow's fused Adam kernel, which has TF1's formula and makes
    one pass over the weights; the newer class makes about ten (`benchmarks/training_step.py`).
    """
    return keras.optimizers.legacy.Adam(learning_rate, epsilon=1e-8)


class Trainer(keras.Model):
    """HMR and its discriminator, trained together."""

    def __init__(
        self, hmr, discriminator=None, loss_weights=None, xla=False, seed=0, clip_gradients=0.0
    ):
        """Args:
        hmr: `networks.hmr.HMR`.
        discriminator: `networks.discriminator.Discriminator`, or None to train without the prior.
        loss_weights: `losses.LossWeights`; None means the paper's.
        xla: compile forward, losses and gradients with XLA. The optimizers stay outside: a wholly
          compiled step fails under tf.distribute.
        seed: of dropout; the masks follow from it and the number of the step.
        clip_gradients: largest norm of each network's whole gradient; 0: no limit.
        """
        super().__init__(name="trainer")
        self.hmr = hmr
        self.discriminator = discriminator
        self.loss_weights = loss_weights or losses.LossWeights()
        # Not the optimizer's counter, so that a checkpoint has it in one place with any optimizer.
        self.steps_done = tf.Variable(
            0,
            trainable=False,
            dtype=tf.int64,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )
        self._first_step = (0, 0)
        self._seed = seed
        self._clip_gradients = clip_gradients
        self.xla = xla
        self.distribute_reduction_method = "first"  # `train_step` sums the logs of the replicas
        self._compute = self.losses_and_gradients
        if xla:
            self._compute = tf.function(self.losses_and_gradients, jit_compile=True)

    def compile(self, encoder_optimizer, discriminator_optimizer=None, steps_per_execution=1):
        """As keras.Model.compile, with an optimizer for each of the two networks."""
        super().compile(steps_per_execution=steps_per_execution)
        self.steps_per_execution = steps_per_execution
        self.encoder_optimizer = encoder_optimizer
        self.discriminator_optimizer = discriminator_optimizer
        # Made now; otherwise the first step is traced twice, and a checkpoint restores no slots.
        encoder_optimizer._create_all_weights(self.hmr.trainable_variables)
        if self.discriminator is not None:
            discriminator_optimizer._create_all_weights(self.discriminator.trainable_variables)

    def call(self, images, training=None):
        return self.hmr(images, training=training)

    def train_step(self, data):
        """Updates encoder and discriminator from one forward pass (the original's session.run).

        Args:
          data: (batch, mocap) or (batch, mocap, seconds that the step waited for them); mocap is
            empty without the discriminator. With several replicas, the part of this one.

        Returns:
          dict of logs, see `step_logs`: losses of the whole batch (encoder, discriminator,
          keypoints_by_stage), `step_logs.prediction_statistics` and the discriminator's scores;
          the latter two of the first replica.
        """
        batch, mocap, *waited = data
        counts = _summed(losses.count(batch, mocap))
        dropout_mask = self._dropout_mask(tf.shape(batch["image"])[0])
        summed, statistics, gradients = self._compute(batch, mocap, counts, dropout_mask)
        for (optimizer, variables), gradient in zip(self._optimizers(), gradients):
            self._update(optimizer, variables, gradient)
        self.steps_done.assign_add(1)
        logs = {**_summed(summed), **statistics}
        if waited:
            logs[step_logs.WAIT_SECONDS] = waited[0]
        return logs

    def losses_and_gradients(self, batch, mocap, counts, dropout_mask):
        """Logs to sum over the replicas, other logs, and each network's gradients."""
        with tf.GradientTape() as encoder_tape, tf.GradientTape() as discriminator_tape:
            stages = self.hmr(batch["image"], training=True, dropout_mask=dropout_mask)
            fake_scores = None
            if self.discriminator is not None:
                fake_scores = self.discriminator(discriminator_inputs(stages), training=True)
                real_scores = self.discriminator(
                    (mocap["rotations"], mocap["betas"]), training=True
                )
                discriminator = losses.discriminator_losses(
                    real_scores,
                    fake_scores,
                    self.loss_weights,
                    num_real=counts.real,
                    num_fake=len(stages) * counts.people,
                )
            encoder = losses.encoder_losses(stages, batch, fake_scores, self.loss_weights, counts)
            scaled = encoder["total"]
            if _scales_loss(self.encoder_optimizer):
                scaled = self.encoder_optimizer.get_scaled_loss(scaled)
        gradients = [encoder_tape.gradient(scaled, self.hmr.trainable_variables)]
        summed = step_logs.with_group(step_logs.ENCODER, encoder)
        summed.update(step_logs.keypoints_by_stage(stages, batch, counts))
        statistics = step_logs.prediction_statistics(stages[-1])
        if self.discriminator is not None:
            gradients.append(
                discriminator_tape.gradient(
                    discriminator["total"], self.discriminator.trainable_variables
                )
            )
            summed.update(step_logs.with_group(step_logs.DISCRIMINATOR, discriminator))
            statistics[step_logs.SCORES_REAL] = real_scores
            statistics[step_logs.SCORES_FAKE] = fake_scores
        return summed, statistics, gradients

    def _optimizers(self):
        """Each optimizer with the variables it updates."""
        yield self.encoder_optimizer, self.hmr.trainable_variables
        if self.discriminator is not None:
            yield self.discriminator_optimizer, self.discriminator.trainable_variables

    def _update(self, optimizer, variables, gradients):
        if _scales_loss(optimizer):
            gradients = optimizer.get_unscaled_gradients(gradients)
        gradients = _summed(gradients)
        if self._clip_gradients:
            gradients, _ = tf.clip_by_global_norm(gradients, self._clip_gradients)
        pairs = zip(gradients, variables)
        optimizer.apply_gradients(pairs, experimental_aggregate_gradients=False)

    def _dropout_mask(self, num_people):
        """The regressor's dropout mask: of the whole batch's, this replica's part."""
        replica = tf.distribute.get_replica_context()
        mask = self.hmr.regressor.random_dropout_mask(
            replica.num_replicas_in_sync * num_people,
            seed=tf.stack([tf.constant(self._seed, tf.int64), self.steps_done]),
        )
        first = replica.replica_id_in_sync_group * num_people
        return mask[first : first + num_people]

    @property
    def step(self):
        """Number of the steps done."""
        return int(self.steps_done.numpy())

    def is_due(self, every):
        """Whether a multiple of `every` steps was reached in the last execution."""
        return self.step % every < self.steps_per_execution

    def start_at(self, epoch, step):
        """Makes `fit()` begin with this step of this epoch."""
        self._first_step = (epoch, step)

    def _maybe_load_initial_counters_from_ckpt(self, steps_per_epoch, initial_epoch):
        """The first step of the first epoch: Keras calls this, as `fit` has no argument for it."""
        return self._first_step

    @property
    def trained_state(self):
        """Every variable that training changes: weights and the batch norms' statistics."""
        parts = [self.hmr.encoder, self.hmr.regressor, self.discriminator]
        return [variable for part in parts if part is not None for variable in part.variables]

    @property
    def metrics(self):
        return []


def discriminator_inputs(stages):
    """The discriminator's inputs of T predictions.

    Returns:
      (T * B, 23, 3, 3) rotations without the global one, and (T * B, 10) betas.
    """
    rotations = tf.concat([stage.rotations[:, 1:] for stage in stages], axis=0)
    return rotations, tf.concat([stage.betas for stage in stages], axis=0)


def _summed(tensors):
    """The same structure, summed over all replicas."""
    replica = tf.distribute.get_replica_context()
    if replica.num_replicas_in_sync == 1:
        return tensors
    flat = replica.all_reduce(tf.distribute.ReduceOp.SUM, tf.nest.flatten(tensors))
    return tf.nest.pack_sequence_as(tensors, flat)


def _scales_loss(optimizer):
    return isinstance(optimizer, keras.mixed_precision.LossScaleOptimizer)

"""The adversarial training step, as a keras.Model whose `fit()` is the loop."""

import tensorflow as tf
from tensorflow import keras

from hmr_tf.training import losses, prediction_statistics


def adam(learning_rate):
    """The original's optimizer: TF1's Adam, epsilon 1e-8 (`trainer.py:118`, `:314-320`).

    Keras's `legacy` class runs TensorFlow's fused Adam kernel, which has TF1's formula and makes
    one pass over the weights; the newer class makes about ten (`benchmarks/training_step.py`).
    """
    return keras.optimizers.legacy.Adam(learning_rate, epsilon=1e-8)


class Trainer(keras.Model):
    """HMR and its discriminator, trained together."""

    def __init__(
        self, hmr, discriminator=None, weights=None, xla=False, seed=0, clip_gradients=0.0
    ):
        """Args:
        hmr: `networks.hmr.HMR`.
        discriminator: `networks.discriminator.Discriminator`, or None to train without the prior.
        weights: `losses.LossWeights`; None means the paper's.
        xla: compile forward, losses and gradients with XLA. The optimizers stay outside: a wholly
          compiled step fails under tf.distribute.
        seed: of dropout; with the number of the step it decides what is dropped.
        clip_gradients: largest norm of each network's whole gradient; 0: any.
        """
        super().__init__(name="trainer")
        self.hmr = hmr
        self.discriminator = discriminator
        self.loss_weights = weights or losses.LossWeights()
        # Of its own, so that a checkpoint has it in one place, whatever wraps the optimizer.
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
        self.distribute_reduction_method = "first"  # the logs are summed before Keras has them
        self._differentiated = self._differentiate
        if xla:
            self._differentiated = tf.function(self._differentiate, jit_compile=True)

    def compile(self, encoder_optimizer, discriminator_optimizer=None, steps_per_execution=1):
        """As keras.Model.compile, with an optimizer for each of the two networks."""
        super().compile(steps_per_execution=steps_per_execution)
        self.stride = steps_per_execution
        self.encoder_optimizer = encoder_optimizer
        self.discriminator_optimizer = discriminator_optimizer
        # Made now, or the first step would be traced twice and a restored checkpoint find no slots.
        encoder_optimizer._create_all_weights(self.hmr.trainable_variables)
        if self.discriminator is not None:
            discriminator_optimizer._create_all_weights(self.discriminator.trainable_variables)

    def call(self, images, training=None):
        return self.hmr(images, training=training)

    def train_step(self, data):
        """Updates encoder and discriminator from one forward pass (the original's session.run).

        Args:
          data: (batch, mocap) and, if anyone measures it, the seconds that they were waited for;
            mocap is empty without the discriminator. Of several replicas, this one's part.

        Returns:
          dict of scalars, `<group>/<name>`: losses of the whole batch (encoder, discriminator,
          keypoints_by_stage), `prediction_statistics.of_bodies` and the discriminator's scores,
          (N, 25) each; of several replicas, those of the first.
        """
        batch, mocap, *waited = data
        counts = _summed(losses.count(batch, mocap))
        dropout_mask = self._dropout_mask(tf.shape(batch["image"])[0])
        parts, watched, gradients = self._differentiated(batch, mocap, counts, dropout_mask)
        for (optimizer, variables), gradient in zip(self._moved(), gradients):
            self._update(optimizer, variables, gradient)
        self.steps_done.assign_add(1)
        logs = {**_summed(parts), **watched}
        if waited:
            logs["input/wait_seconds"] = waited[0]
        return logs

    def _differentiate(self, batch, mocap, counts, dropout_mask):
        """Named losses, what is watched, and each network's gradients, all before the step."""
        with tf.GradientTape() as encoder_tape, tf.GradientTape() as discriminator_tape:
            stages = self.hmr(batch["image"], training=True, dropout_mask=dropout_mask)
            fake_scores = None
            if self.discriminator is not None:
                fake_scores = self.discriminator(every_stage(stages), training=True)
                real_scores = self.discriminator(
                    (mocap["rotations"], mocap["betas"]), training=True
                )
                discriminator = losses.discriminator(
                    *(real_scores, fake_scores, self.loss_weights),
                    *(counts.real, len(stages) * counts.people),
                )
            encoder = losses.encoder(stages, batch, fake_scores, self.loss_weights, counts)
            scaled = encoder["total"]
            if _scales_loss(self.encoder_optimizer):
                scaled = self.encoder_optimizer.get_scaled_loss(scaled)
        gradients = [encoder_tape.gradient(scaled, self.hmr.trainable_variables)]
        parts, watched = _named("encoder", encoder), prediction_statistics.of_bodies(stages[-1])
        parts.update(prediction_statistics.keypoints_by_stage(stages, batch, counts))
        if self.discriminator is not None:
            gradients.append(
                discriminator_tape.gradient(
                    discriminator["total"], self.discriminator.trainable_variables
                )
            )
            parts.update(_named("discriminator", discriminator))
            watched.update({"scores/real": real_scores, "scores/fake": fake_scores})
        return parts, watched, gradients

    def _moved(self):
        """Each optimizer with the variables it moves."""
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
        number = replica.num_replicas_in_sync
        mask = self.hmr.regressor.random_dropout_mask(
            number * num_people,
            seed=tf.stack([tf.constant(self._seed, tf.int64), self.steps_done]),
        )
        first = replica.replica_id_in_sync_group * num_people
        return mask[first : first + num_people]

    @property
    def step(self):
        """How many batches it has been trained on."""
        return int(self.steps_done.numpy())

    def is_due(self, every):
        """Whether what happens every so many steps is to happen now, after a step or several."""
        return self.step % every < self.stride

    def start_at(self, epoch, step):
        """`fit()` begins with this step of this epoch."""
        self._first_step = (epoch, step)

    def _maybe_load_initial_counters_from_ckpt(self, steps_per_epoch, initial_epoch):
        """Where Keras asks in which step of the first epoch to begin, which `fit` cannot say."""
        return self._first_step

    @property
    def learned(self):
        """Every variable that training changes: weights and the batch norms' statistics."""
        parts = [self.hmr.encoder, self.hmr.regressor, self.discriminator]
        return [variable for part in parts if part is not None for variable in part.variables]

    @property
    def metrics(self):
        return []


def every_stage(stages):
    """What the discriminator sees of T predictions.

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


def _named(prefix, parts):
    return {f"{prefix}/{name}": value for name, value in parts.items()}

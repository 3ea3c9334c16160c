"""TensorBoard's scalars: losses, learning rates, speed; histograms of scores; flags; profiles."""

import time

import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams
from tensorflow import keras

from hmr_tf.networks.discriminator import OUTPUT_NAMES
from hmr_tf.training import losses

WAIT = "input/wait_seconds"


class Curves(keras.callbacks.Callback):
    """Every N steps, every number of the step, and how fast it goes."""

    def __init__(self, writer, every, batch_size, say=None, clock=time.monotonic):
        """Args:
        writer: tf.summary writer.
        every: steps between points.
        batch_size: people of a step.
        say: called with (step, numbers) at each point, for the console.
        clock: seconds.
        """
        super().__init__()
        self._writer = writer
        self._every = every
        self._batch_size = batch_size
        self._say = say
        self._clock = clock

    def on_train_begin(self, logs=None):
        self._is_built = False  # the first execution builds the graph and fills the buffers
        self._start_over()

    def on_train_batch_begin(self, batch, logs=None):
        self._begun, self._first = self._clock(), self.model.step

    def on_train_batch_end(self, batch, logs=None):
        if self._is_built:
            self._count(logs)
        self._is_built = True
        if not self.model.is_due(self._every):
            return
        numbers = {f"train/{name}": float(v) for name, v in logs.items() if _is_number(name)}
        numbers.update(self._weighted(logs), **self._learning_rates(), **self._speed(WAIT in logs))
        self._start_over()
        step = self.model.step
        with self._writer.as_default(step):
            for name, value in numbers.items():
                tf.summary.scalar(name, value)
        self._writer.flush()
        if self._say:
            self._say(step, numbers)

    def _weighted(self, logs):
        """What each part of the encoder's loss adds to its total."""
        prefix = "encoder/"
        parts = {k[len(prefix) :]: float(v) for k, v in logs.items() if k.startswith(prefix)}
        parts.pop("total", None)
        weighted = losses.weighted(parts, self.model.loss_weights)
        return {f"weighted/{name}": value for name, value in weighted.items()}

    def _learning_rates(self):
        rates = {"learning_rate/encoder": self.model.encoder_optimizer.learning_rate}
        if self.model.discriminator is not None:
            rates["learning_rate/discriminator"] = self.model.discriminator_optimizer.learning_rate
        return {name: float(tf.convert_to_tensor(rate)) for name, rate in rates.items()}

    def _start_over(self):
        self._steps, self._seconds, self._waited = 0, 0.0, 0.0

    def _count(self, logs):
        """One execution: its steps, how long they took, how much of it they waited for input."""
        steps = self.model.step - self._first
        self._steps += steps
        self._seconds += self._clock() - self._begun
        # Of several steps in one execution the last one is heard of; the others are like it.
        self._waited += float(logs.get(WAIT, 0.0)) * steps

    def _speed(self, has_waits):
        """Of the steps since the last point, without what comes between them: validation, saving,
        drawing. Empty if there was none but the first."""
        if not self._steps:
            return {}
        seconds = max(self._seconds, 1e-9)
        numbers = {"speed/images_per_second": self._steps * self._batch_size / seconds}
        if has_waits:
            numbers["speed/input_wait_share"] = self._waited / seconds
        return numbers


def _is_number(name):
    return not name.startswith("scores/") and name != WAIT


class Histograms(keras.callbacks.Callback):
    """Every N steps, the discriminator's 25 scores of real and predicted bodies, by name."""

    def __init__(self, writer, every):
        """Args: writer: tf.summary writer; every: steps between histograms."""
        super().__init__()
        self._writer = writer
        self._every = every

    def on_train_batch_end(self, batch, logs=None):
        if not self.model.is_due(self._every):
            return
        with self._writer.as_default(self.model.step):
            for kind in ("real", "fake"):
                scores = logs[f"scores/{kind}"]
                for name, column in zip(OUTPUT_NAMES, scores.T):
                    tf.summary.histogram(f"discriminator_{kind}/{name}", column)
        self._writer.flush()


def write_flags(writer, flags):
    """The run's flags for TensorBoard's hparams page; `flags`: name -> value."""
    with writer.as_default(0):
        hparams.hparams({name: _plain(value) for name, value in flags.items()})


def _plain(value):
    if isinstance(value, tuple):
        return ",".join(value)
    return value if isinstance(value, (bool, int, float)) else str(value)


class Profile(keras.callbacks.Callback):
    """Records what TensorFlow does between two steps."""

    def __init__(self, folder, first, last):
        """Args: folder: for TensorBoard; first, last: steps to record, by their numbers, and with
        them the others of their executions."""
        super().__init__()
        self._folder = str(folder)
        self._first = first
        self._last = last
        self._recording = False

    def on_train_batch_begin(self, batch, logs=None):
        done = self.model.step
        if not self._recording and done < self._last and done + self.model.stride >= self._first:
            tf.profiler.experimental.start(self._folder)
            self._recording = True

    def on_train_batch_end(self, batch, logs=None):
        if self._recording and self.model.step >= self._last:
            self._end()

    def on_train_end(self, logs=None):
        if self._recording:
            self._end()

    def _end(self):
        tf.profiler.experimental.stop()
        self._recording = False

"""TensorBoard's scalars (losses, learning rates, speed), histograms of scores, flags, profiles."""

import time

import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams
from tensorflow import keras

from hmr_tf.networks.discriminator import OUTPUT_NAMES
from hmr_tf.training import losses, step_logs


class WriteScalars(keras.callbacks.Callback):
    """Writes the scalars of a step, the learning rates and the speed every N steps."""

    def __init__(self, writer, every, batch_size, log_line=None, clock=time.monotonic):
        """Args:
        writer: tf.summary writer.
        every: steps between points.
        batch_size: people of a step.
        log_line: called with (step, numbers) at each point, for the console.
        clock: function that returns seconds.
        """
        super().__init__()
        self._writer = writer
        self._every = every
        self._batch_size = batch_size
        self._log_line = log_line
        self._clock = clock

    def on_train_begin(self, logs=None):
        self._is_built = False  # the first execution builds the graph and fills the buffers
        self._reset()

    def on_train_batch_begin(self, batch, logs=None):
        self._start_time, self._start_step = self._clock(), self.model.step

    def on_train_batch_end(self, batch, logs=None):
        if self._is_built:
            self._add_execution(logs)
        self._is_built = True
        if not self.model.is_due(self._every):
            return
        numbers = {
            f"train/{name}": float(v) for name, v in logs.items() if step_logs.is_scalar(name)
        }
        numbers.update(self._weighted(logs))
        numbers.update(self._learning_rates())
        numbers.update(self._speed(has_waits=step_logs.WAIT_SECONDS in logs))
        self._reset()
        step = self.model.step
        with self._writer.as_default(step):
            for name, value in numbers.items():
                tf.summary.scalar(name, value)
        self._writer.flush()
        if self._log_line:
            self._log_line(step, numbers)

    def _weighted(self, logs):
        """Each part of the encoder's loss times its weight."""
        prefix = f"{step_logs.ENCODER}/"
        parts = {k[len(prefix) :]: float(v) for k, v in logs.items() if k.startswith(prefix)}
        parts.pop("total", None)
        weighted = losses.weighted(parts, self.model.loss_weights)
        return {f"weighted/{name}": value for name, value in weighted.items()}

    def _learning_rates(self):
        rates = {"learning_rate/encoder": self.model.encoder_optimizer.learning_rate}
        if self.model.discriminator is not None:
            rates["learning_rate/discriminator"] = self.model.discriminator_optimizer.learning_rate
        return {name: float(tf.convert_to_tensor(rate)) for name, rate in rates.items()}

    def _reset(self):
        self._steps, self._seconds, self._waited = 0, 0.0, 0.0

    def _add_execution(self, logs):
        """Adds the steps of an execution, its seconds, and the seconds it waited for input."""
        steps = self.model.step - self._start_step
        self._steps += steps
        self._seconds += self._clock() - self._start_time
        # Keras has the logs of the last step of an execution; the others wait about as long.
        self._waited += float(logs.get(step_logs.WAIT_SECONDS, 0.0)) * steps

    def _speed(self, has_waits):
        """Speed since the last point without the time between steps: validation, saving, drawing.

        Empty if the first execution was the only one.
        """
        if not self._steps:
            return {}
        seconds = max(self._seconds, 1e-9)
        numbers = {"speed/images_per_second": self._steps * self._batch_size / seconds}
        if has_waits:
            numbers["speed/input_wait_share"] = self._waited / seconds
        return numbers


class WriteHistograms(keras.callbacks.Callback):
    """Writes histograms of the discriminator's 25 scores, by name, every N steps."""

    def __init__(self, writer, every):
        """Args: writer: tf.summary writer; every: steps between histograms."""
        super().__init__()
        self._writer = writer
        self._every = every

    def on_train_batch_end(self, batch, logs=None):
        if not self.model.is_due(self._every):
            return
        with self._writer.as_default(self.model.step):
            for kind, log in (("real", step_logs.SCORES_REAL), ("fake", step_logs.SCORES_FAKE)):
                for name, column in zip(OUTPUT_NAMES, logs[log].T):
                    tf.summary.histogram(f"discriminator_{kind}/{name}", column)
        self._writer.flush()


def write_flags(writer, flags):
    """Writes the run's flags for TensorBoard's hparams page; `flags`: name -> value."""
    with writer.as_default(0):
        hparams.hparams({name: _hparam(value) for name, value in flags.items()})


def _hparam(value):
    if isinstance(value, tuple):
        return ",".join(value)
    return value if isinstance(value, (bool, int, float)) else str(value)


class ProfileSteps(keras.callbacks.Callback):
    """Runs TensorFlow's profiler from one step to another."""

    def __init__(self, folder, first, last):
        """Args: folder: for TensorBoard; first, last: numbers of the steps to record; the whole
        executions that hold them are recorded."""
        super().__init__()
        self._folder = str(folder)
        self._first = first
        self._last = last
        self._recording = False

    def on_train_batch_begin(self, batch, logs=None):
        done, end = self.model.step, self.model.step + self.model.steps_per_execution
        if not self._recording and done < self._last and end >= self._first:
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

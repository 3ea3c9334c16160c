"""Callbacks that save and stop: every N steps and minutes, at the end, on SIGTERM."""

import contextlib
import signal
import time

import numpy as np
from absl import logging
from tensorflow import keras

from hmr_tf.files.errors import InputError

_STEPS_BETWEEN_AGREEMENTS = 10


class SaveCheckpoints(keras.callbacks.Callback):
    """Saves every N steps and minutes, at the end, and before it stops for a signal."""

    def __init__(
        self,
        manager,
        every,
        minutes=0.0,
        stop=None,
        any_worker=None,
        num_workers=1,
        clock=time.monotonic,
    ):
        """Args:
        manager: tf.train.CheckpointManager.
        every: steps between checkpoints.
        minutes: largest time between checkpoints; 0: no limit.
        stop: `StopSignal`, looked at after each step; None: the training is not stopped.
        any_worker: list of bool of this worker -> element-wise "or" over all workers.
        num_workers: several workers save together, at a step that they agree on.
        clock: function that returns seconds.
        """
        super().__init__()
        self._manager = manager
        self._every = every
        self._seconds = 60.0 * minutes or float("inf")
        self._stop = stop or StopSignal()
        self._any_worker = any_worker or (lambda flags: flags)
        self._agree_every = 1 if num_workers == 1 else _STEPS_BETWEEN_AGREEMENTS
        self._clock = clock
        self._saved_at = clock()
        self._saved_step = None

    def on_train_batch_end(self, batch, logs=None):
        stop = late = False
        if self.model.is_due(self._agree_every):
            late = self._clock() - self._saved_at >= self._seconds
            stop, late = self._any_worker([self._stop.received, late])
        if stop:
            self._stop.agreed = self.model.stop_training = True
        if stop or late or self.model.is_due(self._every):
            self.save()

    def on_train_end(self, logs=None):
        self.save()

    def save(self):
        """Saves this step once; returns the prefix. InputError: a weight is not finite."""
        step = self.model.step
        if step != self._saved_step:
            refuse_non_finite(self.model)
            self._manager.save(checkpoint_number=step)
            self._saved_step, self._saved_at = step, self._clock()
        return self._manager.latest_checkpoint


def refuse_non_finite(trainer):
    """InputError if a weight is not finite: a gradient can be NaN where the loss is not."""
    for variable in trainer.trained_state:
        if not np.isfinite(variable.numpy()).all():
            raise InputError(
                f"{variable.name} is not finite after step {trainer.step}: training stopped, "
                "nothing saved. Lower --e_lr, or resume from an earlier checkpoint."
            )


class StopSignal:
    """Whether SIGTERM was received."""

    def __init__(self):
        self.received = False  # by this worker
        self.agreed = False  # by any worker; all of them stop at the same step

    @contextlib.contextmanager
    def listening(self):
        """Inside, SIGTERM sets `received` and does not end the process."""

        def receive(*_):
            self.received = True
            logging.info("SIGTERM: saving after this step, then stopping.")

        before = signal.signal(signal.SIGTERM, receive)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)


class StopAtStep(keras.callbacks.Callback):
    """Ends the training after a number of steps, also in the middle of an epoch."""

    def __init__(self, num_steps):
        super().__init__()
        self._num_steps = num_steps

    def on_train_batch_end(self, batch, logs=None):
        if self.model.step >= self._num_steps:
            self.model.stop_training = True

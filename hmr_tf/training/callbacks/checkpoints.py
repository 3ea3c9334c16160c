"""When a training is saved: every N steps and minutes, at its end, and when it is told to stop."""

import contextlib
import signal
import time

import numpy as np
from absl import logging
from tensorflow import keras

from hmr_tf.files.errors import InputError

STEPS_BETWEEN_AGREEMENTS = 10


class Checkpoints(keras.callbacks.Callback):
    """Saves every N steps and minutes, at the end, and before it stops for a signal."""

    def __init__(
        self,
        manager,
        every,
        minutes=0.0,
        stop=None,
        agree=None,
        num_workers=1,
        clock=time.monotonic,
    ):
        """Args:
        manager: tf.train.CheckpointManager.
        every: steps between checkpoints.
        minutes: after which one is due in any case; 0: never.
        stop: `Stop`, asked after each step; None: nobody stops the training.
        agree: this worker's wishes, a list of bool -> those of all workers.
        num_workers: where there are several, they save together and must agree on the step.
        clock: seconds.
        """
        super().__init__()
        self._manager = manager
        self._every = every
        self._seconds = 60.0 * minutes or float("inf")
        self._stop = stop or Stop()
        self._agree = agree or (lambda wishes: wishes)
        self._agree_every = 1 if num_workers == 1 else STEPS_BETWEEN_AGREEMENTS
        self._clock = clock
        self._saved_at = clock()
        self._saved_step = None

    def on_train_batch_end(self, batch, logs=None):
        stop = late = False
        if self.model.is_due(self._agree_every):
            late = self._clock() - self._saved_at >= self._seconds
            stop, late = self._agree([self._stop.asked, late])
        if stop:
            self._stop.agreed = self.model.stop_training = True
        if stop or late or self.model.is_due(self._every):
            self.save()

    def on_train_end(self, logs=None):
        self.save()

    def save(self):
        """Saves what is not yet saved, returns the prefix; InputError for weights not finite."""
        step = self.model.step
        if step != self._saved_step:
            refuse_broken(self.model)
            self._manager.save(checkpoint_number=step)
            self._saved_step, self._saved_at = step, self._clock()
        return self._manager.latest_checkpoint


def refuse_broken(trainer):
    """InputError if a weight is not finite: a gradient can be NaN where the loss was not."""
    for variable in trainer.learned:
        if not np.isfinite(variable.numpy()).all():
            raise InputError(
                f"{variable.name} is not finite after step {trainer.step}: training stopped, "
                "nothing saved. Lower --e_lr, or go on from an earlier checkpoint."
            )


class Stop:
    """Whether the machine is about to be taken away: SIGTERM was received."""

    def __init__(self):
        self.asked = False  # this worker was
        self.agreed = False  # all workers know it, and stop at the same step

    @contextlib.contextmanager
    def listening(self):
        """Inside, SIGTERM asks to stop instead of ending the process."""

        def ask(*_):
            self.asked = True
            logging.info("SIGTERM: saving after this step, then stopping.")

        before = signal.signal(signal.SIGTERM, ask)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)


class StopAt(keras.callbacks.Callback):
    """Ends the training after a number of steps, in the middle of an epoch if need be."""

    def __init__(self, num_steps):
        super().__init__()
        self._num_steps = num_steps

    def on_train_batch_end(self, batch, logs=None):
        if self.model.step >= self._num_steps:
            self.model.stop_training = True

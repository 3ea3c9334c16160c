"""Callbacks that detect failures of training: losses that are not finite, collapsed networks."""

import numpy as np
from absl import logging
from tensorflow import keras

from hmr_tf.files.errors import InputError
from hmr_tf.networks.discriminator import OUTPUT_NAMES
from hmr_tf.training import step_logs
from hmr_tf.training.step_logs import DISCRIMINATOR_FAKE, DISCRIMINATOR_REAL

_SHOWN_NAMES = 8


class StopOnNonFiniteLoss(keras.callbacks.Callback):
    """Stops at the first loss that is not finite; the message names the files of the batch."""

    def __init__(self, file_names):
        """Args: file_names: batch number -> two lists of file names: all, and those with labels
        that are not finite; None where the order of the people is not known."""
        super().__init__()
        self._file_names = file_names
        self._first_step = 0

    def on_train_batch_begin(self, batch, logs=None):
        self._first_step = self.model.step

    def on_train_batch_end(self, batch, logs=None):
        groups = (f"{step_logs.ENCODER}/", f"{step_logs.DISCRIMINATOR}/")
        losses = {name: float(v) for name, v in logs.items() if name.startswith(groups)}
        broken = {name: value for name, value in losses.items() if not np.isfinite(value)}
        if not broken:
            return
        names = [name for name in broken if not name.endswith("/total")] or list(broken)
        values = ", ".join(f"{name} is {broken[name]}" for name in names)
        raise InputError(
            f"{values} at step {self.model.step}: training stopped, the last checkpoint is kept. "
            f"{self._people()}Lower --e_lr, or resume from an earlier checkpoint with "
            "--clip_gradients."
        )

    def _people(self):
        if self._file_names is None:
            return ""
        # One execution can hold several steps, at the end of an epoch fewer than usual.
        batches = [self._file_names(number) for number in range(self._first_step, self.model.step)]
        broken = [name for _, names in batches for name in names]
        if broken:
            return f"Labels that are not finite: {_list(broken)}. "
        return f"The batch: {_list([name for names, _ in batches for name in names])}. "


def _list(names):
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return ", ".join(names[:_SHOWN_NAMES]) + more


# Known collapses: name -> (function: logs of a step -> whether they show it, message).
COLLAPSES = {
    "camera": (
        lambda logs: logs[step_logs.SCALE_STD] < 1e-3 * abs(logs[step_logs.SCALE_MEAN]),
        "the camera's scale was the same for all people: the network ignores the image. Start "
        "again, from other initial weights (--pretrained_model_path) or with a lower --e_lr",
    ),
    "betas": (
        lambda logs: logs[step_logs.BETAS_STD] < 1e-3,
        "the betas were the same for all people. Lower --d_loss_weight, or add data with SMPL "
        "parameters",
    ),
    "discriminator": (
        lambda logs: (
            max(logs.get(name, 1e9) for name in (DISCRIMINATOR_REAL, DISCRIMINATOR_FAKE))
            < 0.01 * len(OUTPUT_NAMES)
        ),
        "the discriminator separated real from predicted bodies without an error, so that the "
        "encoder learns nothing from it. Lower --d_lr, or try --critic_spectral_norm; and check "
        "that --mocap_datasets are upright",
    ),
    "upside down": (
        lambda logs: logs[step_logs.UPRIGHT] < -0.5,
        "bodies were upside down. Look at the pictures: are the poses of the 3D datasets in the "
        "camera's frame, y down?",
    ),
}


class WarnOfCollapse(keras.callbacks.Callback):
    """Warns once when a number of steps in a row show one of COLLAPSES."""

    def __init__(self, patience=200):
        """Args: patience: number of steps in a row."""
        super().__init__()
        self._patience = patience
        self._first_step = {}  # name -> step at which the collapse began
        self._warned = set()

    def on_train_batch_end(self, batch, logs=None):
        step = self.model.step
        for name, (is_shown_by, text) in COLLAPSES.items():
            if not is_shown_by(logs):
                self._first_step.pop(name, None)
                self._warned.discard(name)
            elif step - self._first_step.setdefault(name, step) >= self._patience:
                if name not in self._warned:
                    logging.warning("For %d steps %s.", self._patience, text)
                self._warned.add(name)

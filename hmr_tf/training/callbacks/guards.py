"""What goes wrong in trainings, noticed: losses that are not finite, networks that collapse."""

import numpy as np
from absl import logging
from tensorflow import keras

from hmr_tf.files.errors import InputError
from hmr_tf.networks.discriminator import OUTPUT_NAMES

_SHOWN_NAMES = 8


class FiniteLosses(keras.callbacks.Callback):
    """Stops at the first loss that is not finite, and says whose photographs were in the batch."""

    def __init__(self, names_of):
        """Args: names_of: batch number -> two lists of file names: all, and those whose labels are
        not finite; None where the order of the people is not known."""
        super().__init__()
        self._names_of = names_of
        self._first = 0

    def on_train_batch_begin(self, batch, logs=None):
        self._first = self.model.step

    def on_train_batch_end(self, batch, logs=None):
        terms = {k: v for k, v in logs.items() if k.startswith(("encoder/", "discriminator/"))}
        broken = {name: float(v) for name, v in terms.items() if not np.isfinite(v)}
        if not broken:
            return
        names = [name for name in broken if not name.endswith("/total")] or list(broken)
        said = ", ".join(f"{name} is {broken[name]}" for name in names)
        raise InputError(
            f"{said} at step {self.model.step}: training stopped, the last checkpoint is kept. "
            f"{self._people()}Lower --e_lr, or go on from an earlier checkpoint with "
            "--clip_gradients."
        )

    def _people(self):
        if self._names_of is None:
            return ""
        # Several steps in one execution; at the end of an epoch fewer than usual.
        batches = [self._names_of(number) for number in range(self._first, self.model.step)]
        broken = [name for _, names in batches for name in names]
        if broken:
            return f"Labels that are not finite: {_list(broken)}. "
        return f"The batch: {_list([name for names, _ in batches for name in names])}. "


def _list(names):
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return ", ".join(names[:_SHOWN_NAMES]) + more


# What users met: name -> (when a step looks like it, what to say).
COLLAPSES = {
    "camera": (
        lambda logs: logs["camera/scale_std"] < 1e-3 * abs(logs["camera/scale_mean"]),
        "the camera's scale is the same for everyone: the network does not look at the picture. "
        "Start again, from pretrained weights (--pretrained_model_path) or with a lower --e_lr",
    ),
    "betas": (
        lambda logs: logs["betas/std"] < 1e-3,
        "the shape is the same for everyone. Lower --d_loss_weight, or add data with SMPL "
        "parameters",
    ),
    "discriminator": (
        lambda logs: max(logs.get("discriminator/real", 1e9), logs.get("discriminator/fake", 1e9))
        < 0.01 * len(OUTPUT_NAMES),
        "the discriminator tells real bodies from predicted ones without fail, and teaches "
        "nothing. Lower --d_lr, or try --critic_spectral_norm; and look whether --mocap_datasets "
        "are upright",
    ),
    "upside down": (
        lambda logs: logs["pose/upright"] < -0.5,
        "bodies stand on their heads. Look at the pictures: are the poses of the 3D datasets in "
        "the camera's frame, y down?",
    ),
}


class Collapse(keras.callbacks.Callback):
    """Warns when the steps have looked like a collapse for long; once each time it begins."""

    def __init__(self, patience=200):
        """Args: patience: how many steps in a row."""
        super().__init__()
        self._patience = patience
        self._since = {}
        self._warned = set()

    def on_train_batch_end(self, batch, logs=None):
        step = self.model.step
        for name, (looks_like_it, text) in COLLAPSES.items():
            if not looks_like_it(logs):
                self._since.pop(name, None)
                self._warned.discard(name)
            elif step - self._since.setdefault(name, step) >= self._patience:
                if name not in self._warned:
                    logging.warning("For %d steps %s.", self._patience, text)
                self._warned.add(name)

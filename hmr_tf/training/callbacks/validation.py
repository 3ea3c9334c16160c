"""Errors on the validation set, at the start and after each epoch; the best network is saved."""

import json

import tensorflow as tf
from absl import logging
from tensorflow import keras

from hmr_tf.evaluation.protocols import body_errors
from hmr_tf.files import atomic
from hmr_tf.files.errors import InputError
from hmr_tf.networks import checkpoint
from hmr_tf.training.callbacks import checkpoints

# The best network is the one with the smallest of these errors, the first that is known.
_METRICS = ("pa_mpjpe_mm", "keypoints_px")
RECORD = "best.json"


class Validation(keras.callbacks.Callback):
    """Writes the errors of `body_errors.Evaluation` to TensorBoard."""

    def __init__(self, files, batch_size, writer, best=None, stop=None):
        """Args:
        files: dataset name -> shard paths of the validation set.
        batch_size: people per batch.
        writer: tf.summary writer.
        best: BestCheckpoint, or None to save none.
        stop: `checkpoints.StopSignal`; a training run that must stop does not validate before.
        """
        super().__init__()
        self._files = files
        self._batch_size = batch_size
        self._evaluation = None  # made in on_train_begin
        self._writer = writer
        self._best = best
        self._stop = stop or checkpoints.StopSignal()

    def on_train_begin(self, logs=None):
        self._evaluation = body_errors.Evaluation(self.model.hmr, self._files, self._batch_size)
        if self.model.step == 0:
            self._validate()

    def on_epoch_end(self, epoch, logs=None):
        if self._stop.agreed:
            return
        errors = self._validate()
        if self._best:
            self._best.save_if_better(errors, self.model)

    def _validate(self):
        errors = self._evaluation.run()
        with self._writer.as_default(self.model.step):
            for name, value in errors.items():
                tf.summary.scalar(f"validation/{name}", value)
        self._writer.flush()
        parts = ", ".join(f"{name} {value:.4g}" for name, value in errors.items())
        logging.info("validation at step %d: %s", self.model.step, parts)
        return errors


class BestCheckpoint:
    """The checkpoint with the smallest error, in the folder "best"."""

    def __init__(self, parts, run_folder, agree=lambda is_better: is_better):
        """Args:
        parts: name -> trackable.
        run_folder: the --model_dir, with its params.json.
        agree: bool of this worker -> that of the chief, whose folder persists over restarts.
        """
        self._folder = run_folder / "best"
        self._params = run_folder / checkpoint.PARAMS
        self._manager = checkpoint.manager(parts, self._folder, max_to_keep=1)
        self._agree = agree

    def save_if_better(self, errors, trainer):
        """Saves the network if its error is smaller than that of the saved one, if there is one.

        Raises:
          InputError: a weight is not finite, or the folder cannot be written, for example on a full
            disk.
        """
        name = next(name for name in _METRICS if name in errors)
        if not self._agree(errors[name] < self._saved_error(name)):
            return
        checkpoints.refuse_non_finite(trainer)
        try:
            self._save({"metric": name, "error": errors[name], "step": trainer.step})
        except OSError as error:  # `training.inputs.input_error` handles those of TensorFlow
            raise InputError(
                f"{self._folder} cannot be written: {error.strerror}. The newest checkpoint of the "
                f"training is kept: resume with --load_path={self._folder.parent}."
            ) from error

    def _save(self, entry):
        self._folder.mkdir(exist_ok=True)
        atomic.write_text(self._folder / checkpoint.PARAMS, self._params.read_text())
        self._manager.save(checkpoint_number=entry["step"])
        atomic.write_text(self._folder / RECORD, json.dumps(entry) + "\n")

    def _saved_error(self, name):
        try:
            entry = json.loads((self._folder / RECORD).read_text())
            return float(entry["error"]) if entry["metric"] == name else float("inf")
        except (OSError, ValueError, KeyError, TypeError):
            return float("inf")

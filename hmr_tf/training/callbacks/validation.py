"""Errors on people kept out, at the start and after each epoch; the best network is kept."""

import json

import tensorflow as tf
from absl import logging
from tensorflow import keras

from hmr_tf.evaluation.protocols import body_errors
from hmr_tf.files import atomic
from hmr_tf.files.errors import InputError
from hmr_tf.networks import checkpoint
from hmr_tf.training.callbacks import checkpoints

# The first of these that is known decides which network is the best.
DECIDING = ("pa_mpjpe_mm", "keypoints_px")
RECORD = "best.json"


class Validation(keras.callbacks.Callback):
    """TensorBoard curves of the errors of `people.Evaluation`."""

    def __init__(self, files, batch_size, writer, best=None, stop=None):
        """Args:
        files: dataset name -> shard paths of the people kept out.
        batch_size: how many people at once.
        writer: tf.summary writer.
        best: Best, or None to keep none.
        stop: `saving.Stop`; whoever must stop at once does not validate before.
        """
        super().__init__()
        self._files = files
        self._batch_size = batch_size
        self._evaluation = None  # made when the network is there
        self._writer = writer
        self._best = best
        self._stop = stop or checkpoints.Stop()

    def on_train_begin(self, logs=None):
        self._evaluation = body_errors.Evaluation(self.model.hmr, self._files, self._batch_size)
        if self.model.step == 0:
            self._validate()

    def on_epoch_end(self, epoch, logs=None):
        if self._stop.agreed:
            return
        errors = self._validate()
        if self._best:
            self._best.offer(errors, self.model)

    def _validate(self):
        errors = self._evaluation.run()
        with self._writer.as_default(self.model.step):
            for name, value in errors.items():
                tf.summary.scalar(f"validation/{name}", value)
        self._writer.flush()
        parts = ", ".join(f"{name} {value:.4g}" for name, value in errors.items())
        logging.info("validation at step %d: %s", self.model.step, parts)
        return errors


class Best:
    """The network with the smallest error, in a folder of its own."""

    def __init__(self, parts, run_folder, agree=lambda is_better: is_better):
        """Args:
        parts: name -> trackable.
        run_folder: the --model_dir, with its params.json.
        agree: this worker's view -> that of the chief, whose folder is kept over restarts.
        """
        self._folder = run_folder / "best"
        self._params = run_folder / checkpoint.PARAMS
        self._manager = checkpoint.manager(parts, self._folder, kept=1)
        self._agree = agree

    def offer(self, errors, trainer):
        """Saves the network if it is better than the one that is kept, or than none.

        Raises:
          InputError: a weight is not finite, or the folder cannot be written, on a full disk for
            example.
        """
        name = next(name for name in DECIDING if name in errors)
        if not self._agree(errors[name] < self._kept_error(name)):
            return
        checkpoints.refuse_broken(trainer)
        try:
            self._save({"metric": name, "error": errors[name], "step": trainer.step})
        except OSError as error:  # TensorFlow's own are `training.inputs.explain`'s
            raise InputError(
                f"{self._folder} cannot be written: {error.strerror}. The newest checkpoint of the "
                f"training is kept: go on with --load_path={self._folder.parent}."
            ) from error

    def _save(self, kept):
        self._folder.mkdir(exist_ok=True)
        atomic.write_text(self._folder / checkpoint.PARAMS, self._params.read_text())
        self._manager.save(checkpoint_number=kept["step"])
        atomic.write_text(self._folder / RECORD, json.dumps(kept) + "\n")

    def _kept_error(self, name):
        try:
            kept = json.loads((self._folder / RECORD).read_text())
            return float(kept["error"]) if kept["metric"] == name else float("inf")
        except (OSError, ValueError, KeyError, TypeError):
            return float("inf")

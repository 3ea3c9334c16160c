"""What watches a training: curves, pictures, checkpoints, the guard against NaN."""

import math
import sys

import numpy as np
import tensorflow as tf
from absl import logging
from tensorflow import keras
from tqdm import tqdm

from hmr_tf import render
from hmr_tf.body import camera
from hmr_tf.errors import InputError


class Scalars(keras.callbacks.Callback):
    """TensorBoard curves of every loss term; stops at the first one that is not finite."""

    def __init__(self, writer, every):
        """Args: writer: tf.summary writer; every: steps between points."""
        super().__init__()
        self._writer = writer
        self._every = every
        self._interactive = sys.stdout.isatty()

    def on_train_batch_end(self, batch, logs=None):
        step = self.model.step
        for name, value in logs.items():
            if not math.isfinite(value):
                raise InputError(
                    f"{name} is {value} at step {step}: training stopped. Lower --e_lr or --d_lr, "
                    "or look for labels that are not finite; the last checkpoint is kept."
                )
        if step % self._every:
            return
        self._write("train", logs, step)
        if not self._interactive:
            logging.info(
                "step %d: %s", step, ", ".join(f"{k} {v:.4g}" for k, v in sorted(logs.items()))
            )

    def on_test_end(self, logs=None):
        step = self.model.step
        self._write("validation", logs, step)
        parts = ", ".join(f"{k} {v:.4g}" for k, v in sorted(logs.items()))
        logging.info("%svalidation at step %d: %s", "\n" if self._interactive else "", step, parts)

    def _write(self, group, logs, step):
        with self._writer.as_default(step):
            for name, value in logs.items():
                tf.summary.scalar(f"{group}/{name}", value)
        self._writer.flush()


class Pictures(keras.callbacks.Callback):
    """Every N steps, the same people: input with the labels, body over it, body from the side."""

    def __init__(self, writer, every, batch, name):
        """Args:
        writer: tf.summary writer.
        every: steps between pictures.
        batch: a pipeline batch; its first four people are drawn.
        name: what the pictures are filed under.
        """
        super().__init__()
        self._writer = writer
        self._every = every
        self._batch = {key: value[:4] for key, value in batch.items()}
        self._name = name

    def on_train_begin(self, logs=None):
        self._draw()

    def on_train_batch_end(self, batch, logs=None):
        if self.model.step % self._every == 0:
            self._draw()

    def _draw(self):
        picture = people_picture(self.model.hmr, self._batch)
        with self._writer.as_default(self.model.step):
            tf.summary.image(self._name, picture[None])
        self._writer.flush()


def people_picture(hmr, batch):
    """(N * S, 3 * S, 3) uint8, a row per person: labels, body over the input, side view."""
    last = hmr.with_mesh(hmr(batch["image"], training=False)[-1])
    size = int(batch["image"].shape[1])
    inputs = tf.cast(tf.clip_by_value((batch["image"] + 1.0) * 127.5, 0, 255), tf.uint8)
    faces = hmr.smpl.faces
    overlay, _ = render.render_body(last.vertices, last.camera, faces, size, background=inputs)
    side, _ = render.render_body(render.side_view(last.vertices), last.camera, faces, size)
    labels = batch["keypoints_norm"].numpy()
    labels_px = camera.pixels_from_norm(labels[..., :2], size)
    marked = [
        render.draw_keypoints(image, points, visible > 0)
        for image, points, visible in zip(inputs.numpy(), labels_px, labels[..., 2])
    ]
    rows = np.concatenate([np.stack(marked), overlay.numpy(), side.numpy()], axis=2)
    return np.concatenate(rows, axis=0)


class ValidationBar(keras.callbacks.Callback):
    """A progress bar for the validation, for which Keras has none inside `fit()`."""

    def __init__(self, num_batches):
        super().__init__()
        self._num_batches = num_batches
        self._bar = None

    def on_test_begin(self, logs=None):
        self._bar = tqdm(total=self._num_batches, desc="Validating", unit="batch", leave=False)

    def on_test_batch_end(self, batch, logs=None):
        self._bar.update()

    def on_test_end(self, logs=None):
        self._bar.close()


class StopAt(keras.callbacks.Callback):
    """Ends the training after a number of steps, in the middle of an epoch if need be."""

    def __init__(self, num_steps):
        super().__init__()
        self._num_steps = num_steps

    def on_train_batch_end(self, batch, logs=None):
        if self.model.step >= self._num_steps:
            self.model.stop_training = True


class Checkpoints(keras.callbacks.Callback):
    """Saves every N steps and at the end."""

    def __init__(self, manager, every):
        """Args: manager: tf.train.CheckpointManager; every: steps between checkpoints."""
        super().__init__()
        self._manager = manager
        self._every = every

    def on_train_batch_end(self, batch, logs=None):
        if self.model.step % self._every == 0:
            self.save()

    def on_train_end(self, logs=None):
        if self.model.step % self._every:
            self.save()

    def save(self):
        """Saves now, returns the prefix; InputError for weights that are not finite."""
        for variable in self.model.learned:
            # A gradient can be NaN where the loss before the step was not.
            if not np.isfinite(variable.numpy()).all():
                raise InputError(
                    f"{variable.name} is not finite after step {self.model.step}: training "
                    "stopped, nothing saved. Lower --e_lr, or go on from an earlier checkpoint."
                )
        return self._manager.save(checkpoint_number=self.model.step)

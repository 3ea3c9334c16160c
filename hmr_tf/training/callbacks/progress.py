"""Console output of a training run: a summary, then a progress bar (without a terminal: lines)."""

import sys

import numpy as np
from tensorflow import keras
from tqdm import tqdm

from hmr_tf.training import inputs, step_logs

_SHOWN = (step_logs.ENCODER_TOTAL, step_logs.ENCODER_KEYPOINTS, step_logs.DISCRIMINATOR_TOTAL)


class ProgressBar(keras.callbacks.Callback):
    """A progress bar over all steps, for a terminal."""

    def __init__(self, last_step):
        """Args: last_step: the step to stop after."""
        super().__init__()
        self._last_step = last_step
        self._bar = None

    def on_train_begin(self, logs=None):
        self._bar = tqdm(
            total=self._last_step,
            initial=self.model.step,
            desc="Training",
            unit="step",
            smoothing=0.05,
        )

    def on_train_batch_end(self, batch, logs=None):
        shown = {name: f"{float(logs[name]):.3g}" for name in _SHOWN if name in logs}
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update(self.model.step - self._bar.n)

    def on_train_end(self, logs=None):
        self._bar.close()


def line(step, numbers, last_step):
    """One line of `WriteScalars`: losses; speed and the share of waiting for input, where known."""
    losses = [
        f"{name[len('train/') :]} {value:.4g}"
        for name, value in sorted(numbers.items())
        if name.startswith(("train/encoder/", "train/discriminator/"))
    ]
    text = f"step {step}/{last_step}: {', '.join(losses)}"
    if "speed/images_per_second" in numbers:
        text += f"; {numbers['speed/images_per_second']:.1f} images/s"
    if "speed/input_wait_share" in numbers:
        text += f", input {100 * numbers['speed/input_wait_share']:.0f} %"
    return text


def on_terminal():
    """Whether the output is a terminal."""
    return sys.stderr.isatty()


def summary(*, options, steps, files, trainer, machine, folder):
    """Lines on the data, the networks, the steps, the devices and the folder of a run.

    Args:
      options: `cli.options.Options`.
      steps: `resume.Steps`.
      files: `inputs.Files`.
      trainer: Trainer.
      machine: `distribution.describe`.
      folder: of the run.
    """
    counts = ", ".join(
        f"{name} {inputs.count({name: files.training[name]}):,}" for name in files.training
    )
    if files.validation:
        counts += f"; validation {inputs.count(files.validation):,}"
    if files.mocap:
        counts += f"; motion capture {inputs.count(files.mocap):,}"
    parameters = sum(int(np.prod(v.shape)) for v in trainer.hmr.trainable_variables)
    networks = f"{options.encoder} and regressor, {parameters / 1e6:.1f} M trained parameters"
    if trainer.discriminator is not None:
        discriminator = sum(
            int(np.prod(v.shape)) for v in trainer.discriminator.trainable_variables
        )
        networks += f"; discriminator, {discriminator / 1e6:.1f} M"
    else:
        networks += "; no prior"
    start = f" from step {steps.done:,}" if steps.done else ""
    return "\n".join(
        [
            f"People    {counts}",
            f"Networks  {networks}, {options.mixed_precision}",
            f"Steps     {steps.end:,}{start}, {steps.per_epoch:,} an epoch, batch "
            f"{options.batch_size}",
            f"Machine   {machine}{', XLA' if trainer.xla else ''}",
            f"Writing   {folder}; watch it with: tensorboard --logdir {folder}",
        ]
    )

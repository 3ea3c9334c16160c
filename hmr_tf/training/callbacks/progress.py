"""What a training says on the console: a summary, then a bar, or lines where nobody watches."""

import sys

import numpy as np
from tensorflow import keras
from tqdm import tqdm

from hmr_tf.training import inputs

SHOWN = ("encoder/total", "encoder/keypoints", "discriminator/total")


class Bar(keras.callbacks.Callback):
    """A progress bar over all steps, for a terminal."""

    def __init__(self, end):
        """Args: end: the step to stop after."""
        super().__init__()
        self._end = end
        self._bar = None

    def on_train_begin(self, logs=None):
        self._bar = tqdm(
            total=self._end, initial=self.model.step, desc="Training", unit="step", smoothing=0.05
        )

    def on_train_batch_end(self, batch, logs=None):
        shown = {name: f"{float(logs[name]):.3g}" for name in SHOWN if name in logs}
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update(self.model.step - self._bar.n)

    def on_train_end(self, logs=None):
        self._bar.close()


def line(step, numbers, end):
    """One clean line of `curves.Curves`: losses; speed and its share of waiting, where known."""
    losses = [
        f"{name[len('train/') :]} {value:.4g}"
        for name, value in sorted(numbers.items())
        if name.startswith(("train/encoder/", "train/discriminator/"))
    ]
    text = f"step {step}/{end}: {', '.join(losses)}"
    if "speed/images_per_second" in numbers:
        text += f"; {numbers['speed/images_per_second']:.1f} images/s"
    if "speed/input_wait_share" in numbers:
        text += f", input {100 * numbers['speed/input_wait_share']:.0f} %"
    return text


def on_terminal():
    """Whether someone watches."""
    return sys.stderr.isatty()


def summary(config, steps, files, trainer, machine, folder):
    """What is trained, on what, and where it goes, as lines.

    Args:
      config: Config.
      steps: `resuming.Steps`.
      files: `inputs.Files`.
      trainer: Trainer.
      machine: `devices.describe`.
      folder: --model_dir.
    """
    counts = ", ".join(
        f"{name} {inputs.count({name: files.training[name]}):,}" for name in files.training
    )
    if files.validation:
        counts += f"; kept out to validate {inputs.count(files.validation):,}"
    if files.mocap:
        counts += f"; motion capture {inputs.count(files.mocap):,}"
    parameters = sum(int(np.prod(v.shape)) for v in trainer.hmr.trainable_variables)
    networks = f"{config.encoder} and regressor, {parameters / 1e6:.1f} M trained parameters"
    if trainer.discriminator is not None:
        discriminator = sum(
            int(np.prod(v.shape)) for v in trainer.discriminator.trainable_variables
        )
        networks += f"; discriminator, {discriminator / 1e6:.1f} M"
    else:
        networks += "; no prior"
    begun = f" from step {steps.done:,}" if steps.done else ""
    return "\n".join(
        [
            f"People    {counts}",
            f"Networks  {networks}, {config.mixed_precision}",
            f"Steps     {steps.end:,}{begun}, {steps.per_epoch:,} an epoch, batch "
            f"{config.batch_size}",
            f"Machine   {machine}{', XLA' if trainer.xla else ''}",
            f"Writing   {folder}; watch it with: tensorboard --logdir {folder}",
        ]
    )

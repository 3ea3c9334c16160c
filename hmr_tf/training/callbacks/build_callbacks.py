"""Who watches a run: the callbacks that the flags ask for."""

import tensorflow as tf
from absl import logging

from hmr_tf.cli import options as flags
from hmr_tf.files.errors import InputError
from hmr_tf.training import distribution, inputs
from hmr_tf.training.callbacks import (
    guards,
    progress,
    tensorboard_images,
    tensorboard_scalars,
    validation,
)


def watchers(config, files, folder, steps, batch, parts, stop, strategy):
    """The callbacks of `fit()` that look on.

    Args:
      config: Config.
      files: `inputs.Files`.
      folder: of the run.
      steps: `resuming.Steps`.
      batch: people to draw where none are kept out.
      parts: what a checkpoint of the training holds.
      stop: `saving.Stop`.
      strategy: tf.distribute.Strategy; of its workers the first one alone writes and speaks.
    """
    chief = distribution.worker(strategy) == 0
    logs = folder / "tensorboard"
    writer = tf.summary.create_file_writer(str(logs))
    tensorboard_scalars.write_flags(
        writer, {name: getattr(config, name) for name in flags.steering()}
    )
    terminal = progress.on_terminal() and chief

    def say(step, numbers):
        if not terminal:
            logging.info(progress.line(step, numbers, steps.end))

    found = [
        guards.FiniteLosses(inputs.names_of_batch(config, files)),
        tensorboard_scalars.Curves(writer, config.log_step, config.batch_size, say),
    ]
    # One person alone is always like everyone; what workers see, the first one sees, too.
    if chief and config.batch_size > strategy.num_replicas_in_sync:
        found.append(guards.Collapse())
    if terminal:
        found.append(progress.Bar(steps.end))
    if config.log_img_step:
        if not config.encoder_only:
            found.append(tensorboard_scalars.Histograms(writer, config.log_img_step))
        found.append(_pictures(config, files, batch, writer))
    if config.profile_steps:
        found.append(tensorboard_scalars.Profile(logs, *profiled(config.profile_steps)))
    if files.validation:
        best = validation.Best(
            parts, folder, lambda is_better: distribution.as_chief_says(strategy, is_better)
        )
        found.append(validation.Validation(files.validation, config.batch_size, writer, best, stop))
    return found


def _pictures(config, files, batch, writer):
    """Of people kept out, if there are any."""
    name = "people/training"
    if files.validation:
        batch, name = inputs.first_kept_out(config, files), "people/validation"
    return tensorboard_images.Pictures(writer, config.log_img_step, batch, name)


def profiled(values):
    """First and last step of --profile_steps, or None; InputError for what is no pair of steps."""
    if not values:
        return None
    try:
        first, last = (int(value) for value in values)
    except ValueError:
        first, last = 0, 0
    if not 0 < first <= last:
        raise InputError(
            f"--profile_steps={','.join(values)} is not two numbers of steps, as 100,110."
        )
    return first, last

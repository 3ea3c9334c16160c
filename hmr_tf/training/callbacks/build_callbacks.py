"""The callbacks of a training run, chosen by the options."""

import tensorflow as tf
from absl import logging

from hmr_tf.training import distribution, inputs
from hmr_tf.training.callbacks import (
    failure_checks,
    learning_rate,
    progress,
    tensorboard_images,
    tensorboard_scalars,
    validation,
)

LOGS = "tensorboard"  # folder in that of a run


def build_callbacks(*, options, files, folder, last_step, batch, parts, stop, strategy):
    """The callbacks of `fit()` but for those that save and stop.

    Args:
      options: `cli.options.Options`.
      files: `inputs.Files`.
      folder: of the run.
      last_step: the step to stop after.
      batch: people to draw where there is no validation set.
      parts: name -> trackable, the parts of a checkpoint.
      stop: `checkpoints.StopSignal`.
      strategy: tf.distribute.Strategy; only its chief writes and logs.
    """
    is_chief = distribution.is_chief(strategy)
    logs = folder / LOGS
    writer = tf.summary.create_file_writer(str(logs))
    tensorboard_scalars.write_flags(writer, options.training_flags())
    has_bar = progress.on_terminal() and is_chief

    def log_line(step, numbers):
        if not has_bar:
            logging.info(progress.line(step, numbers, last_step))

    callbacks = [
        failure_checks.StopOnNonFiniteLoss(inputs.batch_file_names(options, files)),
        tensorboard_scalars.WriteScalars(
            writer, every=options.log_step, batch_size=options.batch_size, log_line=log_line
        ),
    ]
    if options.e_lr_end:
        callbacks.append(
            learning_rate.LinearLearningRate(options.e_lr, options.e_lr_end, last_step)
        )
    # One person per replica has no spread. The logs are the same on all workers.
    if is_chief and options.batch_size > strategy.num_replicas_in_sync:
        callbacks.append(failure_checks.WarnOfCollapse())
    if has_bar:
        callbacks.append(progress.ProgressBar(last_step))
    if options.log_img_step:
        if not options.encoder_only:
            callbacks.append(
                tensorboard_scalars.WriteHistograms(writer, every=options.log_img_step)
            )
        callbacks.append(_write_pictures(options, files, batch, writer))
    if options.profile_steps:
        first, last = options.profile_steps
        callbacks.append(tensorboard_scalars.ProfileSteps(logs, first=first, last=last))
    if files.validation:
        best = validation.BestCheckpoint(
            parts,
            folder,
            agree=lambda is_better: distribution.broadcast_from_chief(strategy, is_better),
        )
        callbacks.append(
            validation.Validation(
                files.validation, options.batch_size, writer, best=best, stop=stop
            )
        )
    return callbacks


def _write_pictures(options, files, batch, writer):
    """Draws people of the validation set, or `batch` where there is none."""
    name = "people/training"
    if files.validation:
        batch, name = inputs.first_validation_batch(options, files), "people/validation"
    return tensorboard_images.WritePictures(writer, options.log_img_step, batch, name)

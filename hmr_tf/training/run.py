"""One training run, from options to checkpoints."""

import atexit
import dataclasses
import json
import shutil
import tempfile
from pathlib import Path

import tensorflow as tf
from absl import logging
from tensorflow import keras

from hmr_tf.body import body_model
from hmr_tf.files import atomic
from hmr_tf.files.errors import InputError
from hmr_tf.networks import build, checkpoint
from hmr_tf.training import build_trainer, distribution, inputs, resume
from hmr_tf.training.callbacks import checkpoints, progress
from hmr_tf.training.callbacks.build_callbacks import LOGS, build_callbacks


def train(options):
    """Trains; leaves checkpoints, params.json and TensorBoard's files in --model_dir.

    SIGTERM saves a checkpoint and ends the training without an error.

    Args:
      options: `cli.options.Options`.

    Raises:
      InputError: no data, a broken record, no motion capture for the discriminator, a folder that
        cannot be written or holds a training run, a checkpoint of another network or of other
        flags, a loss that is not finite, another worker that was lost.
    """
    strategy = distribution.strategy(options.distribute, options.worker_timeout)
    distribution.log_on_chief_only(strategy)
    options = build_trainer.from_released(options)
    resumed = resume.find(options.load_path)
    options = build_trainer.with_model_files(options, resumed)
    files = inputs.find(options)
    keras.utils.set_random_seed(options.seed)
    if options.deterministic:
        tf.config.experimental.enable_op_determinism()
    stop = checkpoints.StopSignal()
    try:
        with strategy.scope(), stop.listening():
            _train(options, resumed, files, strategy, stop)
    except tf.errors.OpError as error:
        explained = inputs.input_error(error, files, strategy)
        if explained is None:
            raise
        raise explained from error


def _train(options, resumed, files, strategy, stop):
    body = build_trainer.read_body(options, resumed)
    trainer = build_trainer.build_trainer(options, body, resumed)
    steps = resume.Steps.plan(inputs.count(files.training), options, trainer.step)
    data = inputs.distributed_dataset(options, files, strategy, steps.done)
    first_batches = inputs.training_dataset(options, files)
    folder = _make_folder(options, resumed, strategy, body_model.digest(body))
    logging.info(
        progress.summary(
            options=options,
            steps=steps,
            files=files,
            trainer=trainer,
            machine=distribution.describe(strategy),
            folder=folder,
        )
    )
    batch = next(iter(first_batches))[0]
    if not (resumed or options.pretrained_model_path):
        strategy.run(build.calibrate_batch_norm, (trainer.hmr.encoder, batch["image"]))
    parts = build_trainer.checkpoint_parts(trainer)
    manager = checkpoint.manager(parts, folder, options.keep_checkpoints)
    if trainer.step == 0:
        manager.save(checkpoint_number=0)
    saver = checkpoints.SaveCheckpoints(
        manager,
        every=options.save_step,
        minutes=options.save_minutes,
        stop=stop,
        any_worker=lambda flags: distribution.any_worker(strategy, flags),
        num_workers=distribution.num_workers(strategy),
    )
    callbacks = build_callbacks(
        options=options,
        files=files,
        folder=folder,
        last_step=steps.end,
        batch=batch,
        parts=parts,
        stop=stop,
        strategy=strategy,
    )
    _fit(trainer, data, steps, [*callbacks, saver, checkpoints.StopAtStep(steps.end)], saver)
    if stop.agreed:
        logging.info("Stopped by SIGTERM: resume with --load_path=%s", saver.save())


def _make_folder(options, resumed, strategy, body_digest):
    """Makes `resume.run_folder` with its params.json."""
    if distribution.is_chief(strategy):
        folder = resume.run_folder(options, resumed)
    else:  # workers must save together with the chief, but their files are not used
        folder = Path(tempfile.mkdtemp(prefix="hmr_worker_"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    params = {**dataclasses.asdict(options), checkpoint.BODY_DIGEST: body_digest}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / LOGS).mkdir(exist_ok=True)
        atomic.write_text(folder / checkpoint.PARAMS, json.dumps(params, indent=2) + "\n")
    except OSError as error:
        reason = f"{error.strerror} ({Path(error.filename2 or error.filename or folder).name})"
        raise InputError(f"--model_dir={folder} cannot be written: {reason}") from error
    return folder


def _fit(trainer, data, steps, callbacks, saver):
    """Trains; Ctrl-C saves a checkpoint before it ends the program."""
    saver.set_model(trainer)
    trainer.start_at(steps.first_epoch, steps.first_step)
    logging.info("Building the graph: the first step takes half a minute.")
    try:
        trainer.fit(
            data,
            steps_per_epoch=steps.per_epoch,
            epochs=steps.epochs,
            initial_epoch=steps.first_epoch,
            callbacks=callbacks,
            verbose=0,
        )
    except KeyboardInterrupt:
        logging.info("\nStopped: resume with --load_path=%s", saver.save())
        raise

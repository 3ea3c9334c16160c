"""One training run, from flags to checkpoints."""

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
from hmr_tf.training import assembly, distribution, inputs, resume
from hmr_tf.training.callbacks import build_callbacks, checkpoints, progress


def train(config):
    """Trains as `config` says; leaves checkpoints, params.json and curves in --model_dir.

    SIGTERM saves, and ends the training as if it were done.

    Raises:
      InputError: no data, a broken record, no motion capture for the prior, a folder that cannot
        be written or holds a training, a checkpoint of another network or of other flags, a loss
        that is not finite, another worker that is gone.
    """
    strategy = distribution.strategy(config.distribute)
    distribution.let_the_chief_speak(strategy)
    config = assembly.resolved(config)
    files = inputs.find(config)
    build_callbacks.profiled(config.profile_steps)
    keras.utils.set_random_seed(config.seed)
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()
    stop = checkpoints.Stop()
    try:
        with strategy.scope(), stop.listening():
            _train(config, files, strategy, stop)
    except tf.errors.OpError as error:
        explained = inputs.explain(error, files, strategy)
        if explained is None:
            raise
        raise explained from error


def _train(config, files, strategy, stop):
    body = assembly.read_body(config)
    trainer = assembly.build_trainer(config, body)
    steps = resume.Steps.plan(inputs.count(files.training), config, trainer.step)
    data = inputs.distributed(config, files, strategy, steps.done)
    sample = inputs.plain(config, files)
    folder = _folder(config, strategy, body_model.digest(body))
    machine = distribution.describe(strategy)
    logging.info(progress.summary(config, steps, files, trainer, machine, folder))
    first = next(iter(sample))[0]
    if not (config.load_path or config.pretrained_model_path):
        strategy.run(build.calibrate_batch_norm, (trainer.hmr.encoder, first["image"]))
    parts = assembly.parts(trainer)
    manager = checkpoint.manager(parts, folder, config.keep_checkpoints)
    if trainer.step == 0:
        manager.save(checkpoint_number=0)
    saver = checkpoints.Checkpoints(
        *(manager, config.save_step, config.save_minutes, stop),
        agree=lambda wishes: distribution.any_worker(strategy, wishes),
        num_workers=distribution.num_workers(strategy),
    )
    watchers = build_callbacks.watchers(config, files, folder, steps, first, parts, stop, strategy)
    _fit(trainer, data, steps, [*watchers, saver, checkpoints.StopAt(steps.end)], saver)
    if stop.agreed:
        logging.info("Stopped by SIGTERM: go on with --load_path=%s", saver.save())


def _folder(config, strategy, body_digest):
    """`resuming.folder`, made, with params.json."""
    if distribution.worker(strategy):  # what it must save with the others, nobody will read
        folder = Path(tempfile.mkdtemp(prefix="hmr_worker_"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    else:
        folder = resume.folder(config)
    params = {**dataclasses.asdict(config), checkpoint.BODY_DIGEST: body_digest}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        atomic.write_text(folder / checkpoint.PARAMS, json.dumps(params, indent=2) + "\n")
    except OSError as error:
        raise InputError(f"--model_dir={folder} cannot be written: {error.strerror}") from error
    return folder


def _fit(trainer, data, steps, watchers, saver):
    """Trains; Ctrl-C saves before it ends the program."""
    saver.set_model(trainer)
    trainer.start_at(steps.first_epoch, steps.first_step)
    logging.info("Building the graph: the first step takes half a minute.")
    try:
        trainer.fit(
            data,
            steps_per_epoch=steps.per_epoch,
            epochs=steps.epochs,
            initial_epoch=steps.first_epoch,
            callbacks=watchers,
            verbose=0,
        )
    except KeyboardInterrupt:
        logging.info("\nStopped: go on with --load_path=%s", saver.save())
        raise

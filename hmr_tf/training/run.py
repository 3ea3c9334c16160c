"""One training run, from flags to checkpoints."""

import dataclasses
import json
import os
import sys
import time
from pathlib import Path

import tensorflow as tf
from absl import logging
from tensorflow import keras

from hmr_tf.data import pipeline, shard_files
from hmr_tf.errors import InputError
from hmr_tf.networks import build, checkpoint
from hmr_tf.training import assembly, callbacks


def train(config):
    """Trains as `config` says; leaves checkpoints, params.json and curves in --model_dir.

    Raises:
      InputError: no data, a broken record, no motion capture for the prior, a folder that cannot
        be written or holds a training, a checkpoint of another network, a loss that is not finite.
    """
    config = assembly.resolved(config)
    files, mocap_files = _find_data(config)
    keras.utils.set_random_seed(config.seed)
    trainer = assembly.build_trainer(config)
    steps = _Steps.plan(_count(files.training), config, trainer.step)
    data, validation = _inputs(config, files, mocap_files, trainer.step)
    folder = _folder(config)
    _announce(config, folder, files, steps)
    try:
        if not (config.load_path or config.pretrained_model_path):
            build.calibrate_batch_norm(trainer.hmr.encoder, next(iter(data))[0]["image"])
        manager = _checkpoints(trainer, folder)
        _fit(trainer, data, validation, steps, config, folder, manager)
    except tf.errors.OpError as error:
        if "No space left" in str(error):
            raise InputError(f"The disk of --model_dir={folder} is full: make room.") from error
        explained = pipeline.explain_data_error(error, files, mocap_files)
        if explained is None:
            raise
        raise explained from error


def _find_data(config):
    if not config.data_dir:
        raise InputError("--data_dir is missing: the folder that data_prep/to_tfrecords.py wrote.")
    files = shard_files.split(
        config.data_dir, config.datasets, config.val_datasets, config.val_shards
    )
    if config.encoder_only:
        return files, None
    return files, shard_files.find_mocap(config.data_dir, config.mocap_datasets)


def _inputs(config, files, mocap_files, done):
    """The training data, and the validation data or None; `done` steps were trained before."""
    augmentation = pipeline.Augmentation(
        config.trans_max,
        config.scale_min,
        config.scale_max,
        config.augment_color,
        config.augment_occlusion,
    )
    data = pipeline.training(
        files.training,
        mocap_files,
        batch_size=config.batch_size,
        num_stage=config.num_stage,
        image_size=config.img_size,
        augmentation=augmentation,
        use_3d=config.use_3d_label,
        # Going on after a stop, other people and other jitter than at the start.
        seed=config.seed + done,
    )
    if not files.validation:
        return data, None
    validation = pipeline.validation(
        files.validation, batch_size=config.batch_size, image_size=config.img_size
    )
    return data, validation


def _count(files):
    return shard_files.count_records(shard_files.paths(files))


def _folder(config):
    """The run's folder, made: --model_dir, that of --load_path, or a new one."""
    if config.model_dir:
        folder = Path(config.model_dir)
    elif config.load_path:
        folder = Path(checkpoint.find(config.load_path)).parent
    else:
        folder = Path("logs") / time.strftime("HMR_%Y%m%d_%H%M%S")
    if not config.load_path and tf.train.latest_checkpoint(str(folder)):
        raise InputError(
            f"--model_dir={folder} holds a training already: go on with it, --load_path={folder}, "
            "or name another folder."
        )
    params = json.dumps(dataclasses.asdict(config), indent=2)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f"{checkpoint.PARAMS}.part"
        temporary.write_text(params + "\n")
        os.replace(temporary, folder / checkpoint.PARAMS)
    except OSError as error:
        raise InputError(f"--model_dir={folder} cannot be written: {error.strerror}") from error
    return folder


def _checkpoints(trainer, folder):
    """The manager of the run's checkpoints; a run from the start begins with one at step 0."""
    manager = checkpoint.manager(assembly.parts(trainer), folder)
    if trainer.step == 0:
        manager.save(checkpoint_number=0)
    return manager


@dataclasses.dataclass(frozen=True)
class _Steps:
    """How fit() counts."""

    per_epoch: int
    epochs: int
    first_epoch: int
    end: int  # the step to stop after

    @classmethod
    def plan(cls, num_people, config, done):
        """`done`: steps trained before."""
        per_epoch = max(num_people // config.batch_size, 1)
        epochs = config.epoch
        if config.num_steps:
            per_epoch = min(per_epoch, config.num_steps)
            epochs = -(-config.num_steps // per_epoch)
        end = config.num_steps or epochs * per_epoch
        if done >= end:
            raise InputError(
                f"--load_path is at step {done}, and training ends at step {end}: ask for more "
                "with --epoch or --num_steps."
            )
        return cls(per_epoch, epochs, done // per_epoch, end)


def _announce(config, folder, files, steps):
    kept_out = _count(files.validation)
    logging.info(
        "Training on %d people of %s%s, batch %d, %d steps of %d an epoch, %s.\n"
        "Writing to %s; watch it with: tensorboard --logdir %s",
        _count(files.training),
        ", ".join(files.training),
        f", {kept_out} kept out to validate" if kept_out else "",
        config.batch_size,
        steps.end,
        steps.per_epoch,
        "without the prior" if config.encoder_only else "with the adversarial prior",
        folder,
        folder,
    )


def _fit(trainer, data, validation, steps, config, folder, manager):
    writer = tf.summary.create_file_writer(str(folder / "tensorboard"))
    watchers = [callbacks.Scalars(writer, config.log_step)]
    if validation:
        watchers.append(callbacks.ValidationBar(len(validation)))
    if config.log_img_step:
        people = next(iter(validation or data))[0]
        name = "people/validation" if validation else "people/training"
        watchers.append(callbacks.Pictures(writer, config.log_img_step, people, name))
    checkpoints = callbacks.Checkpoints(manager, config.save_step)
    checkpoints.set_model(trainer)
    watchers += [checkpoints, callbacks.StopAt(steps.end)]
    if validation:
        trainer.evaluate(validation, verbose=0, callbacks=watchers[:2])
    logging.info("Building the graph: the first step takes half a minute.")
    try:
        trainer.fit(
            data,
            validation_data=validation,
            steps_per_epoch=steps.per_epoch,
            epochs=steps.epochs,
            initial_epoch=steps.first_epoch,
            callbacks=watchers,
            verbose=1 if sys.stdout.isatty() else 0,
        )
    except KeyboardInterrupt:
        logging.info("\nStopped: go on with --load_path=%s", checkpoints.save())
        raise

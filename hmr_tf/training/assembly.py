"""What a run trains: networks and optimizers, fresh, pretrained or as a checkpoint left them."""

import dataclasses
from pathlib import Path

import tensorflow as tf
from tensorflow import keras

from hmr_tf import addons
from hmr_tf.body import body_model
from hmr_tf.files.errors import InputError
from hmr_tf.networks import build, checkpoint, pretrained
from hmr_tf.networks.build import Architecture
from hmr_tf.networks.discriminator import Discriminator
from hmr_tf.training import losses, resume
from hmr_tf.training.trainer import Trainer, adam

STEP = "step"  # in a checkpoint: how many steps were trained


def resolved(config):
    """The same with the paths of what the network is built from: as given, else those of
    --load_path, else found.

    Raises:
      InputError: going on with another network would be another experiment.
    """
    paths = {name: getattr(config, name) for name in build.FILE_FIELDS}
    paths = {name: str(Path(path).absolute()) if path else "" for name, path in paths.items()}
    if not config.load_path:
        body = body_model.find(config.smpl_model_path)
        paths["smpl_model_path"] = "" if body == body_model.BUILT_IN else str(body.absolute())
        return dataclasses.replace(config, **paths)
    stored = checkpoint.architecture(checkpoint.find(config.load_path))._asdict()
    for name, value in stored.items():
        asked = getattr(config, name)
        if asked != value and name not in paths:
            raise InputError(
                f"--{name}={asked}, but the model of --load_path was trained with {value!r}: "
                "pass the flags it was trained with (they are in its params.json)."
            )
    return dataclasses.replace(config, **{name: paths[name] or stored[name] for name in paths})


def read_body(config):
    """`body_model.BodyModel` of the body to train with.

    Raises:
      InputError: a file that is missing or damaged, another body than that of --load_path.
    """
    body = build.read_body(_architecture(config))
    if config.load_path:
        prefix = checkpoint.find(config.load_path)
        resume.refuse_another_body(body, _architecture(config), prefix)
    return body


def build_trainer(config, body):
    """The networks and optimizers, fresh or as --load_path left them; within a strategy's scope.

    Raises:
      InputError: a file that is missing or damaged, a checkpoint of another network, flags that
        --load_path was not trained with.
    """
    if config.load_path:
        resume.refuse_changes(config, checkpoint.find(config.load_path))
    hmr = build.build(
        *(_architecture(config), body),
        *(config.bn_momentum, config.mean_params_path, config.mixed_precision),
    )
    hmr.encoder.trainable = not config.freeze_backbone
    discriminator = None
    if not config.encoder_only:
        wrap = addons.spectral_normalization if config.critic_spectral_norm else None
        discriminator = Discriminator(wrap)
    trainer = Trainer(
        hmr,
        discriminator,
        losses.LossWeights(config.e_loss_weight, config.e_3d_weight, config.d_loss_weight),
        xla=bool(tf.config.list_physical_devices("GPU")) if config.xla is None else config.xla,
        seed=config.seed,
        clip_gradients=config.clip_gradients,
    )
    encoder_optimizer = adam(config.e_lr)
    if config.mixed_precision == "float16":
        encoder_optimizer = keras.mixed_precision.LossScaleOptimizer(encoder_optimizer)
    trainer.compile(
        encoder_optimizer, adam(config.d_lr), steps_per_execution=config.steps_per_execution
    )
    if config.load_path:
        _restore(trainer, config)
    elif config.pretrained_model_path:
        pretrained.load(config.pretrained_model_path, config.encoder, hmr, discriminator)
    return trainer


def _architecture(config):
    return Architecture(*(getattr(config, name) for name in Architecture._fields))


def _restore(trainer, config):
    """All that the training had; of an imported checkpoint, what it holds."""
    prefix = checkpoint.find(config.load_path)
    held = checkpoint.stored_parts(prefix)
    wanted = parts(trainer)
    if checkpoint.IMPORTED in checkpoint.read_params(prefix):
        if "encoder_optimizer" not in held and not config.model_dir:
            raise InputError(
                f"The model {prefix} was imported without its optimizers, so that its training "
                "begins at step 0: pass --model_dir for the new run, or import it with "
                "--keep_optimizer."
            )
        wanted = {name: part for name, part in wanted.items() if name in held}
    if resume.changed_flags(config, prefix):
        # Other flags can mean another discriminator and other moments: those that fit are taken.
        checkpoint.restore(prefix, checkpoint.hmr_parts(trainer.hmr))
        checkpoint.restore(prefix, wanted, strict=False)
    else:
        checkpoint.restore(prefix, wanted)
    trainer.encoder_optimizer.learning_rate = config.e_lr
    trainer.discriminator_optimizer.learning_rate = config.d_lr


def parts(trainer):
    """What a checkpoint of a training holds."""
    held = checkpoint.hmr_parts(trainer.hmr)
    held.update({STEP: trainer.steps_done, "encoder_optimizer": trainer.encoder_optimizer})
    if trainer.discriminator is not None:
        held[checkpoint.DISCRIMINATOR] = trainer.discriminator
        held[checkpoint.DISCRIMINATOR_OPTIMIZER] = trainer.discriminator_optimizer
    return held

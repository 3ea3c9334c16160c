"""Networks, optimizers and body of a training run: fresh, with initial weights or restored."""

import dataclasses
from pathlib import Path

import tensorflow as tf
from tensorflow import keras

from hmr_tf import addons
from hmr_tf.body import body_model
from hmr_tf.files.errors import InputError
from hmr_tf.networks import build, checkpoint, encoder, initial_weights, released_weights
from hmr_tf.networks.build import Architecture
from hmr_tf.networks.discriminator import Discriminator
from hmr_tf.training import losses, resume
from hmr_tf.training.trainer import Trainer, adam


def from_released(options):
    """The options of a fresh training from the weights of the released network.

    Returns:
      `options` unless they have --load_path=released.

    Raises:
      InputError: no such network, or another one than the flags describe.
    """
    if options.load_path != released_weights.NAME:
        return options
    if options.pretrained_model_path:
        raise InputError(
            "--load_path=released and --pretrained_model_path both give the weights to start from: "
            "pass one."
        )
    content = released_weights.read()
    for name in ("encoder", "num_stage"):  # weights do not depend on --img_size
        given, released = getattr(options, name), getattr(content.architecture, name)
        if given != released:
            raise InputError(
                f"--{name}={given}, but the released network has {released}: pass "
                f"--{name}={released}."
            )
    if not options.smpl_model_path:
        released_weights.read_body(content)
    return dataclasses.replace(
        options,
        load_path="",
        pretrained_model_path=released_weights.NAME,
        smpl_model_path=options.smpl_model_path or str(body_model.BUILT_IN),
    )


def with_model_files(options, resumed):
    """The same options with absolute paths of the files that a network is built from.

    A path that was not given is that of --load_path; in a fresh training that of the body which
    `body_model.find` finds.

    Args:
      options: `cli.options.Options`.
      resumed: `resume.Resume`, or None for a fresh training.

    Raises:
      InputError: --load_path has another network.
    """
    paths = {name: getattr(options, name) for name in build.FILE_FIELDS}
    paths = {name: str(Path(path).absolute()) if path else "" for name, path in paths.items()}
    if resumed is None:
        body = body_model.find(options.smpl_model_path)
        paths["smpl_model_path"] = "" if body == body_model.BUILT_IN else str(body.absolute())
        return dataclasses.replace(options, **paths)
    stored = resumed.architecture._asdict()
    for name, value in stored.items():
        given = getattr(options, name)
        if given != value and name not in paths:
            raise InputError(
                f"--{name}={given}, but the model of --load_path was trained with {value!r}: "
                "pass the flags it was trained with (they are in its params.json)."
            )
    return dataclasses.replace(options, **{name: paths[name] or stored[name] for name in paths})


def read_body(options, resumed=None):
    """`body_model.BodyModel` of the body to train with.

    Raises:
      InputError: a file that is missing or damaged, another body than that of --load_path.
    """
    digest = checkpoint.body_digest(resumed.params) if resumed else None
    body = build.read_body(_architecture(options), digest)
    if resumed:
        resume.refuse_another_body(body, _architecture(options), resumed)
    return body


def build_trainer(options, body, resumed=None):
    """The networks and optimizers, fresh or restored; within a strategy's scope.

    Raises:
      InputError: a file that is missing or damaged, a checkpoint of another network, flags that
        --load_path was not trained with.
    """
    has_changed_flags = resumed is not None and resume.check_flags(options, resumed.params)
    hmr = build.build(
        _architecture(options),
        body,
        bn_momentum=options.bn_momentum,
        mean_params_path=options.mean_params_path,
        mixed_precision=options.mixed_precision,
    )
    hmr.encoder.trainable = not options.freeze_backbone
    encoder.freeze(hmr.encoder, options.frozen_stages)
    discriminator = None
    if not options.encoder_only:
        wrap = addons.spectral_normalization if options.critic_spectral_norm else None
        discriminator = Discriminator(wrap)
    has_gpu = bool(tf.config.list_physical_devices("GPU"))
    trainer = Trainer(
        hmr,
        discriminator,
        loss_weights=losses.LossWeights(
            keypoints=options.e_loss_weight,
            labels_3d=options.e_3d_weight,
            discriminator=options.d_loss_weight,
        ),
        xla=has_gpu if options.xla is None else options.xla,
        seed=options.seed,
        clip_gradients=options.clip_gradients,
    )
    encoder_optimizer = adam(options.e_lr)
    if options.mixed_precision == "float16":
        encoder_optimizer = keras.mixed_precision.LossScaleOptimizer(encoder_optimizer)
    trainer.compile(
        encoder_optimizer, adam(options.d_lr), steps_per_execution=options.steps_per_execution
    )
    if resumed:
        _restore(trainer, options, resumed, strict=not has_changed_flags)
    elif options.pretrained_model_path:
        initial_weights.load(options.pretrained_model_path, options.encoder, hmr, discriminator)
    return trainer


def _architecture(options):
    return Architecture(*(getattr(options, name) for name in Architecture._fields))


def _restore(trainer, options, resumed, strict):
    """Restores networks, optimizers and step; of an imported checkpoint, the parts it has."""
    prefix = resumed.prefix
    stored = checkpoint.stored_parts(prefix)
    parts = checkpoint_parts(trainer)
    if resumed.is_imported:
        if "encoder_optimizer" not in stored and not options.model_dir:
            raise InputError(
                f"The model {prefix} was imported without its optimizers, so that its training "
                "begins at step 0: pass --model_dir for the new run, or import it with "
                "--keep_optimizer."
            )
        parts = {name: part for name, part in parts.items() if name in stored}
    if strict:
        checkpoint.restore(prefix, parts)
    else:
        # Other flags can mean another discriminator and other moments: those that fit are restored.
        checkpoint.restore(prefix, checkpoint.hmr_parts(trainer.hmr))
        checkpoint.restore(prefix, parts, strict=False)
    trainer.encoder_optimizer.learning_rate = options.e_lr
    trainer.discriminator_optimizer.learning_rate = options.d_lr


def checkpoint_parts(trainer):
    """The parts of a training checkpoint: name -> trackable."""
    trackables = checkpoint.hmr_parts(trainer.hmr)
    trackables[checkpoint.STEP] = trainer.steps_done
    trackables["encoder_optimizer"] = trainer.encoder_optimizer
    if trainer.discriminator is not None:
        trackables[checkpoint.DISCRIMINATOR] = trainer.discriminator
        trackables[checkpoint.DISCRIMINATOR_OPTIMIZER] = trainer.discriminator_optimizer
    return trackables

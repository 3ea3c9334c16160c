"""What a run trains: networks and optimizers, fresh, pretrained or as a checkpoint left them."""

import dataclasses
from pathlib import Path

import tensorflow as tf

from hmr_tf import addons
from hmr_tf.body import model_file
from hmr_tf.errors import InputError
from hmr_tf.networks import build, checkpoint, pretrained
from hmr_tf.networks.build import Architecture
from hmr_tf.networks.discriminator import Discriminator
from hmr_tf.training import losses
from hmr_tf.training.trainer import Trainer, adam


def resolved(config):
    """The same with the paths of what the network is built from: those of --load_path, or found.

    Raises:
      InputError: going on with another network would be another experiment.
    """
    paths = {name: getattr(config, name) for name in build.FILES}
    paths = {name: str(Path(path).absolute()) if path else "" for name, path in paths.items()}
    if not config.load_path:
        body = model_file.find(config.smpl_model_path)
        paths["smpl_model_path"] = "" if body == model_file.BUILT_IN else str(body.absolute())
        return dataclasses.replace(config, **paths)
    stored = checkpoint.architecture(checkpoint.find(config.load_path))._asdict()
    for name, value in stored.items():
        asked = paths.get(name, getattr(config, name))
        if asked != value and not (asked == "" and name in paths):
            raise InputError(
                f"--{name}={asked}, but the model of --load_path was trained with {value!r}: "
                "pass the flags it was trained with (they are in its params.json)."
            )
    return dataclasses.replace(config, **{name: stored[name] for name in paths})


def build_trainer(config):
    """The networks and optimizers, fresh or as --load_path left them."""
    made_of = Architecture(*(getattr(config, name) for name in Architecture._fields))
    body = build.read_body(made_of)
    hmr = build.build(made_of, body, config.bn_momentum, config.mean_params_path)
    critic = None
    if not config.encoder_only:
        if config.critic_spectral_norm:
            critic = Discriminator(addons.spectral_normalization)
        else:
            critic = Discriminator()
    weights = losses.LossWeights(config.e_loss_weight, config.e_3d_weight, config.d_loss_weight)
    xla = bool(tf.config.list_physical_devices("GPU")) if config.xla is None else config.xla
    trainer = Trainer(hmr, critic, weights, xla)
    trainer.compile(adam(config.e_lr), adam(config.d_lr))
    if config.load_path:
        _restore(trainer, checkpoint.find(config.load_path), bool(config.model_dir))
    elif config.pretrained_model_path:
        pretrained.load(config.pretrained_model_path, config.encoder, hmr, critic)
    return trainer


def _restore(trainer, prefix, has_new_folder):
    """All that the training had; of an imported checkpoint, what it holds."""
    wanted = parts(trainer)
    if checkpoint.IMPORTED in checkpoint.read_params(prefix):
        held = checkpoint.held_parts(prefix)
        if "encoder_optimizer" not in held and not has_new_folder:
            raise InputError(
                f"The model {prefix} was imported without its optimizers, so that its training "
                "begins at step 0: pass --model_dir for the new run, or import it with "
                "--keep_optimizer."
            )
        wanted = {name: part for name, part in wanted.items() if name in held}
    checkpoint.restore(prefix, wanted)


def parts(trainer):
    """What a checkpoint of a training holds."""
    held = checkpoint.trained_parts(trainer.hmr)
    held["encoder_optimizer"] = trainer.encoder_optimizer
    if trainer.critic is not None:
        held.update(critic=trainer.critic, critic_optimizer=trainer.critic_optimizer)
    return held

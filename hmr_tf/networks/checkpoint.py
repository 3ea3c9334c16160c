"""Checkpoints of trained networks: find, read how they were built, restore."""

import shutil
from pathlib import Path

import tensorflow as tf

from hmr_tf.body import body_model
from hmr_tf.files import checkpoint_files
from hmr_tf.files.checkpoint_files import PARAMS
from hmr_tf.files.errors import InputError
from hmr_tf.networks import build, encoder, released_weights
from hmr_tf.networks.build import Architecture
from hmr_tf.networks.discriminator import Discriminator

# Allowed in a params.json.
_IMG_SIZES, _NUM_STAGES = range(8, 4097), range(1, 101)

_NAME = "ckpt"
MAX_TO_KEEP = 3  # checkpoints of a run, the newest ones
STEP = "step"  # in a checkpoint: the number of training steps done
# In the params.json that `training.tf1_import` writes: the path of the original's checkpoint.
IMPORTED = "imported_from"
# In the params.json that a training run writes: `body_model.digest` of its body.
BODY_DIGEST = "body_digest"
# The names of the discriminator and its optimizer in a checkpoint, the same in all versions.
DISCRIMINATOR, DISCRIMINATOR_OPTIMIZER = "critic", "critic_optimizer"


def hmr_parts(hmr):
    """The parts of an HMR in a checkpoint, name -> trackable; SMPL is read from the model file."""
    return {"encoder": hmr.encoder, "regressor": hmr.regressor}


def find(load_path):
    """The checkpoint prefix for a prefix or a folder, whose newest one is taken; or InputError."""
    checkpoint_files.check(load_path)
    path = Path(load_path)
    if not path.is_dir():
        return str(path)
    prefix = newest(path)
    if prefix is None:
        raise checkpoint_files.no_checkpoint(path)
    return prefix


def newest(folder):
    """The prefix of a folder's newest checkpoint; None without one; InputError: a damaged list."""
    try:
        return tf.train.latest_checkpoint(str(folder))
    except (ValueError, tf.errors.OpError) as error:
        raise checkpoint_files.damaged_list(folder) from error


def read_params(prefix):
    """The dict in the params.json beside a checkpoint: how its network was built and trained."""
    path = Path(prefix).parent / PARAMS
    params = checkpoint_files.read_params(path.parent)
    kinds = {name: type(value) for name, value in Architecture()._asdict().items()}
    if not isinstance(params, dict) or any(type(params.get(n)) is not k for n, k in kinds.items()):
        raise InputError(
            f"{path} must state how the network was built ({', '.join(kinds)}), and does not."
        )
    allowed = {"encoder": encoder.ENCODERS, "img_size": _IMG_SIZES, "num_stage": _NUM_STAGES}
    for name, values in allowed.items():
        if params[name] not in values:
            listed = f"{values[0]} to {values[-1]}" if type(values) is range else ", ".join(values)
            raise InputError(f"{path}: {name} is {params[name]!r:.60}; allowed are {listed}.")
    return params


def read_architecture(prefix, params=None):
    """The Architecture of a checkpoint, with the paths in its params.json made absolute.

    Args:
      prefix: of the checkpoint.
      params: its `read_params`, if they were read before.
    """
    params = params or read_params(prefix)
    architecture = Architecture(*(params[name] for name in Architecture._fields))
    folder = Path(prefix).parent
    paths = {name: str(folder / params[name]) for name in build.FILE_FIELDS if params[name]}
    return architecture._replace(**paths)


def body_digest(params):
    """`body_model.digest` of the body that a network was trained with.

    Args:
      params: its `read_params`. The first trainings did not state the digest: where they name no
        file either, their body is the built-in one of version 1.0.
    """
    return params.get(BODY_DIGEST, body_model.DIGEST_1_0)


def load(load_path, smpl_model_path=""):
    """The HMR of `load_with_body`."""
    return load_with_body(load_path, smpl_model_path)[0]


def load_with_body(load_path, smpl_model_path=""):
    """A trained HMR and its body.

    Args:
      load_path: checkpoint prefix, or a folder, whose newest checkpoint is taken; "released" or
        empty: the released network.
      smpl_model_path: the SMPL file to use; empty means the one of the training. An imported
        network keeps the body in its checkpoint, as the original does (`RunModel.py:70`), and takes
        only the faces from the file.

    Returns:
      HMR with the weights of the checkpoint, and its `body_model.BodyModel`.

    Raises:
      InputError: the checkpoint does not exist, is damaged or belongs to another network.
    """
    if released_weights.is_released(load_path):
        return released_weights.load_with_body(smpl_model_path)
    prefix = find(load_path)
    params = read_params(prefix)
    architecture, is_imported = read_architecture(prefix, params), IMPORTED in params
    file = body_model.find(smpl_model_path) if smpl_model_path else None
    if file and not is_imported:
        architecture = architecture._replace(smpl_model_path=str(file))
    body = build.read_body(architecture, body_digest(params))
    if file and is_imported:
        body = body._replace(faces=read_faces(file, len(body.v_template)))
    elif file:
        body_model.warn_of_another_body(body, body_digest(params), file)
    hmr = build.build(architecture, body, weights_follow=True)
    restore(prefix, hmr_parts(hmr))
    return hmr, body


def load_discriminator(load_path):
    """The discriminator of a trained network, or None if it was trained without one.

    Raises:
      InputError: the checkpoint does not exist, or its discriminator has spectral normalisation.
    """
    if released_weights.is_released(load_path):
        return None
    prefix = find(load_path)
    if DISCRIMINATOR not in stored_parts(prefix):
        return None
    discriminator = Discriminator()
    restore(prefix, {DISCRIMINATOR: discriminator})
    return discriminator


def read_faces(smpl_model_path, num_vertices):
    """The faces (F, 3) of an SMPL file; InputError unless it has `num_vertices`."""
    body = body_model.read_model(smpl_model_path)
    if len(body.v_template) != num_vertices:
        raise InputError(
            f"{smpl_model_path} has {len(body.v_template)} vertices, the body in the checkpoint "
            f"{num_vertices}: pass the file that it was trained with, --smpl_model_path=FILE."
        )
    return body.faces


def manager(parts, folder, max_to_keep=MAX_TO_KEEP):
    """The tf.train.CheckpointManager that writes `parts` (name -> trackable) into a folder.

    A checkpoint is valid once the file named `checkpoint` lists it, which is written last, whole.
    What a killed process left unfinished is removed.
    """
    for left_over in Path(folder).glob(f"{_NAME}-*_temp"):
        shutil.rmtree(left_over, ignore_errors=True)
    return tf.train.CheckpointManager(
        tf.train.Checkpoint(**parts), str(folder), max_to_keep, checkpoint_name=_NAME
    )


def steps_done(prefix):
    """The number of training steps stored in a checkpoint; None if there is none."""
    try:
        return int(tf.train.load_variable(prefix, f"{STEP}/.ATTRIBUTES/VARIABLE_VALUE"))
    except (KeyError, tf.errors.OpError):
        return None


def stored_parts(prefix):
    """The names of the parts in a checkpoint: those of `hmr_parts` and of the training."""
    return {name.split("/")[0] for name, _ in tf.train.list_variables(prefix)}


def restore(prefix, parts, strict=True):
    """Restores `parts` (name -> trackable) from a checkpoint.

    Args:
      prefix: of the checkpoint.
      parts: name -> trackable.
      strict: whether every variable must be in the checkpoint.

    Raises:
      InputError: a variable is missing or has another shape; the file is damaged.
    """
    try:
        status = tf.train.Checkpoint(**parts).restore(prefix).expect_partial()
        if strict:
            status.assert_existing_objects_matched()
    except IndexError as error:  # a file shorter than its index states
        raise InputError(
            f"Checkpoint {prefix} is damaged, its end is missing: copy all its files again."
        ) from error
    except AssertionError as error:  # names objects of Python
        raise InputError(
            f"Checkpoint {prefix} does not fit this network: it lacks variables of "
            f"{', '.join(parts)}. Is the {PARAMS} beside it that of another training?"
        ) from error
    except (tf.errors.OpError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"Checkpoint {prefix} does not fit this network: {reason}") from error

"""Trained networks on disk: found, read with what they were built from, restored."""

import json
from pathlib import Path

import tensorflow as tf

from hmr_tf.body import body_model
from hmr_tf.files.errors import InputError
from hmr_tf.networks import build, released
from hmr_tf.networks.build import Architecture
from hmr_tf.networks.discriminator import Discriminator

PARAMS = "params.json"
MAX_TO_KEEP = 3  # checkpoints of a run, if nothing else is asked for
STEP = "step"  # in a checkpoint: how many steps were trained
# In params.json, of what `training.tf1_import` made: the path of the original's checkpoint.
IMPORTED = "imported_from"
# In params.json, of what was trained here: `body_model.digest` of its body.
BODY_DIGEST = "body_digest"
# The discriminator and its optimizer in a checkpoint, as files before version 1.1 name them too.
DISCRIMINATOR, DISCRIMINATOR_OPTIMIZER = "critic", "critic_optimizer"


def hmr_parts(hmr):
    """What a checkpoint holds of an HMR; SMPL's own numbers come from its file."""
    return {"encoder": hmr.encoder, "regressor": hmr.regressor}


def find(load_path):
    """The checkpoint prefix that `--load_path` means; InputError says what is there instead."""
    path = Path(load_path)
    if path.is_dir():
        prefix = tf.train.latest_checkpoint(str(path))
        if prefix is None:
            raise InputError(
                f"--load_path={load_path} holds no checkpoint: train one, --mode=train."
            )
        return prefix
    if not path.with_name(path.name + ".index").is_file():
        raise InputError(
            f"No checkpoint at --load_path={load_path}: give a --model_dir of a training run or a "
            "prefix such as logs/run/ckpt-1000, without .index."
        )
    return str(path)


def read_params(prefix):
    """What a checkpoint was made with, as the dict in the params.json beside it."""
    path = Path(prefix).parent / PARAMS
    try:
        params = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}, which says how the model was built: {error}. For a checkpoint of the "
            "original, use --mode=import_tf1 first."
        ) from error
    kinds = {name: type(value) for name, value in Architecture()._asdict().items()}
    if not isinstance(params, dict) or any(type(params.get(n)) is not k for n, k in kinds.items()):
        raise InputError(
            f"{path} must say how the model was built: {', '.join(kinds)}; it does not."
        )
    return params


def architecture(prefix, params=None):
    """The Architecture of a checkpoint, with the paths in its params.json made absolute.

    Args:
      prefix: of the checkpoint.
      params: `read_params` of it, where they were read before.
    """
    params = params or read_params(prefix)
    made_of = Architecture(*(params[name] for name in Architecture._fields))
    folder = Path(prefix).parent
    paths = {name: str(folder / params[name]) for name in build.FILE_FIELDS if params[name]}
    return made_of._replace(**paths)


def load(load_path, smpl_model_path=""):
    """The HMR of `load_with_body`."""
    return load_with_body(load_path, smpl_model_path)[0]


def load_with_body(load_path, smpl_model_path=""):
    """A trained HMR and its body.

    Args:
      load_path: checkpoint prefix, or folder whose newest checkpoint is taken; "released" or empty:
        the network that comes with hmr_tf.
      smpl_model_path: the SMPL file to use; empty means the one it was trained with. An imported
        model keeps the body of its checkpoint, as the original does (`RunModel.py:70`), and takes
        the faces of the file.

    Returns:
      HMR with the weights of the checkpoint, and its `body_model.BodyModel`.

    Raises:
      InputError: no checkpoint, a damaged one, or one of another network.
    """
    if released.is_meant(load_path):
        return released.load_with_body(smpl_model_path)
    prefix = find(load_path)
    params = read_params(prefix)
    made_of, is_imported = architecture(prefix, params), IMPORTED in params
    file = body_model.find(smpl_model_path) if smpl_model_path else None
    if file and not is_imported:
        made_of = made_of._replace(smpl_model_path=str(file))
    body = build.read_body(made_of)
    if file and is_imported:
        body = body._replace(faces=read_faces(file, len(body.v_template)))
    hmr = build.build(made_of, body)
    restore(prefix, hmr_parts(hmr))
    return hmr, body


def load_discriminator(load_path):
    """The discriminator of a trained model, or None where it was trained without.

    Raises:
      InputError: no checkpoint, or a discriminator of another kind (spectral normalisation).
    """
    if released.is_meant(load_path):
        return None
    prefix = find(load_path)
    if DISCRIMINATOR not in stored_parts(prefix):
        return None
    discriminator = Discriminator()
    restore(prefix, {DISCRIMINATOR: discriminator})
    return discriminator


def read_faces(smpl_model_path, num_vertices):
    """(F, 3) faces of an SMPL file, which must have so many vertices, or InputError."""
    model = body_model.read_model(smpl_model_path)
    if len(model.v_template) != num_vertices:
        raise InputError(
            f"{smpl_model_path} has {len(model.v_template)} vertices, the body in the checkpoint "
            f"{num_vertices}: pass the file that it was trained with, --smpl_model_path=FILE."
        )
    return model.faces


def manager(parts, folder, kept=MAX_TO_KEEP):
    """The tf.train.CheckpointManager that writes `parts` (name -> trackable) into a folder.

    A checkpoint counts from when the file `checkpoint` names it, which is written last and whole.
    """
    checkpoint = tf.train.Checkpoint(**parts)
    return tf.train.CheckpointManager(checkpoint, str(folder), kept, checkpoint_name="ckpt")


def steps_done(prefix):
    """How many steps a checkpoint was trained; None where it does not say."""
    try:
        return int(tf.train.load_variable(prefix, f"{STEP}/.ATTRIBUTES/VARIABLE_VALUE"))
    except (KeyError, tf.errors.OpError):
        return None


def stored_parts(prefix):
    """Names of the parts in a checkpoint, as `hmr_parts` and the training name them."""
    return {name.split("/")[0] for name, _ in tf.train.list_variables(prefix)}


def restore(prefix, parts, strict=True):
    """Reads `parts` (name -> trackable) from a checkpoint; if strict, all variables must be there.

    Raises:
      InputError: one is not, or has another shape; the file is damaged.
    """
    try:
        status = tf.train.Checkpoint(**parts).restore(prefix).expect_partial()
        if strict:
            status.assert_existing_objects_matched()
    except (tf.errors.OpError, AssertionError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"Checkpoint {prefix} does not fit this network: {reason}") from error

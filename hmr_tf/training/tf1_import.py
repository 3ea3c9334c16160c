"""The original's checkpoints (TF1) become a --model_dir of this project."""

import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import tensorflow as tf

from hmr_tf.body import body_model
from hmr_tf.body.skeleton import SMPL_PARENTS
from hmr_tf.files import checkpoint_files
from hmr_tf.files.errors import InputError
from hmr_tf.networks import build, checkpoint, tf1_checkpoint
from hmr_tf.networks.build import Architecture
from hmr_tf.networks.discriminator import Discriminator
from hmr_tf.training.trainer import Trainer, adam

BODY = "smpl.npz"
_ANYTHING = re.compile(".*")  # the names were checked before


def import_tf1(prefix, model_dir, smpl_model_path="", num_stage=3, keep_optimizer=False):
    """Reads a checkpoint of the original HMR and writes checkpoint, params.json and smpl.npz.

    The body's numbers come from the checkpoint, as in the original (`RunModel.py:70`); it holds no
    faces, so these come from the SMPL file. Without one the model predicts, but cannot draw.

    Args:
      prefix: such as model.ckpt-667589, of the inference or of the training graph.
      model_dir: folder to make; it must be empty.
      smpl_model_path: SMPL file of the same size; empty: where `body_model.find` looks.
      num_stage: T of the model; it is not in the checkpoint.
      keep_optimizer: import Adam's moments and the step too, so that a training run can be resumed.

    Returns:
      list of lines about what was read.

    Raises:
      InputError: no checkpoint, one of another network, a damaged one; a folder that is not empty
        or cannot be written; an SMPL file of another size.
    """
    source = tf1_checkpoint.CheckpointReader(prefix)
    folder = Path(model_dir)  # made after everything was read
    checkpoint_files.refuse_filled(folder)
    content = _body(source, smpl_model_path)
    hmr = build.build(Architecture(num_stage=num_stage), body_model.from_content(content, prefix))
    discriminator = Discriminator() if source.has_discriminator else None
    names = tf1_checkpoint.assign_hmr(source, hmr, discriminator)
    read = {*names, *tf1_checkpoint.body_shapes(0)}
    parts = checkpoint.hmr_parts(hmr)
    if discriminator is not None:
        parts[checkpoint.DISCRIMINATOR] = discriminator
    if keep_optimizer:
        moments, optimizers = _optimizers(source, hmr, discriminator, names)
        source.assign(moments, _ANYTHING)
        read.update(moments)
        parts.update(optimizers)
    _write(folder, parts, content, num_stage, source)
    return _report(source, read, bool(len(content["f"])))


def _body(source, smpl_model_path):
    """The arrays of smpl.npz: the checkpoint's numbers, and the faces of the file, if any."""
    shapes = tf1_checkpoint.body_shapes(source.num_vertices)
    content = tf1_checkpoint.body_arrays(source.read(shapes, _ANYTHING))
    faces = np.zeros((0, 3), np.int32)
    path = body_model.find(smpl_model_path)
    if path != body_model.BUILT_IN:  # its mesh is another
        faces = checkpoint.read_faces(path, source.num_vertices)
    parents = np.array(SMPL_PARENTS)
    return {**content, "f": faces, "kintree_table": np.stack([parents, np.arange(len(parents))])}


def _optimizers(source, hmr, discriminator, names):
    """Moments by TF1's names; and the optimizers and the step as parts of a checkpoint."""
    trainer = Trainer(hmr, discriminator)
    trainer.compile(adam(0.0), adam(0.0))
    optimizers = {"encoder_optimizer": trainer.encoder_optimizer}
    moments = tf1_checkpoint.slots(trainer.encoder_optimizer, hmr.trainable_variables, names)
    if discriminator is not None:
        optimizers[checkpoint.DISCRIMINATOR_OPTIMIZER] = trainer.discriminator_optimizer
        moved = discriminator.trainable_variables
        moments.update(tf1_checkpoint.slots(trainer.discriminator_optimizer, moved, names))
    for optimizer in optimizers.values():
        optimizer.iterations.assign(source.step())
    trainer.steps_done.assign(source.step())
    return moments, {**optimizers, checkpoint.STEP: trainer.steps_done}


def _write(folder, parts, content, num_stage, source):
    """Writes the folder completely or not at all."""
    architecture = Architecture(smpl_model_path=BODY, num_stage=num_stage)
    params = {**architecture._asdict(), checkpoint.IMPORTED: str(Path(source.prefix).resolve())}
    partial = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)  # of a killed import
    try:
        partial.mkdir(parents=True)
        np.savez(partial / BODY, **content)
        (partial / checkpoint.PARAMS).write_text(json.dumps(params, indent=2) + "\n")
        checkpoint.manager(parts, partial).save(checkpoint_number=source.step())
        os.replace(partial, folder)
    except (OSError, tf.errors.OpError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise InputError(f"--model_dir={folder} cannot be written: {reason}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _report(source, read, has_faces):
    """Lines on the variables that were read and on those that were not."""
    unused = sorted(set(source.shapes) - read)
    moments = [name for name in unused if name.endswith(tf1_checkpoint.MOMENTS)]
    others = [name for name in unused if name not in moments]
    lines = [f"{len(read)} of {len(source.shapes)} variables read, step {source.step()}"]
    if moments:
        lines.append(f"Not needed: {len(moments)} moments of Adam (--keep_optimizer takes them)")
    if others:
        lines.append(f"Not needed: {', '.join(others)}")
    if not has_faces:
        lines.append(
            "The checkpoint has no faces and no SMPL file was given: to draw, pass "
            "--smpl_model_path=FILE with --mode=predict."
        )
    return lines

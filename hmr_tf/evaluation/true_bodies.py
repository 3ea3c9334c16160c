"""Bodies of SMPL labels, from the models of their gender, and the network's own as numpy."""

from typing import NamedTuple, Optional

import numpy as np
import tensorflow as tf

from hmr_tf.body import body_model
from hmr_tf.body.smpl import SMPL
from hmr_tf.files.errors import InputError

POSED_AT_ONCE = 64


class PosedBodies(NamedTuple):
    """B bodies, float64, metres."""

    vertices: np.ndarray  # (B, V, 3)
    smpl_joints: np.ndarray  # (B, 24, 3)
    joints3d: np.ndarray  # (B, 19, 3) of the model's own keypoint regressor
    rotations: np.ndarray  # (B, 24, 3, 3) each joint relative to its parent


def read_models(folder, genders):
    """The SMPL models of a folder that some people need: gender -> SMPL.

    Args:
      folder: with files named as in `body_model.GENDERED_NAMES`.
      genders: names, those of the people's labels.

    Raises:
      InputError: a gender is unknown, its file is missing or wrong, or the models differ in their
        number of vertices.
    """
    paths = body_model.find_gendered(folder)
    for gender in genders:
        if gender not in paths:
            wanted = body_model.GENDERED_NAMES.get(gender)
            reason = f"holds none of {', '.join(wanted)}" if wanted else "cannot say which to use"
            raise InputError(
                f"--smpl_model_dir={folder} {reason}, and the labels have people of the gender "
                f"{gender!r}: add the file, or convert the dataset again."
            )
    models = {gender: SMPL(body_model.read_model(paths[gender], warns=False)) for gender in genders}
    if len({len(model.lbs_weights) for model in models.values()}) > 1:
        raise InputError(f"--smpl_model_dir={folder}: its models differ in their vertices.")
    return models


def pose_labels(models, genders, pose, betas):
    """The bodies of SMPL labels.

    Args:
      models: gender -> SMPL, of equal size.
      genders: (B,) names.
      pose: (B, 24, 3) axis-angle.
      betas: (B, 10).
    """
    parts, rows = [], []
    for gender in dict.fromkeys(genders.tolist()):
        people = np.flatnonzero(genders == gender)
        body = models[gender](tf.constant(pose[people]), tf.constant(betas[people]))
        parts.append([getattr(body, name).numpy() for name in PosedBodies._fields])
        rows.append(people)
    order = np.argsort(np.concatenate(rows))
    return PosedBodies(*(np.concatenate(part)[order].astype(float) for part in zip(*parts)))


def pose_predictions(hmr, thetas):
    """The network's bodies for (B, 85) thetas."""
    last = hmr.with_mesh(hmr.predictions_from_thetas([tf.constant(thetas)])[0])
    return PosedBodies(*(getattr(last, name).numpy().astype(float) for name in PosedBodies._fields))


def why_not_comparable(smpl, num_vertices) -> Optional[str]:
    """Why the network's mesh cannot be compared with SMPL's of so many vertices; None: it can."""
    if smpl.topology != "smpl":
        return "the network's body is the built-in one, whose vertices are not SMPL's"
    if len(smpl.lbs_weights) != num_vertices:
        return f"the network's body has {len(smpl.lbs_weights)} vertices, not {num_vertices}"
    return None

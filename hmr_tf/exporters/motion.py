"""One person's motion, or a single pose, as the writers of GLB, BVH and NPZ take it."""

from typing import NamedTuple

import numpy as np

from hmr_tf.body.body_model import rest_joints
from hmr_tf.body.rotation import axis_angle_from_matrix, matrix_from_axis_angle
from hmr_tf.body.skeleton import SMPL_JOINTS
from hmr_tf.exporters.axes import Y_UP_FROM_CAMERA


class Motion(NamedTuple):
    """N frames of one person: metres, y up; the origin is the camera, or whatever the user's is.

    SMPL's convention: the body is posed about its rest pelvis, and `transl` added to its vertices.
    """

    name: str
    betas: np.ndarray  # (10,) one shape for all frames
    rotations: np.ndarray  # (N, 24, 3, 3) each joint relative to its parent
    transl: np.ndarray  # (N, 3)
    frames: np.ndarray  # (N,) int, rising: the numbers of the video's frames; may have gaps


def of_arrays(name, betas, rotations, transl=None, frames=None):
    """A checked Motion from what is at hand.

    Args:
      name: of the person.
      betas: (10,).
      rotations: (N, 24, 3, 3) matrices, or (N, 24, 3) or (N, 72) axis-angle.
      transl: (N, 3); None: the person stays on the spot.
      frames: (N,) rising whole numbers; None: 0, 1, 2, ...

    Raises:
      ValueError: no frames, a wrong shape, a number that is not finite, frames that do not rise.
    """
    rotations = np.asarray(rotations, np.float64)
    number, num_joints = len(rotations), len(SMPL_JOINTS)
    if rotations.shape[1:] in ((num_joints, 3), (3 * num_joints,)):
        rotations = matrix_from_axis_angle(rotations.reshape(number, num_joints, 3)).numpy()
    transl = np.zeros((number, 3)) if transl is None else np.asarray(transl, np.float64)
    frames = np.arange(number) if frames is None else np.asarray(frames)
    betas = np.asarray(betas, np.float64)
    shapes = (
        ("betas", betas, (10,)),
        ("rotations", rotations, (number, num_joints, 3, 3)),
        ("transl", transl, (number, 3)),
        ("frames", frames, (number,)),
    )
    for argument, array, shape in shapes:
        if array.shape != shape or not np.isfinite(array).all():
            raise ValueError(
                f"{argument} of {name!r} must be {shape}, finite; received shape {array.shape}"
            )
    if not number or (np.diff(frames) <= 0).any():
        raise ValueError(f"frames of {name!r} must rise, at least one; received {frames}")
    return Motion(name, betas, rotations, transl, frames.astype(int))


def from_camera(name, model, betas, rotations, transl, frames=None):
    """A Motion of what was predicted in the camera's frame.

    Args:
      name, rotations, frames: as in `of_arrays`.
      model: `body_model.BodyModel`, which says where the pelvis is.
      betas: (10,), or (N, 10) as every frame gave them: their mean is the person's shape. Each
        frame's pelvis stays where it was.
      transl: (N, 3) metres, x right, y down, z away: added to the predicted vertices.

    Raises:
      ValueError: as `of_arrays`.
    """
    every_beta = np.atleast_2d(np.asarray(betas, np.float64))
    mean = every_beta.mean(axis=0)
    pelvises, pelvis = (rest_joints(model, b)[..., 0, :] for b in (every_beta, mean))
    transl = np.asarray(transl, np.float64) + pelvises - pelvis
    return turned(of_arrays(name, mean, rotations, transl, frames), Y_UP_FROM_CAMERA, model)


def turned(motion, matrix, model):
    """The same motion in a frame whose points are `matrix @ point`.

    SMPL turns the body about its pelvis, so that the translation changes with the rest pelvis p:
    t' = matrix (p + t) - p.
    """
    pelvis = rest_joints(model, motion.betas)[0]
    rotations = motion.rotations.copy()
    rotations[:, 0] = matrix @ rotations[:, 0]
    transl = (motion.transl + pelvis) @ np.transpose(matrix) - pelvis
    return motion._replace(rotations=rotations, transl=transl)


def without_gaps(motion):
    """The motion with every frame from its first to its last.

    Missing ones lie between their neighbours, each joint on the shortest way.
    """
    frames = np.arange(motion.frames[0], motion.frames[-1] + 1)
    if len(frames) == len(motion.frames):
        return motion
    before = np.searchsorted(motion.frames, frames, side="right") - 1
    after = np.minimum(before + 1, len(motion.frames) - 1)
    start, end = motion.frames[before], motion.frames[after]
    share = (frames - start) / np.maximum(end - start, 1)
    first, last = motion.rotations[before], motion.rotations[after]
    step = axis_angle_from_matrix(np.swapaxes(first, -1, -2) @ last)
    rotations = first @ matrix_from_axis_angle(step * share[:, None, None]).numpy()
    transl = motion.transl[before] + share[:, None] * (motion.transl[after] - motion.transl[before])
    return motion._replace(rotations=rotations, transl=transl, frames=frames)

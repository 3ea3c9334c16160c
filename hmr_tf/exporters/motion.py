"""One person's motion, or a single pose: what the writers of GLB, BVH and AMASS files take."""

from typing import NamedTuple

import numpy as np

from hmr_tf.body.body_model import rest_joints
from hmr_tf.body.rotation import axis_angle_from_matrix, matrix_from_axis_angle
from hmr_tf.body.skeleton import SMPL_JOINTS
from hmr_tf.exporters.axes import Y_UP_FROM_CAMERA


class Motion(NamedTuple):
    """N frames of one person: metres, y up, the camera or any other point as origin.

    SMPL's convention: the body is posed about its rest pelvis, and `transl` added to its vertices.
    """

    name: str
    betas: np.ndarray  # (10,) one shape for all frames
    rotations: np.ndarray  # (N, 24, 3, 3) each joint relative to its parent
    transl: np.ndarray  # (N, 3)
    frames: np.ndarray  # (N,) int, rising: frame numbers in the video; may have gaps


def from_arrays(name, betas, rotations, transl=None, frames=None):
    """A Motion from arrays, which are checked.

    Args:
      name: the person's name.
      betas: (10,).
      rotations: (N, 24, 3, 3) matrices, or (N, 24, 3) or (N, 72) axis-angle.
      transl: (N, 3); None: zeros.
      frames: (N,) rising whole numbers; None: 0, 1, 2, ...

    Raises:
      ValueError: no frames, a wrong shape, a number that is not finite, matrices that are no
        rotations, such as mirrored ones, frames that do not rise.
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
    products = rotations @ np.swapaxes(rotations, -1, -2)
    if np.abs(products - np.eye(3)).max(initial=0) > 0.01 or (np.linalg.det(rotations) < 0).any():
        raise ValueError(
            f"rotations of {name!r} must be rotation matrices; some are scaled, empty or mirrored, "
            "as those of a left-handed program such as Unity are"
        )
    if not number or (np.diff(frames) <= 0).any():
        raise ValueError(f"frames of {name!r} must rise, at least one; received {frames}")
    return Motion(name, betas, rotations, transl, frames.astype(int))


def from_camera(name, body, betas, rotations, transl, frames=None):
    """A Motion from predictions in the camera frame.

    Args:
      name, rotations, frames: as in `from_arrays`.
      body: `body_model.BodyModel`; its rest pelvis depends on the shape.
      betas: (10,), or (N, 10) predicted in each frame: their mean is the person's shape, and each
        frame's pelvis stays where it was.
      transl: (N, 3) metres, x right, y down, z away: added to the predicted vertices.

    Raises:
      ValueError: as `from_arrays`.
    """
    betas = np.atleast_2d(np.asarray(betas, np.float64))
    mean = betas.mean(axis=0)
    pelvises, pelvis = (rest_joints(body, b)[..., 0, :] for b in (betas, mean))
    transl = np.asarray(transl, np.float64) + pelvises - pelvis
    motion = from_arrays(name, mean, rotations, transl, frames)
    return rotate_frame(motion, Y_UP_FROM_CAMERA, body)


def rotate_frame(motion, matrix, body):
    """The same motion in a frame whose points are `matrix @ point`.

    SMPL rotates the body about its pelvis, so the new translation depends on the rest pelvis p:
    t' = matrix (p + t) - p.
    """
    pelvis = rest_joints(body, motion.betas)[0]
    rotations = motion.rotations.copy()
    rotations[:, 0] = matrix @ rotations[:, 0]
    transl = (motion.transl + pelvis) @ np.transpose(matrix) - pelvis
    return motion._replace(rotations=rotations, transl=transl)


def from_frame(motion, first):
    """The motion from an earlier frame on, in which the person stands in the rest pose.

    So that the files of people who enter a video one after another begin at one time.

    Args:
      motion: Motion.
      first: number of the frame.
    """
    missing = np.arange(first, motion.frames[0])
    rest = np.broadcast_to(np.eye(3), (len(missing), *motion.rotations.shape[1:]))
    before = np.repeat(motion.transl[:1], len(missing), axis=0)
    return motion._replace(
        rotations=np.concatenate([rest, motion.rotations]),
        transl=np.concatenate([before, motion.transl]),
        frames=np.concatenate([missing, motion.frames]),
    )


def without_gaps(motion):
    """The motion with every frame from its first to its last, the missing ones interpolated."""
    frames = np.arange(motion.frames[0], motion.frames[-1] + 1)
    if len(frames) == len(motion.frames):
        return motion
    return _interpolated(motion, frames, motion.frames, frames)


def at_rate(motion, seconds, rate_hz):
    """The motion of frames at any times as one of frames at a constant rate.

    Args:
      motion: Motion.
      seconds: (N,) rising times of its frames.
      rate_hz: frame n of the result is at n / rate_hz.
    """
    frames = np.arange(round(seconds[0] * rate_hz), round(seconds[-1] * rate_hz) + 1)
    at = np.clip(frames / rate_hz, seconds[0], seconds[-1])
    return _interpolated(motion, frames, np.asarray(seconds), at)


def _interpolated(motion, frames, seconds, at):
    """The motion at other times, rotations along the shortest arc."""
    before = np.searchsorted(seconds, at, side="right") - 1
    after = np.minimum(before + 1, len(seconds) - 1)
    interval = np.where(after > before, seconds[after] - seconds[before], 1)
    fraction = (at - seconds[before]) / interval
    first, last = motion.rotations[before], motion.rotations[after]
    step = axis_angle_from_matrix(np.swapaxes(first, -1, -2) @ last)
    rotations = first @ matrix_from_axis_angle(step * fraction[:, None, None]).numpy()
    steps = motion.transl[after] - motion.transl[before]
    transl = motion.transl[before] + fraction[:, None] * steps
    return motion._replace(rotations=rotations, transl=transl, frames=frames)

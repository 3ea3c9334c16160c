"""People with the keys of 3DPW's sequence files, in one .npz, for programs that show these."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from hmr_tf.body import skeleton
from hmr_tf.body.body_model import rest_joints
from hmr_tf.body.rotation import axis_angle_from_matrix
from hmr_tf.files.atomic import atomic_write

GENDER = "neutral"
_NUM_JOINTS = len(skeleton.SMPL_JOINTS)


class PersonInFrames(NamedTuple):
    """One person of a sequence."""

    frames: np.ndarray  # (n,) int, rising
    people: list  # of `inference.person_crops.Person` in these frames


def write_photograph(stem, scene):
    """Writes the people of a `photo_outputs.Scene`, a sequence of one frame."""
    actors = [PersonInFrames(np.zeros(1, int), [person]) for person in scene.people]
    return _write(stem, actors, 1, scene.body)


def write_video(stem, scene):
    """Writes the people of a `video_outputs.VideoScene`."""
    actors = [PersonInFrames(np.asarray(t.frames), t.people) for t in scene.people.tracks]
    return _write(stem, actors, len(scene.people.times.seconds), scene.body)


def _write(stem, actors, num_frames, body):
    path = Path(f"{stem}_3dpw.npz")
    with atomic_write(path) as unfinished:
        np.savez_compressed(unfinished, **arrays(Path(stem).name, actors, num_frames, body))
    return [path]


def arrays(sequence, actors, num_frames, body):
    """The arrays of a sequence of N frames with P people.

    The world is the camera: x right, y down, z away, metres. One shape a person, the mean of the
    frames'; pelvises stay where they are. Frames without a person have `campose_valid` 0 and zeros.

    Args:
      sequence: name.
      actors: list of P PersonInFrames.
      num_frames: N.
      body: `body_model.BodyModel` of the people.

    Returns:
      dict: poses (P, N, 72) axis-angle, trans (P, N, 3), betas (P, 10), jointPositions (P, N, 72),
      poses2d (P, N, 3, 18) x, y, confidence, campose_valid (P, N), genders (P,), cam_poses
      (N, 4, 4), cam_intrinsics (3, 3), img_frame_ids (N,), sequence.
    """
    first = actors[0].people[0]
    (x, y), focal_px = np.ravel(first["principal_px"]), float(np.ravel(first["focal_px"])[0])
    rows = [_actor(actor, num_frames, body) for actor in actors]
    return {
        **{name: np.stack([row[name] for row in rows]) for name in rows[0]},
        "genders": np.array([GENDER] * len(actors)),
        "cam_poses": np.tile(np.eye(4), (num_frames, 1, 1)),
        "cam_intrinsics": np.array([[focal_px, 0.0, x], [0.0, focal_px, y], [0.0, 0.0, 1.0]]),
        "img_frame_ids": np.arange(num_frames),
        "sequence": np.array(sequence),
    }


def _actor(actor, num_frames, body):
    """dict of the arrays of one person, without their first axis."""
    stacked = {
        name: np.stack([np.asarray(person[name], float) for person in actor.people])
        for name in ("rotations", "betas", "transl", "smpl_joints", "keypoints2d_px")
    }
    betas = stacked["betas"].mean(axis=0)
    pelvises, pelvis = (rest_joints(body, b)[..., 0, :] for b in (stacked["betas"], betas))
    points = skeleton.convert(
        stacked["keypoints2d_px"], skeleton.KEYPOINTS, skeleton.OPENPOSE_18_KEYPOINTS
    )
    flagged = np.concatenate([points, np.ones_like(points[..., :1])], axis=-1)
    joints = stacked["smpl_joints"] + stacked["transl"][:, None]
    of_frames = {
        "poses": axis_angle_from_matrix(stacked["rotations"]).reshape(-1, 3 * _NUM_JOINTS),
        "trans": stacked["transl"] + pelvises - pelvis,
        "jointPositions": joints.reshape(-1, 3 * _NUM_JOINTS),
        "poses2d": flagged.swapaxes(1, 2),
        "campose_valid": np.ones(len(actor.frames), int),
    }
    filled = {"betas": betas}
    for name, values in of_frames.items():
        filled[name] = np.zeros((num_frames, *values.shape[1:]), values.dtype)
        filled[name][actor.frames] = values
    return filled

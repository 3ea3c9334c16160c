"""People in videos: predicted frame by frame, followed, their motion smoothed."""

import itertools
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from hmr_tf.body import camera
from hmr_tf.files.errors import InputError
from hmr_tf.inference import tracking, video_files
from hmr_tf.inference.person import Person

FRAMES_PER_BATCH = 16  # frames whose people are one batch
# What is kept of each person: everything but the mesh, which would fill the memory.
KEPT = (
    *("theta", "rotations", "betas", "transl", "box", "keypoints2d_px", "joints3d"),
    *("smpl_joints", "focal_px", "principal_px"),
)


class VideoPeople(NamedTuple):
    """The people of a video."""

    path: Path
    tracks: list  # of tracking.Track of Person without vertices, at least one
    num_frames: int
    rate_hz: float


def predict_video(model, path, boxes=None, focal_px=None, principal_px=None, smoother="none"):
    """Predicts the people of every frame and follows them.

    Args:
      model: `inference.model.Model`.
      path: the video file.
      boxes: `boxes.BoxesByName`; those of frame n have the name n, or OpenPose's NAME_0...n. None:
        as `Model.predict` without boxes.
      focal_px, principal_px: the camera, where it is known.
      smoother: one of `tracking.SMOOTHERS`.

    Returns:
      VideoPeople.

    Raises:
      InputError: no video, a frame's box is unusable, no person in any frame.
    """
    path = Path(path)
    rate_hz = video_files.rate(str(path))
    frames = []
    with tqdm(desc="Predicting", unit="frame", leave=False) as bar:
        for images in batches(video_files.frames(str(path))):
            of_images = [
                None if boxes is None else boxes.of(str(number), f"{path.stem}_{number:012d}")
                for number in range(len(frames), len(frames) + len(images))
            ]
            found = model.predict_batch(images, of_images, focal_px, principal_px)
            for number, people in enumerate(found, len(frames)):
                if isinstance(people, InputError):
                    raise InputError(f"frame {number} of the video: {people}") from people
                frames.append([_without_mesh(person) for person in people])
            bar.update(len(images))
    if not any(frames):
        raise InputError(f"nobody was found in any of the {len(frames)} frames of {path}.")
    tracks = [
        _smoothed(model.hmr.smpl, track, smoother, rate_hz) for track in tracking.follow(frames)
    ]
    return VideoPeople(path, tracks, len(frames), rate_hz)


def batches(items):
    """Lists of `FRAMES_PER_BATCH` items, the last one shorter."""
    items = iter(items)
    return iter(lambda: list(itertools.islice(items, FRAMES_PER_BATCH)), [])


def _without_mesh(person):
    return Person({name: person[name] for name in KEPT})


def _smoothed(smpl, track, smoother, rate_hz):
    """The track with its motion filtered; one shape for the whole of it."""
    if smoother == "none":
        return track
    rotations, betas, transl = (
        np.stack([person[name] for person in track.people])
        for name in ("rotations", "betas", "transl")
    )
    rotations = tracking.smooth_rotations(rotations, smoother, rate_hz).astype(np.float32)
    transl = tracking.smooth(transl, smoother, rate_hz).astype(np.float32)
    betas = np.broadcast_to(betas.mean(axis=0), betas.shape).astype(np.float32)
    body = smpl.joints_only(tf.constant(rotations), tf.constant(betas))
    joints, smpl_joints = body.joints3d.numpy(), body.smpl_joints.numpy()
    focal_px, principal_px = (
        np.stack([person[name] for person in track.people]) for name in ("focal_px", "principal_px")
    )
    keypoints_px, _ = camera.project_perspective(joints + transl[:, None], focal_px, principal_px)
    people = []
    for i, person in enumerate(track.people):
        changed = {
            "rotations": rotations[i],
            "betas": betas[i],
            "transl": transl[i],
            "joints3d": joints[i],
            "smpl_joints": smpl_joints[i],
            "keypoints2d_px": keypoints_px[i].numpy(),
        }
        people.append(Person({**person, **changed}))
    return track._replace(people=people)

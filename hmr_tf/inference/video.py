"""Predicts the people of videos: frame by frame, then tracked, their motion smoothed."""

import contextlib
import itertools
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from hmr_tf.body import camera
from hmr_tf.files.errors import InputError
from hmr_tf.inference import tracking, video_boxes, video_files
from hmr_tf.inference.person_crops import Person

FRAMES_PER_BATCH = 16  # frames whose people are one batch
_BODIES_AT_ONCE = 512  # of a track, posed after smoothing
# The arrays of each person that are kept: all but the mesh, which would fill the memory.
PERSON_ARRAYS = (
    *("theta", "rotations", "betas", "transl", "box", "keypoints2d_px", "joints3d"),
    *("smpl_joints", "focal_px", "principal_px"),
)


class VideoPeople(NamedTuple):
    """The people of a video."""

    path: Path
    tracks: list  # of tracking.Track of Person without vertices, at least one
    times: video_files.FrameTimes  # of all frames
    image: np.ndarray  # (H, W, 3) uint8, the first frame with people
    problems: list  # of str, one for each box that could not be used


def predict_video(model, video, boxes=None, focal_px=None, principal_px=None, smoother="none"):
    """Predicts the people of every frame and tracks them.

    Args:
      model: `inference.model.Model`.
      video: `video_files.Video` of a file.
      boxes: `boxes.BoxesByName`, see `of_frames` there. None: as `Model.predict` without boxes.
      focal_px, principal_px: the camera, where it is known.
      smoother: one of `tracking.SMOOTHERS`.

    Returns:
      VideoPeople.

    Raises:
      InputError: no frame has a person, or --boxes fits no frame.
    """
    path, frames, first_image, problems = Path(video.source), [], None, []
    boxes_of, names = boxes.of_frames(path.stem, video.stated_num_frames) if boxes else (None, {})
    with contextlib.ExitStack() as stack:
        images_ahead = video_files.computed_ahead(video, FRAMES_PER_BATCH)
        stack.callback(images_ahead.close)
        total = video.stated_num_frames or None
        bar = stack.enter_context(tqdm(total=total, desc="Predicting", unit="frame", leave=False))
        for images in batches(images_ahead):
            if boxes is None:
                image_boxes = model.detect_in_frames(images, box_before=_last_box(frames))
            else:
                first = len(frames)
                image_boxes, wrong = video_boxes.usable_in_images(boxes_of, images, first)
                problems += wrong
            predictions = model.predict_batch(
                images,
                image_boxes,
                focal_px,
                principal_px,
                people_before=frames[-1] if frames else [],
            )
            for image, people in zip(images, predictions):
                if isinstance(people, InputError):
                    raise InputError(f"frame {len(frames)} of the video: {people}") from people
                frames.append([_without_mesh(person) for person in people])
                first_image = image if people and first_image is None else first_image
            bar.update(len(images))
    problems += video_boxes.names_beyond(names, len(frames), path)
    if first_image is None:
        reason = f" {problems[0]}" if problems else ""
        raise InputError(
            f"no person was detected in any of the {len(frames)} frames of {path}.{reason}"
        )
    times = video.frame_times()
    tracks = [
        _smooth_track(
            model.hmr.smpl,
            track,
            smoother,
            seconds=times.seconds[track.frames],
            one_shape=model.refine,
        )
        for track in tracking.track_people(frames)
    ]
    return VideoPeople(path, tracks, times, first_image, problems)


def _last_box(frames):
    """Of the one person of the newest frame, or None."""
    return frames[-1][0]["box"] if frames and frames[-1] else None


def batches(items):
    """Iterator of lists of `FRAMES_PER_BATCH` items, the last one shorter."""
    items = iter(items)
    return iter(lambda: list(itertools.islice(items, FRAMES_PER_BATCH)), [])


def _without_mesh(person):
    return Person({name: person[name] for name in PERSON_ARRAYS})


def _smooth_track(smpl, track, smoother, seconds, one_shape=False):
    """The track with its motion filtered and its shape averaged; one_shape: also unfiltered."""
    if smoother == "none" and not one_shape:
        return track
    rotations, betas, transl = (
        np.stack([person[name] for person in track.people])
        for name in ("rotations", "betas", "transl")
    )
    rotations = tracking.smooth_rotations(rotations, smoother, seconds)
    transl = tracking.smooth(transl, smoother, seconds).astype(np.float32)
    betas = np.broadcast_to(betas.mean(axis=0), betas.shape).astype(np.float32)
    joints, smpl_joints = _joints(smpl, rotations, betas)
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


def _joints(smpl, rotations, betas):
    """(T, 19, 3) and (T, 24, 3) joints of a track's bodies, in batches that bound the memory."""
    parts = []
    for start in range(0, len(betas), _BODIES_AT_ONCE):
        some = slice(start, start + _BODIES_AT_ONCE)
        posed = smpl.joints_only(tf.constant(rotations[some]), tf.constant(betas[some]))
        parts.append((posed.joints3d.numpy(), posed.smpl_joints.numpy()))
    return [np.concatenate(arrays) for arrays in zip(*parts)]

"""Predicts the people of videos: frame by frame, then tracked, their motion smoothed."""

import collections
import contextlib
import functools
import itertools
from concurrent import futures
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from absl import logging
from tqdm import tqdm

from hmr_tf.body import camera
from hmr_tf.files.errors import InputError
from hmr_tf.inference import tracking, video_boxes, video_files
from hmr_tf.inference.computed_ahead import computed_ahead
from hmr_tf.inference.person_crops import Person
from hmr_tf.networks import engines

FRAMES_PER_BATCH = 8  # frames whose people are one batch
_MIN_STILL_FRAMES, _MIN_STILL_S = 10, 0.9
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
    of_frames = boxes.of_frames(path.stem, lambda: video.num_frames) if boxes else None
    boxes_of = of_frames.of_frame if boxes else None
    predict = functools.partial(
        _predict_images, boxes_of=boxes_of, focal_px=focal_px, principal_px=principal_px
    )
    video.warn_if_stretched()
    with contextlib.ExitStack() as stack:
        images_ahead = computed_ahead(video, FRAMES_PER_BATCH)
        stack.callback(images_ahead.close)
        if model.refine or (boxes is None and model.detector is None):
            predicted = _in_order(functools.partial(predict, model), images_ahead, frames)
        else:
            predicted = _at_once(functools.partial(predict, model.for_threads()), images_ahead)
            stack.callback(predicted.close)
        total = video.stated_num_frames or None
        bar = stack.enter_context(tqdm(total=total, desc="Predicting", unit="frame", leave=False))
        for images, image_people, wrong in predicted:
            problems += wrong
            for image, people in zip(images, image_people):
                if isinstance(people, InputError):
                    raise InputError(f"frame {len(frames)} of the video: {people}") from people
                frames.append(people)
                first_image = image if people and first_image is None else first_image
            bar.update(len(images))
    if of_frames:
        problems += of_frames.problems
        problems += video_boxes.names_beyond(of_frames.names, len(frames), path)
    if first_image is None:
        reason = f" {problems[0]}" if problems else ""
        raise InputError(
            f"no person was detected in any of the {len(frames)} frames of {path}.{reason}"
        )
    times = video.frame_times()
    warn_of_end(video, times)
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


def warn_of_end(video, times):
    """Warns of a video that may be cut off, or not be read to its end.

    It states many more frames in a longer time, though a cut or a variable rate makes statements
    wrong, too; or its end stands still, as OpenCV's frames do after a recorder changed their size.

    Args:
      video: `video_files.Video` after its last frame.
      times: its `video_files.FrameTimes`.
    """
    stated, seconds = video.stated_num_frames, times.seconds
    read_s, stated_s = seconds[-1] + 1 / times.rate_hz, stated / video.rate_hz
    if len(seconds) < 0.9 * stated and read_s < min(0.9 * stated_s, stated_s - 0.5):
        logging.warning(
            "%s states %.1f s, but its frames end after %.1f s: it may be cut off.",
            *(video.source, stated_s, read_s),
        )
    still_s = seconds[-1] - seconds[-1 - video.num_still]
    if video.num_still >= _MIN_STILL_FRAMES and still_s >= _MIN_STILL_S:
        logging.warning(
            "The last %.1f s of %s stand still. If its frames change their size there, convert it "
            "first, `ffmpeg -i VIDEO video.mp4`.",
            *(still_s, video.source),
        )


class _Predicted(NamedTuple):
    """The people of successive images."""

    images: list  # of (H, W, 3) uint8
    people: list  # for each image a list of Person without the mesh, or an InputError
    problems: list  # of str, one for each box that could not be used


def _predict_images(model, images, first, boxes_of, focal_px, principal_px, people_before=()):
    """_Predicted of images of which the first has this number; boxes_of is None: people are found.

    `people_before` are those of the frame before.
    """
    problems = []
    if boxes_of is None:
        box_before = people_before[0]["box"] if people_before else None
        boxes = model.detect_in_frames(images, box_before)
    else:
        boxes, problems = video_boxes.usable_in_images(boxes_of, images, first)
    predicted = model.predict_batch(
        images, boxes, focal_px, principal_px, people_before=people_before
    )
    people = [x if isinstance(x, InputError) else [*map(_without_mesh, x)] for x in predicted]
    return _Predicted(images, people, problems)


def _in_order(predict, images_ahead, frames):
    """Yields `_Predicted` of batches that depend on the people of the `frames` before."""
    for images in batches(images_ahead):
        yield predict(images, first=len(frames), people_before=frames[-1] if frames else [])


def _at_once(predict, images_ahead):
    """Yields `_Predicted` of batches of which several are predicted at the same time."""
    number, waiting = engines.calls_at_once(), collections.deque()
    pool = futures.ThreadPoolExecutor(number)
    try:
        for batch, images in enumerate(batches(images_ahead)):
            waiting.append(pool.submit(predict, images, first=batch * FRAMES_PER_BATCH))
            if len(waiting) > number:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def batches(items, size=FRAMES_PER_BATCH):
    """Iterator of lists of `size` items, the last one shorter."""
    items = iter(items)
    return iter(lambda: list(itertools.islice(items, size)), [])


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
    keypoints_px = keypoints_px.numpy()  # at once: a slice of a tensor takes longer than the rest
    people = []
    for i, person in enumerate(track.people):
        changed = {
            "rotations": rotations[i],
            "betas": betas[i],
            "transl": transl[i],
            "joints3d": joints[i],
            "smpl_joints": smpl_joints[i],
            "keypoints2d_px": keypoints_px[i],
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

"""The output files of videos: the frames with the bodies drawn, arrays, motions."""

import contextlib
from pathlib import Path
from typing import Callable, NamedTuple

import numpy as np
import tensorflow as tf
from scipy.spatial.transform import Rotation
from tqdm import tqdm

from hmr_tf.body.body_model import BodyModel
from hmr_tf.exporters import motion, output_formats
from hmr_tf.exporters.motion_outputs import Clip
from hmr_tf.files.atomic import atomic_write
from hmr_tf.inference import video_files
from hmr_tf.inference.computed_ahead import computed_ahead
from hmr_tf.inference.person_crops import Person
from hmr_tf.inference.video import FRAMES_PER_BATCH, PERSON_ARRAYS, VideoPeople, batches
from hmr_tf.rendering import panels

_FRAMES_POSED_AT_ONCE = 64  # a body takes a third of the time that it takes in batches of eight


class VideoScene(NamedTuple):
    """A video and the people in it."""

    people: VideoPeople
    body: BodyModel  # of these people
    vertices_of: Callable  # poses it, see `inference.model.Model.vertices_of`
    up_axis: str = "y"  # of motions: "y" or "z"


def write(folder, people, body, vertices_of, formats=("overlay", "npz"), up_axis="y"):
    """Writes the files of a video, as NAME_overlay.mp4 and NAME.npz.

    Args:
      folder: for the files; it is created.
      people: `inference.video.VideoPeople`.
      body: `body_model.BodyModel`.
      vertices_of: function that poses it, see `inference.model.Model.vertices_of`.
      formats: some of `output_formats.names("video")`.
      up_axis: of motions, "y" or "z".

    Returns:
      list of the paths written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    stem, scene = str(folder / people.path.stem), VideoScene(people, body, vertices_of, up_axis)
    return output_formats.write(stem, formats, "video", scene, _clip)


def write_overlay(stem, scene):
    """Writes the video with the bodies over it."""
    path = Path(f"{stem}_overlay.mp4")
    _draw_frames(scene.people, scene.body.faces, scene.vertices_of, path)
    return [path]


def write_npz(stem, scene):
    """Writes arrays with a row for each person in each frame."""
    path = Path(f"{stem}.npz")
    with atomic_write(path) as unfinished:
        np.savez_compressed(unfinished, faces=scene.body.faces, **_arrays(scene.people))
    return [path]


def _clip(scene):
    """`motion_outputs.Clip` of all tracks, with the first frame that shows a person."""
    people, body, motions = scene.people, scene.body, []
    for number, track in enumerate(people.tracks):
        arrays = {
            name: np.stack([person[name] for person in track.people])
            for name in ("betas", "rotations", "transl")
        }
        track_motion = motion.from_camera(f"person_{number}", body, frames=track.frames, **arrays)
        if not people.times.is_constant:
            track_motion = motion.at_rate(
                track_motion, people.times.seconds[track.frames], people.times.rate_hz
            )
        motions.append(track_motion)
    first = min(track.frames[0] for track in people.tracks)
    in_first = [track.people[0] for track in people.tracks if track.frames[0] == first]
    overlay = _overlay(body.faces, people.image, _with_mesh([in_first], scene.vertices_of)[0])
    return Clip(
        motions,
        body,
        fps=people.times.rate_hz,
        up_axis=scene.up_axis,
        image=people.image,
        overlay=overlay,
    )


def _arrays(video_people):
    """dict: arrays with a row for each person in each frame, track after track; frame times."""
    tracks, times = video_people.tracks, video_people.times
    people = [person for track in tracks for person in track.people]
    arrays = {
        name: np.stack([person[name] for person in people])
        for name in PERSON_ARRAYS
        if name != "theta"
    }
    by_joint = np.moveaxis(arrays["rotations"], 1, 0)  # joint after joint: bounds the memory
    pose = [Rotation.from_matrix(matrices).as_rotvec() for matrices in by_joint]
    arrays["pose"] = np.stack(pose, axis=1)
    arrays["frame"] = np.concatenate([track.frames for track in tracks])
    arrays["time"] = times.seconds[arrays["frame"]]
    arrays["frame_times"], arrays["rate_hz"] = times.seconds, times.rate_hz
    arrays["person"] = np.repeat(range(len(tracks)), [len(track.frames) for track in tracks])
    return arrays


def _draw_frames(people, faces, vertices_of, target):
    """Writes the overlay; frames are read, drawn and written at the same time."""
    in_frame = [[] for _ in people.times.seconds]
    for track in people.tracks:
        for number, person in zip(track.frames, track.people):
            in_frame[number].append(person)
    repeats = np.bincount(people.times.shown_frames(), minlength=len(in_frame))
    with (
        video_files.Video(people.path) as video,
        _computed_ahead(zip(video, _posed(in_frame, vertices_of))) as scenes,
        _computed_ahead(_overlay(faces, *scene) for scene in scenes) as pictures,
        video_files.writer(target, people.times.rate_hz) as write_frame,
        tqdm(total=len(in_frame), desc="Drawing", unit="frame", leave=False) as bar,
    ):
        for picture, repeat in zip(pictures, repeats):
            for _ in range(repeat):
                write_frame(picture)
            bar.update()


def _computed_ahead(items):
    return contextlib.closing(computed_ahead(items, FRAMES_PER_BATCH))


def _posed(in_frame, vertices_of):
    """Yields the people of each frame with their vertices."""
    for in_some_frames in batches(in_frame, _FRAMES_POSED_AT_ONCE):
        yield from _with_mesh(in_some_frames, vertices_of)


def _with_mesh(in_frames, vertices_of):
    """The people of each frame with their vertices, all of them posed in one batch."""
    all_people = [person for people in in_frames for person in people]
    if not all_people:
        return in_frames
    rotations, betas = (
        tf.constant(np.stack([person[name] for person in all_people]))
        for name in ("rotations", "betas")
    )
    vertices = iter(vertices_of(rotations, betas).numpy())
    return [[Person({**p, "vertices": next(vertices)}) for p in people] for people in in_frames]


def _overlay(faces, image, people):
    return panels.overlay(image, people, faces, with_skeleton=False)

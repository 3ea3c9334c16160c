"""What is written of videos: the frames with the bodies drawn, arrays, motions."""

import functools
import itertools
from concurrent import futures
from pathlib import Path

import numpy as np
import tensorflow as tf
from scipy.spatial.transform import Rotation
from tqdm import tqdm

from hmr_tf.exporters import motion, outputs
from hmr_tf.files.atomic import written
from hmr_tf.inference import video_files
from hmr_tf.inference.person import Person
from hmr_tf.inference.video import KEPT, batches
from hmr_tf.rendering import panels

FORMATS = ("overlay", "npz")  # beside those of `outputs.OF_MOTION`


def write(folder, people, body, smpl, formats=FORMATS, up_axis="y"):
    """Writes NAME_overlay.mp4, NAME.npz and so on into a folder, which is made.

    Args:
      folder: Path or str.
      people: `inference.video.VideoPeople`.
      body: `body_model.BodyModel`.
      smpl: `body.smpl.SMPL` of it.
      formats: names of `FORMATS` and `outputs.OF_MOTION`.
      up_axis: of motions, "y" or "z".

    Returns:
      list of the paths written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    stem, paths = folder / people.path.stem, []
    clip = _clip(people, body, smpl, up_axis) if set(formats) & set(outputs.OF_MOTION) else None
    for name in formats:
        if name == "overlay":
            paths.append(Path(f"{stem}_overlay.mp4"))
            _draw_frames(people, body.faces, smpl, paths[-1])
        elif name == "npz":
            paths.append(Path(f"{stem}.npz"))
            with written(paths[-1]) as unfinished:
                np.savez_compressed(
                    unfinished, faces=body.faces, rate_hz=people.rate_hz, **_arrays(people.tracks)
                )
        else:
            paths += outputs.OF_MOTION[name](str(stem), clip)
    return paths


def _clip(people, body, smpl, up_axis):
    """Everybody's motion, and the first frame that somebody is in."""
    motions = []
    for number, track in enumerate(people.tracks):
        names = ("betas", "rotations", "transl")
        arrays = [np.stack([person[name] for person in track.people]) for name in names]
        motions.append(motion.from_camera(f"person_{number}", body, *arrays, frames=track.frames))
    first = min(track.frames[0] for track in people.tracks)
    image = next(itertools.islice(video_files.frames(str(people.path)), first, None))
    seen = [track.people[0] for track in people.tracks if track.frames[0] == first]
    overlay = _overlay(body.faces, image, _with_mesh([seen], smpl)[0])
    return outputs.Clip(motions, body, people.rate_hz, up_axis, image, overlay)


def _arrays(tracks):
    """A row for each person in each frame, in the order of persons and frames."""
    people = [person for track in tracks for person in track.people]
    arrays = {
        name: np.stack([person[name] for person in people]) for name in KEPT if name != "theta"
    }
    matrices = arrays["rotations"].reshape(-1, 3, 3)
    arrays["pose"] = Rotation.from_matrix(matrices).as_rotvec().reshape(-1, 24, 3)
    arrays["frame"] = np.concatenate([track.frames for track in tracks])
    arrays["person"] = np.repeat(range(len(tracks)), [len(track.frames) for track in tracks])
    return arrays


def _draw_frames(people, faces, smpl, target):
    in_frame = [[] for _ in range(people.num_frames)]
    for track in people.tracks:
        for number, person in zip(track.frames, track.people):
            in_frame[number].append(person)
    pose = tf.function(smpl.__call__)
    frames = batches(video_files.frames(str(people.path)))
    with (
        video_files.writer(target, people.rate_hz) as write_frame,
        tqdm(total=people.num_frames, desc="Drawing", unit="frame", leave=False) as bar,
        futures.ThreadPoolExecutor() as pool,
    ):
        for images, of_images in zip(frames, batches(in_frame)):
            posed = _with_mesh(of_images, pose)
            for picture in pool.map(functools.partial(_overlay, faces), images, posed):
                write_frame(picture)
                bar.update()


def _with_mesh(in_frames, pose):
    """The people of each frame, now with their vertices: all of them posed in one batch."""
    everybody = [person for people in in_frames for person in people]
    if not everybody:
        return in_frames
    rotations, betas = (
        tf.constant(np.stack([person[name] for person in everybody]))
        for name in ("rotations", "betas")
    )
    vertices = iter(pose(rotations, betas).vertices.numpy())
    return [[Person({**p, "vertices": next(vertices)}) for p in people] for people in in_frames]


def _overlay(faces, image, people):
    return panels.overlay(image, people, faces, with_skeleton=False)

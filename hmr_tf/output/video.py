"""--mode=predict on videos: frames to bodies, people followed, motion smoothed, overlay drawn."""

import functools
import itertools
from concurrent import futures
from pathlib import Path

import numpy as np
import tensorflow as tf
from scipy.spatial.transform import Rotation
from tqdm import tqdm

from hmr_tf.atomic import written
from hmr_tf.errors import InputError
from hmr_tf.output import clips, files, motion, panels, predict, tracks
from hmr_tf.output.people import Person, predict_people

OF_VIDEOS = ("overlay", "npz")
_AT_ONCE = 16  # frames whose people are one batch
_KEPT = (
    *("theta", "rotations", "betas", "transl", "box", "keypoints2d_px", "joints3d"),
    *("smpl_joints", "focal_px", "principal_px"),
)


def predict_video(model, path, where, output_dir, formats=OF_VIDEOS, smoother="none", up_axis="y"):
    """Predicts a video and writes NAME_overlay.mp4, NAME.npz and so on.

    Args:
      model: `output.model.Model`.
      path: the video file.
      where: `predict.Where`; boxes of frame n have the name n, or OpenPose's NAME_0...n.
      output_dir: folder for what is written.
      formats: names of `OF_VIDEOS` and `files.OF_MOTION`.
      smoother: one of `tracks.SMOOTHERS`.
      up_axis: of motions, "y" or "z".

    Returns:
      list of the paths written.

    Raises:
      InputError: no video, a frame's box is unusable, nobody in any frame.
    """
    path, folder, rate_hz = Path(path), Path(output_dir), clips.rate(str(path))
    seen = _predict_frames(model, path, where)
    if not any(seen):
        raise InputError(f"nobody was found in any of the {len(seen)} frames of {path}.")
    followed = [_smoothed(model.hmr.smpl, t, smoother, rate_hz) for t in tracks.follow(seen)]
    folder.mkdir(parents=True, exist_ok=True)
    stem, paths = folder / path.stem, []
    clip = _clip(model, path, followed, rate_hz, up_axis)
    for wanted in formats:
        if wanted == "overlay":
            paths.append(Path(f"{stem}_overlay.mp4"))
            _draw_frames(model, path, followed, len(seen), rate_hz, paths[-1])
        elif wanted == "npz":
            paths.append(Path(f"{stem}.npz"))
            rows = _arrays(followed)
            with written(paths[-1]) as unfinished:
                np.savez_compressed(unfinished, faces=model.faces, rate_hz=rate_hz, **rows)
        else:
            paths += files.OF_MOTION[wanted](str(stem), clip)
    return paths


def _clip(model, path, followed, rate_hz, up_axis):
    """Everybody's motion, and the first frame that somebody is in."""
    moving = []
    for number, track in enumerate(followed):
        names = ("betas", "rotations", "transl")
        arrays = [np.stack([person[name] for person in track.people]) for name in names]
        moving.append(
            motion.from_camera(f"person_{number}", model.body, *arrays, frames=track.frames)
        )
    first = min(track.frames[0] for track in followed)
    image = next(itertools.islice(clips.frames(str(path)), first, None))
    people = [track.people[0] for track in followed if track.frames[0] == first]
    drawn = _overlay(model.faces, image, _with_mesh([people], model.hmr.smpl)[0])
    return files.Clip(moving, model.body, rate_hz, up_axis, image, drawn)


def _predict_frames(model, path, where):
    """For each frame its people, without their meshes."""
    seen = []
    with tqdm(desc="Predicting", unit="frame", leave=False) as bar:
        for chunk in _chunks(clips.frames(str(path))):
            cuts = [
                _cut(model, image, path.stem, len(seen) + i, where) for i, image in enumerate(chunk)
            ]
            people = iter(predict_people(model.predict_crops, [c for of in cuts for c in of]))
            seen += [[_without_mesh(next(people)) for _ in of_frame] for of_frame in cuts]
            bar.update(len(chunk))
    return seen


def _cut(model, image, stem, number, where):
    if where.boxes is not None and None not in where.boxes:
        names = (str(number), f"{stem}_{number:012d}")
        boxes = next((where.boxes[name] for name in names if name in where.boxes), [])
        where = where._replace(boxes={None: boxes})
    elif where.boxes is None:
        where = where._replace(boxes={None: model.find(image)})
    if not where.boxes[None]:
        return []
    try:
        return predict.cut(model, image, None, where)
    except InputError as error:
        raise InputError(f"frame {number} of the video: {error}") from error


def _without_mesh(person):
    return Person({name: person[name] for name in _KEPT})


def _smoothed(smpl, track, smoother, rate_hz):
    """The track with its motion filtered; one shape for the whole of it."""
    if smoother == "none":
        return track
    rotations, betas, transl = (
        np.stack([person[name] for person in track.people])
        for name in ("rotations", "betas", "transl")
    )
    rotations = tracks.smooth_rotations(rotations, smoother, rate_hz).astype(np.float32)
    transl = tracks.smooth(transl, smoother, rate_hz).astype(np.float32)
    betas = np.broadcast_to(betas.mean(axis=0), betas.shape).astype(np.float32)
    body = smpl.joints_only(tf.constant(rotations), tf.constant(betas))
    joints, smpl_joints = body.keypoints.numpy(), body.joints.numpy()
    people = []
    for i, person in enumerate(track.people):
        changed = {
            "rotations": rotations[i],
            "betas": betas[i],
            "transl": transl[i],
            "joints3d": joints[i],
            "smpl_joints": smpl_joints[i],
            "keypoints2d_px": _project(joints[i] + transl[i], person),
        }
        people.append(Person({**person, **changed}))
    return track._replace(people=people)


def _project(points, person):
    pixels = person["focal_px"] * points[:, :2] / points[:, 2:] + person["principal_px"]
    return pixels.astype(np.float32)


def _arrays(followed):
    """A row for each person in each frame, in the order of persons and frames."""
    people = [person for track in followed for person in track.people]
    arrays = {
        name: np.stack([person[name] for person in people]) for name in _KEPT if name != "theta"
    }
    matrices = arrays["rotations"].reshape(-1, 3, 3)
    arrays["pose"] = Rotation.from_matrix(matrices).as_rotvec().reshape(-1, 24, 3)
    arrays["frame"] = np.concatenate([track.frames for track in followed])
    arrays["person"] = np.repeat(range(len(followed)), [len(track.frames) for track in followed])
    return arrays


def _draw_frames(model, path, followed, num_frames, rate_hz, target):
    in_frame = [[] for _ in range(num_frames)]
    for track in followed:
        for number, person in zip(track.frames, track.people):
            in_frame[number].append(person)
    pose = tf.function(model.hmr.smpl.__call__)
    with (
        clips.writer(target, rate_hz) as write,
        tqdm(total=num_frames, desc="Drawing", unit="frame", leave=False) as bar,
        futures.ThreadPoolExecutor() as pool,
    ):
        for images, people in zip(_chunks(clips.frames(str(path))), _chunks(in_frame)):
            posed = _with_mesh(people, pose)
            for picture in pool.map(functools.partial(_overlay, model.faces), images, posed):
                write(picture)
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


def _chunks(images):
    images = iter(images)
    return iter(lambda: list(itertools.islice(images, _AT_ONCE)), [])

"""The output files of photographs and motions: one writer for each value of --write."""

import collections
from pathlib import Path
from typing import NamedTuple, Optional

import cv2
import numpy as np

from hmr_tf.body.body_model import BodyModel, rest_body
from hmr_tf.body.measure import measure_shape
from hmr_tf.exporters import axes, bvh, mesh, motion, smpl_npz, viewer
from hmr_tf.exporters.gltf import glb
from hmr_tf.exporters.measure_picture import measure_picture
from hmr_tf.files import atomic
from hmr_tf.rendering import panels

_NAMES = ("joint_names", "smpl_joint_names")  # entries of Person that are equal for all people


_STILL_FPS = 25.0  # stated in the motion files of a photograph, which have one frame


class Scene(NamedTuple):
    """A photograph and the people in it."""

    image: np.ndarray  # (H, W, 3) uint8 RGB
    people: list  # of inference.person_crops.Person, at least one
    body: BodyModel  # of these people
    up_axis: str = "y"  # of meshes and motions: "y" or "z"


class Clip(NamedTuple):
    """The motions of the people in a video, or their poses in a photograph.

    All files of a clip begin with its frame 0, also those of people who enter later.
    """

    motions: list  # of exporters.motion.Motion, one for each person, at least one
    body: BodyModel  # of these people
    fps: float  # frames a second
    up_axis: str = "y"  # of BVH and AMASS files: "y" or "z"
    # (H, W, 3) uint8 RGB, the photograph or a frame; for the page
    image: Optional[np.ndarray] = None
    overlay: Optional[np.ndarray] = None  # (H, W, 3) uint8 RGB, the same with the bodies drawn


def distinct_names(paths):
    """Dict: path of a photograph -> name of its output files, a different one for each.

    The name is the stem; where several are equal, the extension is added, then folders, then
    by the number.
    """
    names = {}
    for number, path in enumerate(paths):
        parts = path.absolute().parts[1:]
        longer = ["_".join(parts[-n:]).replace(".", "_") for n in range(1, len(parts) + 1)]
        names[path] = [path.stem, *longer, f"{path.stem}_{number}"]
    counts = collections.Counter(name for candidates in names.values() for name in set(candidates))
    return {
        path: next(name for name in candidates if counts[name] == 1)
        for path, candidates in names.items()
    }


def write(folder, name, scene, formats):
    """Writes the files of a photograph, as NAME_overlay.png and NAME.obj.

    Args:
      folder: for the files; it is created.
      name: beginning of the file names.
      scene: Scene.
      formats: names of `PHOTO_WRITERS` and `MOTION_WRITERS`.

    Returns:
      list of the paths written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    stem, paths = str(folder / name), []
    clip = _clip_of_one_frame(scene) if set(formats) & set(MOTION_WRITERS) else None
    for format_name in formats:
        if format_name in PHOTO_WRITERS:
            paths += PHOTO_WRITERS[format_name](stem, scene)
        else:
            paths += MOTION_WRITERS[format_name](stem, clip)
    return paths


def write_png(path, picture):
    """(H, W, 3) or (H, W, 4) uint8 RGB(A) -> a PNG file."""
    code = cv2.COLOR_RGBA2BGRA if picture.shape[-1] == 4 else cv2.COLOR_RGB2BGR
    done, content = cv2.imencode(".png", cv2.cvtColor(picture, code))
    if not done:
        raise ValueError(f"a picture of shape {picture.shape} cannot be saved as PNG")
    atomic.write_bytes(path, content)  # Python's error has the reason; OpenCV's does not


def _clip_of_one_frame(scene):
    motions = [
        motion.from_camera(
            f"person_{number}",
            scene.body,
            betas=person["betas"],
            rotations=person["rotations"][None],
            transl=person["transl"][None],
        )
        for number, person in enumerate(scene.people)
    ]
    overlay = panels.overlay(scene.image, scene.people, scene.body.faces, with_skeleton=False)
    return Clip(
        motions,
        scene.body,
        fps=_STILL_FPS,
        up_axis=scene.up_axis,
        image=scene.image,
        overlay=overlay,
    )


def _picture_writer(suffix, draw):
    def write_picture(stem, scene):
        path = Path(f"{stem}{suffix}")
        write_png(path, draw(scene.image, scene.people, scene.body.faces))
        return [path]

    return write_picture


def _obj(stem, scene):
    path = Path(f"{stem}.obj")
    mesh.write_obj(path, _vertices_in_scene(scene), scene.body.faces)
    return [path]


def _ply(stem, scene):
    path = Path(f"{stem}.ply")
    mesh.write_ply(path, _vertices_in_scene(scene), scene.body.faces)
    return [path]


def _vertices_in_scene(scene):
    """list of (V, 3): the people in their places, with the mean of their translations as origin."""
    transl = np.array([person["transl"] for person in scene.people])
    return [
        axes.from_camera(person["vertices"] + offset, scene.up_axis)
        for person, offset in zip(scene.people, transl - transl.mean(axis=0))
    ]


def _npz(stem, scene):
    path, first = Path(f"{stem}.npz"), scene.people[0]
    arrays = {
        name: np.stack([person[name] for person in scene.people])
        for name in first
        if name not in _NAMES
    }
    names = {name: np.array(first[name]) for name in _NAMES}
    with atomic.atomic_write(path) as unfinished:
        np.savez_compressed(unfinished, faces=scene.body.faces, **names, **arrays)
    return [path]


def _glb(stem, clip):
    path = Path(f"{stem}.glb")
    glb.write_glb(path, clip.motions, clip.body, fps=clip.fps, first_frame=0)
    return [path]


def _viewer(stem, clip):
    path = Path(f"{stem}.html")
    content = glb.glb(clip.motions, clip.body, fps=clip.fps, first_frame=0)
    viewer.write_viewer(path, content, clip.image, clip.overlay, title=path.stem)
    return [path]


def _bvh(stem, clip):
    paths = [Path(f"{stem}_{person.name}.bvh") for person in clip.motions]
    for path, person in zip(paths, clip.motions):
        person = motion.from_frame(person, 0)
        bvh.write_bvh(path, person, clip.body, fps=clip.fps, up_axis=clip.up_axis)
    return paths


def _amass(stem, clip):
    paths = [Path(f"{stem}_{person.name}_amass.npz") for person in clip.motions]
    for path, person in zip(paths, clip.motions):
        person = motion.from_frame(person, 0)
        smpl_npz.write_smpl_npz(path, person, clip.body, fps=clip.fps, up_axis=clip.up_axis)
    return paths


def _measure(stem, clip):
    """A CSV with a row of measurements for each person, and pictures of them."""
    path = Path(f"{stem}_measures.csv")
    measurements = [measure_shape(clip.body, person.betas) for person in clip.motions]
    lines = [",".join(["person", *(f"{name}_m" for name in measurements[0])])]
    paths = [path]
    for person, values in zip(clip.motions, measurements):
        lines.append(",".join([person.name, *(f"{m.metres:.4f}" for m in values.values())]))
        vertices, _ = rest_body(clip.body, person.betas)
        paths.append(Path(f"{stem}_{person.name}_measures.png"))
        write_png(paths[-1], measure_picture(vertices, clip.body.faces, values))
    atomic.write_text(path, "\n".join(lines) + "\n")
    return paths


# Value of --write -> function: (beginning of the path, Scene or Clip) -> list of the paths written.
PHOTO_WRITERS = {
    "overlay": _picture_writer("_overlay.png", panels.overlay),
    "panels": _picture_writer("_panels.png", panels.demo_panels),
    "transparent": _picture_writer("_transparent.png", panels.transparent),
    "obj": _obj,
    "ply": _ply,
    "npz": _npz,
}
MOTION_WRITERS = {
    "glb": _glb,
    "bvh": _bvh,
    "amass": _amass,
    "viewer": _viewer,
    "measure": _measure,
}

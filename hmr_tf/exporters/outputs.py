"""What is written of photographs and videos: --write names it."""

import collections
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from hmr_tf.body.body_model import BodyModel, rest_body
from hmr_tf.body.measure import measure_shape
from hmr_tf.exporters import axes, bvh, mesh, smpl_npz, viewer
from hmr_tf.exporters import motion as motions
from hmr_tf.exporters.gltf import glb
from hmr_tf.exporters.measure_picture import measure_picture
from hmr_tf.files import atomic
from hmr_tf.rendering import panels

_TEXTS = ("joint_names", "smpl_joint_names")  # alike for all people


class Scene(NamedTuple):
    """A photograph and who is in it."""

    image: np.ndarray  # (H, W, 3) uint8
    people: list  # of inference.person.Person, at least one
    body: BodyModel
    up_axis: str = "y"  # of meshes and motions: "y" or "z"


class Clip(NamedTuple):
    """People in motion."""

    motions: list  # of exporters.motion.Motion, at least one
    body: BodyModel
    fps: float
    up_axis: str = "y"
    image: object = None  # (H, W, 3) uint8, a frame; None: there is none to show
    overlay: object = None  # (H, W, 3) uint8, the same with the bodies


def distinct_names(paths):
    """Path -> name of what is written of it: the stem; longer where several have the same.

    Longer names add the ending, then folders, then the number.
    """
    names = {}
    for number, path in enumerate(paths):
        parts = path.absolute().parts[1:]
        longer = ["_".join(parts[-n:]).replace(".", "_") for n in range(1, len(parts) + 1)]
        names[path] = [path.stem, *longer, f"{path.stem}_{number}"]
    taken = collections.Counter(name for of_path in names.values() for name in set(of_path))
    return {path: next(n for n in of_path if taken[n] == 1) for path, of_path in names.items()}


def write(folder, name, scene, formats):
    """Writes NAME_overlay.png, NAME.obj and so on into a folder; returns their paths."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    clip = _still(scene) if set(formats) & set(OF_MOTION) else None
    paths = []
    for wanted in formats:
        stem = str(folder / name)
        if wanted in OF_PHOTOGRAPHS:
            paths += OF_PHOTOGRAPHS[wanted](stem, scene)
        else:
            paths += OF_MOTION[wanted](stem, clip)
    return paths


def write_png(path, picture):
    """(H, W, 3) or (H, W, 4) uint8 RGB(A) -> a PNG file."""
    code = cv2.COLOR_RGBA2BGRA if picture.shape[-1] == 4 else cv2.COLOR_RGB2BGR
    done, content = cv2.imencode(".png", cv2.cvtColor(picture, code))
    if not done:
        raise ValueError(f"a picture of shape {picture.shape} cannot be saved as PNG")
    atomic.write_bytes(path, content)  # Python says why it cannot; OpenCV does not


def _still(scene):
    """The scene as a clip of one frame."""
    people = [
        motions.from_camera(
            f"person_{number}",
            scene.body,
            person["betas"],
            person["rotations"][None],
            person["transl"][None],
        )
        for number, person in enumerate(scene.people)
    ]
    overlay = panels.overlay(scene.image, scene.people, scene.body.faces, with_skeleton=False)
    return Clip(people, scene.body, 25.0, scene.up_axis, scene.image, overlay)


def _picture(suffix, draw):
    def write_picture(stem, scene):
        path = Path(f"{stem}{suffix}")
        write_png(path, draw(scene.image, scene.people, scene.body.faces))
        return [path]

    return write_picture


def _obj(stem, scene):
    path = Path(f"{stem}.obj")
    mesh.write_obj(path, _placed(scene), scene.body.faces)
    return [path]


def _ply(stem, scene):
    path = Path(f"{stem}.ply")
    mesh.write_ply(path, _placed(scene), scene.body.faces)
    return [path]


def _placed(scene):
    """Everybody where they stand to each other; one person alone stands at the origin."""
    places = np.array([person["transl"] for person in scene.people])
    return [
        axes.from_camera(person["vertices"] + place, scene.up_axis)
        for person, place in zip(scene.people, places - places.mean(axis=0))
    ]


def _npz(stem, scene):
    path, first = Path(f"{stem}.npz"), scene.people[0]
    arrays = {
        name: np.stack([person[name] for person in scene.people])
        for name in first
        if name not in _TEXTS
    }
    texts = {name: np.array(first[name]) for name in _TEXTS}
    with atomic.written(path) as unfinished:
        np.savez_compressed(unfinished, faces=scene.body.faces, **texts, **arrays)
    return [path]


def _glb(stem, clip):
    path = Path(f"{stem}.glb")
    glb.write_glb(path, clip.motions, clip.body, fps=clip.fps)
    return [path]


def _viewer(stem, clip):
    path = Path(f"{stem}.html")
    content = glb.glb(clip.motions, clip.body, fps=clip.fps)
    viewer.write_viewer(path, content, clip.image, clip.overlay, title=path.stem)
    return [path]


def _bvh(stem, clip):
    paths = [Path(f"{stem}_{motion.name}.bvh") for motion in clip.motions]
    for path, motion in zip(paths, clip.motions):
        bvh.write_bvh(path, motion, clip.body, fps=clip.fps, up_axis=clip.up_axis)
    return paths


def _amass(stem, clip):
    paths = [Path(f"{stem}_{motion.name}_amass.npz") for motion in clip.motions]
    for path, motion in zip(paths, clip.motions):
        smpl_npz.write_smpl_npz(path, motion, clip.body, fps=clip.fps, up_axis=clip.up_axis)
    return paths


def _measure(stem, clip):
    """A line of metres for each person, and pictures of where they were taken."""
    path = Path(f"{stem}_measures.csv")
    taken = [measure_shape(clip.body, motion.betas) for motion in clip.motions]
    lines = [",".join(["person", *(f"{name}_m" for name in taken[0])])]
    paths = [path]
    for motion, measured in zip(clip.motions, taken):
        lines.append(",".join([motion.name, *(f"{m.metres:.4f}" for m in measured.values())]))
        vertices, _ = rest_body(clip.body, motion.betas)
        paths.append(Path(f"{stem}_{motion.name}_measures.png"))
        write_png(paths[-1], measure_picture(vertices, clip.body.faces, measured))
    atomic.write_text(path, "\n".join(lines) + "\n")
    return paths


# Value of --write -> function (start of the path, what to write) -> paths.
OF_PHOTOGRAPHS = {
    "overlay": _picture("_overlay.png", panels.overlay),
    "panels": _picture("_panels.png", panels.six),
    "transparent": _picture("_transparent.png", panels.transparent),
    "obj": _obj,
    "ply": _ply,
    "npz": _npz,
}
OF_MOTION = {"glb": _glb, "bvh": _bvh, "amass": _amass, "viewer": _viewer, "measure": _measure}

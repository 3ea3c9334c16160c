"""The output files of a photograph: pictures with the bodies, meshes, arrays, motions."""

import collections
import itertools
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hmr_tf.body.body_model import BodyModel
from hmr_tf.exporters import axes, mesh, motion, output_formats
from hmr_tf.exporters.motion_outputs import Clip
from hmr_tf.files import atomic, png
from hmr_tf.rendering import panels

_NAMES = ("joint_names", "smpl_joint_names")  # entries of Person that are equal for all people
_STILL_FPS = 25.0  # stated in the motion files of a photograph, which have one frame


class Scene(NamedTuple):
    """A photograph and the people in it."""

    image: np.ndarray  # (H, W, 3) uint8 RGB
    people: list  # of inference.person_crops.Person, at least one
    body: BodyModel  # of these people
    up_axis: str = "y"  # of meshes and motions: "y" or "z"


def distinct_names(paths):
    """Dict: path of a photograph -> name of its output files, a different one for each.

    The name is the stem; where several are equal, the extension is added, then folders, then
    by the number. Upper case makes no difference: macOS and Windows take such names for one.
    """
    names = {}
    for path in paths:
        parts = path.absolute().parts[1:]
        longer = ["_".join(parts[-n:]).replace(".", "_") for n in range(1, len(parts) + 1)]
        names[path] = [path.stem, *longer]
    counts = collections.Counter(
        name for candidates in names.values() for name in {c.casefold() for c in candidates}
    )
    distinct = {}
    for number, (path, candidates) in enumerate(names.items()):
        numbered = (f"{path.stem}_{number}{'_' * n}" for n in itertools.count())
        distinct[path] = next(
            itertools.chain(
                (name for name in candidates if counts[name.casefold()] == 1),
                (name for name in numbered if not counts[name.casefold()]),
            )
        )
    return distinct


def write(folder, name, scene, formats):
    """Writes the files of a photograph, as NAME_overlay.png and NAME.obj.

    Args:
      folder: for the files; it is created.
      name: beginning of the file names.
      scene: Scene.
      formats: some of `output_formats.names("photo")`.

    Returns:
      list of the paths written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return output_formats.write(str(folder / name), formats, "photo", scene, _clip_of_one_frame)


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


def write_overlay(stem, scene):
    """Writes the photograph with bodies and keypoints over it."""
    return _write_picture(f"{stem}_overlay.png", panels.overlay, scene)


def write_panels(stem, scene):
    """Writes the six pictures of the original's demo in one."""
    return _write_picture(f"{stem}_panels.png", panels.demo_panels, scene)


def write_transparent(stem, scene):
    """Writes the bodies without the photograph, on a transparent background."""
    return _write_picture(f"{stem}_transparent.png", panels.transparent, scene)


def _write_picture(path, draw, scene):
    png.write_png(path, draw(scene.image, scene.people, scene.body.faces))
    return [Path(path)]


def write_obj(stem, scene):
    """Writes the meshes of all people, Wavefront OBJ."""
    path = Path(f"{stem}.obj")
    mesh.write_obj(path, _vertices_in_scene(scene), scene.body.faces)
    return [path]


def write_ply(stem, scene):
    """Writes the meshes of all people, binary PLY."""
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


def write_npz(stem, scene):
    """Writes all entries of the people, a row for each person."""
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

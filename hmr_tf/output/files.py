"""What is written of a photograph: --write names it."""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from hmr_tf.output import panels
from hmr_tf.output.mesh import write_obj

# The camera's y points down and z away; programs for meshes expect y up: half a turn about x.
Y_UP = np.array([1.0, -1.0, -1.0])
_TEXTS = ("joint_names", "smpl_joint_names")  # alike for all people


class Scene(NamedTuple):
    """A photograph and who is in it."""

    image: np.ndarray  # (H, W, 3) uint8
    people: list  # of output.people.Person, at least one
    faces: np.ndarray  # (F, 3)


def write(folder, name, scene, formats):
    """Writes NAME_overlay.png, NAME.obj and so on into a folder; returns their paths."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for wanted in formats:
        suffix, function = FORMATS[wanted]
        path = folder / f"{name}{suffix}"
        function(path, scene)
        paths.append(path)
    return paths


def write_png(path, picture):
    """(H, W, 3) or (H, W, 4) uint8 RGB(A) -> a PNG file."""
    code = cv2.COLOR_RGBA2BGRA if picture.shape[-1] == 4 else cv2.COLOR_RGB2BGR
    if not cv2.imwrite(str(path), cv2.cvtColor(picture, code)):
        raise OSError(f"{path} was not written")


def _overlay(path, scene):
    write_png(path, panels.overlay(*scene))


def _transparent(path, scene):
    write_png(path, panels.transparent(*scene))


def _panels(path, scene):
    write_png(path, panels.six(*scene))


def _obj(path, scene):
    """Everybody where they stand to each other; one person alone stands at the origin."""
    places = np.array([person["transl"] for person in scene.people])
    bodies = zip(scene.people, places - places.mean(axis=0))
    write_obj(path, [(person["vertices"] + place) * Y_UP for person, place in bodies], scene.faces)


def _npz(path, scene):
    first = scene.people[0]
    arrays = {
        name: np.stack([person[name] for person in scene.people])
        for name in first
        if name not in _TEXTS
    }
    texts = {name: np.array(first[name]) for name in _TEXTS}
    np.savez_compressed(path, faces=scene.faces, **texts, **arrays)


# Value of --write -> ending of the file, and who writes it.
FORMATS = {
    "overlay": ("_overlay.png", _overlay),
    "panels": ("_panels.png", _panels),
    "transparent": ("_transparent.png", _transparent),
    "obj": (".obj", _obj),
    "npz": (".npz", _npz),
}

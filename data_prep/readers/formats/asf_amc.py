"""Acclaim's motion capture files: a skeleton (.asf) and how its bones turn in time (.amc).

A bone's rotations are about axes of its own, which its parent carries along: with C the axes and R
what the .amc says, its global rotation is parent * C R C^-1. It turns `direction`, which is where
the bone points in the world when nothing is turned.
"""

import os
import re
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from hmr_tf.files.errors import InputError

ROOT = "root"
MAX_ASF_BYTES, MAX_AMC_BYTES = 2**20, 2**26  # CMU's have some 8 kB and up to 30 MB
MAX_BONES = 200
_FRAME_NUMBER = re.compile(r"^[ \t]*\d+[ \t\r]*$", re.MULTILINE)


class Bone(NamedTuple):
    """One bone, or the root."""

    direction: np.ndarray  # (3,) unit vector
    axes: Rotation
    turns: tuple  # what its numbers in the .amc are, in their order: "rx", "ry", "rz", "tx", ...


class Skeleton(NamedTuple):
    """An .asf file."""

    bones: dict  # name -> Bone; the root first, every parent before its children
    parents: dict  # name -> parent's name; not of the root
    in_degrees: bool  # where the .amc does not say


def read_skeleton(path):
    """.asf file -> Skeleton.

    Raises:
      InputError: unreadable, or of another form; says where.
    """
    sections = _sections(path)
    try:
        units = {line[0]: line[1] for line in sections.get("units", ())}
        in_degrees = units.get("angle") != "rad"
        bones = {ROOT: _root(sections["root"])}
        bones.update(_bone(lines, in_degrees) for lines in _blocks(sections["bonedata"]))
        (hierarchy,) = _blocks(sections["hierarchy"])
        parents = _parents(hierarchy, bones)
    except (KeyError, ValueError, IndexError) as error:
        raise InputError(f"{path} is no readable skeleton of Acclaim's form ({error!r})") from error
    order = _from_the_root(parents)
    return Skeleton({name: bones[name] for name in order}, parents, in_degrees)


def read_motion(path, skeleton, choose):
    """.amc file -> how the bones turn.

    Args:
      path: file.
      skeleton: Skeleton.
      choose: number of frames -> indices of those to read.

    Returns:
      dict: name of each bone that turns -> (T, n) its numbers in the file's order; radians, and
      lengths that mean nothing.

    Raises:
      InputError: unreadable, a frame lacks a bone, or has not as many numbers as the skeleton says.
    """
    header, *frames = _FRAME_NUMBER.split(_read_text(path, MAX_AMC_BYTES))
    if not frames:
        raise InputError(f"{path} holds no frame of Acclaim's form")
    sizes = {name: len(bone.turns) for name, bone in skeleton.bones.items() if bone.turns}
    motion = {name: [] for name in sizes}
    for index in choose(len(frames)):
        lines = {line[0]: line[1:] for line in map(str.split, frames[index].splitlines()) if line}
        for name, size in sizes.items():
            try:
                numbers = [float(number) for number in lines[name]]
            except (KeyError, ValueError) as error:
                raise InputError(f"{path}, frame {index + 1}: {name} ({error!r})") from error
            if len(numbers) != size or not np.isfinite(numbers).all():
                raise InputError(f"{path}, frame {index + 1}: {name} has not {size} numbers")
            motion[name].append(numbers)
    in_degrees = {":DEGREES": True, ":RADIANS": False}
    said = [in_degrees[word] for word in header.upper().split() if word in in_degrees]
    factor = np.pi / 180 if (said or [skeleton.in_degrees])[-1] else 1.0
    return {name: np.array(rows) * factor for name, rows in motion.items()}


def global_rotations(skeleton, motion):
    """dict: bone -> Rotation of T elements, in the world; motion as from `read_motion`, radians."""
    num_frames = len(motion[ROOT])
    rotations = {}
    for name, bone in skeleton.bones.items():
        own = Rotation.identity(num_frames)
        places = [i for i, turn in enumerate(bone.turns) if turn[0] == "r"]
        if places:
            letters = "".join(bone.turns[i][1] for i in places)
            turned = Rotation.from_euler(letters, motion[name][:, places])
            own = bone.axes * turned * bone.axes.inv()
        rotations[name] = own if name == ROOT else rotations[skeleton.parents[name]] * own
    return rotations


def _read_text(path, max_bytes):
    try:
        size = os.path.getsize(path)
        if size > max_bytes:
            raise InputError(f"{path} has {size:,} bytes; at most {max_bytes:,} are read")
        with open(path, encoding="latin1") as file:
            return file.read(max_bytes)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


def _sections(path):
    """Section name, without its colon -> lines, each a list of words."""
    sections, current = {}, []
    for line in _read_text(path, MAX_ASF_BYTES).splitlines():
        words = line.partition("#")[0].split()
        if words and words[0].startswith(":"):
            current = sections.setdefault(words[0][1:].lower(), [])
        elif words:
            current.append(words)
    return sections


def _blocks(lines):
    """What stands between each begin and its end."""
    blocks, current = [], None
    for line in lines:
        if line == ["begin"]:
            current = []
        elif line == ["end"]:
            if current is None:
                raise ValueError("an end without a begin")
            blocks, current = [*blocks, current], None
        elif current is not None:
            current.append(line)
    if current is not None or not 0 < len(blocks) <= MAX_BONES:
        raise ValueError(f"{len(blocks)} blocks, or one without an end")
    return blocks


def _root(lines):
    fields = {line[0]: line[1:] for line in lines}
    if any(float(number) for number in fields.get("orientation", ())):
        raise ValueError("the root is turned")  # what that means, Acclaim's papers leave open
    return Bone(np.zeros(3), Rotation.identity(), _turns(fields["order"]))


def _bone(lines, in_degrees):
    fields = {line[0]: line[1:] for line in lines}
    direction = np.array(fields["direction"], float)
    *angles, letters = fields["axis"] if len(fields["axis"]) > 3 else [*fields["axis"], "XYZ"]
    if len(angles) != 3 or sorted(letters.lower()) != ["x", "y", "z"]:
        raise ValueError(f"axis {fields['axis']}")
    axes = Rotation.from_euler(letters.lower(), np.array(angles, float), in_degrees)
    length = np.linalg.norm(direction)
    if direction.shape != (3,) or not 0 < length < np.inf:
        raise ValueError(f"direction {fields['direction']}")
    (name,) = fields["name"]
    return name, Bone(direction / length, axes, _turns(fields.get("dof", ())))


def _turns(words):
    turns = tuple(word.lower() for word in words)
    if len(set(turns)) < len(turns) or not set(turns) <= {"rx", "ry", "rz", "tx", "ty", "tz", "l"}:
        raise ValueError(f"degrees of freedom {' '.join(words)}")
    return turns


def _parents(hierarchy, bones):
    parents = {}
    for parent, *children in hierarchy:
        for child in children:
            if {parent, child} - set(bones) or child == ROOT or child in parents:
                raise ValueError(f"{child} below {parent}")
            parents[child] = parent
    return parents


def _from_the_root(parents):
    """Names of the bones that hang on the root, every parent before its children."""
    order = [ROOT]
    for name in order:  # grows on the way
        order += [child for child, parent in parents.items() if parent == name]
    return order

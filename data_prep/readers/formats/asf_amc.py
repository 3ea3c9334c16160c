"""Acclaim's motion capture files: a skeleton (.asf) and its bones' rotations over time (.amc).

A bone rotates about its axes, which move with its parent: with C the axes and R the rotation in
the .amc, its global rotation is parent * C R C^-1. It rotates `direction`, where the bone points in
the rest pose, in global coordinates.
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
    channels: tuple  # meanings of its numbers in the .amc: "rx", "ry", "rz", "tx", ...


class Skeleton(NamedTuple):
    """An .asf file."""

    bones: dict  # name -> Bone; the root first, every parent before its children
    parents: dict  # name -> parent's name; not of the root
    in_degrees: bool  # unless the .amc has a line :DEGREES or :RADIANS


def read_skeleton(path):
    """.asf file -> Skeleton.

    Raises:
      InputError: unreadable, or of another form.
    """
    sections = _sections(path)
    try:
        units = {line[0]: line[1] for line in sections.get("units", ())}
        in_degrees = units.get("angle") != "rad"
        bones = {ROOT: _root(sections["root"])}
        bones.update(_bone(lines, in_degrees) for lines in _blocks(sections["bonedata"]))
        (hierarchy,) = _blocks(sections["hierarchy"])
        parents = _parents(hierarchy, bones)
    except KeyError as error:
        raise _unreadable(path, f"it has no {error.args[0]}") from error
    except InputError as error:
        raise _unreadable(path, error) from error
    except (ValueError, IndexError) as error:
        raise _unreadable(path, "a number is missing or not a number") from error
    order = _parents_first(parents)
    return Skeleton({name: bones[name] for name in order}, parents, in_degrees)


def read_motion(path, skeleton, choose):
    """.amc file -> channels of the bones.

    Args:
      path: file.
      skeleton: Skeleton.
      choose: number of frames -> indices of the frames to read.

    Returns:
      dict: name of each bone with channels -> (T, n) its numbers in the file's order; angles in
      radians, lengths in no known unit.

    Raises:
      InputError: unreadable, or a frame lacks a bone or has a wrong number of channels.
    """
    header, *frames = _FRAME_NUMBER.split(_read_text(path, MAX_AMC_BYTES))
    if not frames:
        raise InputError(f"{path} holds no Acclaim frame")
    sizes = {name: len(bone.channels) for name, bone in skeleton.bones.items() if bone.channels}
    motion = {name: [] for name in sizes}
    for index in choose(len(frames)):
        lines = {line[0]: line[1:] for line in map(str.split, frames[index].splitlines()) if line}
        for name, size in sizes.items():
            try:
                numbers = [float(number) for number in lines[name]]
            except KeyError as error:
                raise InputError(f"{path}, frame {index + 1}: {name} is missing") from error
            except ValueError as error:
                reason = "has something that is not a number"
                raise InputError(f"{path}, frame {index + 1}: {name} {reason}") from error
            if len(numbers) != size or not np.isfinite(numbers).all():
                raise InputError(f"{path}, frame {index + 1}: {name} has not {size} numbers")
            motion[name].append(numbers)
    in_degrees = {":DEGREES": True, ":RADIANS": False}
    stated = [in_degrees[word] for word in header.upper().split() if word in in_degrees]
    factor = np.pi / 180 if (stated or [skeleton.in_degrees])[-1] else 1.0
    return {name: np.array(rows) * factor for name, rows in motion.items()}


def global_rotations(skeleton, motion):
    """dict: bone -> Rotation of T frames, in global coordinates; `motion` as from `read_motion`."""
    num_frames = len(motion[ROOT])
    rotations = {}
    for name, bone in skeleton.bones.items():
        local = Rotation.identity(num_frames)
        columns = [i for i, channel in enumerate(bone.channels) if channel[0] == "r"]
        if columns:
            letters = "".join(bone.channels[i][1] for i in columns)
            rotation = Rotation.from_euler(letters, motion[name][:, columns])
            local = bone.axes * rotation * bone.axes.inv()
        rotations[name] = local if name == ROOT else rotations[skeleton.parents[name]] * local
    return rotations


def _unreadable(path, reason):
    return InputError(f"{path} is not a readable Acclaim skeleton: {reason}")


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
    """The lines between each begin and its end."""
    blocks, current = [], None
    for line in lines:
        if line == ["begin"]:
            current = []
        elif line == ["end"]:
            if current is None:
                raise InputError("an end without a begin")
            blocks, current = [*blocks, current], None
        elif current is not None:
            current.append(line)
    if current is not None or not 0 < len(blocks) <= MAX_BONES:
        raise InputError(f"{len(blocks)} blocks, or one without an end")
    return blocks


def _root(lines):
    fields = {line[0]: line[1:] for line in lines}
    if any(float(number) for number in fields.get("orientation", ())):
        raise InputError("the root is rotated")  # Acclaim's papers do not say what that means
    return Bone(np.zeros(3), Rotation.identity(), _channels(fields["order"]))


def _bone(lines, in_degrees):
    fields = {line[0]: line[1:] for line in lines}
    direction = np.array(fields["direction"], float)
    *angles, letters = fields["axis"] if len(fields["axis"]) > 3 else [*fields["axis"], "XYZ"]
    if len(angles) != 3 or sorted(letters.lower()) != ["x", "y", "z"]:
        raise InputError(f"axis {' '.join(fields['axis'])}")
    angles = np.array(angles, float)
    if not np.isfinite(angles).all():
        raise InputError(f"axis {' '.join(fields['axis'])}")
    axes = Rotation.from_euler(letters.lower(), angles, in_degrees)
    length = np.linalg.norm(direction)
    if direction.shape != (3,) or not 0 < length < np.inf:
        raise InputError(f"direction {' '.join(fields['direction'])}")
    (name,) = fields["name"]
    return name, Bone(direction / length, axes, _channels(fields.get("dof", ())))


def _channels(words):
    channels, known = (
        tuple(word.lower() for word in words),
        ("rx", "ry", "rz", "tx", "ty", "tz", "l"),
    )
    if len(set(channels)) < len(channels) or not set(channels) <= set(known):
        raise InputError(f"degrees of freedom {' '.join(words)}")
    return channels


def _parents(hierarchy, bones):
    parents = {}
    for parent, *children in hierarchy:
        for child in children:
            if {parent, child} - set(bones) or child == ROOT or child in parents:
                raise InputError(f"{child} below {parent}")
            parents[child] = parent
    return parents


def _parents_first(parents):
    """Names of the bones connected to the root, every parent before its children."""
    order = [ROOT]
    for name in order:  # it grows during the loop
        order += [child for child, parent in parents.items() if parent == name]
    return order

"""The animation of a GLB: rotations of all joints, the pelvis's way, weights of morph targets."""

from typing import NamedTuple

import numpy as np

from hmr_tf.body.rotation import quaternion_from_matrix
from hmr_tf.body.skeleton import SMPL_JOINTS


class Nodes(NamedTuple):
    """Numbers of a person's nodes in the file."""

    joints: range
    rig: int  # holds the pelvis: what has a skeleton of its own is one armature in Blender
    mesh: int


def nodes_of(number):
    """Nodes of the person with that number: 24 joints, rig, mesh, person after person."""
    first = number * (len(SMPL_JOINTS) + 2)
    rig = first + len(SMPL_JOINTS)
    return Nodes(range(first, rig), rig, rig + 1)


def quaternions(rotations):
    """(N, J, 3, 3) -> (N, J, 4), each on the side of the one before: readers blend them."""
    values = quaternion_from_matrix(rotations)
    flips = np.where(np.sum(values[1:] * values[:-1], axis=-1, keepdims=True) < 0, -1.0, 1.0)
    return np.concatenate([values[:1], values[1:] * np.cumprod(flips, axis=0)])


def animation(people, rest_pelvises, targets, fps, buffer):
    """glTF's animation object for everybody; time 0 is the first frame in which anybody is there.

    Args:
      people: list of `motion.Motion`.
      rest_pelvises: (3,) of each.
      targets: `morphs.Morphs` or None of each.
      fps: frames a second.
      buffer: `gltf_buffer.Buffer` for the numbers.
    """
    channels = _Channels(buffer)
    start = min(person.frames[0] for person in people)
    end = max(person.frames[-1] for person in people)
    for number, (person, pelvis, target) in enumerate(zip(people, rest_pelvises, targets)):
        nodes = nodes_of(number)
        times = channels.times((person.frames - start) / fps)
        for joint, turns in zip(nodes.joints, np.swapaxes(quaternions(person.rotations), 0, 1)):
            channels.add(joint, "rotation", times, turns)
        channels.add(nodes.joints[0], "translation", times, person.transl + pelvis)
        if target:
            channels.add(nodes.mesh, "weights", times, target.weights.ravel())
        switches = _presence(person.frames, start, end)
        if len(switches) > 1:
            sizes = np.repeat(np.float32(list(switches.values()))[:, None], 3, axis=1)
            times = channels.times((np.array(list(switches)) - start) / fps)
            channels.add(nodes.joints[0], "scale", times, sizes, "STEP")
    return {"name": "motion", "samplers": channels.samplers, "channels": channels.channels}


def _presence(frames, start, end):
    """Frame -> size from then on: 1 where the person is there, 0 before and after."""
    switches = {start: 0.0, frames[0]: 1.0}
    if frames[-1] < end:
        switches[frames[-1] + 1] = 0.0
    return switches


class _Channels:
    """glTF's samplers and channels; arrays of times that are alike are stored once."""

    def __init__(self, buffer):
        self.buffer, self.samplers, self.channels, self._times = buffer, [], [], {}

    def times(self, seconds):
        seconds = np.asarray(seconds, np.float32)
        key = seconds.tobytes()
        if key not in self._times:
            self._times[key] = self.buffer.add(seconds, bounds=True)
        return self._times[key]

    def add(self, node, path, times, values, interpolation="LINEAR"):
        sampler = {
            "input": times,
            "output": self.buffer.add(np.asarray(values, np.float32)),
            "interpolation": interpolation,
        }
        self.channels.append(
            {"sampler": len(self.samplers), "target": {"node": node, "path": path}}
        )
        self.samplers.append(sampler)

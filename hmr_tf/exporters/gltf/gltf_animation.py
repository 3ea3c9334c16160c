"""The animation of a GLB: joint rotations, pelvis translation, weights of morph targets."""

from typing import NamedTuple

import numpy as np

from hmr_tf.body.rotation import quaternion_from_matrix
from hmr_tf.body.skeleton import SMPL_JOINTS


class Nodes(NamedTuple):
    """Indices of a person's nodes in the file."""

    joints: range
    rig: int  # parent of the pelvis, so that Blender makes one armature of each person
    mesh: int


def person_nodes(number):
    """Nodes of a person by number: 24 joints, rig, mesh, person after person."""
    first = number * (len(SMPL_JOINTS) + 2)
    rig = first + len(SMPL_JOINTS)
    return Nodes(range(first, rig), rig, rig + 1)


def quaternions(rotations):
    """(N, J, 3, 3) -> (N, J, 4), each with the sign nearer to the previous: readers blend them."""
    values = quaternion_from_matrix(rotations)
    flips = np.where(np.sum(values[1:] * values[:-1], axis=-1, keepdims=True) < 0, -1.0, 1.0)
    return np.concatenate([values[:1], values[1:] * np.cumprod(flips, axis=0)])


def animation(people, rest_pelvises, targets, fps, start, buffer):
    """glTF's animation object of all people; time 0 is the first frame with a person.

    Args:
      people: list of `motion.Motion`.
      rest_pelvises: (3,) of each.
      targets: `morphs.Morphs` or None of each.
      fps: frames a second.
      start: number of the frame at time 0.
      buffer: `gltf_buffer.Buffer` for the numbers.
    """
    channels = _Channels(buffer)
    end = max(person.frames[-1] for person in people)
    for number, (person, pelvis, target) in enumerate(zip(people, rest_pelvises, targets)):
        nodes = person_nodes(number)
        times = channels.times((person.frames - start) / fps)
        rotations = np.swapaxes(quaternions(person.rotations), 0, 1)
        for joint, of_joint in zip(nodes.joints, rotations):
            channels.add(joint, "rotation", times, of_joint)
        channels.add(nodes.joints[0], "translation", times, person.transl + pelvis)
        if target:
            channels.add(nodes.mesh, "weights", times, target.weights.ravel())
        scales = _scale_by_frame(person.frames, start, end)
        if len(scales) > 1:
            values = np.repeat(np.float32(list(scales.values()))[:, None], 3, axis=1)
            times = channels.times((np.array(list(scales)) - start) / fps)
            channels.add(nodes.joints[0], "scale", times, values, "STEP")
    return {"name": "motion", "samplers": channels.samplers, "channels": channels.channels}


def _scale_by_frame(frames, start, end):
    """dict: frame -> scale from then on, 1 while the person is in the video, else 0."""
    scales = {start: 0.0, frames[0]: 1.0}
    if frames[-1] < end:
        scales[frames[-1] + 1] = 0.0
    return scales


class _Channels:
    """glTF's samplers and channels; equal arrays of times are stored once."""

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

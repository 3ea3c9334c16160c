"""Writes a person's motion as Biovision BVH: a skeleton and its angles, no mesh."""

import numpy as np

from hmr_tf.body.body_model import rest_joints
from hmr_tf.body.rotation import euler_zxy_from_matrix
from hmr_tf.body.skeleton import SMPL_JOINTS
from hmr_tf.exporters.axes import from_y_up
from hmr_tf.exporters.motion import without_gaps
from hmr_tf.files.atomic import atomic_write

_CHANNELS = "Zrotation Xrotation Yrotation"


def write_bvh(path, motion, body, fps=30.0, up_axis="y", units_per_metre=100.0):
    """Writes one person; a BVH file holds one skeleton.

    The skeleton is the rest pose of the person's shape, standing along `up_axis`. Missing frames
    are interpolated.

    Args:
      path: the file.
      motion: `motion.Motion`.
      body: `body_model.BodyModel`.
      fps: frames a second.
      up_axis: "y" or "z".
      units_per_metre: 100 gives centimetres, as most programs take BVH to be in.

    Raises:
      ValueError: fps is not positive, or another up_axis.
    """
    if not 0 < fps < np.inf:
        raise ValueError(f"fps must be positive; received {fps}")
    motion = without_gaps(motion)
    rotation = from_y_up(up_axis)
    joints = rest_joints(body, motion.betas) @ rotation.T * units_per_metre
    pelvis = joints[0] + motion.transl @ rotation.T * units_per_metre
    # The joint offsets are in the file's frame, so the rotations are expressed in it, too.
    rotations = rotation @ motion.rotations @ rotation.T
    angles = np.degrees(continuous_euler_zxy(rotations))
    lines, order = _hierarchy(joints, [int(parent) for parent in body.parents])
    rows = np.concatenate([pelvis, angles[:, order].reshape(len(angles), -1)], axis=1)
    lines += ["MOTION", f"Frames: {len(rows)}", f"Frame Time: {1 / fps:.8f}"]
    with atomic_write(path) as unfinished, open(unfinished, "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")
        np.savetxt(file, rows, "%.6f")


def continuous_euler_zxy(rotations):
    """(N, ..., 3, 3) -> (N, ..., 3) angles z, x, y, without jumps from frame to frame.

    A rotation has many such triples: each angle plus multiples of 2 pi, and (z, x, y) is also
    (z + pi, pi - x, y + pi). The one nearest to the previous frame is taken.
    """
    angles = euler_zxy_from_matrix(rotations)
    for before, current in zip(angles, angles[1:]):
        other = np.array([np.pi, np.pi, np.pi]) + current * (1, -1, 1)
        both = np.stack([current, other])
        both -= np.round((both - before) / (2 * np.pi)) * 2 * np.pi
        distance = np.square(both - before).sum(axis=-1, keepdims=True)
        current[...] = np.where(distance[0] <= distance[1], both[0], both[1])
    return angles


def _hierarchy(joints, parents):
    """Lines of the skeleton, and its joints in the order of these lines."""
    lines, order = ["HIERARCHY"], []

    def add(joint, depth):
        order.append(joint)
        indent, parent = "\t" * depth, parents[joint]
        offset = joints[joint] - joints[parent] if parent >= 0 else np.zeros(3)
        children = [child for child, p in enumerate(parents) if p == joint]
        kind, places = ("JOINT", 3) if parent >= 0 else ("ROOT", 6)
        positions = "" if parent >= 0 else "Xposition Yposition Zposition "
        lines.append(f"{indent}{kind} {SMPL_JOINTS[joint]}")
        lines.append(f"{indent}{{")
        lines.append(f"{indent}\tOFFSET {_numbers(offset)}")
        lines.append(f"{indent}\tCHANNELS {places} {positions}{_CHANNELS}")
        for child in children:
            add(child, depth + 1)
        if not children:
            # SMPL has no joint at the end: the last bone is extended by half its length.
            lines.append(f"{indent}\tEnd Site")
            lines.append(f"{indent}\t{{")
            lines.append(f"{indent}\t\tOFFSET {_numbers(offset / 2)}")
            lines.append(f"{indent}\t}}")
        lines.append(f"{indent}}}")

    add(0, 0)
    return lines, order


def _numbers(values):
    return " ".join(f"{value:.6f}" for value in values)

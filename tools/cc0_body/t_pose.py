"""From MakeHuman's rest pose to SMPL's T-pose: the 24 joints, their weights, the re-posed people.

Lengths are in the unit of the input.
"""

from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from hmr_tf.body import skeleton

# SMPL joint -> MakeHuman markers and their shares.
_MIDDLE_JOINTS = {
    "pelvis": {"pelvis": 0.55, "spine-4": 0.45},
    "spine1": {"spine-3": 1.0},
    "spine2": {"spine-2": 0.6, "spine-1": 0.4},
    "spine3": {"spine-1": 1.0},
    "neck": {"neck": 1.0},
    "head": {"head": 1.0},
}
_KNUCKLES = {f"finger-{finger}-1": 0.25 for finger in (2, 3, 4, 5)}
# The same for one side, with the bone that moves the joint into the T-pose; "" if none does.
_SIDE_JOINTS = {
    "hip": ("", {"upper-leg": 1.0}),
    "knee": ("upperleg02", {"knee": 1.0}),
    "ankle": ("lowerleg02", {"ankle": 1.0}),
    "foot": ("foot", {"foot-1": 1.0}),
    "collar": ("", {"clavicle": 0.4, "scapula": 0.6}),
    "shoulder": ("shoulder01", {"shoulder": 1.0}),
    "elbow": ("upperarm02", {"elbow": 1.0}),
    "wrist": ("lowerarm02", {"hand": 1.0}),
    "hand": ("wrist", _KNUCKLES),
}
# Start of a MakeHuman bone's name -> SMPL joints that take its weights; other bones: the head.
_JOINTS_OF_BONE = {
    "root": {"pelvis": 1.0},
    "pelvis": {"pelvis": 1.0},
    "spine05": {"pelvis": 1.0},
    "spine04": {"pelvis": 0.5, "spine1": 0.5},
    "spine03": {"spine1": 0.6, "spine2": 0.4},
    "spine02": {"spine2": 0.5, "spine3": 0.5},
    "spine01": {"spine3": 1.0},
    "breast": {"spine3": 1.0},
    "neck01": {"neck": 1.0},
    "neck02": {"neck": 0.75, "head": 0.25},
    "neck03": {"neck": 0.25, "head": 0.75},
    "clavicle": {"collar": 1.0},
    "shoulder01": {"collar": 1.0},
    "upperarm": {"shoulder": 1.0},
    "lowerarm": {"elbow": 1.0},
    "wrist": {"wrist": 1.0},
    "metacarpal": {"wrist": 1.0},
    "finger": {"hand": 1.0},
    "upperleg": {"hip": 1.0},
    "lowerleg": {"knee": 1.0},
    "foot": {"ankle": 1.0},
    "toe": {"foot": 1.0},
}
_SIDES = {"left": ("l-", ".L", 1.0), "right": ("r-", ".R", -1.0)}
_UP, _FORWARD = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])
# Angles of the T-pose: raised shoulder girdle, spread legs, and how far the shins lean back.
_CLAVICLE_DEG, _SHOULDER_BLADE_DEG = 6.0, 12.0
_THIGH_DEG, _SHIN_DEG, _SHIN_BACK = 3.5, 1.0, 0.06


class TPosed(NamedTuple):
    vertices: np.ndarray  # (N, V, 3) the wanted vertices
    joints: np.ndarray  # (N, 24, 3) in SMPL's order
    eyes: np.ndarray  # (N, 2, 3) centres of the left and right eyeball


def smpl_weights(human):
    """Weights of all vertices on SMPL's 24 joints, (V, 24), rows sum to 1."""
    weights = np.zeros([len(human.weights), len(skeleton.SMPL_JOINTS)])
    for column, bone in zip(human.weights.T, human.bones):
        shares = next(
            (joints for start, joints in _JOINTS_OF_BONE.items() if bone.startswith(start)),
            {"head": 1.0},
        )
        side = "left_" if bone.endswith(".L") else "right_"
        for joint, share in shares.items():
            name = joint if joint in _MIDDLE_JOINTS else side + joint
            weights[:, skeleton.SMPL_JOINTS.index(name)] += share * column
    return weights


def pose(human, people, kept):
    """Rotates the arms of `people` (N, V, 3) into a T-pose, palms down; straightens the legs.

    Args:
      human: MakeHuman.
      people: (N, V, 3) all vertices of MakeHuman's mesh, with the markers.
      kept: (M,) indices of the vertices to return.

    Returns:
      TPosed.
    """

    def marker(name):
        return people[:, list(human.markers[name])].mean(1)

    rotations = {}
    for side in _SIDES:
        rotations.update(_arm(human, marker, side))
        rotations.update(_leg(marker, side))
    moves = _bone_motions(human, people, rotations)
    skin = people[:, kept]
    vertices = np.zeros_like(skin)
    for weights, bone in zip(human.weights[kept].T, human.bones):
        used = weights > 0
        vertices[:, used] += weights[used, None] * _apply(moves[bone], skin[:, used])
    joints = [_joint(name, marker, moves) for name in skeleton.SMPL_JOINTS]
    eyes = [marker("l-eye"), marker("r-eye")]
    return TPosed(vertices, np.stack(joints, 1), np.stack(eyes, 1))


def _arm(human, marker, side):
    """-> {bone: (N, 3, 3)}: girdle raised, arm along x, twist divided between two bones each."""
    prefix, suffix, sign = _SIDES[side]
    shoulder, elbow, wrist = (marker(prefix + name) for name in ("shoulder", "elbow", "hand"))
    upper, lower = elbow - shoulder, wrist - elbow
    outwards = np.array([sign, 0.0, 0.0])
    # The plane of shoulder, elbow and wrist becomes horizontal, the inner elbow faces forward.
    upper_rotation = _frame(outwards, _FORWARD) @ _transposed(_frame(upper, lower))
    bent = np.einsum("nCc,nc->nC", upper_rotation, lower)
    lower_rotation = _about(_UP, sign * np.arctan2(bent[:, 2], sign * bent[:, 0])) @ upper_rotation
    knuckles = sum(share * marker(prefix + name) for name, share in _KNUCKLES.items())
    towards_little = marker(prefix + "finger-5-1") - marker(prefix + "finger-2-1")
    hand_rotation = _frame(outwards, -_FORWARD) @ _transposed(
        _frame(knuckles - wrist, towards_little)
    )
    upper_twist = _twist(upper_rotation, upper)
    lower_twist = _twist(_transposed(lower_rotation) @ hand_rotation, lower)
    rotations = {
        "clavicle": _about(_FORWARD, sign * np.radians(_CLAVICLE_DEG)),
        "shoulder01": _about(_FORWARD, sign * np.radians(_SHOULDER_BLADE_DEG)),
        "upperarm01": upper_rotation @ _about(upper, -upper_twist / 2),
        "upperarm02": upper_rotation,
        "lowerarm01": lower_rotation @ _about(lower, lower_twist / 3),
        "lowerarm02": lower_rotation @ _about(lower, lower_twist * 2 / 3),
        "wrist": hand_rotation,
    }
    fingers = [bone for bone in human.bones if bone.startswith(("finger", "metacarpal"))]
    return {
        **{bone + suffix: rotation for bone, rotation in rotations.items()},
        **{bone: hand_rotation for bone in fingers if bone.endswith(suffix)},
    }


def _leg(marker, side):
    """-> {bone: (N, 3, 3)}: thigh and shin nearly vertical; the foot keeps its direction."""
    prefix, suffix, sign = _SIDES[side]
    hip, knee, ankle = (marker(prefix + name) for name in ("upper-leg", "knee", "ankle"))
    thigh_down = np.array([sign * np.tan(np.radians(_THIGH_DEG)), -1.0, 0.0])
    shin_down = np.array([sign * np.tan(np.radians(_SHIN_DEG)), -1.0, -_SHIN_BACK])
    thigh, shin = (
        _shortest_rotation(knee - hip, thigh_down),
        _shortest_rotation(ankle - knee, shin_down),
    )
    rotations = {"upperleg01": thigh, "upperleg02": thigh, "lowerleg01": shin, "lowerleg02": shin}
    return {bone + suffix: rotation for bone, rotation in rotations.items()}


def _bone_motions(human, people, rotations):
    """-> {bone: (rotation (N, 3, 3), old head (N, 3), new head (N, 3))} of all bones."""
    still = np.broadcast_to(np.eye(3), [len(people), 3, 3])
    moves = {}
    for name, bone in human.bones.items():
        head = people[:, list(bone.head)].mean(1)
        new_head = head if not bone.parent else _apply(moves[bone.parent], head[:, None])[:, 0]
        moves[name] = (np.broadcast_to(rotations.get(name, still), still.shape), head, new_head)
    return moves


def _apply(move, points):
    """Moves points (N, M, 3) with a bone."""
    rotation, head, new_head = move
    return (points - head[:, None]) @ _transposed(rotation) + new_head[:, None]


def _joint(name, marker, moves):
    if name in _MIDDLE_JOINTS:
        return sum(share * marker(key) for key, share in _MIDDLE_JOINTS[name].items())
    side, _, joint = name.partition("_")
    prefix, suffix, _ = _SIDES[side]
    bone, shares = _SIDE_JOINTS[joint]
    place = sum(share * marker(prefix + key) for key, share in shares.items())
    return _apply(moves[bone + suffix], place[:, None])[:, 0] if bone else place


def _unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def _frame(first, second):
    """-> (..., 3, 3): columns along `first`, the perpendicular part of `second`, their product."""
    x = _unit(first)
    y = _unit(second - np.sum(second * x, -1, keepdims=True) * x)
    return np.stack([x, y, np.cross(x, y)], -1)


def _about(axis, angle):
    """Rotation by `angle` (N,) or () radians about `axis` (N, 3) or (3,) -> (N, 3, 3) or (3, 3)."""
    return Rotation.from_rotvec(_unit(axis) * np.asarray(angle)[..., None]).as_matrix()


def _shortest_rotation(source, goal):
    """Rotations (N, 3, 3) of the directions `source` (N, 3) into `goal` (3,) without twist."""
    axis = np.cross(_unit(source), _unit(goal))
    angle = np.arctan2(np.linalg.norm(axis, axis=1), _unit(source) @ _unit(goal))
    return _about(axis, angle)


def _twist(rotations, axis):
    """Angle of the rotations (N, 3, 3) about `axis` (N, 3), in radians."""
    quaternion = Rotation.from_matrix(rotations).as_quat()
    along = np.sum(quaternion[:, :3] * _unit(axis), 1)
    return 2 * np.arctan2(along * np.sign(quaternion[:, 3]), np.abs(quaternion[:, 3]))


def _transposed(matrices):
    return np.swapaxes(matrices, -1, -2)

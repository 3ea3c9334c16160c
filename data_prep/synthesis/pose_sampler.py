"""Plausible poses without motion capture: blends of hand-written key poses, noise, joint limits."""

import functools

import numpy as np
from scipy.spatial.transform import Rotation

from data_prep.synthesis.key_poses import JOINT_LIMITS, KEY_POSES, NOISE
from hmr_tf.body import skeleton

_NUM_BLENDED = (0.45, 0.4, 0.15)  # probabilities of blending one, two or three key poses
_OTHER_ARMS = 0.25  # probability that the arms are from other key poses than the body
_ARM_WORDS = ("collar", "shoulder", "elbow", "wrist", "hand")
# Axes in the order of the numbers of a key pose, and their signs for a left joint.
_AXES = {
    "hip": ("XZY", (-1, 1, -1)),
    "knee": ("X", (1,)),
    "ankle": ("X", (1,)),
    "collar": ("Z", (1,)),
    "shoulder": ("XZX", (-1, -1, 1)),
    "elbow": ("Y", (-1,)),
    "spine": ("XZY", (1, -1, 1)),
    "head": ("XZY", (1, -1, 1)),
}
_SHARED = {"spine": ("spine1", "spine2", "spine3"), "head": ("neck", "head")}
_MIRRORED = np.array([1.0, -1.0, -1.0])  # signs of a mirrored rotation vector


def sample_poses(rng, count):
    """Random poses with no global rotation.

    Each is a blend of one to three key poses (sometimes of others for the arms), half of them
    mirrored, with noise on every joint, clipped to `JOINT_LIMITS`. Same generator state, same
    poses.

    Args:
      rng: numpy Generator.
      count: int.

    Returns:
      (count, 24, 3) float32 axis-angle in radians; joint 0 is zero.
    """
    body, arms = _blend(rng, count), _blend(rng, count)
    has_other_arms = rng.random(count)[:, None] < _OTHER_ARMS
    poses = np.where((has_other_arms & _joint_mask(_ARM_WORDS))[..., None], arms, body)
    mirrored = poses[:, skeleton.mirror(skeleton.SMPL_JOINTS)] * _MIRRORED
    poses = np.where(rng.random(count)[:, None, None] < 0.5, mirrored, poses)
    noise = rng.normal(size=poses.shape) * np.radians(_noise_deg())[:, None]
    noisy = Rotation.from_rotvec(poses.reshape(-1, 3)) * Rotation.from_rotvec(noise.reshape(-1, 3))
    low, high = joint_limits()
    return np.clip(noisy.as_rotvec().reshape(poses.shape), low, high).astype(np.float32)


def key_poses():
    """(P, 24, 3) the key poses as axis-angle, in the order of `KEY_POSES`."""
    return np.stack([_axis_angle(pose) for _, pose in KEY_POSES.values()])


def joint_limits():
    """Lowest and highest axis-angle vector of each joint: two arrays (24, 3) in radians."""
    low, high = np.zeros((2, len(skeleton.SMPL_JOINTS), 3))
    for joint, name in enumerate(skeleton.SMPL_JOINTS[1:], 1):
        limits = np.radians(JOINT_LIMITS[_without_side(name)])
        if name.startswith("right_"):
            limits = np.sort(limits * _MIRRORED[:, None], axis=1)
        low[joint], high[joint] = limits.T
    return low, high


@functools.cache
def _key_quaternions():
    """(P, 24, 4) the key poses."""
    keys = key_poses()
    quaternions = Rotation.from_rotvec(keys.reshape(-1, 3)).as_quat().reshape(*keys.shape[:2], 4)
    # q and -q are the same rotation; with positive real parts they can be averaged.
    return quaternions * np.where(quaternions[..., 3:] < 0, -1.0, 1.0)


def _blend(rng, count):
    """(count, 24, 3) weighted means of random key poses, taken over their quaternions."""
    keys = _key_quaternions()
    frequency = np.array([weight for weight, _ in KEY_POSES.values()], float)
    chosen = rng.choice(len(keys), size=(count, 3), p=frequency / frequency.sum())
    num_blended = rng.choice(3, size=count, p=_NUM_BLENDED) + 1
    weights = rng.exponential(size=(count, 3)) * (np.arange(3) < num_blended[:, None])
    mean = np.einsum("nk,nkjq->njq", weights, keys[chosen])
    return Rotation.from_quat(mean.reshape(-1, 4)).as_rotvec().reshape(count, keys.shape[1], 3)


def _axis_angle(pose):
    """(24, 3) axis-angle of one entry of `KEY_POSES`."""
    axis_angle = np.zeros((len(skeleton.SMPL_JOINTS), 3))
    # Entries of both sides first: those of one side override them.
    for name in sorted(pose, key=lambda name: name != _without_side(name)):
        kind = _without_side(name).rstrip("s")
        axes, signs = _AXES[kind]
        share = len(_SHARED.get(kind, [name]))
        angles = np.multiply(pose[name], signs).reshape(1, -1) / share
        vector = Rotation.from_euler(axes, angles, degrees=True).as_rotvec()[0]
        for joint in _joints(name, kind):
            sign = _MIRRORED if joint.startswith("right_") else 1.0
            axis_angle[skeleton.SMPL_JOINTS.index(joint)] = vector * sign
    return axis_angle


def _joints(name, kind):
    if name.endswith("s"):
        return f"left_{kind}", f"right_{kind}"
    return _SHARED.get(kind, (name,))


def _without_side(name):
    return name.replace("left_", "").replace("right_", "")


def _noise_deg():
    return np.array([0.0, *(NOISE[_without_side(name)] for name in skeleton.SMPL_JOINTS[1:])])


def _joint_mask(words):
    return np.array([_without_side(name) in words for name in skeleton.SMPL_JOINTS])

"""Initial poses of fits without a network: rest poses, rotated and placed by the keypoints."""

import numpy as np
import tensorflow as tf
from scipy.spatial.transform import Rotation

from hmr_tf.body import fitting, theta
from hmr_tf.body.skeleton import KEYPOINTS, SMPL_JOINTS, indices

_HIPS = indices(("right_hip", "left_hip"), KEYPOINTS)
_SHOULDERS = indices(("right_shoulder", "left_shoulder"), KEYPOINTS)
_TORSO = {KEYPOINTS[i] for i in (*_HIPS, *_SHOULDERS)}
_IN_TORSO = np.array([set(names) <= _TORSO for names in fitting.DIRECTIONS])
_MIN_SCALE = 0.05


def initial_thetas(smpl, keypoints2d_norm, directions):
    """Two initial thetas of each person: rotated by the torso's directions; the same from behind.

    Where no direction of the torso is known, the first faces the viewer with the torso of the 2D
    keypoints upright.

    Args:
      smpl: `body.smpl.SMPL`.
      keypoints2d_norm: (B, 19, 3) x, y in [-1, 1] and a weight.
      directions: (B, len(DIRECTIONS), 4), see `fitting.Fitter`.

    Returns:
      list of two (B, 85) float32.
    """
    keypoints2d_norm, directions = np.asarray(keypoints2d_norm), np.asarray(directions)
    rest = smpl.joints_only(tf.zeros([1, len(SMPL_JOINTS), 3]), tf.zeros([1, theta.NUM_BETAS]))
    root, rest = rest.smpl_joints.numpy()[0, 0], rest.joints3d.numpy()
    known = (directions[:, _IN_TORSO, 3] > 0).any(axis=1)
    rotations = np.where(
        known[:, None, None],
        _rotations_from_directions(fitting.unit_directions(rest).numpy()[0], directions),
        _rotations_from_keypoints(keypoints2d_norm),
    )
    back = Rotation.from_rotvec([0, np.pi, 0]).as_matrix()
    return [
        _thetas(rest[0], root, keypoints2d_norm, start) for start in (rotations, rotations @ back)
    ]


def _rotations_from_directions(rest_directions, directions):
    """(B, 3, 3) that rotate the rest torso's directions onto the given ones (Kabsch)."""
    weights = directions[..., 3] * _IN_TORSO
    covariance = np.einsum("bd,bdi,dj->bij", weights, directions[..., :3], rest_directions)
    u, _, vt = np.linalg.svd(covariance)
    u[..., 2] *= np.linalg.det(u @ vt)[:, None]
    return u @ vt


def _rotations_from_keypoints(keypoints2d_norm):
    """(B, 3, 3) facing the viewer, the torso rotated in the image plane as its keypoints are."""
    points = keypoints2d_norm[..., :2]
    up = points[:, _SHOULDERS].mean(axis=1) - points[:, _HIPS].mean(axis=1)
    is_labelled = (keypoints2d_norm[:, _HIPS + _SHOULDERS, 2] > 0).all(axis=1)
    angles = np.where(is_labelled, np.arctan2(up[:, 0], -up[:, 1]), 0.0)
    in_plane = Rotation.from_euler("z", angles[:, None])
    return (in_plane * Rotation.from_rotvec([np.pi, 0, 0])).as_matrix()


def _thetas(rest, root, keypoints2d_norm, rotations):
    """(B, 85): the rest pose, rotated about its root by these rotations, over the keypoints."""
    weights = keypoints2d_norm[..., 2:]
    total = np.maximum(weights.sum(axis=1), 1e-6)
    rotated = (np.einsum("bij,kj->bki", rotations, rest - root) + root)[..., :2]
    middles = [(p * weights).sum(axis=1) / total for p in (rotated, keypoints2d_norm[..., :2])]
    spreads = [
        np.sqrt((np.square(p - middle[:, None]) * weights).sum(axis=(1, 2)) / total[:, 0])
        for p, middle in zip((rotated, keypoints2d_norm[..., :2]), middles)
    ]
    scales = np.maximum(spreads[1] / np.maximum(spreads[0], 1e-6), _MIN_SCALE)[:, None]
    pose = np.zeros((len(rotations), theta.NUM_POSE))
    pose[:, :3] = Rotation.from_matrix(rotations).as_rotvec()
    translations = middles[1] / scales - middles[0]
    betas = np.zeros((len(rotations), theta.NUM_BETAS))
    return np.concatenate([scales, translations, pose, betas], axis=1).astype(np.float32)

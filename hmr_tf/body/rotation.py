"""Rotations. Matrices rotate column vectors, `rotated = matrix @ point`; angles are in radians.

The functions of the network and its training take tensors, those of files and metrics numpy.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf
from scipy.spatial.transform import Rotation


def matrix_from_axis_angle(axis_angle):
    """Rodrigues' formula, finite in value and gradient at zero rotation.

    Args:
      axis_angle: (..., 3) radians; direction is the axis, length the angle.

    Returns:
      (..., 3, 3) rotation matrices.

    Source: the original's `tf_smpl/batch_lbs.py:41-64`: the norm is taken of axis_angle + 1e-8, the
    axis of axis_angle alone. The 1e-24 makes its one singular point, (-1e-8, -1e-8, -1e-8), finite.
    """
    angle = tf.sqrt(tf.reduce_sum(tf.square(axis_angle + 1e-8), axis=-1, keepdims=True) + 1e-24)
    x, y, z = tf.unstack(axis_angle / angle, axis=-1)
    cos, sin = tf.cos(angle[..., 0]), tf.sin(angle[..., 0])
    xs, ys, zs = x * sin, y * sin, z * sin
    versine = 1.0 - cos
    xy, xz, yz = x * y * versine, x * z * versine, y * z * versine
    rows = (
        cos + x * x * versine, xy - zs, xz + ys,
        xy + zs, cos + y * y * versine, yz - xs,
        xz - ys, yz + xs, cos + z * z * versine,
    )  # fmt: skip
    return tf.reshape(tf.stack(rows, axis=-1), tf.concat([tf.shape(axis_angle), [3]], axis=0))


def rotate_180_about_z(axis_angle):
    """Rotations followed by one of pi about z: (..., 3) axis-angle -> (..., 3), length <= pi.

    Finite in value and gradient everywhere.
    """

    def length(vector):
        return tf.sqrt(tf.reduce_sum(tf.square(vector), axis=-1, keepdims=True) + 1e-24)

    half = 0.5 * length(axis_angle)
    x, y, z = tf.unstack(axis_angle * (0.5 * tf.sin(half) / half), axis=-1)
    # The quaternion (0, 0, 1; 0) times (x, y, z; w), which has the same rotation when negated.
    vector, w = tf.stack([-y, x, tf.cos(half)[..., 0]], axis=-1), -z[..., None]
    vector *= tf.where(w < 0, -1.0, 1.0)
    return vector * (2.0 * tf.atan2(length(vector), tf.abs(w)) / length(vector))


def quaternion_from_matrix(matrix):
    """(..., 3, 3) numpy rotation matrices -> (..., 4) unit quaternions x, y, z, w with w >= 0."""
    matrix = np.asarray(matrix, np.float64)
    quaternion = Rotation.from_matrix(matrix.reshape(-1, 3, 3)).as_quat(canonical=True)
    return quaternion.reshape(*matrix.shape[:-2], 4)


def axis_angle_from_matrix(matrix):
    """(..., 3, 3) numpy rotation matrices -> (..., 3) axis-angle, of length 0 to pi."""
    matrix = np.asarray(matrix, np.float64)
    axis_angle = Rotation.from_matrix(matrix.reshape(-1, 3, 3)).as_rotvec()
    return axis_angle.reshape(*matrix.shape[:-2], 3)


def euler_zxy_from_matrix(matrix):
    """(..., 3, 3) numpy rotation matrices -> (..., 3) angles z, x, y: matrix = Rz @ Rx @ Ry.

    x lies in [-pi/2, pi/2]. At its ends (gimbal lock), where only the sum or the difference of z
    and y counts, y is 0. scipy's `as_euler` gives the same angles, but takes twice as long and
    warns at every gimbal lock.
    """
    m = np.asarray(matrix, np.float64)
    cos_x = np.hypot(m[..., 2, 0], m[..., 2, 2])
    x = np.arctan2(m[..., 2, 1], cos_x)
    y = np.where(cos_x < 1e-6, 0.0, np.arctan2(-m[..., 2, 0], m[..., 2, 2]))
    # The first column of matrix @ Ry^-1 is (cos z, sin z, 0).
    column = m[..., 0] * np.cos(y)[..., None] + m[..., 2] * np.sin(y)[..., None]
    return np.stack((np.arctan2(column[..., 1], column[..., 0]), x, y), axis=-1)


def nearest_rotation(matrix):
    """(..., 3, 3) numpy matrices -> the nearest rotation matrices in the Frobenius norm.

    Never a mirror image. scipy's `Rotation.from_matrix` also accepts such matrices, but the
    rotation that it returns is not the nearest one.
    """
    u, _, vt = np.linalg.svd(matrix)
    u[..., -1] *= np.linalg.det(u @ vt)[..., None]
    return u @ vt


def angle_between(first, second):
    """Angles of the rotations from one to the other: twice (..., 3, 3) numpy -> (...,) radians."""
    relative = first @ np.swapaxes(second, -1, -2)
    antisymmetric = relative - np.swapaxes(relative, -1, -2)
    sine = np.linalg.norm(antisymmetric[..., (2, 0, 1), (1, 2, 0)], axis=-1)
    return np.arctan2(sine, np.trace(relative, axis1=-2, axis2=-1) - 1)


def global_rotations(rotations, parents):
    """(B, J, 3, 3) numpy, each joint's relative to its parent -> relative to the root's frame.

    Args:
      rotations: the root's first.
      parents: J numbers of parents, each before its children; -1 for the root.
    """
    chained = np.array(rotations, float)
    for joint, parent in enumerate(parents):
        if parent >= 0:
            chained[:, joint] = chained[:, parent] @ chained[:, joint]
    return chained


def reflect(rotations, mirror):
    """Rotations of the mirrored body (x becomes -x): M R M with left and right swapped.

    Args:
      rotations: (..., J, 3, 3) one matrix per joint, the global one included.
      mirror: J indices that swap left and right, `skeleton.mirror(names)`.

    Returns:
      (..., J, 3, 3). Same numbers as the original's `util/data_utils.py:289-330` (`reflect_pose`).
    """
    signs = tf.constant([[1.0, -1.0, -1.0], [-1.0, 1.0, 1.0], [-1.0, 1.0, 1.0]], rotations.dtype)
    return tf.gather(rotations, mirror, axis=-3) * signs


class Similarity(NamedTuple):
    """B transforms x -> scale * rotation @ (x - source_mean) + target_mean."""

    scale: np.ndarray  # (B,)
    rotation: np.ndarray  # (B, 3, 3)
    source_mean: np.ndarray  # (B, 1, 3)
    target_mean: np.ndarray  # (B, 1, 3)

    def apply(self, points):
        """(B, N, 3) points moved."""
        rotated = np.einsum("bCc,bkc->bkC", self.rotation, points - self.source_mean)
        return self.scale[:, None, None] * rotated + self.target_mean


def best_similarity(source, target):
    """The rotation, scale and translation that move `source` nearest to `target`; never a mirror.

    Args:
      source: (B, K, 3) numpy points.
      target: (B, K, 3) points, same order and unit.

    Returns:
      Similarity.

    Source: Umeyama 1991; the original's `benchmark/eval_util.py:12`.
    """
    source_mean, target_mean = source.mean(1, keepdims=True), target.mean(1, keepdims=True)
    centred, aim = source - source_mean, target - target_mean
    u, singular, vt = np.linalg.svd(np.einsum("bkc,bkC->bcC", centred, aim))
    # The weakest direction is flipped where the best orthogonal matrix would be a mirror image.
    sign = np.ones_like(singular)
    sign[:, 2] = np.sign(np.linalg.det(u @ vt))
    rotation = np.einsum("bri,bi,bic->bcr", u, sign, vt)
    variance = np.square(centred).sum((1, 2))
    scale = (singular * sign).sum(1) / np.where(variance > 0, variance, 1)
    return Similarity(scale, rotation, source_mean, target_mean)


def procrustes_align(source, target):
    """(B, K, 3) `source`, moved by `best_similarity` to `target`, in the unit of `target`."""
    return best_similarity(source, target).apply(source)

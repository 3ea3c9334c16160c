"""SMPL bodies in world coordinates -> the same bodies in the coordinates of a moving camera.

Vertices are SMPL(pose, betas) + transl, and SMPL rotates a body about its pelvis, not about the
origin. Rotating the global orientation alone is therefore not enough: with the rest pelvis p, the
translation in the camera is R (p + transl) + t - p.
"""

from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

MAX_M, MAX_PX = 1e4, 1e6  # a larger number is an error in the file
_MAX_DEVIATION = 1e-2  # of R @ R.T from the identity


class Bodies(NamedTuple):
    """N bodies in one frame of reference."""

    pose: np.ndarray  # (N, 24, 3) axis-angle
    transl: np.ndarray  # (N, 3) metres


def to_camera(bodies, rest_pelvis, extrinsics):
    """Bodies in the world -> Bodies in the camera.

    Args:
      bodies: Bodies.
      rest_pelvis: (3,) the body's pelvis at rest, metres: J_regressor @ (template + shape).
      extrinsics: (N, 4, 4) world to camera, for which `are_rigid` holds.
    """
    pose = bodies.pose.copy()
    if len(pose):
        rotations = Rotation.from_matrix(extrinsics[:, :3, :3])
        pose[:, 0] = (rotations * Rotation.from_rotvec(bodies.pose[:, 0])).as_rotvec()
    pelvis = points_to_camera((rest_pelvis + bodies.transl)[:, None], extrinsics)[:, 0]
    return Bodies(pose, pelvis - rest_pelvis)


def points_to_camera(points, extrinsics):
    """(N, J, 3) points in the world, (N, 4, 4) world to camera -> (N, J, 3) in the camera."""
    return np.einsum("nCc,njc->njC", extrinsics[:, :3, :3], points) + extrinsics[:, None, :3, 3]


def are_rigid(extrinsics):
    """(N, 4, 4) -> (N,) whether each is a rotation, not mirrored, and a translation."""
    is_small = are_small(extrinsics[:, :3])
    rotations = np.where(is_small[:, None, None], extrinsics[:, :3, :3], 0.0)
    deviation = np.abs(rotations @ rotations.swapaxes(1, 2) - np.eye(3)).max(axis=(1, 2))
    return is_small & (deviation < _MAX_DEVIATION) & (np.linalg.det(rotations) > 0)


def are_small(*arrays, limit=MAX_M):
    """(N, ...) arrays -> (N,) whether all numbers of a row are finite and below the limit."""
    rows = [np.abs(array.reshape(len(array), -1)) < limit for array in arrays]
    return np.all([row.all(axis=1) for row in rows], axis=0)


def rest_pelvis_from_joints(pelvis, transl):
    """The rest pelvis from (N, 3) pelves and translations of posed bodies in the world.

    No pose moves the pelvis away from rest_pelvis + transl, so that no body model is needed. The
    median over the frames ignores a few that do not fit.

    Returns:
      (3,) metres, and (N,) how far each frame is from it.
    """
    offsets = pelvis - transl
    rest_pelvis = np.median(offsets, axis=0)
    return rest_pelvis, np.linalg.norm(offsets - rest_pelvis, axis=1)


def rest_pelvis_from_projections(pelvis_px, transl, extrinsics, intrinsics):
    """The rest pelvis from its projections: least squares over the frames.

    A frame gives two linear equations for rest_pelvis: (K_xy - pelvis_px K_z) (R (p + transl) + t)
    is zero.

    Args:
      pelvis_px: (N, 2) pixels.
      transl: (N, 3) metres.
      extrinsics: (N, 4, 4) world to camera, for which `are_rigid` holds.
      intrinsics: (3, 3) of the camera.

    Returns:
      (3,) metres, and (N,) how far its projections are from `pelvis_px`, pixels. It is exact if the
      projections are, and if they are of two frames or more.
    """
    rows = intrinsics[None, :2] - pelvis_px[..., None] * intrinsics[None, 2:]  # (N, 2, 3)
    origin = points_to_camera(transl[:, None], extrinsics)[:, 0]
    factors = (rows @ extrinsics[:, :3, :3]).reshape(-1, 3)
    values = -np.einsum("nic,nc->ni", rows, origin).ravel()
    rest_pelvis = np.linalg.lstsq(factors, values, rcond=None)[0]
    pelvis = points_to_camera((rest_pelvis + transl)[:, None], extrinsics)[:, 0] @ intrinsics.T
    with np.errstate(divide="ignore", invalid="ignore"):
        projected_px = pelvis[:, :2] / pelvis[:, 2:]
    return rest_pelvis, np.linalg.norm(projected_px - pelvis_px, axis=1)

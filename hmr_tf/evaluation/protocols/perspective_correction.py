"""Perspective correction: from the view of a crop to that of the camera of the photograph."""

import numpy as np

from hmr_tf.body.skeleton import lsp_joints_from_keypoints


def rotations_from_crop_to_camera(truth):
    """Rotations from the view along the ray through each crop's centre to the camera's view.

    A network predicts a person in the crop as if the camera looked straight at them; the labels are
    in the frame of a camera that looks past them ("perspective correction" of Mehta et al. 2017,
    section 3.3). The records have no camera, but the pixels of the true joints: the direction X / Z
    at the crop's centre follows from those of the joints by linear regression.

    Args:
      truth: dict of lsp_joints (N, 14, 3), camera coordinates; keypoints_px (N, 19, 3); center_px
        (N, 2).

    Returns:
      (N, 3, 3) rotation matrices, the smallest rotation from the optical axis to the ray.
    """
    joints = truth["lsp_joints"].astype(float)
    directions = joints[..., :2] / joints[..., 2:]
    pixels = lsp_joints_from_keypoints(truth["keypoints_px"])[..., :2].astype(float)
    mean_px, mean_direction = pixels.mean(1, keepdims=True), directions.mean(1, keepdims=True)
    spread = np.square(pixels - mean_px).sum(1)
    tangent_per_px = ((pixels - mean_px) * (directions - mean_direction)).sum(1)
    tangent_per_px /= np.where(spread > 0, spread, 1)
    ray = mean_direction[:, 0] + tangent_per_px * (truth["center_px"] - mean_px[:, 0])
    return _rotations_to(np.concatenate([ray, np.ones((len(ray), 1))], axis=1))


def _rotations_to(rays):
    """(N, 3) directions with z > 0 -> (N, 3, 3) the smallest rotations that take z there."""
    x, y, z = (rays / np.linalg.norm(rays, axis=1, keepdims=True)).T
    # Rodrigues' formula about (-y, x, 0), whose length is the sine and z the cosine.
    shared = 1 / (1 + z)
    rows = [[1 - x * x * shared, -x * y * shared, x], [-x * y * shared, 1 - y * y * shared, y]]
    return np.moveaxis(np.array([*rows, [-x, -y, z]]), -1, 0)

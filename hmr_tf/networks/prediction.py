"""The network's prediction for a crop: its type, and its fields by the names users see."""

from typing import NamedTuple, Optional

import tensorflow as tf

from hmr_tf.body.camera import pixels_from_norm, project
from hmr_tf.body.rotation import rotate_180_about_z
from hmr_tf.body.theta import join, split


class Prediction(NamedTuple):
    """The prediction of one stage of the regressor; B crops."""

    theta: tf.Tensor  # (B, 85)
    camera: tf.Tensor  # (B, 3) weak perspective
    rotations: tf.Tensor  # (B, 24, 3, 3), the global one first
    betas: tf.Tensor  # (B, 10)
    vertices: Optional[tf.Tensor]  # (B, V, 3) metres, camera frame; None without the mesh
    joints3d: tf.Tensor  # (B, 19, 3) metres, order of `skeleton.KEYPOINTS`
    smpl_joints: tf.Tensor  # (B, 24, 3) metres, order of `skeleton.SMPL_JOINTS`
    keypoints2d_norm: tf.Tensor  # (B, 19, 2) projected `joints3d`, [-1, 1] over the crop


def prediction_from_body(theta, body):
    """(B, 85) and its `smpl.Body` -> Prediction."""
    camera, _, betas = split(theta)
    return Prediction(
        theta=theta,
        camera=camera,
        rotations=body.rotations,
        betas=betas,
        vertices=body.vertices,
        joints3d=body.joints3d,
        smpl_joints=body.smpl_joints,
        keypoints2d_norm=project(body.joints3d, camera),
    )


def with_positive_scale(prediction):
    """The same bodies in the picture, the camera's scale never negative.

    A network trained without 3D labels shows people who are upside down as upright bodies under a
    negative scale: s * (X + t) with s < 0 draws X rotated by 180 degrees in the picture. Here the
    body is rotated about its pelvis P, so that mesh and joints are where the keypoints are:
    s * (X + t) = -s * (X' + t') for X' = P + diag(-1, -1, 1) (X - P) and t' = -t - 2 P. The
    original leaves such bodies upright; where s >= 0, nothing changes.

    Args:
      prediction: `Prediction`, with or without the mesh.
    """
    camera, pose, betas = split(prediction.theta)
    is_negative = camera[:, :1] < 0
    sign = tf.where(is_negative, -1.0, 1.0)
    signs = tf.concat([sign, sign, tf.ones_like(sign)], axis=1)  # (B, 3)
    pelvis = prediction.smpl_joints[:, 0]

    def rotated(points):
        return points * signs[:, None] + (pelvis * (1.0 - signs))[:, None]

    translation = sign * camera[:, 1:] - (1.0 - sign) * pelvis[:, :2]
    camera = tf.concat([sign * camera[:, :1], translation], axis=1)
    whole = tf.where(is_negative, rotate_180_about_z(pose[:, 0]), pose[:, 0])
    rotations = prediction.rotations
    return prediction._replace(
        theta=join(camera, tf.concat([whole[:, None], pose[:, 1:]], axis=1), betas),
        camera=camera,
        rotations=tf.concat([rotations[:, :1] * signs[:, None, :, None], rotations[:, 1:]], axis=1),
        vertices=None if prediction.vertices is None else rotated(prediction.vertices),
        joints3d=rotated(prediction.joints3d),
        smpl_joints=rotated(prediction.smpl_joints),
    )


def prediction_as_dict(prediction, image_size):
    """A `Prediction` with its mesh as a dict with the names that users see; pixels of the crop."""
    return {
        "theta": prediction.theta,
        "camera": prediction.camera,
        "rotations": prediction.rotations,
        "betas": prediction.betas,
        "vertices": prediction.vertices,
        "joints3d": prediction.joints3d,
        "smpl_joints": prediction.smpl_joints,
        "keypoints2d_px": pixels_from_norm(prediction.keypoints2d_norm, image_size),
    }

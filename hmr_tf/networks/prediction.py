"""The network's prediction for a crop: its type, and its fields by the names users see."""

from typing import NamedTuple, Optional

import tensorflow as tf

from hmr_tf.body.camera import pixels_from_norm, project
from hmr_tf.body.theta import split


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

"""What the network says of a crop: one type, built in one place, and the names users see."""

from typing import NamedTuple, Optional

import tensorflow as tf

from hmr_tf.body import camera
from hmr_tf.body import theta as theta_order


class Prediction(NamedTuple):
    """What one stage of the regressor says; B crops."""

    theta: tf.Tensor  # (B, 85)
    camera: tf.Tensor  # (B, 3) weak perspective
    rotations: tf.Tensor  # (B, 24, 3, 3), the global one first
    betas: tf.Tensor  # (B, 10)
    vertices: Optional[tf.Tensor]  # (B, V, 3) metres, camera frame; None unless asked for
    joints: tf.Tensor  # (B, 19, 3) metres, order of `skeleton.KEYPOINTS`
    smpl_joints: tf.Tensor  # (B, 24, 3) metres, order of `skeleton.SMPL_JOINTS`
    keypoints_norm: tf.Tensor  # (B, 19, 2) `joints` projected, [-1, 1] over the crop


def prediction_from_body(theta, body):
    """(B, 85) and the `smpl.Body` posed by it -> Prediction."""
    camera_, _, betas = theta_order.split(theta)
    return Prediction(
        theta=theta,
        camera=camera_,
        rotations=body.rotations,
        betas=betas,
        vertices=body.vertices,
        joints=body.keypoints,
        smpl_joints=body.joints,
        keypoints_norm=camera.project(body.keypoints, camera_),
    )


def named(prediction, image_size):
    """A `Prediction` with its mesh -> dict by the names that users see; pixels of the crop."""
    return {
        "theta": prediction.theta,
        "camera": prediction.camera,
        "rotations": prediction.rotations,
        "betas": prediction.betas,
        "vertices": prediction.vertices,
        "joints3d": prediction.joints,
        "smpl_joints": prediction.smpl_joints,
        "keypoints2d_px": camera.pixels_from_norm(prediction.keypoints_norm, image_size),
    }

"""Predictions for mirror images of crops; the flip test: their mean with those for the crops."""

import numpy as np
import tensorflow as tf

from hmr_tf.body import rotation, skeleton, theta
from hmr_tf.networks.prediction import prediction_as_dict, prediction_from_body

_MIRRORED_JOINTS = skeleton.mirror(skeleton.SMPL_JOINTS)
_MIRRORED_KEYPOINTS = list(skeleton.mirror(skeleton.KEYPOINTS))
MIRRORED_CAMERA = np.float32([1, -1, 1])  # factors of s, tx, ty


def with_flip_test(engine, hmr):
    """An engine that predicts each crop and its mirror image, and returns their mean body.

    Rotations are averaged as matrices (the nearest rotation to their mean), betas and camera as
    numbers. It takes twice as long. The original has no flip test: this is off by default.

    Args:
      engine: `networks.engines.Engine` of `hmr`.
      hmr: `networks.hmr.HMR`.

    Returns:
      `networks.engines.Engine`.

    Source: the "flip test" that is usual for 2D poses, as in Newell et al. 2016, section 3.2.
    """

    @tf.function(autograph=False, reduce_retracing=True)
    def body(rotations, mean_theta):
        _, _, betas = theta.split(mean_theta)
        prediction = prediction_from_body(mean_theta, hmr.smpl(rotations, betas))
        return prediction_as_dict(prediction, hmr.image_size)

    def averaged(predict):
        def predict_both(images):
            images = np.asarray(images)
            both = predict(np.concatenate([images, images[:, :, ::-1]]))
            rotations, mean_theta = mean_of_mirrored(both)
            return {key: value.numpy() for key, value in body(rotations, mean_theta).items()}

        return predict_both

    return engine._replace(
        predict=averaged(engine.predict),
        predict_in_threads=averaged(engine.for_threads.predict),
        flip_test=True,
    )


def mean_of_mirrored(both):
    """Means of predictions for crops and for their mirror images.

    Args:
      both: dict with rotations (2B, 24, 3, 3), betas (2B, 10), camera (2B, 3); the second half is
        of the mirror images.

    Returns:
      (B, 24, 3, 3) float32 rotations and (B, 85) float32 theta.
    """
    rotations, mirrored = np.split(both["rotations"], 2)
    rotations = mean_rotations([rotations, mirror_rotations(mirrored)])
    cameras, betas = np.split(both["camera"], 2), np.split(both["betas"], 2)
    return rotations, theta.join(
        camera=(cameras[0] + cameras[1] * MIRRORED_CAMERA) / 2,
        pose=rotation.axis_angle_from_matrix(rotations).astype(np.float32),
        betas=(betas[0] + betas[1]) / 2,
    )


def mean_rotations(rotations):
    """(N, ..., 3, 3) -> (..., 3, 3) float32: the nearest rotations to the mean matrices."""
    mean = np.mean(rotations, axis=0, dtype=np.float64)
    return rotation.nearest_rotation(mean).astype(np.float32)


def mirror_rotations(rotations):
    """(..., 24, 3, 3) of a crop <-> numpy rotations of its mirror image, see `rotation.reflect`."""
    return rotation.reflect(tf.constant(rotations), _MIRRORED_JOINTS).numpy()


def mirror_keypoints(keypoints_px, image_size):
    """(..., 19, 2) pixels of a crop <-> of its mirror image, left and right swapped."""
    return keypoints_px[..., _MIRRORED_KEYPOINTS, :] * [-1, 1] + [image_size, 0]

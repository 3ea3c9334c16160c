"""Flip test: the mean of the predictions for a crop and for its mirror image."""

import numpy as np
import tensorflow as tf

from hmr_tf.body import rotation, skeleton, theta
from hmr_tf.networks.prediction import prediction_as_dict, prediction_from_body

_MIRRORED_JOINTS = skeleton.mirror(skeleton.SMPL_JOINTS)
_MIRRORED_CAMERA = np.float32([1, -1, 1])  # s, tx, ty


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
    rotations, mirrored = np.split(np.asarray(both["rotations"], np.float64), 2)
    mirrored = rotation.reflect(tf.constant(mirrored), _MIRRORED_JOINTS).numpy()
    rotations = rotation.nearest_rotation((rotations + mirrored) / 2).astype(np.float32)
    cameras, betas = np.split(both["camera"], 2), np.split(both["betas"], 2)
    return rotations, theta.join(
        camera=(cameras[0] + cameras[1] * _MIRRORED_CAMERA) / 2,
        pose=rotation.axis_angle_from_matrix(rotations).astype(np.float32),
        betas=(betas[0] + betas[1]) / 2,
    )

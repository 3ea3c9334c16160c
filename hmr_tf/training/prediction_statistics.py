"""Numbers to watch that no loss is made of: how the answers spread over the batch."""

import tensorflow as tf

from hmr_tf.training import losses


def of_bodies(prediction):
    """What tells a network that looks at the picture from one that always says the same.

    Args:
      prediction: `Prediction` of B people.

    Returns:
      dict of scalars: mean and standard deviation over the people of the camera's scale; standard
      deviation of its shifts and, on average, of the betas; mean size of the betas; `upright`, the
      mean cosine between the body's axis and the picture's upright: -1, everyone is upside down.
    """
    scale, shift = prediction.camera[:, 0], prediction.camera[:, 1:]
    return {
        "camera/scale_mean": tf.reduce_mean(scale),
        "camera/scale_std": tf.math.reduce_std(scale),
        "camera/x_std": tf.math.reduce_std(shift[:, 0]),
        "camera/y_std": tf.math.reduce_std(shift[:, 1]),
        "betas/std": tf.reduce_mean(tf.math.reduce_std(prediction.betas, axis=0)),
        "betas/size": tf.reduce_mean(tf.abs(prediction.betas)),
        # The body's y points to its head, the picture's to its lower edge.
        "pose/upright": -tf.reduce_mean(prediction.rotations[:, 0, 1, 1]),
    }


def keypoints_by_stage(stages, batch, counts):
    """`losses.keypoints` of every stage, of which only the last is trained on; the first is 1."""
    return {
        f"keypoints_by_stage/{number}": losses.keypoints(
            batch["keypoints2d_norm"], stage.keypoints2d_norm, counts.keypoints
        )
        for number, stage in enumerate(stages, 1)
    }

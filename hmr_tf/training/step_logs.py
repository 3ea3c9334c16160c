"""The numbers that a training step logs: their names, and the statistics of the predictions."""

import tensorflow as tf

from hmr_tf.training import losses

# Groups: "<group>/<name of `losses.encoder_losses` or `losses.discriminator_losses`>".
ENCODER, DISCRIMINATOR = "encoder", "discriminator"
ENCODER_TOTAL, ENCODER_KEYPOINTS = f"{ENCODER}/total", f"{ENCODER}/keypoints"
DISCRIMINATOR_TOTAL = f"{DISCRIMINATOR}/total"
DISCRIMINATOR_REAL, DISCRIMINATOR_FAKE = f"{DISCRIMINATOR}/real", f"{DISCRIMINATOR}/fake"
# (N, 25) scores of the discriminator; all other logs are scalars.
SCORES_REAL, SCORES_FAKE = "scores/real", "scores/fake"
SCALE_MEAN, SCALE_STD = "camera/scale_mean", "camera/scale_std"
BETAS_STD = "betas/std"
UPRIGHT = "pose/upright"
WAIT_SECONDS = "input/wait_seconds"  # seconds that the step waited for its batch


def with_group(group, parts):
    """Losses as logs: name -> value becomes "<group>/<name>" -> value."""
    return {f"{group}/{name}": value for name, value in parts.items()}


def is_scalar(name):
    """Whether TensorBoard shows this log as a scalar."""
    return name not in (SCORES_REAL, SCORES_FAKE, WAIT_SECONDS)


def prediction_statistics(prediction):
    """Spread of the predictions over a batch; near zero where a network ignores its input.

    Args:
      prediction: `Prediction` of B people.

    Returns:
      dict of scalars: mean and standard deviation over the people of the camera's scale; standard
      deviation of its translations and, on average, of the betas; mean size of the betas; UPRIGHT,
      the mean cosine between the body's axis and the image's up direction: -1 is upside down.
    """
    scale, translation = prediction.camera[:, 0], prediction.camera[:, 1:]
    return {
        SCALE_MEAN: tf.reduce_mean(scale),
        SCALE_STD: tf.math.reduce_std(scale),
        "camera/x_std": tf.math.reduce_std(translation[:, 0]),
        "camera/y_std": tf.math.reduce_std(translation[:, 1]),
        BETAS_STD: tf.reduce_mean(tf.math.reduce_std(prediction.betas, axis=0)),
        "betas/size": tf.reduce_mean(tf.abs(prediction.betas)),
        # The body's y points to its head, the image's to its lower edge.
        UPRIGHT: -tf.reduce_mean(prediction.rotations[:, 0, 1, 1]),
    }


def keypoints_by_stage(stages, batch, counts):
    """`losses.keypoints` of every stage, counted from 1; only the last one is trained on."""
    return {
        f"keypoints_by_stage/{number}": losses.keypoints(
            batch["keypoints2d_norm"], stage.keypoints2d_norm, counts.keypoints
        )
        for number, stage in enumerate(stages, 1)
    }

"""The losses of HMR, as pure functions of predictions, labels and scores.

All follow the released code, whose numbers differ from the paper's equations: means over labelled
entries instead of the sum of (3), rotation matrices instead of the axis-angle of (6).
"""

from typing import NamedTuple

import tensorflow as tf

from hmr_tf.body.skeleton import LSP_HIPS, LSP_JOINTS


class LossWeights(NamedTuple):
    """How much each part counts; the paper's values."""

    keypoints: float = 60.0  # --e_loss_weight
    labels_3d: float = 60.0  # --e_3d_weight, for joints and SMPL parameters alike
    critic: float = 1.0  # --d_loss_weight


def weighted_mean(values, weights):
    """Sum of weights * values over the number of weights that are not zero; 0 if all are.

    This is TF1's SUM_BY_NONZERO_WEIGHTS; `weights` broadcasts against `values`.
    """
    weights = tf.broadcast_to(tf.cast(weights, values.dtype), tf.shape(values))
    count = tf.math.count_nonzero(weights, dtype=values.dtype)
    return tf.math.divide_no_nan(tf.reduce_sum(weights * values), count)


def keypoints(labels, predicted):
    """Mean absolute reprojection error over the batch's labelled keypoints (paper, eq. 3).

    Args:
      labels: (B, K, 3) x and y in [-1, 1] and a weight, 0 where a keypoint is not labelled.
      predicted: (B, K, 2). Source: the original's `ops.py:14-24`.
    """
    return weighted_mean(tf.abs(labels[..., :2] - predicted), labels[..., 2:])


def squared_3d(labels, predicted, has_label):
    """Half the mean squared error over the rows that have a label (paper, eq. 4-6; `ops.py:27-46`).

    Args:
      labels, predicted: (B, D); has_label: (B,).
    """
    return 0.5 * weighted_mean(tf.square(labels - predicted), has_label[:, None])


def centred_on_hips(joints):
    """(B, 14, 3) LSP joints, moved so that the mid-hips are the origin (`ops.py:50-60`)."""
    return joints - tf.reduce_mean(tf.gather(joints, LSP_HIPS, axis=1), axis=1, keepdims=True)


def encoder(stages, batch, fake_scores, weights):
    """What the encoder is trained on.

    Args:
      stages: the `Prediction` of every stage; keypoints and 3D labels judge the last one only.
      batch: the pipeline's batch, see `data/augment.py`.
      fake_scores: (T * B, 25) critic scores of every stage, or None without the prior.
      weights: `LossWeights`.

    Returns:
      dict of scalars: `keypoints`, `joints`, `smpl`, `adversarial`; `total`, their weighted sum.

    Source: the original's `trainer.py:252-290`.
    """
    last = stages[-1]

    def flat(x):
        return tf.reshape(x, [tf.shape(x)[0], -1])

    labelled = tf.concat([flat(batch["rotations"]), batch["betas"]], axis=1)
    predicted = tf.concat([flat(last.rotations), last.betas], axis=1)
    predicted_joints = centred_on_hips(last.joints[:, : len(LSP_JOINTS)])
    parts = {
        "keypoints": keypoints(batch["keypoints_norm"], last.keypoints_norm),
        "joints": squared_3d(
            flat(centred_on_hips(batch["joints"])), flat(predicted_joints), batch["has_joints"]
        ),
        "smpl": squared_3d(labelled, predicted, batch["has_smpl"]),
    }
    total = weights.keypoints * parts["keypoints"]
    total += weights.labels_3d * (parts["joints"] + parts["smpl"])
    if fake_scores is not None:
        parts["adversarial"] = least_squares(fake_scores, 1.0)
        total += weights.critic * parts["adversarial"]
    return {**parts, "total": total}


def critic(real_scores, fake_scores, weights):
    """What the critic is trained on: real bodies to 1, predicted ones to 0 (paper, eq. 8).

    Returns:
      dict of scalars: `real`, `fake`, and `total`, their weighted sum.

    Source: the original's `trainer.py:401-419`.
    """
    parts = {"real": least_squares(real_scores, 1.0), "fake": least_squares(fake_scores, 0.0)}
    return {**parts, "total": weights.critic * (parts["real"] + parts["fake"])}


def least_squares(scores, target):
    """Squared distance to `target`: sum of the 25 outputs, mean of the bodies (paper, eq. 7)."""
    return tf.reduce_mean(tf.reduce_sum(tf.square(scores - target), axis=-1))

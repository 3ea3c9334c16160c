"""The losses of HMR: pure functions of predictions, labels and scores.

All follow the released code, whose numbers differ from the paper's equations: means over labelled
entries instead of the sum of (3), rotation matrices instead of the axis-angle of (6).
"""

from typing import NamedTuple

import tensorflow as tf

from hmr_tf.body.skeleton import centred_on_hips, lsp_joints_from_keypoints


class LossWeights(NamedTuple):
    """Weights of the parts of the losses; the paper's values."""

    keypoints: float = 60.0  # --e_loss_weight
    labels_3d: float = 60.0  # --e_3d_weight, for joints and SMPL parameters alike
    discriminator: float = 1.0  # --d_loss_weight


class Counts(NamedTuple):
    """Denominators of the means in the losses: numbers of labels and bodies of the whole batch.

    Where a batch is divided among replicas, each divides its sums by the counts of all of them: the
    losses of the replicas add up to the loss of the batch, and so do their gradients.
    """

    keypoints: tf.Tensor  # labelled keypoints
    joints: tf.Tensor  # people with 3D joints
    smpl: tf.Tensor  # people with SMPL parameters
    people: tf.Tensor
    real: tf.Tensor  # bodies of motion capture


def count(batch, mocap):
    """Counts of one batch of the pipeline."""

    def nonzero(x):
        return tf.math.count_nonzero(x, dtype=tf.float32)

    people = batch["image"]
    return Counts(
        keypoints=nonzero(batch["keypoints2d_norm"][..., 2]),
        joints=nonzero(batch["has_joints"]),
        smpl=nonzero(batch["has_smpl"]),
        people=tf.cast(tf.shape(people)[0], tf.float32),
        real=tf.cast(tf.shape(mocap["betas"] if mocap else people)[0], tf.float32),
    )


def keypoints(labels, predicted, num_labelled):
    """Mean absolute reprojection error over the batch's labelled keypoints (paper, eq. 3).

    Args:
      labels: (B, K, 3) x and y in [-1, 1] and a weight, 0 where a keypoint is not labelled.
      predicted: (B, K, 2). Source: the original's `ops.py:14-24`.
      num_labelled: number of keypoints of the whole batch whose weight is not zero.
    """
    return _weighted_mean(tf.abs(labels[..., :2] - predicted), labels[..., 2:], num_labelled)


def squared_3d(labels, predicted, has_label, num_labelled):
    """Half the mean squared error over the rows that have a label (paper, eq. 4-6; `ops.py:27-46`).

    Args:
      labels, predicted: (B, D); has_label: (B,).
      num_labelled: number of rows of the whole batch that have one.
    """
    return 0.5 * _weighted_mean(tf.square(labels - predicted), has_label[:, None], num_labelled)


def _weighted_mean(values, weights, num_nonzero):
    """Sum of weights * values over the number of values whose weight is not zero; 0 if all are.

    This is TF1's SUM_BY_NONZERO_WEIGHTS. `weights` (..., 1) are the same along the last axis of
    `values`; `num_nonzero` is the number of those that are not zero.
    """
    weights = tf.cast(weights, values.dtype)
    count = num_nonzero * tf.cast(tf.shape(values)[-1], values.dtype)
    return tf.math.divide_no_nan(tf.reduce_sum(weights * values), count)


def encoder_losses(stages, batch, fake_scores, weights, counts):
    """The encoder's losses.

    Args:
      stages: the `Prediction` of every stage; the keypoint and 3D losses use the last one only.
      batch: the pipeline's batch, see `data/augment.py`.
      fake_scores: (T * B, 25) discriminator scores of every stage, or None without the prior.
      weights: `LossWeights`.
      counts: `Counts`.

    Returns:
      dict of scalars: `keypoints`, `joints`, `smpl`, `adversarial`; `total`, their weighted sum.

    Source: the original's `trainer.py:252-290`.
    """
    last = stages[-1]

    def flat(x):
        return tf.reshape(x, [tf.shape(x)[0], -1])

    labelled = tf.concat([flat(batch["rotations"]), batch["betas"]], axis=1)
    predicted = tf.concat([flat(last.rotations), last.betas], axis=1)
    joints = flat(centred_on_hips(batch["lsp_joints"]))
    predicted_joints = flat(centred_on_hips(lsp_joints_from_keypoints(last.joints3d)))
    parts = {
        "keypoints": keypoints(batch["keypoints2d_norm"], last.keypoints2d_norm, counts.keypoints),
        "joints": squared_3d(joints, predicted_joints, batch["has_joints"], counts.joints),
        "smpl": squared_3d(labelled, predicted, batch["has_smpl"], counts.smpl),
    }
    if fake_scores is not None:
        parts["adversarial"] = least_squares(fake_scores, 1.0, len(stages) * counts.people)
    return {**parts, "total": sum(weighted(parts, weights).values())}


def weighted(parts, weights):
    """Each part of `encoder_losses` times its `LossWeights`."""
    weight_of = {
        "keypoints": weights.keypoints,
        "joints": weights.labels_3d,
        "smpl": weights.labels_3d,
        "adversarial": weights.discriminator,
    }
    return {name: weight_of[name] * value for name, value in parts.items()}


def discriminator_losses(real_scores, fake_scores, weights, num_real, num_fake):
    """The discriminator's losses: real bodies to 1, predicted ones to 0 (paper, eq. 8).

    Args:
      real_scores, fake_scores: (N, 25).
      weights: `LossWeights`.
      num_real, num_fake: numbers of bodies of the whole batch.

    Returns:
      dict of scalars: `real`, `fake`, and `total`, their weighted sum.

    Source: the original's `trainer.py:401-419`.
    """
    parts = {
        "real": least_squares(real_scores, 1.0, num_real),
        "fake": least_squares(fake_scores, 0.0, num_fake),
    }
    return {**parts, "total": weights.discriminator * (parts["real"] + parts["fake"])}


def least_squares(scores, target, num_bodies):
    """Squared distance to `target`: sum of the 25 outputs, mean of the bodies (paper, eq. 7)."""
    return tf.reduce_sum(tf.square(scores - target)) / num_bodies

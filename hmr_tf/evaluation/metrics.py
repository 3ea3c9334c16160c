"""How far a predicted body is from the true one. Numpy; metres in, metres out."""

import numpy as np

from hmr_tf.body.rotation import procrustes_align


def mpjpe(predicted, truth):
    """Mean distance of corresponding points: (B, K, 3), (B, K, 3) -> (B,). No alignment."""
    return np.linalg.norm(predicted - truth, axis=-1).mean(axis=-1)


def centred(points, root):
    """(B, K, 3) points moved so that the mean of the points `root` (indices) is the origin."""
    return points - points[:, list(root)].mean(axis=1, keepdims=True)


def pa_mpjpe(predicted, truth):
    """Reconstruction error: `mpjpe` after the best similarity transform, no mirror: (B,)."""
    return mpjpe(procrustes_align(predicted, truth), truth)


def keypoint_error(predicted, truth, labelled):
    """Mean distance of labelled keypoints: twice (B, K, 2), (B, K) -> (B,); nan if none."""
    labelled = np.asarray(labelled, bool)
    distance = np.where(labelled, np.linalg.norm(predicted - truth, axis=-1), 0.0).sum(axis=-1)
    with np.errstate(invalid="ignore"):
        return distance / labelled.sum(axis=-1)

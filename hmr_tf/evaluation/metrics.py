"""Distances of predicted from true bodies. Numpy; metres in, metres out; shares in 0..1."""

import numpy as np

from hmr_tf.body.rotation import procrustes_align

PCK_M = 0.150  # threshold of MPI-INF-3DHP
# Thresholds of its AUC, 0 to 150 mm in steps of 5 (`mpii_compute_3d_pck.m` of the dataset's code).
AUC_M = np.arange(31) * 0.005
PERCENTILES = (50, 75, 90, 95, 99)
IGNORED = 255  # label of pixels that are not evaluated


def distances(predicted, truth):
    """Distance of corresponding points: twice (B, K, C) -> (B, K)."""
    return np.linalg.norm(predicted - truth, axis=-1)


def mpjpe(predicted, truth):
    """Mean distance of corresponding points: (B, K, 3), (B, K, 3) -> (B,). No alignment."""
    return distances(predicted, truth).mean(axis=-1)


def aligned_distances(predicted, truth):
    """`distances` after the best similarity transform of each body, never a mirror: (B, K)."""
    return distances(procrustes_align(predicted, truth), truth)


def pa_mpjpe(predicted, truth):
    """PA-MPJPE, the paper's reconstruction error: `mpjpe` after similarity alignment: (B,)."""
    return aligned_distances(predicted, truth).mean(axis=-1)


def pck(distance, threshold, counts=None):
    """Share of the points that are nearer than the threshold, strictly.

    Args:
      distance: (B, K).
      threshold: a number or (B, 1), in the same unit.
      counts: (B, K) bool, the points that are counted; None: all.

    Returns:
      float in 0..1; nan where no point is counted.
    """
    near = distance < threshold
    counts = np.ones_like(near) if counts is None else np.asarray(counts, bool)
    return float(near[counts].mean()) if counts.any() else float("nan")


def auc(distance, thresholds=AUC_M):
    """Area under the PCK curve: the mean of `pck` over the thresholds. (B, K) -> float.

    The first threshold is 0 and counts no point, so that a perfect prediction gets 30 / 31.
    """
    below = np.searchsorted(np.sort(distance, axis=None), thresholds, side="left")
    return float(below.mean() / distance.size)


def percentiles(errors):
    """(B,) -> {50: median, 75: ..., ...} by linear interpolation."""
    return dict(zip(PERCENTILES, np.percentile(errors, PERCENTILES).tolist()))


def keypoint_error(predicted, truth, labelled):
    """Mean distance of labelled keypoints: twice (B, K, 2), (B, K) -> (B,); nan if none."""
    labelled = np.asarray(labelled, bool)
    distance = np.where(labelled, distances(predicted, truth), 0.0).sum(axis=-1)
    with np.errstate(invalid="ignore"):
        return distance / labelled.sum(axis=-1)


def label_counts(predicted, truth, num_labels):
    """Counts for accuracy and F1 of segmentations; those of several pictures can be added.

    Pixels with the label `IGNORED` count for the accuracy only, as background, as in the public
    evaluation (nkolot/SPIN `eval.py:213-229`).

    Args:
      predicted, truth: (H, W) integer labels 0 to num_labels - 1, 0 the background.
      num_labels: L.

    Returns:
      (L + 1, 3) int: for each label true positives, false positives and false negatives; in the
      last row equal pixels, all pixels and 0.
    """
    counted = truth != IGNORED
    pairs = truth[counted].astype(int) * num_labels + predicted[counted]
    confusion = np.bincount(pairs, minlength=num_labels**2).reshape(num_labels, num_labels)
    hits = np.diag(confusion)
    counts = np.stack([hits, confusion.sum(0) - hits, confusion.sum(1) - hits], axis=1)
    equal = np.sum(predicted == np.where(counted, truth, 0))
    return np.concatenate([counts, [[equal, truth.size, 0]]])


def accuracy(counts):
    """Share of equal pixels, of summed `label_counts`."""
    return float(counts[-1, 0] / counts[-1, 1])


def f1(counts):
    """(L,) F1 of each label, of summed `label_counts`; nan for a label without pixels."""
    hits, false_positives, false_negatives = counts[:-1].T
    with np.errstate(invalid="ignore"):
        return 2 * hits / (2 * hits + false_positives + false_negatives)

"""Distances of predicted from true bodies. Numpy; metres in, metres out; shares in 0..1."""

import numpy as np

from hmr_tf.body.rotation import procrustes_align

PCK_M = 0.150  # threshold of MPI-INF-3DHP
# Thresholds of its AUC, 0 to 150 mm in steps of 5 (`mpii_compute_3d_pck.m` of the dataset's code).
AUC_M = np.arange(31) * 0.005
# PCK by the box: share of the longer side, which is enlarged by the factor (4D-Humans).
BOX_PCK = {"pck10_percent": 0.1, "pck05_percent": 0.05}
BOX_FACTOR = 1.2
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


def acceleration_error(predicted, truth, follows):
    """Mean distance of the joints' accelerations, metres per frame squared.

    Args:
      predicted, truth: (N, K, 3) of frames in order, each body's root at the origin.
      follows: (N,) bool, whether a frame is the next one after the frame before it.

    Returns:
      (N,) of the middle one of three frames; nan where it has no neighbour.

    Source: `compute_error_accel` of human_dynamics and VIBE (`lib/utils/eval_utils.py:22-50`).
    """
    error = np.full(len(predicted), np.nan)
    difference = predicted - truth
    second = difference[:-2] - 2 * difference[1:-1] + difference[2:]
    has_both = follows[1:-1] & follows[2:]
    error[1:-1][has_both] = np.linalg.norm(second[has_both], axis=-1).mean(axis=-1)
    return error


def jerk(joints, file, frames_per_second):
    """Mean length of the joints' third derivative, metres per second cubed.

    Args:
      joints: (N, K, 3) of frames in order.
      file: (N,) number of the file of each; four frames of one file count as neighbours.
      frames_per_second: rate.

    Returns:
      (N,) of the last of four frames; nan for the first three of each file.
    """
    lengths = np.full(len(joints), np.nan)
    third = joints[3:] - 3 * joints[2:-1] + 3 * joints[1:-2] - joints[:-3]
    lengths[3:] = np.linalg.norm(third, axis=-1).mean(axis=-1) * frames_per_second**3
    lengths[3:][file[3:] != file[:-3]] = np.nan
    return lengths


def area_under_pck(distance, thresholds):
    """Each point's part of the area under a PCK curve that joins the thresholds by lines.

    Args:
      distance: any shape, unit of the thresholds.
      thresholds: (T,) ascending whole numbers from 0; one counts the points at or below it.

    Returns:
      float array of that shape, in 0..1; the mean over points is the area.
    """
    weights = np.ones(len(thresholds))
    weights[[0, -1]] = 0.5
    area = np.append(np.cumsum(weights[::-1])[::-1], 0.0) / weights.sum()
    return area[np.searchsorted(thresholds, distance, side="left")]


def scale_aligned(predicted, truth):
    """`predicted` with the mean and the spread of `truth`, without rotation: twice (B, V, 3).

    Source: akashsengupta1997/STRAPS-3DHumanShapePose `scale_and_translation_transform_batch`.
    """

    def mean_and_spread(points):
        mean = points.mean(axis=1, keepdims=True)
        return mean, np.sqrt(np.square(points - mean).sum(axis=(1, 2), keepdims=True))

    (mean, spread), (true_mean, true_spread) = map(mean_and_spread, (predicted, truth))
    return (predicted - mean) * (true_spread / spread) + true_mean


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

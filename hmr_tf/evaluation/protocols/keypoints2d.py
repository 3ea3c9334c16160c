"""Errors of 2D keypoints: shares of correct ones, and how far off the projection is."""

import numpy as np

from hmr_tf.body.skeleton import KEYPOINTS
from hmr_tf.body.theta import split
from hmr_tf.data import shards
from hmr_tf.evaluation import metrics, plausibility
from hmr_tf.evaluation.protocols import scores
from hmr_tf.files.errors import InputError

# Metric -> (length of the person, as in `_lengths`; share of it that is the threshold).
_PCK = {
    "pck_torso_percent": ("torso", 0.5),
    "pck_head_percent": ("head", 0.5),
    "pck_box_percent": ("box", 0.2),
}
_TORSO = (("left_shoulder", "right_hip"), ("right_shoulder", "left_hip"))
_HEAD = (("neck", "head_top"),)
_SIDES = (("left_shoulder", "left_hip"), ("right_shoulder", "right_hip"))
_LEGS = ("right_ankle", "right_knee", "left_knee", "left_ankle")
_FEET = ("right_ankle", "left_ankle")
_TORSO_TOLERANCE = 0.15  # of the labelled length


def check(frames, options):
    """Before anything is predicted: InputError if no person has a labelled keypoint."""
    if not (frames.truth["keypoints_px"][..., 2] > 0).any():
        raise InputError(f"No person in {frames.paths[0].parent} has labelled keypoints.")
    if options.get("mocap_ranges"):
        shards.of_mocap_ranges(options["mocap_ranges"])
    return np.ones(len(frames.file), bool), []


def score(frames, options):
    """Scores of the labelled keypoints, in pixels of the crop.

    PCK: the share of keypoints nearer to their label than half of the torso (shoulder to opposite
    hip, the longer of the two), half of the head (neck to its top) or a fifth of the longer side of
    the labels' box. People without the labels for a length, or whose length is 0 (the box of a
    single label), are left out of its PCK. Their mean is over all labelled keypoints. Another one
    is that of 4D-Humans: 5 and 10 % of the longer side of the labels' box enlarged by 1.2, the mean
    of the keypoints' shares; its LSP-extended has this box
    (`hmr2/datasets/preprocess/lspet_to_npz.py:31-36`@6ec7965), its COCO the annotated one.

    Torso: the share of people whose predicted shoulder-to-hip length, in the picture, is within
    15 % of the labelled one; of those with both ankles labelled ("whole"), and of those with no
    label of the legs ("cut off"), whose bodies networks tend to squeeze into the picture.

    Args:
      frames: Frames.
      options: "mocap_ranges", a folder of motion capture, or empty: then the shares of joint angles
        and betas that it does not have are measured too, see `plausibility`.
    """
    truth, predicted = frames.truth, frames.predicted
    labelled = truth["keypoints_px"][..., 2] > 0
    pixels = labels_in_crop(frames)
    keypoints_px = predicted["keypoints_px"].astype(float)
    distance = metrics.distances(keypoints_px, pixels)
    lengths = _lengths(pixels, labelled)
    error = metrics.keypoint_error(keypoints_px, pixels, labelled)
    box_terms = _box_terms(distance, lengths["box"], labelled)

    def metrics_of(people, keypoints=...):
        is_labelled = labelled[people]
        row = {"keypoints_px": _mean(distance[people][:, keypoints], is_labelled[:, keypoints])}
        for name, (part, share) in _PCK.items():
            threshold = share * lengths[part][people, None]
            counts = is_labelled[:, keypoints] & np.isfinite(threshold)
            row[name] = 100 * metrics.pck(distance[people][:, keypoints], threshold, counts)
        for name, term in box_terms.items():
            right, counts = (
                part[people][:, keypoints] for part in (term.numerator, term.denominator)
            )
            row[name] = scores.unweighted(scores.Terms(right, counts, term.factor))
        return row

    all_people = np.ones(len(error), bool)
    by_joint = {name: metrics_of(all_people, [k]) for k, name in enumerate(KEYPOINTS)}
    by_joint = {name: row for name, row in by_joint.items() if np.isfinite(row["keypoints_px"])}
    overall = metrics_of(all_people)
    overall["keypoints_median_px"] = float(np.nanmedian(error))
    terms = {
        **_pck_terms(distance, lengths, labelled),
        **box_terms,
        "keypoints_median_px": scores.Median(error),
        **_torso_terms(keypoints_px, pixels, labelled),
    }
    if options.get("mocap_ranges"):
        terms.update(_plausibility_terms(predicted["theta"], options["mocap_ranges"]))
    overall.update({name: scores.unweighted(terms[name]) for name in terms if name not in overall})
    tables = {"sequence": scores.by_group(frames.sequences, metrics_of), "joint": by_joint}
    return scores.Scores(overall, tables, {"keypoints_px": error}, terms)


def labels_in_crop(frames):
    """(N, 19, 2) float64 labels in pixels of the crop; without meaning where not labelled."""
    scale_xy, corner_px = (frames.predicted[name][:, None] for name in ("scale_xy", "corner_px"))
    return frames.truth["keypoints_px"][..., :2] * scale_xy.astype(float) - corner_px


def _pck_terms(distance, lengths, labelled):
    """Terms of the mean distance and of the PCKs."""
    terms = {"keypoints_px": scores.ratio_terms(distance, labelled)}
    for name, (part, share) in _PCK.items():
        threshold = share * lengths[part][:, None]
        counts = labelled & np.isfinite(threshold)
        terms[name] = scores.ratio_terms(distance < threshold, counts, 100.0)
    return terms


def _box_terms(distance, box_px, labelled):
    """Terms of the PCKs of 4D-Humans, with a column for each keypoint."""
    side_px = metrics.BOX_FACTOR * box_px[:, None]
    counts = labelled & np.isfinite(side_px)
    return {
        name: scores.Terms((distance < share * side_px) * counts, counts * 1.0, 100.0)
        for name, share in metrics.BOX_PCK.items()
    }


def _torso_terms(predicted_px, labels_px, labelled):
    """Terms of the percent of the torsos of the right length."""
    ends = np.array([[KEYPOINTS.index(end) for end in side] for side in _SIDES])
    legs, feet = ([KEYPOINTS.index(name) for name in names] for names in (_LEGS, _FEET))

    def lengths(points):
        return metrics.distances(points[:, ends[:, 0]], points[:, ends[:, 1]]).mean(axis=1)

    has_torso = labelled[:, ends.ravel()].all(axis=1)
    off = np.abs(lengths(predicted_px) / np.maximum(lengths(labels_px), 1e-6) - 1.0)
    is_right = (off < _TORSO_TOLERANCE)[:, None]
    groups = {
        "torso_whole_percent": has_torso & labelled[:, feet].all(axis=1),
        "torso_cut_off_percent": has_torso & ~labelled[:, legs].any(axis=1),
    }
    return {
        name: scores.ratio_terms(is_right, people[:, None], 100.0)
        for name, people in groups.items()
    }


def _plausibility_terms(thetas, mocap_folder):
    mocap = plausibility.read_mocap(shards.of_mocap_ranges(mocap_folder))
    ranges = plausibility.joint_ranges(mocap.poses)
    _, pose, betas = map(np.asarray, split(thetas))
    shares = {
        "impossible_angles_percent": plausibility.shares_outside(pose[:, 1:], ranges),
        "betas_beyond_3_percent": plausibility.shares_beyond(betas),
    }
    return {name: scores.mean_terms(values, 100.0) for name, values in shares.items()}


def _mean(distance, counts):
    return float(distance[counts].mean()) if counts.any() else float("nan")


def _lengths(pixels, labelled):
    """{"torso", "head", "box": (N,) pixels, nan where a label is missing or the length is 0}"""
    low = np.where(labelled[..., None], pixels, np.inf).min(1)
    high = np.where(labelled[..., None], pixels, -np.inf).max(1)
    lengths = {
        "torso": _longest(_TORSO, pixels, labelled),
        "head": _longest(_HEAD, pixels, labelled),
        "box": np.where(labelled.any(1), (high - low).max(1), np.nan),
    }
    return {name: np.where(length > 0, length, np.nan) for name, length in lengths.items()}


def _longest(bones, pixels, labelled):
    """(N,) length of the longest of the bones whose ends are labelled, nan where there is none."""
    ends = np.array([[KEYPOINTS.index(end) for end in bone] for bone in bones])  # (bones, 2)
    length = metrics.distances(pixels[:, ends[:, 0]], pixels[:, ends[:, 1]])
    longest = np.where(labelled[:, ends].all(-1), length, -np.inf).max(1)
    return np.where(np.isfinite(longest), longest, np.nan)

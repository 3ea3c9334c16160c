"""Regressors of the 24 joints and 19 keypoints: sparse non-negative rows that sum to 1."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls
from tqdm import tqdm

from hmr_tf.body import skeleton

_TORSO = ("pelvis", "spine1", "spine2", "spine3", "neck")
_BESIDE_TORSO = (
    "left_hip",
    "right_hip",
    "left_collar",
    "right_collar",
    "left_shoulder",
    "right_shoulder",
)
_TORSO_BAND, _TORSO_HALF_WIDTH, _TORSO_SHARE = 0.07, 0.24, 0.6
_TORSO_CANDIDATES, _LIMB_CANDIDATES, _LIMB_STEP = 400, 200, 4
_SUM_STRENGTH = 300.0  # weight of "the shares sum to 1" against metres
_SMALLEST_SHARE = 1e-4
_EYE_DEPTH = 0.013  # from the centre of the eyeball to the lid
_EAR_BELOW_EYE, _EAR_HALF_BAND = 0.02, 0.035


class MeanBody(NamedTuple):
    """The mean person's decimated mesh."""

    mean: np.ndarray  # (V, 3) metres
    weights: np.ndarray  # (V, 24) skin weights
    mirror: np.ndarray  # (V,)


def regress(sources, goals):
    """Finds shares, non-negative and with sum 1, whose weighted sources are nearest to the goals.

    Args:
      sources: (N, C, 3) candidate vertices of N people, metres.
      goals: (N, 3) the wanted point of each.

    Returns:
      (C,) shares, mostly 0. Lawson and Hanson's non-negative least squares.
    """
    rows = np.moveaxis(sources, 1, 2).reshape(-1, sources.shape[1])
    rows = np.concatenate([rows, np.full([1, rows.shape[1]], _SUM_STRENGTH)])
    # The triangular factor has the same least-squares solution and far fewer rows.
    factor_q, factor_r = np.linalg.qr(rows)
    shares, _ = nnls(factor_r, factor_q.T @ np.append(goals.ravel(), _SUM_STRENGTH), maxiter=10000)
    shares[shares < _SMALLEST_SHARE] = 0.0
    return shares / shares.sum()


def joint_regressor(body, people, joints):
    """People (N, V, 3), their joints (N, 24, 3) -> (24, V); right is left reflected."""
    rows = {}
    for index, name in enumerate(tqdm(skeleton.SMPL_JOINTS, desc="joint regressor", leave=False)):
        if name.startswith("right_"):
            continue
        goals = joints[:, index]
        candidates = _candidates(body, name, goals.mean(0))
        row = np.zeros(len(body.mean))
        row[candidates] = regress(people[:, candidates], goals)
        opposite = skeleton.SMPL_JOINTS[skeleton.mirror(skeleton.SMPL_JOINTS)[index]]
        is_middle = opposite == name
        rows[name] = (row + row[body.mirror]) / 2 if is_middle else row
        if not is_middle:
            rows[opposite] = row[body.mirror]
    return np.stack([rows[name] for name in skeleton.SMPL_JOINTS])


def keypoint_regressor(body, joint_rows, eyes):
    """The 19 keypoints of `skeleton.KEYPOINTS` on the surface -> (19, V).

    Limbs are SMPL's joints; the neck is between neck and collars, as in LSP; the others are the
    mean of a few vertices around the crown, the tip of the nose, the eyelids, the edge of the ear.

    Args:
      body: MeanBody.
      joint_rows: (24, V) joint regressor.
      eyes: (2, 3) centres of left and right eyeball of the mean person, metres.
    """
    rows = dict(zip(skeleton.SMPL_JOINTS, joint_rows))
    rows["neck"] = rows["neck"] / 2 + (rows["left_collar"] + rows["right_collar"]) / 4
    points = body.mean
    head = body.weights[:, skeleton.SMPL_JOINTS.index("head")] > 0.5
    profile = np.flatnonzero(head & (np.abs(points[:, 0]) < 0.01))
    eye_height = eyes[0, 1]
    ear_band = np.abs(points[:, 1] - eye_height + _EAR_BELOW_EYE) < _EAR_HALF_BAND
    ear = np.flatnonzero(head & (points[:, 0] > 0) & ear_band)
    rows["head_top"] = _around_middle(body, points[np.argmax(points[:, 1])], 10)
    rows["nose"] = _around_middle(body, points[profile[np.argmax(points[profile, 2])]], 8)
    rows["left_eye"] = _around(body, eyes[0] + [0.0, 0.0, _EYE_DEPTH], 10)
    rows["left_ear"] = _around(body, points[ear[np.argmax(points[ear, 0])]], 14)
    rows["right_eye"], rows["right_ear"] = (
        rows["left_eye"][body.mirror],
        rows["left_ear"][body.mirror],
    )
    return np.stack([rows[name] for name in skeleton.KEYPOINTS])


def _candidates(body, name, place):
    """Vertices that may determine a joint: a belt around the torso, or every fourth near a limb."""
    offsets = body.mean - place
    if name not in _TORSO:
        nearest = np.argsort(np.linalg.norm(offsets, axis=1), kind="stable")
        return nearest[: _LIMB_CANDIDATES * _LIMB_STEP : _LIMB_STEP]
    trunk = list(skeleton.indices(_TORSO + _BESIDE_TORSO, skeleton.SMPL_JOINTS))
    belt = np.abs(offsets[:, 1]) < _TORSO_BAND
    belt &= np.abs(body.mean[:, 0]) < _TORSO_HALF_WIDTH
    belt = np.flatnonzero(belt & (body.weights[:, trunk].sum(1) > _TORSO_SHARE))
    return belt[:: max(1, len(belt) // _TORSO_CANDIDATES)]


def _around(body, place, count):
    """Row of the mean of the `count` vertices nearest to `place` (3,)."""
    row = np.zeros(len(body.mean))
    nearest = np.argsort(np.linalg.norm(body.mean - place, axis=1), kind="stable")[:count]
    row[nearest] = 1.0 / count
    return row


def _around_middle(body, place, count):
    row = _around(body, place * [0.0, 1.0, 1.0], count)
    return (row + row[body.mirror]) / 2

"""Lengths and girths of a rest-posed body, in metres, on any topology.

Levels come from the joints, not from vertex ids:

| | where |
|---|---|
| height | lowest to highest vertex |
| chest | the largest girth from the joint spine2 up to the armpits |
| waist | the smallest girth between the joints spine1 and spine2 |
| hips | the largest girth from the pelvis joint down to a fifth of the thigh below the hip joints |
| arm | shoulder joint, elbow, wrist: the mean of both sides |
| leg | hip joint, knee, ankle, and from there down to the sole: the mean of both sides |

A girth is what a tape shows: the convex hull of a horizontal cut through trunk and legs, without
the arms. Joints lie inside the body, so that an arm is some centimetres shorter than a tailor's.
"""

from typing import NamedTuple

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from hmr_tf.body.body_model import rest_body
from hmr_tf.body.skeleton import SMPL_JOINTS, indices

_ARMS = indices(
    [
        f"{side}_{part}"
        for side in ("left", "right")
        for part in ("shoulder", "elbow", "wrist", "hand")
    ],
    SMPL_JOINTS,
)
_LEVELS = 25  # cuts between the two ends of a range
_UP = 1  # y


class Measurement(NamedTuple):
    """A number and where it was taken."""

    metres: float
    lines: tuple  # of (N, 3) metres: the tape; of two sides one each


def measure(vertices, joints, faces, weights):
    """All measurements of one body.

    Args:
      vertices: (V, 3) metres, T-posed, y up.
      joints: (24, 3) metres.
      faces: (F, 3) vertex ids.
      weights: (V, 24) skinning weights, which say what an arm is.

    Returns:
      dict: "height", "chest", "waist", "hips", "arm", "leg" -> Measurement.

    Raises:
      ValueError: there is no trunk at one of the levels.
    """
    vertices, joints = np.asarray(vertices, np.float64), np.asarray(joints, np.float64)
    of_arm = np.isin(np.argmax(weights, axis=1), _ARMS)
    trunk = faces[~of_arm[faces].any(axis=1)]
    edges = np.sort(trunk[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    ends = vertices[np.unique(edges, axis=0)]
    at = dict(zip(SMPL_JOINTS, joints))
    y = {name: place[_UP] for name, place in at.items()}
    hip, knee = (y[f"left_{name}"] + y[f"right_{name}"] for name in ("hip", "knee"))
    below_hips = (hip - (hip - knee) / 5) / 2
    armpits = vertices[of_arm, _UP].min() if of_arm.any() else y["spine3"]
    return {
        "height": _height(vertices),
        "chest": _girth(ends, y["spine2"], max(armpits, y["spine2"]), max),
        "waist": _girth(ends, y["spine1"], y["spine2"], min),
        "hips": _girth(ends, below_hips, y["pelvis"], max),
        "arm": _limbs(at, ("shoulder", "elbow", "wrist")),
        "leg": _limbs(at, ("hip", "knee", "ankle"), floor=vertices[:, _UP].min()),
    }


def measure_shape(model, betas=None):
    """`measure` of a `body_model.BodyModel` with these betas (10,)."""
    return measure(*rest_body(model, betas), model.faces, model.lbs_weights)


def _height(vertices):
    """From the sole straight up beside the crown."""
    top = vertices[np.argmax(vertices[:, _UP])]
    bottom = np.array([top[0], vertices[:, _UP].min(), top[2]])
    return Measurement(float(top[_UP] - bottom[_UP]), (np.stack([bottom, top]),))


def _girth(ends, low, high, choose):
    """The largest or smallest tape between two levels."""
    tapes = [_tape(ends, level) for level in np.linspace(low, high, _LEVELS)]
    return choose(tapes, key=lambda tape: tape.metres)


def _tape(ends, level):
    """The tape around everything that a horizontal plane cuts.

    Args:
      ends: (E, 2, 3) both ends of the mesh's edges.
      level: height of the plane.
    """
    above = ends[..., _UP] > level
    cut = ends[above[:, 0] != above[:, 1]]
    share = (level - cut[:, 0, _UP]) / (cut[:, 1, _UP] - cut[:, 0, _UP])
    points = cut[:, 0] + share[:, None] * (cut[:, 1] - cut[:, 0])
    try:
        hull = ConvexHull(points[:, [0, 2]])
    except (QhullError, ValueError) as error:
        raise ValueError(f"there is no trunk to measure at the height {level:.3f} m") from error
    loop = points[np.append(hull.vertices, hull.vertices[0])]
    return Measurement(float(hull.area), (loop,))  # of a flat hull the "area" is its outline


def _limbs(at, names, floor=None):
    """Both sides' chains of joints, down to the floor if there is one; the number is their mean."""
    lines = []
    for side in ("left", "right"):
        line = [at[f"{side}_{name}"] for name in names]
        if floor is not None:
            line.append(np.array([line[-1][0], floor, line[-1][2]]))
        lines.append(np.stack(line))
    lengths = [np.linalg.norm(np.diff(line, axis=0), axis=1).sum() for line in lines]
    return Measurement(float(np.mean(lengths)), tuple(lines))

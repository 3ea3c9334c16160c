"""Lengths and girths of a body in rest pose, in metres, on any topology.

Heights come from the joints, not from vertex ids:

| measurement | where |
|---|---|
| height | lowest to highest vertex |
| chest | the largest girth from the joint spine2 up to the armpits |
| waist | the smallest girth between the joints spine1 and spine2 |
| hips | the largest girth from the pelvis joint down to a fifth of the thigh below the hip joints |
| arm | shoulder joint, elbow, wrist: the mean of both sides |
| leg | hip joint, knee, ankle, and from there down to the sole: the mean of both sides |

A girth is the length of a measuring tape: the convex hull of a horizontal cut through trunk and
legs, without the arms. Joints lie inside the body, so an arm is some centimetres shorter than a
tailor measures it.
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
_NUM_CUTS = 25  # of a girth, between its lowest and highest place
_UP = 1  # y


class Measurement(NamedTuple):
    """A length and the line along which it was measured."""

    metres: float
    lines: tuple  # of (N, 3) metres: the tape; one for each side of an arm or leg


def measure(vertices, joints, faces, lbs_weights):
    """All measurements of one body.

    Args:
      vertices: (V, 3) metres, in rest pose, y up.
      joints: (24, 3) metres.
      faces: (F, 3) vertex ids.
      lbs_weights: (V, 24) skinning weights, from which the arms are known.

    Returns:
      dict: "height", "chest", "waist", "hips", "arm", "leg" -> Measurement.

    Raises:
      ValueError: the mesh has no trunk at one of the heights.
    """
    vertices, joints = np.asarray(vertices, np.float64), np.asarray(joints, np.float64)
    in_arm = np.isin(np.argmax(lbs_weights, axis=1), _ARMS)
    trunk = faces[~in_arm[faces].any(axis=1)]
    edges = np.sort(trunk[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    edges = vertices[np.unique(edges, axis=0)]
    position = dict(zip(SMPL_JOINTS, joints))
    y = {name: point[_UP] for name, point in position.items()}
    hip, knee = (y[f"left_{name}"] + y[f"right_{name}"] for name in ("hip", "knee"))
    below_hips = (hip - (hip - knee) / 5) / 2
    armpits = vertices[in_arm, _UP].min() if in_arm.any() else y["spine3"]
    return {
        "height": _height(vertices),
        "chest": _girth(edges, y["spine2"], max(armpits, y["spine2"]), max),
        "waist": _girth(edges, y["spine1"], y["spine2"], min),
        "hips": _girth(edges, below_hips, y["pelvis"], max),
        "arm": _limbs(position, ("shoulder", "elbow", "wrist")),
        "leg": _limbs(position, ("hip", "knee", "ankle"), floor=vertices[:, _UP].min()),
    }


def measure_shape(model, betas=None):
    """`measure` of a `body_model.BodyModel` with these betas (10,)."""
    return measure(*rest_body(model, betas), model.faces, model.lbs_weights)


def _height(vertices):
    """The vertical line from the sole to the top of the head."""
    top = vertices[np.argmax(vertices[:, _UP])]
    bottom = np.array([top[0], vertices[:, _UP].min(), top[2]])
    return Measurement(float(top[_UP] - bottom[_UP]), (np.stack([bottom, top]),))


def _girth(edges, low, high, choose):
    """The largest or smallest tape between two heights; `choose` is max or min."""
    tapes = [_tape(edges, height) for height in np.linspace(low, high, _NUM_CUTS)]
    return choose(tapes, key=lambda tape: tape.metres)


def _tape(edges, height):
    """The tape around everything that a horizontal plane cuts.

    Args:
      edges: (E, 2, 3) both ends of the mesh's edges.
      height: of the plane.
    """
    above = edges[..., _UP] > height
    cut = edges[above[:, 0] != above[:, 1]]
    share = (height - cut[:, 0, _UP]) / (cut[:, 1, _UP] - cut[:, 0, _UP])
    points = cut[:, 0] + share[:, None] * (cut[:, 1] - cut[:, 0])
    try:
        hull = ConvexHull(points[:, [0, 2]])
    except (QhullError, ValueError) as error:
        raise ValueError(f"there is no trunk to measure at the height {height:.3f} m") from error
    loop = points[np.append(hull.vertices, hull.vertices[0])]
    return Measurement(float(hull.area), (loop,))  # the "area" of a 2D hull is its perimeter


def _limbs(position, names, floor=None):
    """The chains of joints of both sides, down to `floor` if given; the length is their mean."""
    lines = []
    for side in ("left", "right"):
        line = [position[f"{side}_{name}"] for name in names]
        if floor is not None:
            line.append(np.array([line[-1][0], floor, line[-1][2]]))
        lines.append(np.stack(line))
    lengths = [np.linalg.norm(np.diff(line, axis=0), axis=1).sum() for line in lines]
    return Measurement(float(np.mean(lengths)), tuple(lines))

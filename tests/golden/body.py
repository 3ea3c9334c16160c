"""The synthetic body of the goldens, as arrays, as the pickle people have, as TF1's variables."""

import functools

import numpy as np
from scipy import sparse
from scipy.spatial import ConvexHull

from hmr_tf.body.skeleton import KEYPOINTS, SMPL_JOINTS, SMPL_PARENTS
from tests.fakes import python2_pickle
from tests.golden.golden_inputs import rng

NUM_VERTICES = 600

# Rest joints of a made-up adult in T-pose, in SMPL's order: metres, x the person's left, y up.
_REST_JOINTS = np.array(
    [
        *([0.00, -0.22, 0.02], [0.07, -0.31, 0.01], [-0.07, -0.31, 0.01], [0.00, -0.10, -0.01]),
        *([0.10, -0.69, 0.00], [-0.10, -0.69, 0.00], [0.00, 0.04, 0.01], [0.09, -1.09, -0.03]),
        *([-0.09, -1.09, -0.03], [0.00, 0.10, 0.03], [0.12, -1.15, 0.09], [-0.12, -1.15, 0.09]),
        *([0.00, 0.31, -0.01], [0.08, 0.21, 0.00], [-0.08, 0.21, 0.00], [0.00, 0.39, 0.04]),
        *([0.18, 0.23, -0.01], [-0.18, 0.23, -0.01], [0.44, 0.22, -0.03], [-0.44, 0.22, -0.03]),
        *([0.69, 0.23, -0.03], [-0.69, 0.23, -0.03], [0.78, 0.22, -0.04], [-0.78, 0.22, -0.04]),
    ]
)
_HEAD_TOP_AND_FACE = (
    *([0, 0.58, 0.02], [0, 0.43, 0.12], [0.03, 0.46, 0.10], [-0.03, 0.46, 0.10]),
    *([0.07, 0.44, 0.02], [-0.07, 0.44, 0.02]),
)
_BETA_SIZES = (0.03, 0.02, 0.012, 0.01, 0.008, 0.007, 0.006, 0.005, 0.004, 0.003)
# Of five lobes about the body's middle: direction, length, width.
_LOBES = (
    ((0, 1, 0.02), 0.50, 0.03),
    ((1, 0.02, -0.02), 0.72, 0.02),
    ((-1, 0.02, -0.02), 0.72, 0.02),
    ((0.12, -1, 0.0), 1.12, 0.012),
    ((-0.12, -1, 0.0), 1.12, 0.012),
)
# TF1's variable of the body -> its value from the arrays: the original stores them flat.
TF1_LAYOUT = {
    "v_template": lambda a: a["v_template"],
    "shapedirs": lambda a: a["shapedirs"].reshape(-1, 10).T,
    "J_regressor": lambda a: a["J_regressor"].T,
    "posedirs": lambda a: a["posedirs"].reshape(-1, 207).T,
    "lbs_weights": lambda a: a["weights"],
    "cocoplus_regressor": lambda a: a["cocoplus_regressor"].T,
}


@functools.lru_cache
def arrays(num_vertices=NUM_VERTICES):
    """dict with the keys of an SMPL file; float64, regressors dense."""
    random = rng(f"mini_smpl/{num_vertices}")
    vertices, faces = _star(num_vertices)
    vertices = vertices + 0.002 * random.standard_normal(vertices.shape)
    distance = np.linalg.norm(vertices[:, None] - _REST_JOINTS, axis=2)
    nearest = np.argsort(distance, axis=1, kind="stable")[:, :4]
    near = np.take_along_axis(1 / (distance + 0.03) ** 4, nearest, 1)
    weights = np.zeros((num_vertices, len(SMPL_JOINTS)))
    np.put_along_axis(weights, nearest, near, 1)
    linear = np.einsum("vi,kij->vjk", vertices, random.standard_normal((10, 3, 3)))
    shapedirs = 0.8 * linear + 0.4 * random.standard_normal((num_vertices, 3, 10))
    tree = np.stack([np.array(SMPL_PARENTS) % 2**32, np.arange(len(SMPL_JOINTS))])
    regressor = _regressor(vertices, _REST_JOINTS, 8)
    return {
        "v_template": vertices,
        "shapedirs": shapedirs * _BETA_SIZES,
        "posedirs": 0.004 * random.standard_normal((num_vertices, 3, 207)),
        "weights": weights / weights.sum(1, keepdims=True),
        "f": faces,
        "J_regressor": regressor,
        "cocoplus_regressor": _regressor(vertices, _rest_keypoints(), 6),
        "kintree_table": tree.astype(np.uint32),
        "bs_type": "lrotmin",
        "bs_style": "lbs",
        "J": regressor @ vertices,
    }


def write_pickle(path, num_vertices=NUM_VERTICES, chumpy=True, select=False, without=()):
    """Writes the body as Python 2 did; returns `arrays`.

    Args:
      chumpy: the numbers are chumpy objects, the regressors an old scipy's sparse matrices; else
        both are today's.
      select: shapedirs is a chumpy slice, 10 of 12 betas.
      without: keys left out.
    """
    truth = arrays(num_vertices)
    content = dict(truth)
    for key in ("v_template", "shapedirs", "posedirs", "J"):
        content[key] = python2_pickle.Ch(truth[key]) if chumpy else truth[key]
    for key in ("J_regressor", "cocoplus_regressor"):
        matrix = sparse.csc_matrix(truth[key])
        content[key] = python2_pickle.OldSparse(matrix) if chumpy else matrix
    if select:
        more = np.concatenate([truth["shapedirs"], np.full((num_vertices, 3, 2), 7.0)], axis=2)
        chosen = np.arange(more.size).reshape(more.shape)[:, :, :10].ravel()
        content["shapedirs"] = python2_pickle.Select(
            python2_pickle.Ch(more), chosen, (num_vertices, 3, 10)
        )
    python2_pickle.write(path, {k: v for k, v in content.items() if k not in without})
    return truth


def tf1_variable(name, num_vertices=NUM_VERTICES):
    return np.ascontiguousarray(TF1_LAYOUT[name](arrays(num_vertices)), np.float32)


def _rest_keypoints():
    same = [SMPL_JOINTS.index(name) for name in KEYPOINTS if name in SMPL_JOINTS]
    return np.vstack([_REST_JOINTS[same], _HEAD_TOP_AND_FACE])


def _star(num_vertices):
    """Points on a star-shaped body and its triangles, seen from outside."""
    number = np.arange(num_vertices) + 0.5
    polar, angle = np.arccos(1 - 2 * number / num_vertices), np.pi * (1 + 5**0.5) * number
    sphere = np.stack(
        [np.cos(angle) * np.sin(polar), np.cos(polar), np.sin(angle) * np.sin(polar)], axis=1
    )
    radius = np.full(num_vertices, 0.15)
    for axis, length, width in _LOBES:
        axis = np.array(axis) / np.linalg.norm(axis)
        radius = radius + length * np.exp((sphere @ axis - 1) / width)
    points = sphere * radius[:, None] * [1.0, 1.0, 0.8] + [0.0, 0.1, 0.0]
    faces = ConvexHull(sphere).simplices.astype(np.int64)
    a, b, c = (sphere[faces[:, corner]] for corner in range(3))
    inwards = (np.cross(b - a, c - a) * (a + b + c)).sum(1) < 0
    faces[inwards] = faces[inwards][:, ::-1]
    return points, faces[np.lexsort(faces.T[::-1])].astype(np.uint32)


def _regressor(points, targets, count):
    """Rows of convex weights over the nearest points."""
    out = np.zeros((len(targets), len(points)))
    for row, target in zip(out, targets):
        distance = np.linalg.norm(points - target, axis=1)
        nearest = np.argsort(distance, kind="stable")[:count]
        weights = 1 / (distance[nearest] + 0.02)
        row[nearest] = weights / weights.sum()
    return out

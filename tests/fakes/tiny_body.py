"""A body of a few vertices in SMPL's file format, for tests that do not need its looks."""

import numpy as np

from hmr_tf.body.skeleton import KEYPOINTS, SMPL_JOINTS, SMPL_PARENTS


def arrays(num_vertices=60, seed=0):
    """dict with the keys of an SMPL .npz; random but valid."""
    rng = np.random.default_rng(seed)
    num_joints = len(SMPL_JOINTS)

    def convex(rows, columns):
        weights = rng.random((rows, columns)) ** 4
        return weights / weights.sum(axis=1, keepdims=True)

    start = np.arange(num_vertices)
    tree = np.stack([np.array(SMPL_PARENTS) % 2**32, np.arange(num_joints)])
    return {
        "v_template": rng.normal(size=(num_vertices, 3)) * (0.3, 0.8, 0.2),
        "shapedirs": 0.02 * rng.normal(size=(num_vertices, 3, 10)),
        "posedirs": 0.005 * rng.normal(size=(num_vertices, 3, 9 * (num_joints - 1))),
        "J_regressor": convex(num_joints, num_vertices),
        "cocoplus_regressor": convex(len(KEYPOINTS), num_vertices),
        "weights": convex(num_vertices, num_joints),
        "f": np.stack([start, (start + 1) % num_vertices, (start + 2) % num_vertices], axis=1),
        "kintree_table": tree.astype(np.uint32),
    }


def write(path, **changes):
    """Writes the body as .npz, with `changes` to its arrays; a value of None leaves a key out."""
    content = {**arrays(), **changes}
    np.savez(path, **{key: value for key, value in content.items() if value is not None})
    return path

"""All steps from the data in the wheel to the arrays of an SMPL file."""

from typing import NamedTuple

import numpy as np
from absl import logging
from tqdm import tqdm

from hmr_tf.body import body_model, skeleton
from tools.cc0_body import (
    calibration,
    decimate,
    hidden,
    makehuman,
    pose_blend,
    posed_keypoints,
    random_adults,
    regressors,
    shape_space,
    t_pose,
)

NUM_PEOPLE, NUM_VERTICES, NUM_BETAS = 600, 6890, 10
PELVIS = np.array([0.0, -0.22, 0.03])  # metres; about where SMPL's files have it
_SEED = 7
_METRES = 0.1  # MakeHuman's decimetres
_PEOPLE_AT_ONCE = 50
# MakeHuman has two thirds of its vertices on head, hands and feet: there they cost less to remove.
# Only left sides are listed: the right side is the reflection.
_IMPORTANCE = {"head": 0.6, "left_wrist": 0.12, "left_hand": 0.12, "left_foot": 0.15}
_HEAD_RADIUS = 0.2


class MorphedPeople(NamedTuple):
    """People as mixtures of morph targets: `base + shares @ offsets`."""

    base: np.ndarray  # (V, 3) decimetres
    offsets: np.ndarray  # (K, V, 3) morph targets
    shares: np.ndarray  # (N, K)


def build(archive, num_people=NUM_PEOPLE, num_vertices=NUM_VERTICES):
    """Derives the body from the opened wheel (ZipFile).

    Returns:
      dict of the arrays of an SMPL npz, `cocoplus_regressor` and `topology`, rounded so that they
      do not depend on the machine or the number of threads.
    """
    human = makehuman.read(archive)
    rng = np.random.default_rng(_SEED)
    average, crowd = _people(archive, human, random_adults.sample(rng, num_people))
    full_weights = t_pose.smpl_weights(human)
    full_mirror = makehuman.mirror_map(human.vertices[: human.num_skin])
    kept, faces = _decimated(human, average, full_weights, full_mirror, num_vertices)
    mirror = np.searchsorted(kept, full_mirror[kept])
    posed = _t_posed(human, crowd, kept)
    vertices = shape_space.symmetrised(posed.vertices, mirror)
    mean, directions, variance_share = shape_space.principal_shapes(vertices, NUM_BETAS)
    logging.info("%d betas explain %.2f %% of the variance", NUM_BETAS, 100 * variance_share)
    body = regressors.MeanBody(
        mean, shape_space.skin_weights(full_weights[kept], faces, mirror), mirror
    )
    joint_rows = _rounded_rows(regressors.joint_regressor(body, vertices, posed.joints))
    errors_mm = 1e3 * np.linalg.norm(joint_rows @ vertices - posed.joints, axis=-1)
    logging.info("joint regressor: mean %.1f mm, worst %.1f mm", errors_mm.mean(), errors_mm.max())
    keypoint_rows = regressors.keypoint_regressor(body, joint_rows, posed.eyes.mean(0))
    blend = pose_blend.fit(mean, joint_rows @ mean, body.weights, mirror, rng)
    arrays = {
        "v_template": np.round(mean, 6).astype(np.float32),
        "shapedirs": directions.astype(np.float16),
        "posedirs": blend.astype(np.float16),
        "J_regressor": joint_rows.astype(np.float32),
        "weights": body.weights.astype(np.float32),
        "f": faces.astype(np.uint16),
        "kintree_table": _kintree_table(),
        "cocoplus_regressor": _rounded_rows(keypoint_rows).astype(np.float32),
        "topology": np.array("cc0"),
    }
    model = body_model.from_content(arrays, "the body built from the wheel")
    arrays["cocoplus_regressor"] = keypoints_of_people(model, mirror).astype(np.float32)
    return arrays


def keypoints_of_people(model, mirror):
    """The keypoint rows (19, V) of a `BodyModel` that follow moving joints and people's labels."""
    rows = posed_keypoints.follow_joints(model.keypoint_regressor, model, mirror)
    return calibration.calibrated(_rounded_rows(rows), model.v_template, model.lbs_weights)


def _people(archive, human, traits):
    """-> MorphedPeople of one average person, MorphedPeople of the sampled people."""
    shares = random_adults.target_weights(traits)
    average = random_adults.target_weights(random_adults.average())
    names = [name for name in shares if shares[name].any() or average[name].any()]
    offsets = makehuman.read_targets(archive, names, len(human.vertices))
    base = human.vertices.copy()
    random_adults.remove_nipples(base[None], human.quads)
    random_adults.remove_nipples(offsets, human.quads)
    return tuple(
        MorphedPeople(base, offsets, np.stack([mix[name] for name in names], axis=1))
        for mix in (average, shares)
    )


def _decimated(human, average, weights, mirror, num_vertices):
    """Closes mouth, nostrils and eyes and decimates the skin.

    Returns:
      (num_vertices,) kept vertices of MakeHuman's mesh, and (F, 3) faces among them.
    """
    all_points = _t_posed(human, average, np.arange(len(human.vertices))).vertices[0]
    points = np.round(shape_space.symmetrised(all_points[: human.num_skin], mirror), 6)
    faces = decimate.triangulate(points, human.quads, mirror)
    eyes = np.concatenate([human.eye_quads[:, [0, 1, 2]], human.eye_quads[:, [0, 2, 3]]])
    is_head = weights[: human.num_skin, skeleton.SMPL_JOINTS.index("head")] > 0.5
    is_hidden = hidden.hidden_vertices(
        np.concatenate([points, all_points[human.num_skin :]]),
        np.concatenate([faces, eyes]),
        points[is_head].mean(0),
        _HEAD_RADIUS,
        mirror,
    )
    importance = np.ones(len(points))
    for joint, factor in _IMPORTANCE.items():
        part = weights[: human.num_skin, skeleton.SMPL_JOINTS.index(joint)] > 0.5
        importance[part] = factor
    return decimate.decimate(points, faces, mirror, num_vertices, importance, is_hidden & is_head)


def _t_posed(human, crowd, kept):
    """-> TPosed of all people, metres, with the pelvis at `PELVIS`."""
    groups = []
    for start in tqdm(range(0, len(crowd.shares), _PEOPLE_AT_ONCE), desc="people", leave=False):
        shares = crowd.shares[start : start + _PEOPLE_AT_ONCE]
        morphed = _METRES * random_adults.morph(crowd.base, crowd.offsets, shares)
        groups.append(t_pose.pose(human, morphed, kept))
    posed = t_pose.TPosed(*map(np.concatenate, zip(*groups)))
    translation = PELVIS - posed.joints[:, skeleton.SMPL_JOINTS.index("pelvis"), None]
    return t_pose.TPosed(*(points + translation for points in posed))


def _rounded_rows(rows):
    """Rounds regressor rows to five digits and normalizes their sums to 1."""
    rows = np.round(rows, 5)
    return rows / rows.sum(1, keepdims=True)


def _kintree_table():
    """(2, 24) parents and joints; the root's parent -1 is unsigned, as in SMPL's files."""
    parents = np.array(skeleton.SMPL_PARENTS) % 2**32
    return np.stack([parents, np.arange(len(parents))]).astype(np.uint32)

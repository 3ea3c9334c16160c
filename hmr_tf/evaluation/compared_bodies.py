"""Joints and meshes of labels and predictions, as a Variant compares them."""

from typing import NamedTuple, Optional

import numpy as np

from hmr_tf.body import rotation
from hmr_tf.body.skeleton import SMPL_JOINTS, indices
from hmr_tf.evaluation import metrics, true_bodies
from hmr_tf.evaluation.protocols import smpl_variants
from hmr_tf.files.errors import InputError


class Measured(NamedTuple):
    """N people; metres."""

    predicted: np.ndarray  # (N, K, 3) joints, the root at the origin
    true: np.ndarray  # (N, K, 3)
    vertices_m: Optional[np.ndarray]  # (N,) mean distances of the vertices; None: not comparable
    aligned_vertices_m: Optional[np.ndarray]  # (N,) the same after alignment
    why_no_mesh: str  # the reason where they are None


def genders(frames):
    """(N,) names of the genders of the labels."""
    return np.array([name.decode(errors="replace") for name in frames.truth["truth_gender"]])


def distinct_genders(frames):
    """The names of `genders`, each once."""
    return list(dict.fromkeys(genders(frames).tolist()))


def measure(frames, options, hmr):
    """Joints and mesh errors of all people: Measured."""
    variant = smpl_variants.of_options(options)
    if not options["smpl_model_dir"] and variant.has_gendered_truth:
        return _measure_joints(frames, variant)
    names = genders(frames)
    if variant.has_gendered_truth:
        models = true_bodies.read_models(options["smpl_model_dir"], distinct_genders(frames))
    else:
        models = dict.fromkeys(distinct_genders(frames), hmr.smpl)
    size = len(next(iter(models.values())).lbs_weights)
    why_not = true_bodies.why_not_comparable(hmr.smpl, size)
    if not variant.has_gendered_truth:
        why_not = None  # both meshes are the network's
    regressor = _regressor(options, variant, hmr, why_not)
    parts = []
    for start in range(0, len(names), true_bodies.POSED_AT_ONCE):
        rows = slice(start, start + true_bodies.POSED_AT_ONCE)
        pose, betas = (frames.truth[f"truth_{name}"][rows] for name in ("pose", "betas"))
        true = true_bodies.pose_labels(models, names[rows], pose, betas)
        needs_mesh = why_not is None
        predicted = {name: frames.predicted[name][rows] for name in ("joints3d", "smpl_joints")}
        if needs_mesh:
            thetas = frames.predicted["theta"][rows]
            predicted["vertices"] = true_bodies.pose_predictions(hmr, thetas).vertices
        parts.append(_measure_bodies(predicted, true, variant, regressor))
    joined = [np.concatenate(part) for part in zip(*parts)]
    if why_not is not None:
        return Measured(*joined[:2], None, None, why_not)
    return Measured(*joined, "")


def _regressor(options, variant, hmr, why_not):
    """(R, V) from vertices to joints, or None where each body's own joints are taken."""
    if variant.joints == "smpl":
        return None
    if variant.joints == "keypoints":
        return None if why_not else hmr.smpl.keypoint_regressor
    joint_set = smpl_variants.JOINT_SETS[variant.joints]
    regressor = smpl_variants.read_regressor(options["joint_regressor"], joint_set)
    path, size = options["joint_regressor"], len(hmr.smpl.lbs_weights)
    if why_not or hmr.smpl.topology != "smpl" or regressor.shape[1] != size:
        reason = why_not or f"the network's body has {size} vertices, its {regressor.shape[1]}"
        raise InputError(
            f"--joint_regressor={path} cannot be used: {reason}. Evaluate a network of SMPL's "
            "body, or --variant=hmr."
        )
    return regressor


def _measure_joints(frames, variant):
    """Measured without meshes: SMPL's joints."""
    predicted, true = (
        joints.astype(float)
        for joints in (frames.predicted["smpl_joints"], frames.truth["truth_smpl_joints"])
    )
    predicted, true = (
        joints - _root(joints, joints, SMPL_JOINTS, variant.root) for joints in (predicted, true)
    )
    return Measured(predicted, true, None, None, "without --smpl_model_dir only joints are known")


def _measure_bodies(predicted, true, variant, regressor):
    """Fields of Measured of some people: joints, and vertices where `predicted` has them.

    Args:
      predicted: dict of joints3d, smpl_joints and vertices, the latter where it is comparable.
      true: `true_bodies.PosedBodies`.
      regressor: see `_regressor`.
    """
    joint_set = smpl_variants.JOINT_SETS[variant.joints]
    columns = list(indices(joint_set.measured, joint_set.vocabulary))
    joints, vertices = [], []
    for body in (predicted, true._asdict()):
        smpl_joints = body["smpl_joints"].astype(float)
        if variant.joints == "smpl":
            points = smpl_joints
        elif variant.joints == "keypoints" and (body is predicted or regressor is None):
            points = body["joints3d"].astype(float)
        else:
            points = regressor @ body["vertices"]
        root = _root(points, smpl_joints, joint_set.vocabulary, variant.root)
        joints.append((points - root)[:, columns])
        if "vertices" in predicted:
            vertices.append(body["vertices"] - (root if variant.vertices_at_root else 0.0))
    if not vertices:
        return tuple(joints)
    if variant.vertices_follow_joints:
        moved = rotation.best_similarity(*joints).apply(vertices[0])
    else:
        moved = rotation.procrustes_align(*vertices)
    return (*joints, metrics.mpjpe(*vertices), metrics.mpjpe(moved, vertices[1]))


def _root(points, smpl_joints, vocabulary, root):
    """(B, 1, 3) origin: the middle of the hips, or the pelvis, SMPL's where there is no other."""
    if root == "hips":
        return points[:, list(indices(("right_hip", "left_hip"), vocabulary))].mean(
            1, keepdims=True
        )
    if root in vocabulary:
        return points[:, [vocabulary.index(root)]]
    return smpl_joints[:, [SMPL_JOINTS.index(root)]]

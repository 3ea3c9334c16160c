"""Errors of 3D joints: Human3.6M (tables 1 and 2 of the paper) and MPI-INF-3DHP (table 3)."""

from typing import NamedTuple

import numpy as np

from hmr_tf.body import skeleton
from hmr_tf.body.skeleton import KEYPOINTS, LSP_JOINTS, MPI_INF_3DHP_JOINTS, SMPL_JOINTS
from hmr_tf.data import h36m_names, record
from hmr_tf.evaluation import metrics
from hmr_tf.evaluation.protocols import perspective_correction, scores
from hmr_tf.files.errors import InputError

# Names that are not among the 19 keypoints -> the SMPL joint that is used for them.
_SMPL_NAMES = {"pelvis": "pelvis", "spine": "spine2", "head": "head"}
# `activity_annotation` of MPI-INF-3DHP's test set (its README).
ACTIVITIES = {
    0: "unknown",
    1: "standing/walking",
    2: "exercise",
    3: "sitting",
    4: "crouch/reach",
    5: "on the floor",
    6: "sports",
    7: "miscellaneous",
}


class _Distances(NamedTuple):
    """(N, K) metres."""

    unaligned: np.ndarray  # both roots at the origin
    aligned: np.ndarray  # after the best similarity transform


def decode_reference(serialized):
    """Labels of a record of MPI-INF-3DHP's test set, with its 17 joints as reference_*."""
    reference = record.decode_reference(serialized)
    named = {f"reference_{name}": value for name, value in reference.items()}
    return {**record.decode_labels(serialized), **named}


def check_h36m(frames, options):
    """Before anything is predicted: InputError where a record has no 3D joints."""
    _check_joints(frames, "lsp_joints", "h36m")
    return np.ones(len(frames.file), bool), []


def check_mpi_inf_3dhp(frames, options):
    """As `check_h36m`, for annot3, univ_annot3 and the joints that give the camera."""
    for field in ("lsp_joints", "reference_joints", "reference_universal_joints"):
        _check_joints(frames, field, "mpi_inf_3dhp")
    return np.ones(len(frames.file), bool), []


def score_h36m(frames, options):
    """Scores of Human3.6M: per action as the original, the mean of its sequences' means.

    Args:
      frames: Frames, one file per sequence.
      options: dict of root, "hips" or "pelvis", and joints, names of `LSP_JOINTS`.
    """
    names = options["joints"]
    joints = frames.truth["lsp_joints"].astype(float)
    truth = joints[:, list(skeleton.indices(names, LSP_JOINTS))]
    # Human3.6M defines the pelvis as the middle of the hips: the true root of both --root.
    root = skeleton.middle_of_hips(joints)
    distances = _distances(_predicted(frames, names), _predicted_root(frames, options), truth, root)
    sequences = frames.sequences
    by_sequence = scores.by_group(sequences, lambda rows: _errors_mm(distances, rows))
    by_action = {
        action: scores.mean_of_rows(rows) for action, rows in _rows_of_actions(by_sequence).items()
    }
    over_actions = scores.mean_of_rows(list(by_action.values()))
    per_frame = _per_frame_mm(distances)
    overall = {
        **{name: float(values.mean()) for name, values in per_frame.items()},
        **{_with_word("actions", name): over_actions[name] for name in per_frame},
        **{_with_word("median", name): float(np.median(x)) for name, x in per_frame.items()},
    }
    tables = {"action": by_action, "sequence": by_sequence, "joint": _by_joint(names, distances)}
    terms = {
        **{
            _with_word("actions", name): _action_terms(x, sequences)
            for name, x in per_frame.items()
        },
        **{_with_word("median", name): scores.Median(x) for name, x in per_frame.items()},
    }
    return scores.Scores(overall, tables, per_frame, terms)


def score_mpi_inf_3dhp(frames, options):
    """Scores of MPI-INF-3DHP's test set: MPJPE, PCK and AUC before and after alignment.

    Args:
      frames: Frames whose truth is that of `decode_reference`.
      options: dict of root and joints (names of `MPI_INF_3DHP_JOINTS`); universal, whether the
        truth is univ_annot3 or else annot3; perspective_correction, see there.
    """
    names = options["joints"]
    field = "reference_universal_joints" if options["universal"] else "reference_joints"
    joints = frames.truth[field].astype(float)
    truth = joints[:, list(skeleton.indices(names, MPI_INF_3DHP_JOINTS))]
    roots = ("pelvis",) if options["root"] == "pelvis" else ("right_hip", "left_hip")
    root = joints[:, list(skeleton.indices(roots, MPI_INF_3DHP_JOINTS))].mean(1, keepdims=True)
    predicted, predicted_root = _predicted(frames, names), _predicted_root(frames, options)
    if options["perspective_correction"]:
        rotations = perspective_correction.rotations_from_crop_to_camera(frames.truth)
        predicted, predicted_root = (
            np.einsum("bCc,bkc->bkC", rotations, points) for points in (predicted, predicted_root)
        )
    distances = _distances(predicted, predicted_root, truth, root)

    def metrics_of(rows):
        return {**_errors_mm(distances, rows), **_shares_percent(distances, rows)}

    activities = frames.truth["reference_activity"]
    activities = np.array([ACTIVITIES.get(int(x), f"activity {x}") for x in activities])
    tables = {
        "sequence": scores.by_group(frames.sequences, metrics_of),
        "activity": scores.by_group(activities, metrics_of, tuple(ACTIVITIES.values())),
        "joint": _by_joint(names, distances),
    }
    return scores.Scores(metrics_of(...), tables, _per_frame_mm(distances), _share_terms(distances))


def _check_joints(frames, field, dataset):
    """InputError if a record has no finite joints; `dataset`: name for the converter."""
    wrong = ~(np.isfinite(frames.truth[field]).all((1, 2)) & frames.truth["has_joints"])
    if wrong.any():
        first = int(wrong.argmax())
        raise InputError(
            f"{frames.paths[frames.file[first]]}: record {frames.number[first] + 1} has no 3D "
            f"truth ({wrong.sum()} of {len(wrong)} lack it): convert the test set, "
            f"`python data_prep/to_tfrecords.py --dataset={dataset} --split=test`."
        )


def _predicted(frames, names):
    """(N, K, 3) predicted joints of these names."""
    keypoints, smpl = (frames.predicted[key].astype(float) for key in ("joints3d", "smpl_joints"))
    columns = [
        keypoints[:, KEYPOINTS.index(name)]
        if name in KEYPOINTS
        else smpl[:, SMPL_JOINTS.index(_SMPL_NAMES[name])]
        for name in names
    ]
    return np.stack(columns, axis=1)


def _predicted_root(frames, options):
    if options["root"] == "pelvis":
        return _predicted(frames, ("pelvis",))
    return skeleton.middle_of_hips(frames.predicted["joints3d"].astype(float))


def _distances(predicted, predicted_root, truth, root):
    return _Distances(
        metrics.distances(predicted - predicted_root, truth - root),
        metrics.aligned_distances(predicted, truth),
    )


def _errors_mm(distances, rows):
    return {name: float(values.mean()) for name, values in _per_frame_mm(distances, rows).items()}


def _per_frame_mm(distances, rows=...):
    names = ("mpjpe_mm", "pa_mpjpe_mm")
    return {name: 1e3 * part[rows].mean(axis=1) for name, part in zip(names, distances)}


def _shares_percent(distances, rows):
    unaligned, aligned = (part[rows] for part in distances)
    return {
        "pck_percent": 100 * metrics.pck(unaligned, metrics.PCK_M),
        "auc_percent": 100 * metrics.auc(unaligned),
        "pa_pck_percent": 100 * metrics.pck(aligned, metrics.PCK_M),
        "pa_auc_percent": 100 * metrics.auc(aligned),
    }


def _share_terms(distances):
    """Terms of `_shares_percent`."""
    terms = {}
    for name, part in zip(("", "pa_"), distances):
        joints = np.full(len(part), float(part.shape[1]))
        below = len(metrics.AUC_M) - np.searchsorted(metrics.AUC_M, part, side="right")
        near = (part < metrics.PCK_M).sum(1)
        terms[f"{name}pck_percent"] = scores.Terms(near, joints, 100.0)
        terms[f"{name}auc_percent"] = scores.Terms(below.sum(1), len(metrics.AUC_M) * joints, 100.0)
    return terms


def _action_terms(values, sequences):
    """Terms of the mean over actions of the means over sequences; (N,) values and names."""
    names, sequence, frames = np.unique(sequences, return_inverse=True, return_counts=True)
    actions, action = np.unique([h36m_names.action_of(name) for name in names], return_inverse=True)
    share = np.zeros((len(values), len(actions)))
    share[np.arange(len(values)), action[sequence]] = 1.0 / frames[sequence]
    return scores.Terms(share * values[:, None], share)


def _rows_of_actions(by_sequence):
    """Action, in the original's order -> rows of its sequences."""
    groups = {action: [] for action in h36m_names.ACTIONS}
    for sequence, row in by_sequence.items():
        groups[h36m_names.action_of(sequence)].append(row)
    return {action: rows for action, rows in groups.items() if rows}


def _by_joint(names, distances):
    unaligned, aligned = (1e3 * part.mean(axis=0) for part in distances)
    return {
        name: {"mpjpe_mm": float(unaligned[k]), "pa_mpjpe_mm": float(aligned[k])}
        for k, name in enumerate(names)
    }


def _with_word(word, metric):
    """("median", "mpjpe_mm") -> "mpjpe_median_mm"."""
    name, unit = metric.rsplit("_", 1)
    return f"{name}_{word}_{unit}"


def check_joint_names(names, vocabulary):
    """InputError for names of --joints that are not in the vocabulary, too few, or twice there."""
    sets = {tuple(joints): str(len(joints)) for joints in (LSP_JOINTS, MPI_INF_3DHP_JOINTS)}
    known = [text for joints, text in sets.items() if set(joints) <= set(vocabulary)]
    unknown = [name for name in names if name not in vocabulary]
    if unknown or len(set(names)) < len(names) or len(names) < 3:
        given = sets.get(tuple(names), ",".join(names))
        raise InputError(
            f"--joints={given}: give {' or '.join(known)}, or three names or more out of "
            f"{', '.join(vocabulary)}."
        )

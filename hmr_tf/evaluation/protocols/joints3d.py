"""Errors of 3D joints: Human3.6M (tables 1 and 2 of the paper) and MPI-INF-3DHP (table 3)."""

from typing import NamedTuple

import numpy as np

from hmr_tf.body import skeleton
from hmr_tf.body.skeleton import KEYPOINTS, LSP_JOINTS, MPI_INF_3DHP_JOINTS, SMPL_JOINTS
from hmr_tf.data import h36m_names, record
from hmr_tf.evaluation import metrics
from hmr_tf.evaluation.protocols import perspective, scores
from hmr_tf.files.errors import InputError

# Names that are none of the 19 keypoints -> the SMPL joint that stands for them.
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

    plain: np.ndarray  # roots put upon each other
    aligned: np.ndarray  # after the best similarity transform


def decode_reference(serialized):
    """Labels of a record of MPI-INF-3DHP's test set: with its 17 joints as reference_*."""
    reference = record.decode_reference(serialized)
    named = {f"reference_{name}": value for name, value in reference.items()}
    return {**record.decode_labels(serialized), **named}


def check_h36m(frames, options):
    """Before anything is predicted: InputError where a record has no 3D joints."""
    _check_joints(frames, "lsp_joints", "h36m")
    return np.ones(len(frames.file), bool), []


def check_mpi_inf_3dhp(frames, options):
    """As `check_h36m`; both truths, and the joints that tell the camera, must be there."""
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
    every = frames.truth["lsp_joints"].astype(float)
    truth = every[:, list(skeleton.indices(names, LSP_JOINTS))]
    # Its pelvis is by definition the middle between its hips, so the true root is always that.
    root = skeleton.middle_of_hips(every)
    found = _distances(_predicted(frames, names), _predicted_root(frames, options), truth, root)
    sequences = frames.sequences
    by_sequence = scores.by_group(sequences, lambda who: _errors_mm(found, who))
    by_action = {
        action: scores.mean_of_rows(rows) for action, rows in _rows_of_actions(by_sequence).items()
    }
    over_actions = scores.mean_of_rows(list(by_action.values()))
    per_frame = _per_frame_mm(found)
    overall = {
        **{name: float(values.mean()) for name, values in per_frame.items()},
        **{_with("actions", name): over_actions[name] for name in per_frame},
        **{_with("median", name): float(np.median(values)) for name, values in per_frame.items()},
    }
    tables = {"action": by_action, "sequence": by_sequence, "joint": _by_joint(names, found)}
    return scores.Scores(overall, tables, per_frame)


def score_mpi_inf_3dhp(frames, options):
    """Scores of MPI-INF-3DHP's test set: MPJPE, PCK and AUC before and after alignment.

    Args:
      frames: Frames whose truth is that of `decode_reference`.
      options: dict of root and joints (names of `MPI_INF_3DHP_JOINTS`); universal, whether the
        truth is univ_annot3 or else annot3; perspective_correction, see there.
    """
    names = options["joints"]
    field = "reference_universal_joints" if options["universal"] else "reference_joints"
    every = frames.truth[field].astype(float)
    truth = every[:, list(skeleton.indices(names, MPI_INF_3DHP_JOINTS))]
    roots = ("pelvis",) if options["root"] == "pelvis" else ("right_hip", "left_hip")
    root = every[:, list(skeleton.indices(roots, MPI_INF_3DHP_JOINTS))].mean(1, keepdims=True)
    predicted, predicted_root = _predicted(frames, names), _predicted_root(frames, options)
    if options["perspective_correction"]:
        turns = perspective.from_crop_to_camera(frames.truth)
        predicted, predicted_root = (
            np.einsum("bCc,bkc->bkC", turns, points) for points in (predicted, predicted_root)
        )
    found = _distances(predicted, predicted_root, truth, root)

    def metrics_of(who):
        return {**_errors_mm(found, who), **_shares_percent(found, who)}

    activities = frames.truth["reference_activity"]
    activities = np.array([ACTIVITIES.get(int(x), f"activity {x}") for x in activities])
    tables = {
        "sequence": scores.by_group(frames.sequences, metrics_of),
        "activity": scores.by_group(activities, metrics_of, tuple(ACTIVITIES.values())),
        "joint": _by_joint(names, found),
    }
    everybody = np.ones(len(frames.file), bool)
    return scores.Scores(metrics_of(everybody), tables, _per_frame_mm(found))


def _check_joints(frames, field, dataset):
    """InputError where one has none or no numbers; `dataset`: what must be converted then."""
    wrong = ~(np.isfinite(frames.truth[field]).all((1, 2)) & frames.truth["has_joints"])
    if wrong.any():
        first = int(wrong.argmax())
        raise InputError(
            f"{frames.paths[frames.file[first]]}: record {frames.number[first] + 1} has no 3D "
            f"truth ({wrong.sum()} of {len(wrong)} lack it): convert the test set, "
            f"`python data_prep/to_tfrecords.py --dataset={dataset} --split=test`."
        )


def _predicted(frames, names):
    """(N, K, 3) the predicted joints of these names."""
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


def _errors_mm(found, who):
    return {name: float(values.mean()) for name, values in _per_frame_mm(found, who).items()}


def _per_frame_mm(found, who=...):
    names = ("mpjpe_mm", "pa_mpjpe_mm")
    return {name: 1e3 * part[who].mean(axis=1) for name, part in zip(names, found)}


def _shares_percent(found, who):
    plain, aligned = (part[who] for part in found)
    return {
        "pck_percent": 100 * metrics.pck(plain, metrics.PCK_M),
        "auc_percent": 100 * metrics.auc(plain),
        "pa_pck_percent": 100 * metrics.pck(aligned, metrics.PCK_M),
        "pa_auc_percent": 100 * metrics.auc(aligned),
    }


def _rows_of_actions(by_sequence):
    """Action, in the original's order -> rows of its sequences."""
    groups = {action: [] for action in h36m_names.ACTIONS}
    for sequence, row in by_sequence.items():
        groups[h36m_names.action_of(sequence)].append(row)
    return {action: rows for action, rows in groups.items() if rows}


def _by_joint(names, found):
    plain, aligned = (1e3 * part.mean(axis=0) for part in found)
    return {
        name: {"mpjpe_mm": float(plain[k]), "pa_mpjpe_mm": float(aligned[k])}
        for k, name in enumerate(names)
    }


def _with(word, metric):
    """("median", "mpjpe_mm") -> "mpjpe_median_mm"."""
    name, unit = metric.rsplit("_", 1)
    return f"{name}_{word}_{unit}"


def joint_names(values, vocabulary):
    """What --joints means.

    Args:
      values: () for the default, the 14 of LSP; ("14",), ("17",), or names.
      vocabulary: the names there are.

    Raises:
      InputError: another number, a name that is not there, or the same one twice.
    """
    known = {str(len(LSP_JOINTS)): LSP_JOINTS, str(len(vocabulary)): vocabulary}
    values = tuple(values) or LSP_JOINTS
    names = known.get(values[0], values) if len(values) == 1 else values
    unknown = [name for name in names if name not in vocabulary]
    if unknown or len(set(names)) < len(names) or len(names) < 3:
        raise InputError(
            f"--joints={','.join(values)}: give {' or '.join(known)}, or three names or more out "
            f"of {', '.join(vocabulary)}."
        )
    return tuple(names)

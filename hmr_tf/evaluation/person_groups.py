"""Groups of people that networks find harder or easier: box size, truncation, heading."""

import numpy as np

from hmr_tf.body.rotation import matrix_from_axis_angle
from hmr_tf.body.skeleton import KEYPOINTS, LSP_JOINTS
from hmr_tf.evaluation.protocols import scores

BOX_SIZES_PX = (64, 128, 256, 512)  # ends of the groups
_ANKLES = ("right_ankle", "left_ankle")
_LEGS = (*_ANKLES, "right_knee", "left_knee")
WHOLE, PARTLY, CUT_OFF = "both ankles in the picture", "part of the legs", "no leg"
_UNLABELLED, _UNKNOWN = "no label", "not known"
FRONT, RIGHT, LEFT, BACK = (
    "faces the camera",
    "seen from the right",
    "seen from the left",
    "seen from behind",
)
LYING = "not upright"
_MAX_TILT_DEG = 60.0  # of the trunk, for people who are upright


def attributes(people):
    """The group of each person, in the order of the tables.

    Args:
      people: EvaluationSet with predictions.

    Returns:
      "box size", "truncation" or "heading" -> (N,) names of groups; those that the labels allow.
    """
    labels = {
        "box size": _box_sizes(people),
        "truncation": _truncations(people),
        "heading": _headings(people),
    }
    return {name: groups for name, groups in labels.items() if groups is not None}


def tables(attributes, errors):
    """Mean errors by group: {attribute: {group: {"frames": number of people, metric: number}}}.

    Args:
      attributes: as `attributes` returns them.
      errors: `Scores.errors`, name -> (N,) with nan where there is no label.
    """

    def means_of(is_member):
        return {
            name: scores.unweighted(scores.mean_terms(values[is_member]))
            for name, values in errors.items()
        }

    return {
        name: scores.by_group(groups, means_of, _order(name)) for name, groups in attributes.items()
    }


def _order(name):
    if name == "box size":
        return (*map(_size_name, range(len(BOX_SIZES_PX) + 1)), _UNKNOWN)
    if name == "truncation":
        return (WHOLE, PARTLY, CUT_OFF, _UNLABELLED)
    return (FRONT, RIGHT, LEFT, BACK, LYING)


def _size_name(number):
    ends = (0, *BOX_SIZES_PX)
    if number == len(BOX_SIZES_PX):
        return f"from {ends[-1]} px"
    return f"{ends[number]} to {ends[number + 1]} px"


def _labelled(people):
    """(N, 19) bool: labelled, and inside the stored picture."""
    keypoints, size = people.truth["keypoints_px"], people.truth["size"]
    inside = (keypoints[..., :2] >= 0) & (keypoints[..., :2] < size[:, None, ::-1])
    return (keypoints[..., 2] > 0) & inside.all(-1)


def _has_keypoints(people):
    return {"keypoints_px", "size"} <= set(people.truth) and _labelled(people).any()


def _box_sizes(people):
    """Longer side of the labels' box in pixels of the source image; None where it is not known.

    Records are scaled, so that people are equally large in them: their scale must be stored.
    """
    scale = people.truth.get("source_scale_xy")
    if scale is None or not _has_keypoints(people) or not np.isfinite(scale).any():
        return None
    labelled = _labelled(people)
    points = people.truth["keypoints_px"][..., :2] / scale[:, None]
    low = np.where(labelled[..., None], points, np.inf).min(1)
    high = np.where(labelled[..., None], points, -np.inf).max(1)
    is_known = labelled.any(1) & np.isfinite(scale).all(1)
    side = np.where(is_known, (high - low).max(1), 0.0)
    names = np.array([_size_name(k) for k in range(len(BOX_SIZES_PX) + 1)])
    return np.where(is_known, names[np.digitize(side, BOX_SIZES_PX)], _UNKNOWN)


def _truncations(people):
    """Which part of the legs is labelled inside the picture; None without keypoints."""
    if not _has_keypoints(people):
        return None
    labelled = _labelled(people)
    legs, ankles = (
        labelled[:, [KEYPOINTS.index(name) for name in names]] for names in (_LEGS, _ANKLES)
    )
    return np.select(
        [~labelled.any(1), ankles.all(1), legs.any(1)], [_UNLABELLED, WHOLE, PARTLY], CUT_OFF
    )


def _headings(people):
    """Which side of the person the camera sees: of the labels, or else of the prediction."""
    right, up = _axes_of_joints(people.predicted["joints3d"], KEYPOINTS)
    truth = people.truth
    if "truth_pose" in truth:
        known = np.isfinite(truth["truth_pose"]).all((1, 2))
        rotations = matrix_from_axis_angle(truth["truth_pose"][known, 0]).numpy()
        right[known], up[known] = -rotations[..., 0], rotations[..., 1]
    if "lsp_joints" in truth:
        known = np.asarray(truth["has_joints"], bool)
        right[known], up[known] = _axes_of_joints(truth["lsp_joints"][known], LSP_JOINTS)
    # y points down, z away from the camera. 0: faces it; 90: its right side is nearer to it.
    heading = np.degrees(np.arctan2(-right[:, 2], -right[:, 0]))
    upright = -up[:, 1] > np.cos(np.radians(_MAX_TILT_DEG)) * np.linalg.norm(up, axis=-1)
    return np.select(
        [~upright, abs(heading) < 45, abs(heading) > 135, heading > 0],
        [LYING, FRONT, BACK, RIGHT],
        LEFT,
    )


def _axes_of_joints(joints, names):
    """Directions to the person's right, and from hips to shoulders: (N, K, 3) -> (N, 3) twice."""

    def middle(*wanted):
        return np.mean([joints[:, names.index(name)] for name in wanted], axis=0, dtype=float)

    right = middle("right_shoulder", "right_hip") - middle("left_shoulder", "left_hip")
    up = middle("right_shoulder", "left_shoulder") - middle("right_hip", "left_hip")
    return right, up

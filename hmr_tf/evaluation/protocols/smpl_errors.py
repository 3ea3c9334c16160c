"""Errors of joints, meshes, angles and motion on people with SMPL labels: 3DPW and EMDB."""

import numpy as np

from hmr_tf.body import rotation
from hmr_tf.body.skeleton import LSP_JOINTS, SMPL_JOINTS, SMPL_PARENTS, indices
from hmr_tf.data import record, smpl_truth
from hmr_tf.evaluation import compared_bodies, metrics, true_bodies
from hmr_tf.evaluation.protocols import scores, smpl_variants
from hmr_tf.files.errors import InputError

# Of 3dpw-eval and EMDB: whose angles, whose distances are compared.
ANGLE_JOINTS = indices(
    (
        *("pelvis", "left_hip", "right_hip", "left_knee", "right_knee"),
        *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow"),
    ),
    SMPL_JOINTS,
)
PCK_JOINTS = indices(
    [f"{side}_{name}" for name in ("hip", "knee", "ankle") for side in ("left", "right")]
    + [f"{side}_{name}" for name in ("shoulder", "elbow", "wrist") for side in ("left", "right")],
    SMPL_JOINTS,
)
PCK_MM, AUC_MM = 50.0, np.arange(200)
# Joints that EMDB sets to the origin before it takes the mean of all 24.
_STILL_JOINTS = indices(
    (
        *("pelvis", "left_ankle", "right_ankle", "left_foot", "right_foot"),
        *("left_wrist", "right_wrist", "left_hand", "right_hand"),
    ),
    SMPL_JOINTS,
)
FRAMES_PER_SECOND = 30
_LIMBS = len(LSP_JOINTS) - 2  # of the keypoints, those without neck and head


def decode(serialized):
    """Labels of a record with its SMPL labels, as truth_*."""
    return {**record.decode_labels(serialized), **smpl_truth.decode_smpl_truth(serialized)}


def check(frames, options):
    """Before anything is predicted: which frames count; files and labels that are needed.

    Args:
      frames: EvaluationSet without predictions.
      options: as `smpl_variants.resolve_3dpw` or `resolve_emdb` returns them.

    Returns:
      (N,) bool, and the names of missing labels: none.

    Raises:
      InputError: a record has no SMPL labels, or a file of the options is wrong.
    """
    variant = smpl_variants.of_options(options)
    needs_pose = options["smpl_model_dir"] or not variant.has_gendered_truth
    check_labels(frames, "truth_pose" if needs_pose else "truth_smpl_joints")
    if variant.has_angles:
        check_labels(frames, "truth_pose")
    if options["smpl_model_dir"]:
        true_bodies.read_models(options["smpl_model_dir"], compared_bodies.distinct_genders(frames))
    if options.get("joint_regressor"):
        joint_set = smpl_variants.JOINT_SETS[variant.joints]
        smpl_variants.read_regressor(options["joint_regressor"], joint_set)
    is_confident = frames.truth["truth_visibility"][:, :_LIMBS] == smpl_truth.CONFIDENT
    is_evaluated = is_confident.sum(axis=1) >= variant.least_keypoints
    if not is_evaluated.any():
        raise InputError(
            f"No frame has the {variant.least_keypoints} confident keypoints of arms and legs that "
            f"--variant={options['variant']} needs: choose another variant."
        )
    return is_evaluated, []


def check_labels(frames, field):
    """InputError if a record has no finite `field`."""
    wrong = ~np.isfinite(frames.truth[field]).reshape(len(frames.file), -1).all(axis=1)
    if wrong.any():
        first = int(wrong.argmax())
        reason = (
            "no joints; without --smpl_model_dir=FOLDER, the SMPL models of the genders, these "
            "are compared"
            if field == "truth_smpl_joints"
            else "no SMPL labels: convert the test set with data_prep/to_tfrecords.py"
        )
        raise InputError(
            f"{frames.paths[frames.file[first]]}: record {frames.number[first] + 1} has {reason} "
            f"({wrong.sum()} of {len(wrong)} lack them)."
        )


def score(frames, options, hmr):
    """Scores of people with SMPL labels, as the Variant of the options measures them.

    Args:
      frames: EvaluationSet whose truth is that of `decode`; the frames of a file in time order.
      options: resolved, see `check`.
      hmr: the model, for its body.

    Raises:
      InputError: the network's body does not fit the regressor.
    """
    variant = smpl_variants.of_options(options)
    measured = compared_bodies.measure(frames, options, hmr)
    moved = rotation.best_similarity(measured.predicted, measured.true)
    unaligned = metrics.distances(measured.predicted, measured.true)
    aligned = metrics.distances(moved.apply(measured.predicted), measured.true)
    errors = {
        "mpjpe_mm": 1e3 * unaligned.mean(axis=1),
        "pa_mpjpe_mm": 1e3 * aligned.mean(axis=1),
        **_mesh_errors(measured),
    }
    if variant.has_angles:
        errors.update(_angle_errors(frames, moved.rotation))
    if variant.has_acceleration:
        acceleration = metrics.acceleration_error(
            measured.predicted, measured.true, follows(frames)
        )
        errors["acceleration_mm"] = 1e3 * acceleration
    errors = {name: values for name, values in errors.items() if np.isfinite(values).any()}
    terms = {}
    if variant.has_pck:
        terms.update(_pck_terms(1e3 * unaligned[:, PCK_JOINTS]))
    if variant.has_jitter:
        terms["jitter"] = _jitter_terms(frames)
    overall = {
        **{name: _mean(values) for name, values in errors.items()},
        **{name: scores.unweighted(part) for name, part in terms.items()},
    }
    tables = {
        "sequence": scores.by_group(
            frames.sequences,
            lambda rows: {name: _mean(values[rows]) for name, values in errors.items()},
        ),
        "joint": {
            name: {"mpjpe_mm": 1e3 * error, "pa_mpjpe_mm": 1e3 * aligned_error}
            for name, error, aligned_error in zip(
                smpl_variants.JOINT_SETS[variant.joints].measured,
                unaligned.mean(axis=0).tolist(),
                aligned.mean(axis=0).tolist(),
            )
        },
    }
    return scores.Scores(
        overall, tables, errors, terms, _describe(frames, options, variant, measured)
    )


def _mesh_errors(measured):
    if measured.vertices_m is None:
        return {}
    return {
        "pve_mm": 1e3 * measured.vertices_m,
        "pa_pve_mm": 1e3 * measured.aligned_vertices_m,
    }


def _angle_errors(frames, alignment):
    """Mean angles of the joints in the camera's frame, before and after (N, 3, 3) `alignment`."""
    pose = frames.predicted["theta"][:, 3:75].reshape(-1, 24, 3)
    predicted, true = (
        rotation.global_rotations(matrices(values), SMPL_PARENTS)[:, list(ANGLE_JOINTS)]
        for values in (pose, frames.truth["truth_pose"])
    )
    aligned = alignment[:, None] @ predicted
    return {
        "mpjae_deg": np.degrees(rotation.angle_between(predicted, true)).mean(axis=1),
        "pa_mpjae_deg": np.degrees(rotation.angle_between(aligned, true)).mean(axis=1),
    }


def matrices(axis_angle):
    """(..., 3) axis-angle -> (..., 3, 3) float64 rotation matrices."""
    vectors = np.asarray(axis_angle, float).reshape(-1, 3)
    rotated = rotation.Rotation.from_rotvec(vectors).as_matrix()
    return rotated.reshape(*axis_angle.shape, 3)


def _pck_terms(distances_mm):
    """Terms of the share within 50 mm, and of the area under the curve up to 199 mm."""
    area = metrics.area_under_pck(distances_mm, AUC_MM)
    return {
        "pck_50_percent": scores.mean_terms((distances_mm <= PCK_MM).mean(axis=1), 100.0),
        "auc_200_percent": scores.mean_terms(area.mean(axis=1), 100.0),
    }


def _jitter_terms(frames):
    """Terms of the mean over the files of the mean jerk of the predicted joints, 10 m/s^3."""
    joints = frames.predicted["smpl_joints"].astype(float)
    joints[:, list(_STILL_JOINTS)] = 0.0
    jerk = metrics.jerk(joints, frames.file, FRAMES_PER_SECOND)
    in_file = np.isfinite(jerk)[:, None] & (frames.file[:, None] == np.unique(frames.file))
    return scores.Terms(np.where(in_file, jerk[:, None], 0.0), in_file.astype(float), 0.1)


def follows(frames):
    """(N,) bool: whether a frame is the next one of its file after the frame before it."""
    number, file = frames.truth["truth_frame"], frames.file
    is_next = (np.diff(number) == 1) & (np.diff(file) == 0)
    return np.append(False, is_next)


def _mean(values):
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _describe(frames, options, variant, measured):
    """What was measured: {subject: words}."""
    joint_set = smpl_variants.JOINT_SETS[variant.joints]
    hips = "middle of the hips" if variant.root == "hips" else "pelvis"
    words = joint_set.words
    if variant.joints == "keypoints" and measured.why_no_mesh:
        words = "each body's own keypoints, of official SMPL files joints and vertices"
    described = {
        "joints": f"{len(joint_set.measured)}: {words}",
        "origin": hips + ("" if variant.vertices_at_root else "; vertices: SMPL's own origin"),
    }
    if options["smpl_model_dir"]:
        names, counts = np.unique(compared_bodies.genders(frames), return_counts=True)
        people = ", ".join(f"{count} {name}" for name, count in zip(names, counts))
        described["true bodies"] = f"SMPL of the label's gender (frames: {people})"
    elif variant.has_gendered_truth:
        described["true bodies"] = "the dataset's joints"
    else:
        described["true bodies"] = "the network's own body"
    if measured.why_no_mesh:
        described["meshes"] = f"not compared: {measured.why_no_mesh}"
    if variant.least_keypoints:
        described["frames"] = f"with {variant.least_keypoints} keypoints of the limbs or more"
    return described

"""Body shape in photographs: SSP-3D's per-vertex error in the rest pose, and silhouettes."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from hmr_tf.body import rotation
from hmr_tf.evaluation import compared_bodies, metrics, true_bodies
from hmr_tf.evaluation.protocols import scores, segmentation, smpl_errors
from hmr_tf.files.errors import InputError

NUM_PHOTOGRAPHS = 311
_MAX_SIDE = 2**14  # of a silhouette, pixels


def check(frames, options):
    """Before anything is predicted: which photographs can be evaluated.

    Returns:
      (N,) bool, and the names of the photographs without a silhouette, and how many have no record.

    Raises:
      InputError: a record has no SMPL labels, or a file of the options is wrong.
    """
    for field in ("truth_pose", "truth_betas"):
        smpl_errors.check_labels(frames, field)
    true_bodies.read_models(options["smpl_model_dir"], np.unique(compared_bodies.genders(frames)))
    absent = NUM_PHOTOGRAPHS - len(frames.file)
    missing = [f"{absent} of {NUM_PHOTOGRAPHS} photographs"] if absent > 0 else []
    folder = options["silhouette_dir"]
    if not folder:
        return np.ones(len(frames.file), bool), missing
    if not Path(folder).is_dir():
        raise InputError(f"--silhouette_dir={folder} is not a folder: pass SSP-3D's silhouettes.")
    paths = _silhouettes(frames, folder)
    is_evaluated = np.array([path.is_file() for path in paths])
    for number in np.flatnonzero(is_evaluated):
        read_silhouette(paths[number])
    missing += [path.name for path, has in zip(paths, is_evaluated) if not has]
    return is_evaluated, missing


def read_silhouette(path):
    """(H, W) bool of a PNG; InputError for another file, a damaged or a very large one."""
    return segmentation.read_png(path, max_side=_MAX_SIDE) > 0


def score(frames, options, hmr):
    """Scores of SSP-3D.

    Args:
      frames: EvaluationSet whose truth is that of `smpl_errors.decode`.
      options: dict of smpl_model_dir, and silhouette_dir or an empty text.
      hmr: the model, for its body.

    Raises:
      InputError: the network's body is not SMPL, or has no faces to draw.
    """
    names = compared_bodies.genders(frames)
    models = true_bodies.read_models(options["smpl_model_dir"], np.unique(names))
    size = len(next(iter(models.values())).lbs_weights)
    why_not = true_bodies.why_not_comparable(hmr.smpl, size)
    if why_not:
        raise InputError(f"--protocol=ssp3d compares meshes of SMPL: {why_not}.")
    errors = _mesh_errors(frames, models, hmr)
    terms, used = {}, {"true bodies": "SMPL of the label's gender"}
    if options["silhouette_dir"]:
        counts = _silhouette_counts(frames, options["silhouette_dir"], hmr)
        joint, either = counts.T.astype(float)
        errors["silhouette_mean_iou_percent"] = 100 * joint / np.maximum(either, 1)
        terms["silhouette_iou_percent"] = scores.Terms(joint, either, 100.0)
    overall = {
        **{name: float(values.mean()) for name, values in errors.items()},
        **{name: scores.unweighted(part) for name, part in terms.items()},
    }
    tables = {
        "gender": scores.by_group(
            names,
            lambda rows: {name: float(values[rows].mean()) for name, values in errors.items()},
        )
    }
    return scores.Scores(overall, tables, errors, terms, used)


def _mesh_errors(frames, models, hmr):
    names, parts = compared_bodies.genders(frames), []
    betas = frames.predicted["theta"][:, 75:]
    for start in range(0, len(names), true_bodies.POSED_AT_ONCE):
        rows = slice(start, start + true_bodies.POSED_AT_ONCE)
        pose, true_betas = (frames.truth[f"truth_{name}"][rows] for name in ("pose", "betas"))
        true = true_bodies.pose_labels(models, names[rows], pose, true_betas).vertices
        rest = np.zeros_like(pose)
        true_rest = true_bodies.pose_labels(models, names[rows], rest, true_betas).vertices
        predicted = true_bodies.pose_predictions(hmr, frames.predicted["theta"][rows]).vertices
        posed = hmr.smpl(tf.constant(rest), tf.constant(betas[rows]))
        predicted_rest = posed.vertices.numpy().astype(float)
        parts.append(
            (
                metrics.mpjpe(metrics.scale_aligned(predicted_rest, true_rest), true_rest),
                metrics.mpjpe(rotation.procrustes_align(predicted, true), true),
            )
        )
    rest_errors, aligned_errors = (1e3 * np.concatenate(part) for part in zip(*parts))
    return {"pve_t_sc_mm": rest_errors, "pa_pve_mm": aligned_errors}


def _silhouette_counts(frames, folder, hmr):
    """(N, 2) pixels of both silhouettes, and of either."""
    if not len(hmr.smpl.faces):
        raise InputError(
            "The model was imported without an SMPL file and has no faces to draw: pass "
            "--smpl_model_path=FILE."
        )
    counts = []
    scale_xy = frames.predicted["scale_xy"] * frames.truth["truth_scale_xy"]
    corner_px = (
        frames.predicted["corner_px"]
        + frames.predicted["scale_xy"] * frames.truth["truth_corner_px"]
    )
    paths = _silhouettes(frames, folder)
    bodies = segmentation.posed(frames.predicted["theta"], hmr)
    is_body = np.ones(len(hmr.smpl.faces), int)
    for number, (vertices, camera) in enumerate(bodies):
        true = read_silhouette(paths[number])
        drawn = segmentation.draw(
            vertices,
            camera,
            hmr.smpl.faces,
            is_body,
            scale_xy[number],
            corner_px[number],
            hmr.image_size,
            true.shape,
        )
        counts.append((np.sum(true & (drawn > 0)), np.sum(true | (drawn > 0))))
    return np.array(counts)


def _silhouettes(frames, folder):
    names = [Path(name.decode(errors="replace")).stem for name in frames.truth["filename"]]
    return [Path(folder) / f"{name}.png" for name in names]

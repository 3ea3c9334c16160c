"""Errors of a model on people whose truth is known: mesh, joints and keypoints."""

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from hmr_tf.body import camera
from hmr_tf.body.skeleton import KEYPOINTS, LSP_JOINTS, SMPL_JOINTS, indices
from hmr_tf.evaluation import metrics

_HIPS = indices(("right_hip", "left_hip"), LSP_JOINTS)
_PELVIS = indices(("pelvis",), SMPL_JOINTS)
_NUM_LSP = len(LSP_JOINTS)


def evaluate(hmr, dataset, image_size, num_people):
    """Runs the model over `dataset` and averages its errors.

    Args:
      hmr: `networks.hmr.HMR`.
      dataset: tf.data of (batch,), as `data.pipeline.validation` makes it.
      image_size: side of the crops, pixels.
      num_people: how many there are, for the progress bar.

    Returns:
      dict of `keypoints_px`; `mpjpe_mm` and `pa_mpjpe_mm` where 3D joints are known; `vertices_mm`
      (pelvis at the origin) where SMPL parameters are; and `people`, the number behind the first.
    """
    step = tf.function(lambda batch: _compare(hmr, batch))
    rows = []
    with tqdm(total=num_people, desc="evaluating", unit="person") as bar:
        for (batch,) in dataset:
            predicted, truth = ({k: v.numpy() for k, v in part.items()} for part in step(batch))
            rows.append(_errors(predicted, truth, batch, image_size))
            bar.update(len(batch["image"]))
    columns = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
    results = {}
    for name, values in columns.items():
        known = values[np.isfinite(values)]
        if len(known):
            results[name] = float(known.mean())
    return {"people": int(np.isfinite(columns["keypoints_px"]).sum()), **results}


def _compare(hmr, batch):
    """Prediction and truth as bodies, in the same camera frame, metres."""
    last = hmr.with_mesh(hmr(batch["image"], training=False)[-1])
    body = hmr.smpl(batch["rotations"], batch["betas"])
    predicted = {
        "keypoints_norm": last.keypoints_norm,
        "joints": last.joints[:, :_NUM_LSP],
        "vertices": last.vertices - tf.gather(last.smpl_joints, _PELVIS, axis=1),
    }
    vertices = body.vertices - tf.gather(body.joints, _PELVIS, axis=1)
    truth = {
        "keypoints_norm": batch["keypoints_norm"],
        "joints": batch["joints"],
        "vertices": vertices,
    }
    return predicted, truth


def _errors(predicted, truth, batch, image_size):
    """One row per person and one column per error; nan where the truth is not known."""
    has_joints, has_smpl = batch["has_joints"].numpy(), batch["has_smpl"].numpy()
    pixels = [
        camera.pixels_from_norm(part["keypoints_norm"][..., :2], image_size)
        for part in (predicted, truth)
    ]
    labelled = truth["keypoints_norm"][..., 2] > 0
    joints, true_joints = (
        metrics.centred(part["joints"].astype(np.float64), _HIPS) for part in (predicted, truth)
    )
    return {
        "keypoints_px": metrics.keypoint_error(*pixels, labelled),
        "mpjpe_mm": _known(1e3 * metrics.mpjpe(joints, true_joints), has_joints),
        "pa_mpjpe_mm": _known(1e3 * metrics.pa_mpjpe(joints, true_joints), has_joints),
        "vertices_mm": _known(
            1e3 * metrics.mpjpe(predicted["vertices"], truth["vertices"]), has_smpl
        ),
    }


def _known(errors, has_truth):
    return np.where(has_truth, errors, np.nan)


DESCRIPTIONS = {
    "keypoints_px": f"mean distance of the {len(KEYPOINTS)} keypoints, px of the crop",
    "mpjpe_mm": f"MPJPE, {_NUM_LSP} joints, mid-hips at the origin, mm",
    "pa_mpjpe_mm": "the same after Procrustes alignment, mm",
    "vertices_mm": "mean distance of the vertices, pelvis at the origin, mm",
}

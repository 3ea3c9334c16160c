"""Errors of mesh, joints and keypoints on people with any labels.

`Evaluation` measures a network that is being trained; `score` is the protocol body_errors, on
predictions that are kept on disk. Both use the same formulas.
"""

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from hmr_tf.body import camera
from hmr_tf.body.rotation import matrix_from_axis_angle
from hmr_tf.body.skeleton import (
    KEYPOINTS,
    LSP_JOINTS,
    SMPL_JOINTS,
    centred_on_hips,
    indices,
    lsp_joints_from_keypoints,
)
from hmr_tf.data import pipeline, shards
from hmr_tf.evaluation import metrics
from hmr_tf.evaluation.protocols import keypoints2d, scores
from hmr_tf.files.errors import InputError

_PELVIS = indices(("pelvis",), SMPL_JOINTS)
_POSED_PER_BATCH = 16
DESCRIPTIONS = {
    "keypoints_px": f"mean distance of the {len(KEYPOINTS)} keypoints, px of the crop",
    "mpjpe_mm": f"MPJPE, {len(LSP_JOINTS)} joints, mid-hips at the origin, mm",
    "pa_mpjpe_mm": "the same after Procrustes alignment, mm",
    "vertices_mm": "mean distance of the vertices, pelvis at the origin, mm",
    "pa_vertices_mm": "the same after Procrustes alignment of the vertices, mm",
}


class Evaluation:
    """All people of some files, and the graph that compares them with a network."""

    def __init__(self, hmr, files, batch_size):
        """Args:
        hmr: `networks.hmr.HMR`.
        files: dataset name -> shard paths, as `shards.find` gives them.
        batch_size: people per batch.

        Raises:
          InputError: no records.
        """
        self._num_people = shards.count_records(shards.paths(files))
        if not self._num_people:
            raise InputError(
                f"the shards of {', '.join(files)} hold no records: convert them again"
            )
        self._files, self._size = files, hmr.image_size
        self._dataset = pipeline.validation_dataset(
            files, batch_size=batch_size, image_size=self._size
        )
        # One graph for batches of any size: the last one is smaller.
        (batch,) = self._dataset.element_spec
        self._compare = tf.function(lambda batch: compare(hmr, batch), input_signature=[batch])

    def run(self):
        """Mean errors of the network as it is now.

        Returns:
          dict of `keypoints_px`; `mpjpe_mm` and `pa_mpjpe_mm` where 3D joints are known;
          `vertices_mm` and `pa_vertices_mm` where SMPL parameters are; and `people`, the number of
          people with labelled keypoints.

        Raises:
          InputError: a broken record, no person with labels, predictions that are not finite.
        """
        batches = []
        try:
            # disable=None: no bar without a terminal
            with tqdm(
                total=self._num_people, desc="Evaluating", unit="person", disable=None
            ) as bar:
                for (batch,) in self._dataset:
                    predicted, truth = tf.nest.map_structure(
                        lambda part: part.numpy(), self._compare(batch)
                    )
                    if not np.isfinite(predicted["vertices"]).all():
                        raise InputError("The model's predictions are not finite: train again.")
                    batches.append(self._errors(predicted, truth))
                    bar.update(len(batch["image"]))
        except tf.errors.OpError as error:
            explained = pipeline.explain_data_error(error, self._files)
            if explained is None:
                raise
            raise explained from error
        means = mean_errors(
            {name: np.concatenate([errors[name] for errors in batches]) for name in DESCRIPTIONS}
        )
        if not means["people"]:
            raise InputError(
                f"No person in the shards of {', '.join(self._files)} has labelled keypoints."
            )
        return means

    def _errors(self, predicted, truth):
        keypoints_px, labels_px = (
            camera.pixels_from_norm(part["keypoints2d_norm"][..., :2], self._size)
            for part in (predicted, truth)
        )
        return {
            "keypoints_px": metrics.keypoint_error(
                keypoints_px, labels_px, truth["keypoints2d_norm"][..., 2] > 0
            ),
            **_joint_errors_mm(predicted["lsp_joints"], truth["lsp_joints"], truth["has_joints"]),
            **_vertex_errors_mm(predicted["vertices"], truth["vertices"], truth["has_smpl"]),
        }


def compare(hmr, batch):
    """Prediction and labels as bodies, in the same camera frame, metres.

    Args:
      hmr: `networks.hmr.HMR`.
      batch: dict of `pipeline.validation_dataset`, B people.

    Returns:
      Two dicts of tensors: keypoints2d_norm (B, 19, 2 and 3), lsp_joints (B, 14, 3) and vertices
      (B, V, 3), pelvis at the origin; in the second also has_joints and has_smpl (B,).
    """
    last = hmr.with_mesh(hmr(batch["image"], training=False)[-1])
    predicted = {
        "keypoints2d_norm": last.keypoints2d_norm,
        "lsp_joints": lsp_joints_from_keypoints(last.joints3d),
        "vertices": _centred_vertices(last),
    }
    truth = {
        "keypoints2d_norm": batch["keypoints2d_norm"],
        "lsp_joints": batch["lsp_joints"],
        "vertices": _centred_vertices(hmr.smpl(batch["rotations"], batch["betas"])),
        "has_joints": batch["has_joints"],
        "has_smpl": batch["has_smpl"],
    }
    return predicted, truth


def _centred_vertices(body):
    """(B, V, 3), pelvis at the origin; body: `Prediction` or `smpl.Body`."""
    return body.vertices - tf.gather(body.smpl_joints, _PELVIS, axis=1)


def _joint_errors_mm(predicted, truth, has_joints):
    """Errors of (B, 14, 3) joints, mid-hips at the origin; nan without `has_joints` (B,)."""
    predicted, truth = (centred_on_hips(joints.astype(np.float64)) for joints in (predicted, truth))
    return {
        "mpjpe_mm": np.where(has_joints, 1e3 * metrics.mpjpe(predicted, truth), np.nan),
        "pa_mpjpe_mm": np.where(has_joints, 1e3 * metrics.pa_mpjpe(predicted, truth), np.nan),
    }


def mean_errors(errors):
    """Means over the people whose labels are known, as `Evaluation.run` returns them.

    Args:
      errors: name of DESCRIPTIONS -> (N,) of each person, nan where the label is not known.
    """
    known = {name: values[np.isfinite(values)] for name, values in errors.items()}
    means = {name: float(values.mean()) for name, values in known.items() if len(values)}
    return {**means, "people": len(known["keypoints_px"])}


def score(frames, options, hmr):
    """Scores of mesh, joints and keypoints.

    Args:
      frames: Frames.
      options: not used; they only choose the files.
      hmr: the model, for its body.
    """
    truth, predicted = frames.truth, frames.predicted
    errors = {
        "keypoints_px": metrics.keypoint_error(
            predicted["keypoints_px"].astype(float),
            keypoints2d.labels_in_crop(frames),
            truth["keypoints_px"][..., 2] > 0,
        ),
        **_joint_errors_mm(
            lsp_joints_from_keypoints(predicted["joints3d"]),
            truth["lsp_joints"],
            truth["has_joints"],
        ),
        **_mesh_errors_mm(frames, hmr),
    }
    errors = {name: values for name, values in errors.items() if np.isfinite(values).any()}

    def means_of(is_member):
        means = mean_errors({name: values[is_member] for name, values in errors.items()})
        return {name: means.get(name, float("nan")) for name in errors}

    tables = {"sequence": scores.by_group(frames.sequences, means_of)}
    return scores.Scores(mean_errors(errors), tables, errors)


def _mesh_errors_mm(frames, hmr):
    """Errors of the meshes of all people, posed a few at a time, see `_vertex_errors_mm`."""
    names = ("vertices_mm", "pa_vertices_mm")
    errors = {name: np.full(len(frames.file), np.nan) for name in names}
    labelled = np.flatnonzero(frames.truth["has_smpl"])
    for start in range(0, len(labelled), _POSED_PER_BATCH):
        people = labelled[start : start + _POSED_PER_BATCH]
        thetas = tf.constant(frames.predicted["theta"][people])
        last = hmr.with_mesh(hmr.predictions_from_thetas([thetas])[0])
        rotations = matrix_from_axis_angle(tf.constant(frames.truth["pose"][people]))
        body = hmr.smpl(rotations, tf.constant(frames.truth["betas"][people]))
        vertices, true_vertices = (_centred_vertices(x).numpy() for x in (last, body))
        for name, values in _vertex_errors_mm(vertices, true_vertices, True).items():
            errors[name][people] = values
    return errors


def _vertex_errors_mm(predicted, truth, has_smpl):
    """Errors of (B, V, 3) vertices, pelvis at the origin; nan without `has_smpl` (B,)."""
    predicted, truth = (vertices.astype(np.float64) for vertices in (predicted, truth))
    return {
        "vertices_mm": np.where(has_smpl, 1e3 * metrics.mpjpe(predicted, truth), np.nan),
        "pa_vertices_mm": np.where(has_smpl, 1e3 * metrics.pa_mpjpe(predicted, truth), np.nan),
    }


def describe(results):
    """Printed lines of the dict of results.json."""
    intervals = results.get("intervals", {})
    ranges = {
        name: f" [{interval[0]:.2f}, {interval[1]:.2f}]"
        for name, interval in intervals.items()
        if interval
    }
    width = max(map(len, ranges.values()), default=0)
    lines = [
        f"{results[name]:8.2f}{ranges.get(name, ''):>{width}}  {text}"
        for name, text in DESCRIPTIONS.items()
        if name in results
    ]
    return "\n".join([*lines, f"{results['people']:8d}{'':{width}}  people"])

"""Errors of a model on people whose truth is known: mesh, joints and keypoints.

`Evaluation` does it for files. A training that validates on batches it reads itself calls `compare`
inside its graph, `errors` on what that gives as numpy, and `averages` in the end: same numbers.
"""

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from hmr_tf.body import camera
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
from hmr_tf.files.errors import InputError

_PELVIS = indices(("pelvis",), SMPL_JOINTS)
_NUM_LSP = len(LSP_JOINTS)


class Evaluation:
    """Everyone in some files, and the graph that compares; a training runs it after each epoch."""

    def __init__(self, hmr, files, batch_size):
        """Args:
        hmr: `networks.hmr.HMR`.
        files: dataset name -> shard paths, as `shard_files.find` gives them.
        batch_size: how many people at once.

        Raises:
          InputError: no records.
        """
        self._num_people = shards.count_records(shards.paths(files))
        if not self._num_people:
            raise InputError(
                f"the shards of {', '.join(files)} hold no records: convert them again"
            )
        self._files, self._size = files, hmr.image_size
        self._dataset = pipeline.validation(files, batch_size=batch_size, image_size=self._size)
        # One graph for batches of any size: the last one is smaller.
        (batch,) = self._dataset.element_spec
        self._compare = tf.function(lambda batch: compare(hmr, batch), input_signature=[batch])

    def run(self):
        """Runs the model over everyone and averages the errors.

        Returns:
          dict of `keypoints_px`; `mpjpe_mm` and `pa_mpjpe_mm` where 3D joints are known;
          `vertices_mm` where SMPL parameters are; and `people`, the number of people behind the
          first.

        Raises:
          InputError: a broken record, nobody with labels, answers that are not finite.
        """
        rows = []
        try:
            with tqdm(
                total=self._num_people, desc="Evaluating", unit="person", disable=None
            ) as bar:  # disable=None: only where somebody watches
                for (batch,) in self._dataset:
                    predicted, truth = tf.nest.map_structure(
                        lambda part: part.numpy(), self._compare(batch)
                    )
                    if not np.isfinite(predicted["vertices"]).all():
                        raise InputError("The model's answers are not finite: train anew.")
                    rows.append(errors(predicted, truth, self._size))
                    bar.update(len(batch["image"]))
        except tf.errors.OpError as error:
            explained = pipeline.explain_data_error(error, self._files)
            if explained is None:
                raise
            raise explained from error
        found = averages(rows)
        if not found["people"]:
            raise InputError(f"Nobody in the shards of {', '.join(self._files)} has keypoints.")
        return found


def averages(rows):
    """Means over the people whose truth is known, as `Evaluation.run` returns them.

    Args:
      rows: list of what `errors` gave for each batch.
    """
    columns = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
    known = {name: values[np.isfinite(values)] for name, values in columns.items()}
    means = {name: float(values.mean()) for name, values in known.items() if len(values)}
    return {"people": len(known["keypoints_px"]), **means}


def compare(hmr, batch):
    """Prediction and truth as bodies, in the same camera frame, metres.

    Args:
      hmr: `networks.hmr.HMR`.
      batch: dict of `pipeline.validation`, B people.

    Returns:
      Two dicts of tensors: keypoints2d_norm (B, 19, 2 and 3), lsp_joints (B, 14, 3) and vertices
      (B, V, 3), pelvis at the origin; in the second also has_joints and has_smpl (B,).
    """
    last = hmr.with_mesh(hmr(batch["image"], training=False)[-1])
    body = hmr.smpl(batch["rotations"], batch["betas"])
    predicted = {
        "keypoints2d_norm": last.keypoints2d_norm,
        "lsp_joints": lsp_joints_from_keypoints(last.joints3d),
        "vertices": last.vertices - tf.gather(last.smpl_joints, _PELVIS, axis=1),
    }
    vertices = body.vertices - tf.gather(body.smpl_joints, _PELVIS, axis=1)
    truth = {
        "keypoints2d_norm": batch["keypoints2d_norm"],
        "lsp_joints": batch["lsp_joints"],
        "vertices": vertices,
        "has_joints": batch["has_joints"],
        "has_smpl": batch["has_smpl"],
    }
    return predicted, truth


def errors(predicted, truth, image_size):
    """Each person's errors, of one batch.

    Args:
      predicted, truth: what `compare` gives, as numpy arrays.
      image_size: side of the crop.

    Returns:
      dict of (B,) arrays keypoints_px, mpjpe_mm, pa_mpjpe_mm and vertices_mm; nan where the truth
      is not known.
    """
    pixels = [
        camera.pixels_from_norm(part["keypoints2d_norm"][..., :2], image_size)
        for part in (predicted, truth)
    ]
    labelled = truth["keypoints2d_norm"][..., 2] > 0
    joints, true_joints = (
        centred_on_hips(part["lsp_joints"].astype(np.float64)) for part in (predicted, truth)
    )
    return {
        "keypoints_px": metrics.keypoint_error(*pixels, labelled),
        "mpjpe_mm": _known(1e3 * metrics.mpjpe(joints, true_joints), truth["has_joints"]),
        "pa_mpjpe_mm": _known(1e3 * metrics.pa_mpjpe(joints, true_joints), truth["has_joints"]),
        "vertices_mm": _known(
            1e3 * metrics.mpjpe(predicted["vertices"], truth["vertices"]), truth["has_smpl"]
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

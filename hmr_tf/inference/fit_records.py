"""--mode=fit: records with 2D labels become records with SMPL parameters and 3D joints."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from hmr_tf.body import fitting, theta
from hmr_tf.data import pipeline, record, shards
from hmr_tf.files import atomic
from hmr_tf.files.errors import reason_of_file_error

# People with fewer labelled points or a larger mean error (1: half the crop) get no 3D labels.
MIN_LABELLED = 8
MAX_ERROR_NORM = 0.06


class Fitted(NamedTuple):
    """The result for one dataset."""

    folder: Path  # of the new shards
    num_people: int
    num_fitted: int
    mean_error_norm: float  # of the people that were fitted


def fit_dataset(hmr, discriminator, files, data_dir, output_dir, batch_size, num_steps):
    """Fits all people of a dataset; writes shards of the same names, and fits.npz beside them.

    Args:
      hmr: `networks.hmr.HMR`, whose prediction is the initial theta and whose body is fitted.
      discriminator: `networks.discriminator.Discriminator` as the prior, or None.
      files: the dataset's shards, below data_dir.
      data_dir, output_dir: folders of TFRecords; the shard data_dir/x/y becomes output_dir/x/y.
      batch_size: people at once.
      num_steps: of the optimizer.

    Returns:
      Fitted.

    Raises:
      InputError: a broken record.
      OSError: output_dir cannot be written.
    """
    fitter = fitting.Fitter(hmr.smpl, _prior(discriminator) if discriminator is not None else None)
    folder = Path(output_dir) / files[0].parent.relative_to(data_dir)
    folder.mkdir(parents=True, exist_ok=True)
    atomic.remove_left_over(folder)
    rows, counts = [], []
    with tqdm(desc="Fitting", total=shards.count_records(files), unit=" people") as bar:
        for path in files:
            batches = []
            for batch in _batches(path, batch_size, hmr.image_size):
                initial_theta = hmr(batch["image"], training=False)[-1].theta
                fit = fitter(batch["keypoints2d_norm"], initial_theta, num_steps)
                batches.append(_labels(fit, batch["keypoints2d_norm"]))
                bar.update(len(initial_theta))
            rows.append({key: np.concatenate([b[key] for b in batches]) for key in batches[0]})
            counts.append(len(rows[-1]["theta"]))
            try:
                _write_shard(path, folder / path.name, rows[-1])
            except tf.errors.OpError as error:  # of the target: the source was read before
                raise OSError(reason_of_file_error(error.message)) from error
    return _finish(files, folder, rows, counts)


def _batches(path, batch_size, image_size):
    """Yields the batches of a shard; InputError for a broken record."""
    files = {"": [path]}
    dataset = pipeline.validation_dataset(files, batch_size=batch_size, image_size=image_size)
    try:
        for (batch,) in dataset:
            yield batch
    except tf.errors.OpError as error:
        raise pipeline.explain_data_error(error, files) or error from error


def _prior(discriminator):
    """The encoder's adversarial loss: squared distance of the discriminator's 25 scores from 1."""

    def cost(rotations, betas):
        return tf.reduce_sum(tf.square(discriminator((rotations, betas)) - 1.0), axis=-1)

    return cost


def _labels(fit, keypoints2d_norm):
    """dict of the labels of each person, and whether the fit is good enough to store them."""
    num_labelled = tf.reduce_sum(keypoints2d_norm[..., 2], axis=-1)
    is_fitted = (fit.error_norm < MAX_ERROR_NORM) & (num_labelled >= MIN_LABELLED)
    return {
        "theta": fit.theta.numpy(),
        "lsp_joints": fit.body.lsp_joints.numpy(),
        "error_norm": fit.error_norm.numpy(),
        "is_fitted": is_fitted.numpy(),
    }


def _write_shard(source, target, rows):
    with atomic.atomic_write(target) as unfinished, tf.io.TFRecordWriter(str(unfinished)) as writer:
        for i, serialized in enumerate(tf.data.TFRecordDataset(str(source)).as_numpy_iterator()):
            if rows["is_fitted"][i]:
                parts = theta.split(rows["theta"][i][None])
                serialized = record.with_smpl(
                    serialized, parts.pose[0].numpy(), parts.betas[0].numpy(), rows["lsp_joints"][i]
                )
            writer.write(serialized)


def _finish(files, folder, rows, counts):
    """Writes fits.npz and the index; returns Fitted."""
    rows = {key: np.concatenate([shard[key] for shard in rows]) for key in rows[0]}
    with atomic.atomic_write(folder / "fits.npz") as unfinished:
        np.savez_compressed(unfinished, **rows)
    fitted = int(rows["is_fitted"].sum())
    listed = [{"file": path.name, "records": count} for path, count in zip(files, counts)]
    index = {"records": sum(counts), "shards": listed, "has_3d": fitted > 0, "fitted": fitted}
    atomic.write_text(folder / "fitted_index.json", json.dumps(index, indent=2) + "\n")
    error = float(rows["error_norm"][rows["is_fitted"]].mean()) if fitted else float("nan")
    return Fitted(folder, sum(counts), fitted, error)

"""Records with 2D labels -> the same with SMPL parameters and 3D joints where landmarks agree."""

import collections
import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from data_prep.checking import fit_sheet
from hmr_tf.body import body_model, theta
from hmr_tf.body.smpl import SMPL
from hmr_tf.data import record, shards
from hmr_tf.files import atomic, optional_models, safe_npz
from hmr_tf.files.errors import InputError
from hmr_tf.inference.blazepose import landmark_fit, landmarks

PEOPLE_PER_FIT = 500
INDEX, SHEET = "pseudo_index.json", "fits.png"
LANDMARK_KEYS = ("filename", "keypoints_px", "joints3d", "presence")
_HAS_SMPL, _NO_POINTS = "has SMPL parameters already", "few keypoints"
_GOOD = "fitted"


class FileLandmarks(NamedTuple):
    """Landmarks of a dataset's people, in the order of its records."""

    path: Path
    digest: str
    filename: np.ndarray  # (N,) str
    keypoints_px: np.ndarray  # (N, 19, 3)
    joints3d: np.ndarray  # (N, 19, 3)
    presence: np.ndarray  # (N,)

    def landmarks_of(self, number, sample):
        """`landmarks.Landmarks` of the record with this number in the dataset."""
        name = sample["filename"].decode(errors="replace")
        if str(self.filename[number]) != name:
            raise InputError(
                f"--landmarks={self.path} does not match the records: its row {number} is of "
                f"{self.filename[number]}, the record of {name}; write it for these records."
            )
        return landmarks.Landmarks(
            self.keypoints_px[number], self.joints3d[number], float(self.presence[number])
        )


class BlazePoseLandmarks(NamedTuple):
    """Landmarks that BlazePose detects in the records' images."""

    blazepose: landmarks.BlazePose
    digest: str

    def landmarks_of(self, number, sample):
        """`landmarks.Landmarks` of a record; `number` is not needed."""
        return self.blazepose.detect(sample["image"], sample["keypoints_px"])


def landmark_source(landmarks_path, blazepose_folder, dataset, num_people):
    """Where the landmarks of a dataset come from.

    Args:
      landmarks_path: .npz, or a folder with DATASET.npz; empty: BlazePose.
      blazepose_folder: of BlazePose; empty: the one that was made.
      dataset: its name.
      num_people: records of the dataset.

    Raises:
      InputError: no such file, one for other records, no BlazePose.
    """
    path = optional_models.landmarks_file(landmarks_path, blazepose_folder, dataset)
    if landmarks_path:
        return _read_landmarks(path, num_people)
    blazepose = landmarks.BlazePose(str(path.parent))
    return BlazePoseLandmarks(blazepose, hashlib.sha256(path.read_bytes()).hexdigest())


def _read_landmarks(path, num_people):
    arrays = safe_npz.load(path, LANDMARK_KEYS)
    missing = [key for key in LANDMARK_KEYS if key not in arrays]
    if missing:
        raise InputError(f"--landmarks={path} lacks {', '.join(missing)}; see docs/datasets.md.")
    if arrays["filename"].dtype.kind == "S":  # as Python 2 and HDF5 write text
        arrays["filename"] = np.char.decode(arrays["filename"], "utf8", "replace")
    if arrays["presence"].ndim == 2 and arrays["presence"].shape[1] == 1:
        arrays["presence"] = arrays["presence"][:, 0]
    shapes = {"keypoints_px": (19, 3), "joints3d": (19, 3), "filename": (), "presence": ()}
    for key, shape in shapes.items():
        if arrays[key].shape != (num_people, *shape):
            raise InputError(
                f"--landmarks={path}: {key} has shape {arrays[key].shape}, and the "
                f"{num_people} records need {(num_people, *shape)}: is it for other records?"
            )
        kind = "U" if key == "filename" else "biuf"
        if arrays[key].dtype.kind not in kind:
            raise InputError(
                f"--landmarks={path}: {key} must hold {'text' if kind == 'U' else 'numbers'}."
            )
        if key != "filename" and not np.isfinite(arrays[key]).all():
            raise InputError(f"--landmarks={path}: {key} holds numbers that are not finite.")
    return FileLandmarks(path, hashlib.sha256(path.read_bytes()).hexdigest(), **arrays)


def write_pseudo_labels(files, source, data_dir, output_dir, num_steps, num_drawn):
    """Writes the shards of a dataset again, their index and a picture; resumes a stopped run.

    Args:
      files: the dataset's shards, below data_dir.
      source: FileLandmarks or BlazePoseLandmarks.
      data_dir, output_dir: folders of TFRecords; data_dir/x/y becomes output_dir/x/y.
      num_steps: of the fit.
      num_drawn: people in the picture; 0: no picture.

    Returns:
      A line about what was done.

    Raises:
      InputError: landmarks for other records, a damaged record.
      OSError: output_dir cannot be written.
    """
    folder = Path(output_dir) / files[0].parent.relative_to(data_dir)
    folder.mkdir(parents=True, exist_ok=True)
    body = body_model.read_model()
    fitter = landmark_fit.LandmarkFitter(SMPL(body))
    reasons, listed, first = collections.Counter(), [], 0
    with tqdm(desc="Fitting", total=shards.count_records(files), unit=" people") as bar:
        for path in files:
            target = folder / path.name
            key = _key(path, source.digest, num_steps, body_model.digest(body))
            shard_reasons = _finished(target, key)
            if shard_reasons is None:
                shard_reasons = _write_pseudo_shard(
                    path, target, source, first, fitter, num_steps, bar
                )
                atomic.write_text(
                    _state(target), json.dumps({"key": key, "reasons": shard_reasons})
                )
            else:
                bar.update(len(shard_reasons))
            reasons.update(shard_reasons)
            listed.append({"file": path.name, "records": len(shard_reasons)})
            first += len(shard_reasons)
    fitted = reasons[_GOOD]
    with_3d = fitted + reasons[_HAS_SMPL]
    index = {"records": first, "shards": listed, "has_3d": with_3d > 0, "fitted": fitted}
    index.update({"reasons": dict(sorted(reasons.items())), "steps": num_steps})
    index["landmarks_sha256"] = source.digest
    atomic.write_text(folder / INDEX, json.dumps(index, indent=2) + "\n")
    if num_drawn:
        fit_sheet.write(folder / SHEET, [folder / item["file"] for item in listed], body, num_drawn)
    for item in listed:
        _state(folder / item["file"]).unlink(missing_ok=True)
    left_out = ", ".join(
        f"{count} {reason}" for reason, count in reasons.most_common() if reason != _GOOD
    )
    return f"{fitted} of {first} people fitted ({left_out or 'all'}), {folder}"


def _key(path, digest, num_steps, body_digest):
    """What the labels of a shard depend on."""
    content = hashlib.sha256(path.read_bytes()).hexdigest()
    return f"{content} {digest} {num_steps} {body_digest}"


def _state(target):
    return target.with_name(f".{target.name}.json")


def _finished(target, key):
    """The reasons of a shard that an earlier run finished, or None."""
    try:
        state = json.loads(_state(target).read_text())
        return state["reasons"] if state["key"] == key and target.is_file() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write_pseudo_shard(path, target, source, first, fitter, num_steps, bar):
    """Writes one shard; returns for each of its people why it has no fit, or `_GOOD`."""
    try:
        serialized = list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())
        samples = [_numpy(record.decode(one)) for one in serialized]
    except tf.errors.OpError as error:
        record.check_shards([path])
        raise OSError(error.message) from error
    reasons, chosen, person_landmarks = [], [], []
    for i, sample in enumerate(samples):
        landmark = None
        if sample["has_smpl"]:
            reasons.append(_HAS_SMPL)
        elif (sample["keypoints_px"][:, 2] > 0).sum() < 2:
            reasons.append(_NO_POINTS)
        else:
            reasons.append(_GOOD)
            landmark = source.landmarks_of(first + i, sample)
            chosen.append(i)
            person_landmarks.append(landmark)
        bar.update(landmark is None)
    for start in range(0, len(chosen), PEOPLE_PER_FIT):
        part = chosen[start : start + PEOPLE_PER_FIT]
        labels = np.stack([samples[i]["keypoints_px"] for i in part])
        given = landmark_fit.targets(labels, person_landmarks[start : start + PEOPLE_PER_FIT])
        result = fitter(given, num_steps)
        for row, i in enumerate(part):
            reasons[i] = _GOOD if result.is_good[row] else result.reasons[row]
            if result.is_good[row]:
                serialized[i] = _with_fit(serialized[i], result, row)
        bar.update(len(part))
    with atomic.atomic_write(target) as unfinished, tf.io.TFRecordWriter(str(unfinished)) as writer:
        for one in serialized:
            writer.write(one)
    return reasons


def _with_fit(serialized, result, row):
    parts = theta.split(result.theta[row][None])
    return record.with_smpl(
        serialized, parts.pose[0].numpy(), parts.betas[0].numpy(), result.lsp_joints[row]
    )


def _numpy(sample):
    return {name: value.numpy() for name, value in sample.items()}

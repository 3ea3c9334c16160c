"""Predictions of a model for every record of a file, kept on disk until model or file change."""

import hashlib
import zipfile
from pathlib import Path

import numpy as np
import tensorflow as tf

from hmr_tf.data import augment, crop, record
from hmr_tf.evaluation import evaluation_set
from hmr_tf.files import atomic
from hmr_tf.files.errors import InputError
from hmr_tf.files.sha256 import file_digest

FOLDER = "predictions"  # below --output_dir
# Version of the files; changes with their content and with how it is computed.
_FORMAT = 3
# Field -> its name in `networks.prediction.prediction_as_dict`.
_PREDICTED = {
    "theta": "theta",
    "joints3d": "joints3d",
    "smpl_joints": "smpl_joints",
    "keypoints_px": "keypoints2d_px",
}
_FIELDS = (*_PREDICTED, "scale_xy", "corner_px")  # the latter two of `augment.Placement`


def predict_files(
    predict, image_size, digest, frames, folder, batch_size, progress=lambda count: None
):
    """Predictions for every record of every file: read from `folder` or made.

    Args:
      predict: of `networks.engines.Engine`.
      image_size: S, side of its crops.
      digest: of its numbers, `engines.model_digest`, and of how they are computed.
      frames: Frames, for their files.
      folder: Path for the predictions, one .npz for each TFRecord file; made if it is missing. A
        file is written as soon as it is complete.
      batch_size: records per batch.
      progress: called with the number of further records that are done.

    Returns:
      list, by file, of dicts of float32 arrays of its N records: theta (N, 85), joints3d (N, 19, 3)
      and smpl_joints (N, 24, 3) metres, keypoints_px (N, 19, 2) pixels of the crop; and the
      crop's place: pixel of the stored image * scale_xy (N, 2) - corner_px (N, 2).

    Raises:
      InputError: a broken image, or predictions that are not finite.
    """
    atomic.remove_left_over(folder)
    keys = [f"{_FORMAT} {digest} {file_digest(path)}" for path in frames.paths]
    files = [_file(folder, path) for path in frames.paths]
    contents = [_read(file, key) for file, key in zip(files, keys)]
    new = [number for number, content in enumerate(contents) if content is None]
    progress(sum(len(content["theta"]) for content in contents if content is not None))
    new_paths = [frames.paths[number] for number in new]
    predicted = _predict(predict, image_size, new_paths, batch_size, progress)
    for number, content in zip(new, predicted):
        _write(files[number], keys[number], content)
        contents[number] = content
    return contents


def read_kept(folder, path, digest):
    """The predictions of one TFRecord file that `predict_files` kept; None without them.

    Args:
      folder, digest: as of `predict_files`.
      path: of the TFRecord file; it must exist.
    """
    return _read(_file(Path(folder), path), f"{_FORMAT} {digest} {file_digest(path)}")


def _predict(predict, image_size, paths, batch_size, progress):
    """Yields the elements of `predict_files`, file by file."""
    if not paths:
        return
    waiting, current = [], 0
    try:
        for files, images, placements in _crops(paths, image_size).batch(batch_size):
            named = predict(images.numpy())
            rows = {name: named[key] for name, key in _PREDICTED.items()}
            rows.update({name: value.numpy() for name, value in placements.items()})
            for file in range(current, int(files[-1]) + 1):
                if file > current:
                    yield _complete(waiting, paths[current])
                    waiting, current = [], file
                waiting.append({name: part[files == file] for name, part in rows.items()})
            progress(len(images))
    except tf.errors.OpError as error:
        record.check_shards(paths)  # its error names the record
        raise error
    yield _complete(waiting, paths[current])


def _complete(parts, path):
    joined = {name: np.concatenate([part[name] for part in parts]) for name in _FIELDS}
    wrong = [name for name, array in joined.items() if not np.isfinite(array).all()]
    if wrong:
        raise InputError(f"The model's {', '.join(wrong)} for {path} are not finite: train again.")
    return joined


def read_crop(path, number, image_size):
    """(S, S, 3) in [-1, 1]: the model's input from one record of a file, counted from 0."""
    records = tf.data.TFRecordDataset(str(path)).skip(int(number)).take(1)
    return _crop(next(iter(records)), image_size)[0]


def _crop(serialized, image_size):
    """The crop of one record and its Placement.

    Its centre is the stored one, the edge is repeated, and 224 pixels are not scaled (the
    original's `datasets/common.py:232-308`).
    """
    no_jitter = augment.no_jitter(image_size / crop.CROP_PX)
    return augment.crop_image(record.decode_later(serialized), *no_jitter, image_size)


def _crops(paths, image_size):
    """Dataset of (number of the file, crop, dict of scale_xy and corner_px), in order."""

    def numbered_crop(file, serialized):
        image, placement = _crop(serialized, image_size)
        return file, image, {"scale_xy": placement.scale_xy, "corner_px": placement.corner_px}

    records = evaluation_set.records(paths).map(numbered_crop, num_parallel_calls=tf.data.AUTOTUNE)
    return records.prefetch(tf.data.AUTOTUNE)


def _file(folder, path):
    """The .npz of a TFRecord file; files of different folders may have one name."""
    place = hashlib.sha256(str(Path(path).resolve()).encode()).hexdigest()
    return folder / f"{Path(path).stem}_{place[:8]}.npz"


def _read(path, digest):
    """The predictions in a file, or None if it has none of this digest."""
    try:
        with open(path, "rb") as file, np.load(file) as content:
            if str(content["digest"]) == digest:
                return {name: content[name] for name in _FIELDS}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        pass  # missing, of another program, or incomplete
    return None


def _write(path, digest, predicted):
    """Writes the file completely or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.atomic_write(path) as unfinished, open(unfinished, "wb") as file:
        np.savez(file, digest=digest, **predicted)

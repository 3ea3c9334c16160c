"""What a model says of every record of a file; kept on disk while neither of the two changes."""

import hashlib
import zipfile
from pathlib import Path

import numpy as np
import tensorflow as tf

from hmr_tf.data import augment, crop, record
from hmr_tf.evaluation import frames as frames_
from hmr_tf.files.atomic import written
from hmr_tf.files.errors import InputError
from hmr_tf.files.sha256 import file_digest

# Of the files of predictions; changes with what they hold and with how crops are made.
_FORMAT = 2
# Field -> its name in `networks.prediction.named`; and where the crop lies, of `augment.Placement`.
_ANSWERS = {
    "theta": "theta",
    "joints3d": "joints3d",
    "smpl_joints": "smpl_joints",
    "keypoints_px": "keypoints2d_px",
}
_FIELDS = (*_ANSWERS, "scale_xy", "corner_px")


def of_files(answer, digest, frames, folder, batch_size, tick=lambda count: None):
    """Predictions for every record of every file: read from `folder` where they are, else made.

    Args:
      answer: `inference.model.crop_function` of a network, for any batch size.
      digest: `model_digest` of it.
      frames: Frames, whose files are meant.
      folder: Path for the predictions, one .npz a TFRecord file; made where it is not there. A file
        is written as soon as it is complete.
      batch_size: records at once.
      tick: is told how many records are done.

    Returns:
      list, by file, of dicts of float32 arrays of its N records: theta (N, 85), joints (N, 19, 3)
      and smpl_joints (N, 24, 3) metres, keypoints_px (N, 19, 2) pixels of the crop; and where the
      crop lies: pixel of the stored image * scale_xy (N, 2) - corner_px (N, 2).

    Raises:
      InputError: a broken image, or answers that are not finite.
    """
    keys = [f"{_FORMAT} {digest} {file_digest(path)}" for path in frames.paths]
    files = [_file(folder, path) for path in frames.paths]
    found = [_read(file, key) for file, key in zip(files, keys)]
    new = [number for number, content in enumerate(found) if content is None]
    tick(sum(len(content["theta"]) for content in found if content is not None))
    made = _predict(answer, [frames.paths[number] for number in new], batch_size, tick)
    for number, content in zip(new, made):
        _write(files[number], keys[number], content)
        found[number] = content
    return found


def _predict(answer, paths, batch_size, tick):
    """Yields what `of_files` returns, file by file."""
    if not paths:
        return
    image_size = answer.input_signature[0].shape[1]
    waiting, current = [], 0
    try:
        for files, images, placements in _crops(paths, image_size).batch(batch_size):
            found = answer(images)
            rows = {name: found[key].numpy() for name, key in _ANSWERS.items()}
            rows.update({name: value.numpy() for name, value in placements.items()})
            for file in range(current, int(files[-1]) + 1):
                if file > current:
                    yield _complete(waiting, paths[current])
                    waiting, current = [], file
                waiting.append({name: part[files == file] for name, part in rows.items()})
            tick(len(images))
    except tf.errors.OpError as error:
        record.check_shards(paths)  # says which record it is
        raise error
    yield _complete(waiting, paths[current])


def _complete(parts, path):
    joined = {name: np.concatenate([part[name] for part in parts]) for name in _FIELDS}
    wrong = [name for name, array in joined.items() if not np.isfinite(array).all()]
    if wrong:
        raise InputError(f"The model's {', '.join(wrong)} for {path} are not finite: train anew.")
    return joined


def crop_of(path, number, image_size):
    """(S, S, 3) in [-1, 1]: what the model sees of one record of a file, counted from 0."""
    records = tf.data.TFRecordDataset(str(path)).skip(int(number)).take(1)
    return _cut(next(iter(records)), image_size)[0]


def _cut(serialized, image_size):
    """The crop of one record and its Placement.

    It lies about the stored centre, repeats the edge and is not scaled in 224 pixels (the
    original's `datasets/common.py:232-308`).
    """
    plain = augment.no_jitter(image_size / crop.CROP_PX)
    return augment.crop_image(record.decode(serialized), *plain, image_size)


def _crops(paths, image_size):
    """Dataset of (number of the file, crop, dict of scale_xy and corner_px), in order."""

    def cut(file, serialized):
        image, placement = _cut(serialized, image_size)
        return file, image, {"scale_xy": placement.scale_xy, "corner_px": placement.corner_px}

    records = frames_.records(paths).map(cut, num_parallel_calls=tf.data.AUTOTUNE)
    return records.prefetch(tf.data.AUTOTUNE)


def model_digest(hmr):
    """SHA-256 of all numbers of a model and of its body."""
    digest = hashlib.sha256(str(hmr.image_size).encode())
    for part in (hmr.encoder, hmr.regressor, hmr.smpl):
        for variable in part.variables:
            digest.update(f"{variable.name} {variable.shape}".encode())
            digest.update(np.ascontiguousarray(variable.numpy()).data)
    return digest.hexdigest()


def _file(folder, path):
    """Files of different folders may have one name."""
    place = hashlib.sha256(str(Path(path).resolve()).encode()).hexdigest()
    return folder / f"{Path(path).stem}_{place[:8]}.npz"


def _read(path, digest):
    """The predictions in a file, or None where they are none of these."""
    try:
        with open(path, "rb") as file, np.load(file) as content:
            if str(content["digest"]) == digest:
                return {name: content[name] for name in _FIELDS}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        pass  # not there, of another program, or cut off
    return None


def _write(path, digest, predicted):
    """Complete or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written(path) as unfinished, open(unfinished, "wb") as file:
        np.savez(file, digest=digest, **predicted)

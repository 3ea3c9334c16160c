"""What a model says of every record of a file; kept on disk while neither of the two changes."""

import hashlib
import os
from pathlib import Path

import numpy as np
import tensorflow as tf

from hmr_tf.body import camera
from hmr_tf.data import augment, crop, record
from hmr_tf.errors import InputError

# Of the files of predictions; changes with what they hold and with how crops are made.
_FORMAT = 1
_FIELDS = ("theta", "joints", "smpl_joints", "keypoints_px", "scale_xy", "corner_px")


def of_file(hmr, digest, path, folder, batch_size, tick=lambda count: None):
    """Predictions for every record, in order: read from `folder` if they are there, else made.

    Args:
      hmr: `networks.hmr.HMR`.
      digest: `model_digest` of it.
      path: TFRecord file of image records.
      folder: Path for the predictions, one .npz a TFRecord file; made where it is not there.
      batch_size: records at once.
      tick: is told how many records are done.

    Returns:
      dict of float32 arrays of N records: theta (N, 85), joints (N, 19, 3) and smpl_joints
      (N, 24, 3) metres, keypoints_px (N, 19, 2) pixels of the crop; and where the crop lies: pixel
      of the stored image * scale_xy (N, 2) - corner_px (N, 2).

    Raises:
      InputError: a broken record, or answers that are not finite.
    """
    both = f"{_FORMAT} {digest} {file_digest(path)}"
    kept = folder / f"{Path(path).stem}_{_short(str(Path(path).resolve()))}.npz"
    found = _read(kept, both)
    if found is None:
        found = predict(hmr, path, batch_size, tick)
        _write(kept, both, found)
    else:
        tick(len(found["theta"]))
    return found


def predict(hmr, path, batch_size, tick=lambda count: None):
    """As `of_file`, always anew."""
    answers = tf.function(lambda images: _answers(hmr, images))
    parts = []
    try:
        for images, placements in crops(path, hmr.image_size).batch(batch_size):
            parts.append({**answers(images), **placements})
            tick(len(images))
    except tf.errors.OpError as error:
        record.check_shards([path])  # says which record it is
        raise error
    if not parts:
        raise InputError(f"{path} holds no frames: convert the dataset again.")
    joined = {name: np.concatenate([part[name] for part in parts]) for name in _FIELDS}
    wrong = [name for name, array in joined.items() if not np.isfinite(array).all()]
    if wrong:
        raise InputError(f"The model's {', '.join(wrong)} for {path} are not finite: train anew.")
    return joined


def crops(path, image_size):
    """Dataset of (image (S, S, 3) in [-1, 1], dict of scale_xy and corner_px) of each record.

    The crop lies about the stored centre, repeats the edge and is not scaled in 224 pixels (the
    original's `datasets/common.py:232-308`).
    """
    plain = augment.no_jitter(image_size / crop.CROP_PX)

    def cut(serialized):
        image, placement = augment.crop_image(record.decode(serialized), *plain, image_size)
        return image, {"scale_xy": placement.scale_xy, "corner_px": placement.corner_px}

    records = tf.data.TFRecordDataset(str(path))
    return records.map(cut, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def model_digest(hmr):
    """SHA-256 of all numbers of a model and of its body."""
    digest = hashlib.sha256(str(hmr.image_size).encode())
    for part in (hmr.encoder, hmr.regressor, hmr.smpl):
        for variable in part.variables:
            digest.update(f"{variable.name} {variable.shape}".encode())
            digest.update(np.ascontiguousarray(variable.numpy()).data)
    return digest.hexdigest()


def file_digest(path):
    """SHA-256 of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(2**20), b""):
            digest.update(block)
    return digest.hexdigest()


def _answers(hmr, images):
    last = hmr(images, training=False)[-1]
    return {
        "theta": last.theta,
        "joints": last.joints,
        "smpl_joints": last.smpl_joints,
        "keypoints_px": camera.pixels_from_norm(last.keypoints_norm, hmr.image_size),
    }


def _short(text):
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _read(path, digest):
    """The predictions in a file, or None where they are none of these."""
    try:
        with np.load(path) as content:
            if str(content["digest"]) == digest:
                return {name: content[name] for name in _FIELDS}
    except (OSError, ValueError, KeyError, EOFError):
        pass  # not there, of another program, or cut off
    return None


def _write(path, digest, predicted):
    """Complete or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}.partial")
    try:
        with open(unfinished, "wb") as file:
            np.savez(file, digest=digest, **predicted)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)

"""The people of a test set: their labels and the predictions of a model."""

import contextlib
import hashlib
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from hmr_tf.data import record
from hmr_tf.files.errors import InputError

_PARSED_PER_BATCH = 256
# Stems of files: test_000, train_0000_wmeta, held_000 of a user's split; sequences are called
# downtown_arguing_00_p0, S9_Eating_0_cam3, TS1.
_SHARD = re.compile(r"[a-z]+_\d{3,}(_wmeta)?")
_PERSON_OR_CAMERA = re.compile(r"_(p|cam)\d+$")


class EvaluationSet(NamedTuple):
    """N people from the files of a test set, in order."""

    paths: tuple  # of the files
    file: np.ndarray  # (N,) index of the file in `paths`
    number: np.ndarray  # (N,) number of the record in that file, from 0
    truth: dict  # name -> (N, ...) labels, from `decode` of `read`
    predicted: dict  # name -> (N, ...), from `predictions.predict_files`

    @property
    def sequences(self):
        """(N,) name of each person's file, with the folder where two files have one name."""
        stems = [path.stem for path in self.paths]
        if len(set(stems)) < len(stems):
            stems = [f"{path.parent.name}/{path.stem}" for path in self.paths]
        return np.array(stems)[self.file]

    @property
    def data_digest(self):
        """SHA-256 of who is evaluated and of all labels, but not of the folder's place."""
        sha256 = hashlib.sha256()
        sha256.update("\0".join(path.stem for path in self.paths).encode())
        for name, values in sorted(
            {**self.truth, "file": self.file, "number": self.number}.items()
        ):
            sha256.update(f"{name} {values.dtype} {values.shape}".encode())
            is_text = values.dtype == object
            sha256.update(b"\0".join(values) if is_text else np.ascontiguousarray(values).data)
        return sha256.hexdigest()

    @property
    def clusters(self):
        """(N,) name of the group whose people depend on each other: a sequence or a photograph.

        The people of a file that is named after a sequence belong together, with those of the
        sequence's other files, NAME_p0 and NAME_p1 or NAME_cam0 and NAME_cam1. Of numbered shards,
        the people of one photograph do.
        """
        folders = [path.parent for path in self.paths]
        are_many = len(set(folders)) > 1
        prefixes = [f"{folder.parent.name}/{folder.name}/" * are_many for folder in folders]
        names = [
            prefix + _PERSON_OR_CAMERA.sub("", path.stem)
            for prefix, path in zip(prefixes, self.paths)
        ]
        clusters = np.array(names, object)[self.file]
        for person in np.flatnonzero(self.is_by_photograph):
            photograph = self.truth["filename"][person].decode(errors="replace")
            clusters[person] = prefixes[self.file[person]] + photograph
        return clusters.astype(str)

    @property
    def is_by_photograph(self):
        """(N,) bool: whether the person's file is a numbered shard, of photographs."""
        return np.array([bool(_SHARD.fullmatch(path.stem)) for path in self.paths])[self.file]


def read(paths, decode):
    """All people of some files, in order, without predictions.

    Args:
      paths: TFRecord files of image records.
      decode: serialized record -> dict of tensors, as `record.decode_labels`.

    Returns:
      Frames; strings of the truth are bytes.

    Raises:
      InputError: a file without records, a broken file, or one without a feature of `decode`.
    """
    dataset = records(paths).map(
        lambda file, serialized: (file, _decode_all(decode, serialized)),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    try:
        parts = list(dataset.batch(_PARSED_PER_BATCH).as_numpy_iterator())
    except tf.errors.OpError as error:
        with contextlib.suppress(tf.errors.DataLossError):  # `check_shards` names the record
            for path in paths:
                _check_joint_counts(path)
        record.check_shards(paths, decode)
        raise error
    file = np.concatenate([part for part, _ in parts]) if parts else np.zeros(0, int)
    counts = np.bincount(file, minlength=len(paths))
    if not counts.all():
        raise InputError(f"{paths[counts.argmin()]} holds no frames: convert the dataset again.")
    return EvaluationSet(
        paths=tuple(Path(path) for path in paths),
        file=file,
        number=np.concatenate([np.arange(count) for count in counts]),
        truth=_concatenated([truth for _, truth in parts]),
        predicted={},
    )


def _decode_all(decode, serialized):
    """The labels of a record, and `source_scale_xy` (2,), see `record.decode_source_scale`."""
    return {**decode(serialized), "source_scale_xy": record.decode_source_scale(serialized)}


def records(paths):
    """Dataset of (number of the file, () int64; serialized record) of all records in order."""
    files = tf.data.Dataset.from_tensor_slices([str(path) for path in paths]).enumerate()

    def numbered_records(number, path):
        return tf.data.TFRecordDataset(path).map(lambda serialized: (number, serialized))

    return files.flat_map(numbered_records)


def _check_joint_counts(path):
    """InputError for the first record with another number of joints than it should have."""
    for number, serialized in enumerate(tf.data.TFRecordDataset(str(path)).as_numpy_iterator(), 1):
        features = tf.train.Example.FromString(serialized).features.feature
        for key, wanted in record.JOINT_COUNTS.items():
            count = len(features[key].float_list.value) / 3 if key in features else wanted
            if count != wanted:
                raise InputError(
                    f"{path}: record {number} holds {count:g} joints as {key}, not {wanted}: "
                    "convert the dataset again."
                )


def with_predictions(frames, predicted, keep):
    """Frames with the predictions of each file, for the people of `keep`, (N,) bool."""
    return frames._replace(
        file=frames.file[keep],
        number=frames.number[keep],
        truth={name: values[keep] for name, values in frames.truth.items()},
        predicted={name: values[keep] for name, values in _concatenated(predicted).items()},
    )


def _concatenated(parts):
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

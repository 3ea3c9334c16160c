"""The people of a test set: what is true of them beside what the model says."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from hmr_tf.data import record
from hmr_tf.files.errors import InputError

_PARSED_AT_ONCE = 256


class Frames(NamedTuple):
    """N people, one after the other, from the files of a test set."""

    paths: tuple  # the files
    file: np.ndarray  # (N,) which of them
    number: np.ndarray  # (N,) the record there, from 0
    truth: dict  # name -> (N, ...), what `decode` of `read` gives
    predicted: dict  # name -> (N, ...) as `predictions.of_files` gives it

    @property
    def sequences(self):
        """(N,) name of the sequence of each: its file's, with the folder's where two are alike."""
        stems = [path.stem for path in self.paths]
        if len(set(stems)) < len(stems):
            stems = [f"{path.parent.name}/{path.stem}" for path in self.paths]
        return np.array(stems)[self.file]


def read(paths, decode):
    """Everybody in some files, in order, without predictions.

    Args:
      paths: TFRecord files of image records.
      decode: serialized record -> dict of tensors, as `record.decode_labels`.

    Returns:
      Frames; strings of the truth are bytes.

    Raises:
      InputError: a file without records, a broken one, or one that lacks what `decode` wants.
    """
    dataset = records(paths).map(
        lambda file, serialized: (file, decode(serialized)), num_parallel_calls=tf.data.AUTOTUNE
    )
    try:
        parts = list(dataset.batch(_PARSED_AT_ONCE).as_numpy_iterator())
    except tf.errors.OpError as error:
        for path in paths:
            _check_joint_counts(path)
        record.check_shards(paths, decode)
        raise error
    file = np.concatenate([part for part, _ in parts]) if parts else np.zeros(0, int)
    counts = np.bincount(file, minlength=len(paths))
    if not counts.all():
        raise InputError(f"{paths[counts.argmin()]} holds no frames: convert the dataset again.")
    return Frames(
        paths=tuple(Path(path) for path in paths),
        file=file,
        number=np.concatenate([np.arange(count) for count in counts]),
        truth=_joined([truth for _, truth in parts]),
        predicted={},
    )


def records(paths):
    """Dataset of (number of the file, () int64; serialized record) of all records in order."""
    files = tf.data.Dataset.from_tensor_slices([str(path) for path in paths]).enumerate()

    def of_file(number, path):
        return tf.data.TFRecordDataset(path).map(lambda serialized: (number, serialized))

    return files.flat_map(of_file)


def _check_joint_counts(path):
    """InputError for the first record that says where joints are, but of another number of them."""
    for number, serialized in enumerate(tf.data.TFRecordDataset(str(path)).as_numpy_iterator(), 1):
        features = tf.train.Example.FromString(serialized).features.feature
        for key, wanted in record.JOINT_COUNTS.items():
            found = len(features[key].float_list.value) / 3 if key in features else wanted
            if found != wanted:
                raise InputError(
                    f"{path}: record {number} holds {found:g} joints as {key}, not {wanted}: "
                    "convert the dataset again."
                )


def with_predictions(frames, predicted, keep):
    """The Frames with the predictions of each file; of them those that `keep`, (N,) bool, names."""
    return frames._replace(
        file=frames.file[keep],
        number=frames.number[keep],
        truth={name: values[keep] for name, values in frames.truth.items()},
        predicted={name: values[keep] for name, values in _joined(predicted).items()},
    )


def _joined(parts):
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

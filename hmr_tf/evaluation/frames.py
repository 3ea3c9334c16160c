"""The people of a test set: what is true of them beside what the model says."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from hmr_tf.data import record
from hmr_tf.errors import InputError

_PARSED_AT_ONCE = 256


class Frames(NamedTuple):
    """N people, one after the other, from the files of a test set."""

    paths: tuple  # the files
    file: np.ndarray  # (N,) which of them
    number: np.ndarray  # (N,) the record there, from 0
    truth: dict  # name -> (N, ...) as `read_truth` gives it
    predicted: dict  # name -> (N, ...) as `predictions.of_file` gives it

    @property
    def sequences(self):
        """(N,) name of the sequence of each: its file's."""
        return np.array([path.stem for path in self.paths])[self.file]


def read_truth(path, decode):
    """The labels of every record, in order.

    Args:
      path: TFRecord file of image records.
      decode: serialized record -> dict of tensors, as `record.decode_labels`.

    Returns:
      dict of arrays (N, ...); strings as bytes.

    Raises:
      InputError: no records, a broken one, or one that lacks what `decode` wants.
    """
    dataset = tf.data.TFRecordDataset(str(path)).map(decode, num_parallel_calls=tf.data.AUTOTUNE)
    try:
        parts = list(dataset.batch(_PARSED_AT_ONCE).as_numpy_iterator())
    except tf.errors.OpError as error:
        _check_joint_counts(path)
        record.check_shards([path], decode)
        raise error
    if not parts:
        raise InputError(f"{path} holds no frames: convert the dataset again.")
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


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


def join(paths, truths, predicted):
    """Frames of files, of their truths and of their predictions, in the same order."""
    counts = [len(next(iter(truth.values()))) for truth in truths]
    return Frames(
        paths=tuple(Path(path) for path in paths),
        file=np.repeat(np.arange(len(counts)), counts),
        number=np.concatenate([np.arange(count) for count in counts]),
        truth=_joined(truths),
        predicted=_joined(predicted),
    )


def _joined(parts):
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def only(frames, keep):
    """The Frames that `keep`, (N,) bool or indices, names."""
    return frames._replace(
        file=frames.file[keep],
        number=frames.number[keep],
        truth={name: values[keep] for name, values in frames.truth.items()},
        predicted={name: values[keep] for name, values in frames.predicted.items()},
    )

"""Writes shard files. Nothing else opens them; a run that ends early leaves what was there before.

Shards are written into a hidden folder beside the old ones and take their place when all are there.
"""

import contextlib
import itertools
import json
import re
import shutil
from pathlib import Path

import tensorflow as tf

from hmr_tf.errors import InputError


@contextlib.contextmanager
def publishing(folder, shard_name, index_name):
    """Gives a folder to write into; at the end its files replace the last run's shards and index.

    Args:
      folder: where the shards shall be; made where it is missing.
      shard_name: with a place for the number, as "train_%03d.tfrecord": all of them are replaced.
      index_name: name of the index in both folders.

    Yields:
      Path of the folder to write into; removed with all that is in it when the body raises.

    Raises:
      InputError: the folder cannot be written.
    """
    folder = Path(folder)
    partial = folder / f".{Path(index_name).stem}.partial"
    with _writable(folder):
        shutil.rmtree(partial, ignore_errors=True)  # of a run that was killed
        partial.mkdir(parents=True)
    try:
        yield partial
        with _writable(folder):
            _replace(partial, folder, shard_name, index_name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def chunks(groups, size):
    """Cuts a stream of lists into streams of lists, one for each shard.

    A shard takes whole lists (the people of one image) until it has `size` members or more, as the
    original's `coco_to_tfrecords.py:318-331`. Each stream is read to its end before the next one.
    """
    groups = iter(groups)
    for first in groups:
        yield _until_full(first, groups, size)


def _until_full(first, others, size):
    taken = 0
    for group in itertools.chain([first], others):
        yield group
        taken += len(group)
        if taken >= size:
            return


def write_shard(path, records):
    """Writes serialized records into one file and returns how many; no file where there are none.

    The file has another name until it is whole.

    Raises:
      InputError: it cannot be written.
    """
    path = Path(path)
    unfinished, count = path.with_suffix(".unfinished"), 0
    with _writable(path.parent):
        writer = tf.io.TFRecordWriter(str(unfinished))
    try:
        for record in records:
            with _writable(path.parent):
                writer.write(record)
            count += 1
    finally:
        with _writable(path.parent):
            writer.close()
    if count:
        unfinished.replace(path)
    else:
        unfinished.unlink()
    return count


def write_index(path, index):
    """Writes the dict that says what is in the shards, as JSON.

    Raises:
      InputError: it cannot be written.
    """
    with _writable(Path(path).parent):
        Path(path).write_text(json.dumps(index, indent=2) + "\n")


def _replace(partial, folder, shard_name, index_name):
    """The index goes first and comes last: while it is there, it is true."""
    (folder / index_name).unlink(missing_ok=True)
    number = re.compile(re.sub(r"%\d*d", r"\\d+", re.escape(shard_name)))
    for old in folder.iterdir():
        if number.fullmatch(old.name):
            old.unlink()
    for new in sorted(partial.iterdir(), key=lambda path: path.name == index_name):
        new.replace(folder / new.name)


@contextlib.contextmanager
def _writable(folder):
    """A full disk or a forbidden folder is the user's to mend."""
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        reason = getattr(error, "strerror", None)
        if not reason:  # TensorFlow's message is "path; reason"
            reason = str(getattr(error, "message", error)).split(";")[-1].strip()
        raise InputError(
            f"cannot write to {folder} ({reason}); choose another --output_dir or make room"
        ) from error

"""Shards: which people go into which file, and the only function that writes one.

Which person is in which file is known before an image is opened.
"""

import itertools
import re
from collections.abc import Iterable
from typing import NamedTuple

from data_prep.reader_items import LabelledPerson, VideoFrame
from data_prep.writing import publish
from data_prep.writing.split_index import Tally


class ShardNames(NamedTuple):
    """How the shards of a split are called: train_000.tfrecord, ..., or each after a sequence."""

    prefix: str
    digits: int = 3
    suffix: str = ""
    is_by_sequence: bool = False  # one shard for each sequence: S9_Directions_0_cam0.tfrecord

    def numbered(self, number):
        return f"{self.prefix}_{number:0{self.digits}d}{self.suffix}.tfrecord"

    def match(self, file):
        """Whether a shard of any number or sequence may have this name."""
        if self.is_by_sequence:
            return file.endswith(".tfrecord")
        start, end = re.escape(f"{self.prefix}_"), re.escape(f"{self.suffix}.tfrecord")
        return bool(re.fullmatch(rf"{start}\d+{end}", file))


class Shard(NamedTuple):
    """One file, written by one process."""

    file: str
    groups: Iterable  # lists of people of one image, from `group_by_image`


def group_by_image(items):
    """Puts consecutive people of one image file into one list; all others stay alone."""
    for image, group in itertools.groupby(items, image_file):
        if image is None:
            yield from ([item] for item in group)
        else:
            yield list(group)


def image_file(item):
    """Path or VideoFrame of a LabelledPerson; None for an image array and for a MocapPose."""
    is_file = isinstance(item, LabelledPerson) and isinstance(item.image, (str, VideoFrame))
    return item.image if is_file else None


def plan(groups, names, size):
    """Cuts a stream of lists of people into shards.

    A shard takes whole lists until it has `size` members or more, as the original's
    `coco_to_tfrecords.py:318-331`; with `names.is_by_sequence`, all lists of one sequence. Its
    groups are a stream too, to be read before the next shard.

    Args:
      groups: lists, from `group_by_image`.
      names: ShardNames.
      size: int.
    """
    if names.is_by_sequence:
        yield from _plan_by_sequence(groups)
        return
    groups = iter(groups)
    for number, first in enumerate(groups):
        yield Shard(names.numbered(number), _until_full(first, groups, size))


def _until_full(first, others, size):
    taken = 0
    for group in itertools.chain([first], others):
        yield group
        taken += len(group)
        if taken >= size:
            return


def _plan_by_sequence(groups):
    previous = set()
    for sequence, members in itertools.groupby(groups, lambda group: group[0].sequence):
        if not sequence or "/" in sequence or sequence in previous:
            raise ValueError(f"bug in the reader: bad or repeated sequence {sequence!r}")
        previous.add(sequence)
        yield Shard(f"{sequence}.tfrecord", members)


def write(partial, shard, report_progress=None):
    """Writes a shard and its note into the hidden folder; no file if no person is left.

    Args:
      partial: Path, from `publish.unfinished_run`.
      shard: Shard.
      report_progress: function of the number of people done since its last call.

    Returns:
      dict: file, records, and the counts of a Tally.

    Raises:
      InputError: it cannot be written.
    """
    from data_prep.writing import conversion  # TensorFlow: only workers need it

    tally = Tally()

    def records():
        for group in shard.groups:
            yield from tally.count_skipped(conversion.encode(group))
            if report_progress:
                report_progress(len(group))

    count = write_file(partial / shard.file, records())
    counts = {"file": shard.file, "records": count, **tally.counts()}
    publish.commit_shard(partial, shard.file, counts)
    return counts


def write_file(path, records):
    """Writes serialized records into one file and returns how many; no file if there are none.

    Raises:
      InputError: it cannot be written.
    """
    import tensorflow as tf

    records = iter(records)
    first = list(itertools.islice(records, 1))
    if not first:
        return 0
    count = 0
    with publish.atomic_file(path) as unfinished:
        with publish.write_errors_as_input_errors(path.parent, tf.errors.OpError):
            writer = tf.io.TFRecordWriter(str(unfinished))
        try:
            for record in itertools.chain(first, records):
                with publish.write_errors_as_input_errors(path.parent, tf.errors.OpError):
                    writer.write(record)
                count += 1
        finally:
            with publish.write_errors_as_input_errors(path.parent, tf.errors.OpError):
                writer.close()
    return count

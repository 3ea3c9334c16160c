"""People -> shards, one task each. Who is in which file is known before an image is opened."""

import itertools
from collections.abc import Iterable
from typing import NamedTuple

from data_prep.labelled import VideoFrame


class Shard(NamedTuple):
    """One file, which one process writes alone."""

    file: str
    groups: Iterable  # lists of people of one image, as of `by_image`


def by_image(items):
    """Puts the people of one image file, who follow each other, into one list; others alone."""
    for image, group in itertools.groupby(items, image_path):
        if image is None:
            yield from ([item] for item in group)
        else:
            yield list(group)


def image_path(item):
    """Path or VideoFrame of a LabelledPerson; None for an image array and for a MocapPose."""
    image = getattr(item, "image", None)
    return image if isinstance(image, (str, VideoFrame)) else None


def numbered(groups, shard_name, size):
    """Cuts a stream of lists into shards.

    A shard takes whole lists (the people of one image) until it has `size` members or more, as the
    original's `coco_to_tfrecords.py:318-331`. Its groups are a stream too, to be read before the
    next shard is asked for.

    Args:
      groups: lists, as of `by_image`.
      shard_name: with a place for the number, as "train_%03d.tfrecord".
      size: int.
    """
    groups = iter(groups)
    for number, first in enumerate(groups):
        yield Shard(shard_name % number, _until_full(first, groups, size))


def _until_full(first, others, size):
    taken = 0
    for group in itertools.chain([first], others):
        yield group
        taken += len(group)
        if taken >= size:
            return


def by_sequence(groups, shard_name):
    """One shard for each sequence, whose frames follow each other; otherwise as `numbered`.

    `shard_name` has a place for the sequence, as "%s.tfrecord".
    """
    seen = set()
    for sequence, members in itertools.groupby(groups, lambda group: group[0].sequence):
        if not sequence or "/" in sequence or sequence in seen:
            raise ValueError(f"sequence {sequence!r} of the reader: no name, or in two pieces")
        seen.add(sequence)
        yield Shard(shard_name % sequence, members)

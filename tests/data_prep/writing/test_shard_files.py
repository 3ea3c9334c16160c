"""Which people are in which shard: the people of an image together, before it is opened."""

import itertools

import numpy as np
import pytest

from data_prep.reader_items import LabelledPerson
from data_prep.writing import shard_files
from data_prep.writing.shard_files import ShardNames

BY_SEQUENCE = ShardNames("test", is_by_sequence=True)


def members(shard):
    return [member for group in shard.groups for member in group]


@pytest.mark.parametrize(
    ("groups", "size", "expected"),
    [
        ([[1, 2, 3], [4], [5, 6], [7]], 2, [[1, 2, 3], [4, 5, 6], [7]]),
        ([[1], [2], [3], [4]], 2, [[1, 2], [3, 4]]),
        ([[1], [2]], 10, [[1, 2]]),
        ([], 3, []),
    ],
)
def test_shard_files_people_of_an_image_stay_together(groups, size, expected):
    taken = {
        shard.file: members(shard) for shard in shard_files.plan(groups, ShardNames("train"), size)
    }
    names = [f"train_{number:03d}.tfrecord" for number in range(len(expected))]
    assert taken == dict(zip(names, expected))


def test_shard_files_people_are_read_lazily():
    first = next(shard_files.plan(itertools.repeat([1, 2]), ShardNames("train"), 3))
    assert list(first.groups) == [[1, 2], [1, 2]]


def frames(*sequences):
    image = np.zeros((1, 1, 3), np.uint8)
    return [
        [LabelledPerson(image, np.zeros((19, 2)), np.ones(19), sequence=name)] for name in sequences
    ]


def test_shard_files_sequence_is_one_shard_of_its_name():
    shards = shard_files.plan(
        frames("S9_Walking_0_cam0", "S9_Walking_0_cam0", "b"), BY_SEQUENCE, size=1
    )
    sizes = {shard.file: len(list(shard.groups)) for shard in shards}
    assert sizes == {"S9_Walking_0_cam0.tfrecord": 2, "b.tfrecord": 1}


@pytest.mark.parametrize("names", [("",), ("a/b",), ("a", "b", "a")])
def test_shard_files_impossible_sequence_name_is_a_bug(names):
    with pytest.raises(ValueError, match="sequence"):
        [list(shard.groups) for shard in shard_files.plan(frames(*names), BY_SEQUENCE, size=1)]


@pytest.mark.parametrize(
    ("names", "first", "others"),
    [
        (ShardNames("train"), "train_000.tfrecord", ["train_x.tfrecord", "test_000.tfrecord"]),
        (
            ShardNames("val", digits=4, suffix="_wmeta"),
            "val_0000_wmeta.tfrecord",
            ["val_0000.tfrecord", "xval_0000_wmeta.tfrecord", "val_0000_wmeta.tfrecord.json"],
        ),
        (ShardNames("H3.6"), "H3.6_000.tfrecord", ["H306_000.tfrecord"]),
    ],
)
def test_shard_files_shard_names_match_their_files_only(names, first, others):
    assert names.numbered(0) == first
    assert names.match(first)
    assert names.match(names.numbered(12_345))
    assert not any(map(names.match, others))

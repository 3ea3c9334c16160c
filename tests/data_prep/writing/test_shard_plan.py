"""Who is in which shard: known before an image is opened, and the people of an image together."""

import itertools

import numpy as np
import pytest

from data_prep.labelled import LabelledPerson
from data_prep.writing import shard_plan


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
def test_an_image_is_never_cut_in_two(groups, size, expected):
    taken = {
        shard.file: members(shard)
        for shard in shard_plan.numbered(groups, "train_%03d.tfrecord", size)
    }
    names = [f"train_{number:03d}.tfrecord" for number in range(len(expected))]
    assert taken == dict(zip(names, expected))


def test_people_are_read_as_they_are_needed():
    first = next(shard_plan.numbered(itertools.repeat([1, 2]), "%d", 3))
    assert list(first.groups) == [[1, 2], [1, 2]]


def frames(*sequences):
    image = np.zeros((1, 1, 3), np.uint8)
    return [
        [LabelledPerson(image, np.zeros((19, 2)), np.ones(19), sequence=name)] for name in sequences
    ]


def test_a_sequence_is_one_shard_of_its_name():
    found = shard_plan.by_sequence(
        frames("S9_Walking_0_cam0", "S9_Walking_0_cam0", "b"), "%s.tfrecord"
    )
    sizes = {shard.file: len(list(shard.groups)) for shard in found}
    assert sizes == {"S9_Walking_0_cam0.tfrecord": 2, "b.tfrecord": 1}


@pytest.mark.parametrize("names", [("",), ("a/b",), ("a", "b", "a")])
def test_a_sequence_that_is_no_file_is_a_bug_of_the_reader(names):
    with pytest.raises(ValueError, match="sequence"):
        [list(shard.groups) for shard in shard_plan.by_sequence(frames(*names), "%s.tfrecord")]

"""A test set whose file is damaged: the record is named."""

import numpy as np
import pytest

from hmr_tf.data import record
from hmr_tf.evaluation import evaluation_set
from hmr_tf.files.errors import InputError
from tests.fakes.image_records import image_record, write


@pytest.fixture
def paths(tmp_path, rng):
    """Two shards of three people."""
    image = np.zeros((64, 64, 3), np.uint8)
    for shard in range(2):
        people = [image_record(image, rng.uniform(0, 64, (19, 2)), filename="a") for _ in range(3)]
        write(tmp_path / f"test_{shard:03}.tfrecord", people)
    return sorted(tmp_path.glob("*.tfrecord"))


def cut(content):
    return content[:-9]


def with_another_byte(content):
    return content[:-9] + bytes([content[-9] ^ 255]) + content[-8:]


def test_evaluation_set_reads_all_people(paths):
    frames = evaluation_set.read(paths, record.decode_labels)
    assert frames.file.tolist() == [0, 0, 0, 1, 1, 1]
    assert frames.number.tolist() == [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize("damage", [cut, with_another_byte])
def test_evaluation_set_names_a_record_that_is_damaged(paths, damage):
    paths[1].write_bytes(damage(paths[1].read_bytes()))
    with pytest.raises(InputError, match=r"test_001\.tfrecord: record 3 is corrupt") as error:
        evaluation_set.read(paths, record.decode_labels)
    assert "\n" not in str(error.value)

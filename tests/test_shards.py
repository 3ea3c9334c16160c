"""Shards appear whole or not at all, and a second run replaces the first."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from data_prep import shards
from hmr_tf.errors import InputError

ROOT = Path(__file__).resolve().parents[1]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def write(folder, records, size=2, fail_at=None):
    """Writes `records` one by one; returns the number of each shard."""

    def stream(groups):
        for group in groups:
            for record in group:
                if record == fail_at:
                    raise ValueError("a bug in the middle")
                yield record

    counts = []
    with shards.publishing(folder, "train_%03d.tfrecord", "train_index.json") as partial:
        for number, groups in enumerate(shards.chunks([[r] for r in records], size)):
            path = partial / f"train_{number:03d}.tfrecord"
            counts.append(shards.write_shard(path, stream(groups)))
        shards.write_index(partial / "train_index.json", {"records": sum(counts)})
    return counts


RECORDS = [b"a", b"b", b"c", b"d", b"e"]


def test_shards_and_index_are_written(tmp_path):
    assert write(tmp_path / "new" / "lsp", RECORDS) == [2, 2, 1]
    written = [f"train_{number:03d}.tfrecord" for number in range(3)]
    assert names(tmp_path / "new" / "lsp") == [*written, "train_index.json"]
    index = json.loads((tmp_path / "new" / "lsp" / "train_index.json").read_text())
    assert index == {"records": 5}


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
    taken = [
        [member for group in chunk for member in group] for chunk in shards.chunks(groups, size)
    ]
    assert taken == expected


def test_chunks_are_read_as_they_are_needed():
    def endless():
        while True:
            yield [1, 2]

    first = next(shards.chunks(endless(), 3))
    assert list(first) == [[1, 2], [1, 2]]


def test_a_second_run_replaces_the_first(tmp_path):
    write(tmp_path, RECORDS, size=1)
    others = ["test_000.tfrecord", "train_index_of_mine.txt", "train_x.tfrecord"]
    for other in others:
        (tmp_path / other).write_text("mine")
    write(tmp_path, RECORDS[:2], size=1)
    ours = ["train_000.tfrecord", "train_001.tfrecord", "train_index.json"]
    assert names(tmp_path) == sorted(others + ours)


def test_a_fault_in_the_middle_leaves_no_half_file(tmp_path):
    with pytest.raises(ValueError, match="a bug"):
        write(tmp_path, RECORDS, fail_at=b"d")
    assert names(tmp_path) == []


def test_a_fault_in_the_middle_keeps_the_last_run(tmp_path):
    write(tmp_path, RECORDS)
    before = {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}
    with pytest.raises(ValueError, match="a bug"):
        write(tmp_path, RECORDS[::-1], fail_at=b"a")
    assert {name: (tmp_path / name).read_bytes() for name in names(tmp_path)} == before


def test_an_empty_shard_is_no_file(tmp_path):
    assert shards.write_shard(tmp_path / "train_000.tfrecord", []) == 0
    assert names(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot write to .*file"):
        write(tmp_path / "file" / "lsp", RECORDS)


def test_a_full_disk_is_named(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system: nothing else refuses to be written to")
    (tmp_path / "train_000.unfinished").symlink_to("/dev/full")
    with pytest.raises(InputError, match=r"cannot write to .*[Nn]o space"):
        shards.write_shard(tmp_path / "train_000.tfrecord", [b"x" * 1000] * 1000)


def test_a_fault_of_the_reader_is_not_called_a_full_disk(tmp_path):
    def records():
        yield b"a"
        raise FileNotFoundError("a bug in a reader")

    with pytest.raises(FileNotFoundError):
        shards.write_shard(tmp_path / "train_000.tfrecord", records())


SLOW = """
import sys, time
from data_prep import shards
def slow():
    for number in range(100):
        yield bytes(10000)
        print(number, flush=True)
        time.sleep(0.01 if number < 5 else 60)
with shards.publishing(sys.argv[1], "train_%03d.tfrecord", "train_index.json") as partial:
    for number in range(2):
        shards.write_shard(partial / f"train_{number:03d}.tfrecord", slow())
"""


def test_after_a_kill_the_next_run_is_whole(tmp_path):
    write(tmp_path, RECORDS)
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
    )
    assert [process.stdout.readline() for _ in range(6)][-1] == b"5\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not [path for path in tmp_path.rglob(".*/*.tfrecord")]
    assert json.loads((tmp_path / "train_index.json").read_text()) == {"records": 5}
    assert write(tmp_path, RECORDS[:1]) == [1]
    assert names(tmp_path) == ["train_000.tfrecord", "train_index.json"]

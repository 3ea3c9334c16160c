"""Shards appear all or not at all; a second run replaces the first; a stopped run is resumed."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from data_prep.writing import publish, shard_files
from data_prep.writing.shard_files import ShardNames
from hmr_tf.files import atomic
from hmr_tf.files.errors import InputError

ROOT = Path(__file__).resolve().parents[3]
RECORDS = [b"a", b"b", b"c", b"d", b"e"]
RUN = {"options": {"size": 2}}


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def write(folder, records, size=2, fail_at=None, run=RUN, is_by_sequence=False):
    """Writes `records`; returns the files that this run, not the one before, wrote."""

    def stream(chunk):
        for record in chunk:
            if record == fail_at:
                raise ValueError("a bug in the middle")
            yield record

    index, ours = {"shards": []}, []
    names = ShardNames("train", is_by_sequence=is_by_sequence)
    with publish.unfinished_run(folder, "train_index.json", run) as partial:
        for start in range(0, len(records), size):
            number = start // size
            file = f"{number}.tfrecord" if is_by_sequence else names.numbered(number)
            if not publish.finished_shard(partial, file):
                ours.append(file)
                chunk = records[start : start + size]
                count = shard_files.write_file(partial / file, stream(chunk))
                publish.commit_shard(partial, file, {"records": count})
            index["shards"].append({"file": file, **publish.finished_shard(partial, file)})
        publish.publish(partial, folder, names, "train_index.json", index)
    return ours


def test_publish_leftovers_of_a_killed_worker_are_removed(tmp_path):
    partial = tmp_path / ".train_index.partial"
    partial.mkdir()
    with atomic.unfinished(partial / "train_000.tfrecord") as left:
        name = left.name
    for extension in ("", ".json"):
        (partial / f"{name}{extension}").write_text("half of it")
    publish.write_json(partial / "run.json", RUN)
    write(tmp_path, RECORDS[:2])
    assert names(tmp_path) == ["train_000.tfrecord", "train_index.json"]
    assert len((tmp_path / "train_000.tfrecord").read_bytes()) == 2 * 17


def test_publish_shards_and_index_are_written(tmp_path):
    write(tmp_path / "new" / "lsp", RECORDS)
    written = [f"train_{number:03d}.tfrecord" for number in range(3)]
    assert names(tmp_path / "new" / "lsp") == [*written, "train_index.json"]
    index = json.loads((tmp_path / "new" / "lsp" / "train_index.json").read_text())
    assert [shard["records"] for shard in index["shards"]] == [2, 2, 1]


def test_publish_second_run_replaces_the_first(tmp_path):
    write(tmp_path, RECORDS, size=1)
    others = ["test_000.tfrecord", "train_index_of_mine.txt", "train_x.tfrecord"]
    for other in others:
        (tmp_path / other).write_text("mine")
    write(tmp_path, RECORDS[:2], size=1)
    ours = ["train_000.tfrecord", "train_001.tfrecord", "train_index.json"]
    assert names(tmp_path) == sorted(others + ours)


def test_publish_second_run_replaces_all_sequences(tmp_path):
    write(tmp_path, RECORDS, is_by_sequence=True)
    write(tmp_path, RECORDS[:2], is_by_sequence=True)
    assert names(tmp_path) == ["0.tfrecord", "train_index.json"]


def test_publish_fault_in_the_middle_shows_nothing_and_keeps_finished_shards(tmp_path):
    with pytest.raises(ValueError, match="a bug"):
        write(tmp_path, RECORDS, fail_at=b"d")
    assert names(tmp_path) == [".train_index.partial"]
    whole = ["run.json", "train_000.tfrecord", "train_000.tfrecord.json"]
    assert names(tmp_path / ".train_index.partial") == whole
    assert write(tmp_path, RECORDS) == ["train_001.tfrecord", "train_002.tfrecord"]
    assert names(tmp_path) == [f"train_00{i}.tfrecord" for i in range(3)] + ["train_index.json"]


def test_publish_error_in_the_first_shard_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="a bug"):
        write(tmp_path, RECORDS, fail_at=b"b")
    assert names(tmp_path) == []
    with pytest.raises(ValueError, match="a bug"):
        write(tmp_path / "new" / "lsp", RECORDS, fail_at=b"b")
    assert names(tmp_path) == []


def test_publish_other_options_start_again(tmp_path):
    with pytest.raises(ValueError, match="a bug"):
        write(tmp_path, RECORDS, fail_at=b"e")
    assert len(write(tmp_path, RECORDS, run={"options": {"size": 3}})) == 3


@pytest.mark.parametrize("content", ["", "{", "[]", "[" * 100_000])
def test_publish_unreadable_notes_count_as_missing(content, tmp_path):
    with pytest.raises(ValueError, match="a bug"):
        write(tmp_path, RECORDS, fail_at=b"e")
    partial = tmp_path / ".train_index.partial"
    (partial / "train_000.tfrecord.json").write_text(content)
    (partial / "train_001.tfrecord").unlink()
    assert len(write(tmp_path, RECORDS)) == 3


def test_publish_error_in_the_middle_keeps_the_last_run(tmp_path):
    write(tmp_path, RECORDS)
    before = {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}
    with pytest.raises(ValueError, match="a bug"):
        write(tmp_path, RECORDS[::-1], fail_at=b"e")
    assert {name: (tmp_path / name).read_bytes() for name in names(tmp_path)} == before


def test_publish_refuses_a_second_process(tmp_path):
    with publish.unfinished_run(tmp_path, "train_index.json", RUN):
        with pytest.raises(InputError, match="another process is writing to"):
            write(tmp_path, RECORDS)


def test_publish_empty_shard_is_no_file(tmp_path):
    assert shard_files.write_file(tmp_path / "train_000.tfrecord", []) == 0
    assert names(tmp_path) == []


def test_publish_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot write to .*file"):
        write(tmp_path / "file" / "lsp", RECORDS)


def test_publish_full_disk_is_named(tmp_path, monkeypatch):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system: nothing else refuses to be written to")
    path = tmp_path / "train_000.tfrecord"
    monkeypatch.setattr(atomic.secrets, "token_hex", lambda size: "0")
    atomic.unfinished_path(path).symlink_to("/dev/full")
    with pytest.raises(InputError, match=r"cannot write to .*[Nn]o space"):
        shard_files.write_file(path, [b"x" * 1000] * 1000)
    assert names(tmp_path) == []


def test_publish_reader_error_is_not_called_a_full_disk(tmp_path):
    def records():
        yield b"a"
        raise FileNotFoundError("a bug in a reader")

    with pytest.raises(FileNotFoundError):
        shard_files.write_file(tmp_path / "train_000.tfrecord", records())
    assert names(tmp_path) == []


SLOW = """
import sys, time
from data_prep.writing import publish, shard_files
from data_prep.writing.shard_files import ShardNames
from hmr_tf.files import atomic
def slow(number):
    for i in range(100):
        yield bytes(10000)
        if number:
            print(i, flush=True)
            time.sleep(0.01 if i < 5 else 60)
with publish.unfinished_run(sys.argv[1], "train_index.json", {"options": {"size": 2}}) as partial:
    for number in range(2):
        file = f"train_{number:03d}.tfrecord"
        count = shard_files.write_file(partial / file, slow(number))
        publish.commit_shard(partial, file, {"records": count})
"""


def test_publish_next_run_after_a_kill_is_complete(tmp_path):
    write(tmp_path, RECORDS)
    index = (tmp_path / "train_index.json").read_bytes()
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
    )
    assert [process.stdout.readline() for _ in range(6)][-1] == b"5\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    partial = tmp_path / ".train_index.partial"
    left = [name for name in names(partial) if not name.startswith(atomic.UNFINISHED)]
    assert left == ["run.json", "train_000.tfrecord", "train_000.tfrecord.json"]
    assert (tmp_path / "train_index.json").read_bytes() == index
    assert write(tmp_path, RECORDS) == ["train_001.tfrecord", "train_002.tfrecord"]
    assert names(tmp_path) == [f"train_00{i}.tfrecord" for i in range(3)] + ["train_index.json"]

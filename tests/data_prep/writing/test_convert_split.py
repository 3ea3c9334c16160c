"""A whole conversion: killed and resumed, with workers or without, one file for each sequence."""

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from data_prep.reader_items import LabelledPerson, MocapPose, Skipped
from data_prep.writing import convert_split, shard_files
from data_prep.writing.shard_files import ShardNames
from hmr_tf.files.errors import InputError
from tests.fakes.conversions import contents, job, records_of_shards
from tests.fakes.dataset_fakes import write_lsp

ROOT = Path(__file__).resolve().parents[3]


def test_engine_one_file_for_each_sequence(people, tmp_path):
    result = convert_split.convert(
        job(tmp_path / "out", shard_names=ShardNames("test", is_by_sequence=True)), people
    )
    assert records_of_shards(tmp_path / "out") == {"S9_a_0_cam0.tfrecord": 3, "b.tfrecord": 2}
    assert [shard["records"] for shard in result.index["shards"]] == [3, 2]
    assert (tmp_path / "out" / "test_index.json").is_file()


@pytest.fixture
def stopped(people, tmp_path, monkeypatch):
    """Stops a conversion at its second shard of two; returns the names of those begun since."""

    def stopped(**options):
        write, begun = shard_files.write, []

        def stops(partial, shard, report_progress):
            begun.append(shard.file)
            if len(begun) == 2:
                raise InputError("the disk is full")
            return write(partial, shard, report_progress)

        monkeypatch.setattr(shard_files, "write", stops)
        with pytest.raises(InputError, match="is full"):
            convert_split.convert(job(tmp_path / "out", **options), people)
        assert contents(tmp_path / "out") == {}
        return begun

    return stopped


@pytest.mark.parametrize("is_streamed", [False, True])
def test_engine_finished_shards_are_kept(is_streamed, stopped, people, tmp_path):
    options = {"is_streamed": is_streamed}
    convert_split.convert(job(tmp_path / "whole", **options), people)
    begun = stopped(**options)
    result = convert_split.convert(job(tmp_path / "out", **options), people)
    assert begun == ["test_000.tfrecord", "test_001.tfrecord", "test_001.tfrecord"]
    assert result.num_resumed == 1
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


@pytest.mark.parametrize(
    "more",
    [
        {"options": {"seed": 1}},
        {"annotation_digests": {"joints.mat": "0"}},
        {"data_dir": "/another"},
    ],
)
def test_engine_other_options_start_again(more, stopped, people, tmp_path):
    stopped()
    assert convert_split.convert(job(tmp_path / "out", **more), people).num_resumed == 0


def test_engine_changed_images_start_again(stopped, people, tmp_path):
    stopped()
    with open(people[-1].image, "ab") as image:
        image.write(b"another size")
    assert convert_split.convert(job(tmp_path / "out"), people).num_resumed == 0


def test_engine_shard_without_people_is_noted_but_no_file(stopped, people, tmp_path):
    Path(people[0].image).write_bytes(b"")
    stopped()
    result = convert_split.convert(job(tmp_path / "out"), people)
    assert result.num_resumed == 1
    assert records_of_shards(tmp_path / "out") == {"test_001.tfrecord": 3}
    assert result.tally.num_problems == 2


def test_engine_no_people_writes_nothing(tmp_path):
    missing = [LabelledPerson("nowhere.jpg", np.ones((19, 2)), np.ones(19))]
    for people in ([], [Skipped("image missing", "x")], missing):
        with pytest.raises(InputError, match="fake test: no people to convert"):
            convert_split.convert(job(tmp_path / "out"), people)
    assert not list(tmp_path.rglob("*.json"))


def test_engine_limit_counts_people(people, tmp_path):
    poses = itertools.repeat(MocapPose(np.zeros(72), np.zeros(10)))
    result = convert_split.convert(job(tmp_path / "a", limit=3, is_streamed=True), poses)
    assert result.index["records"] == 3
    assert convert_split.convert(job(tmp_path / "b", limit=3), people).index["records"] == 3


def test_engine_workers_write_the_same_bytes(people, tmp_path):
    Path(people[2].image).unlink()
    convert_split.convert(job(tmp_path / "one"), people)
    convert_split.convert(job(tmp_path / "two"), people, convert_split.Workers(2))
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert len(contents(tmp_path / "two")) == 3


# Imports TensorFlow once, then runs the command in a child for each line of arguments.
CHILDREN = """
import os, sys
from data_prep import to_tfrecords
from data_prep.writing import conversion  # imports TensorFlow
from hmr_tf.cli import command_line
for line in sys.stdin:
    child = os.fork()
    if not child:
        command_line.run(to_tfrecords.main, to_tfrecords.OPTIONS, argv=line.split())
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture
def start():
    """Starts the command; returns its process id and a function that waits for its exit code."""
    process = subprocess.Popen(
        [sys.executable, "-c", CHILDREN],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )

    def start(**options):
        argv = ["to_tfrecords.py", *(f"--{key}={value}" for key, value in options.items())]
        process.stdin.write(" ".join(argv) + "\n")
        process.stdin.flush()

        def wait():
            lines = iter(process.stdout.readline, "")
            return next(int(line) for line in lines if line.lstrip("-").strip().isdigit())

        return int(process.stdout.readline()), wait

    yield start
    process.communicate()


def test_engine_killed_five_times_gives_the_same_files(start, tmp_path, rng):
    joints = rng.uniform(1, 30, (14, 3, 60))
    joints[:, 2] = 1
    source = write_lsp(tmp_path / "lsp_ext", joints, digits=5)
    options = {"dataset": "lsp_ext", "data_dir": source, "records_per_shard": 1, "num_workers": 1}
    folder = tmp_path / "killed" / "lsp_ext"
    partial, made = folder / ".train_index.partial", {}
    for kill in range(5):
        child, wait = start(output_dir=tmp_path / "killed", **options)
        _wait_for_files(partial, "train_*.json", 6 * (kill + 1))
        time.sleep(rng.uniform(0, 0.005))
        os.kill(child, signal.SIGKILL)
        assert wait() == -signal.SIGKILL
        assert contents(folder) == {}
        noted = {path.stem for path in partial.glob("train_*.json")}
        assert made.keys() <= noted
        made = {name: (partial / name).stat().st_mtime_ns for name in noted}
    assert start(output_dir=tmp_path / "killed", **options)[1]() == 0
    assert {name: (folder / name).stat().st_mtime_ns for name in made} == made
    assert start(output_dir=tmp_path / "whole", **options)[1]() == 0
    assert contents(folder) == contents(tmp_path / "whole" / "lsp_ext")
    assert [path.name for path in folder.glob(".*")] == []


def _wait_for_files(folder, pattern, number):
    deadline = time.monotonic() + 60
    while len(list(folder.glob(pattern))) < number:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_engine_no_people_names_the_first_problem(tmp_path):
    people = [Skipped("a crowd", "x", is_problem=False), Skipped("npz unreadable", "y.npz: SMPL-X")]
    message = (
        r"\(2 skipped \(a crowd: 1, npz unreadable: 1\); the first: npz unreadable, y\.npz: SMPL"
    )
    with pytest.raises(InputError, match=message):
        convert_split.convert(job(tmp_path / "out"), people)

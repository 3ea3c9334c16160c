"""Worker processes: every task once, few at a time; death and failure are reported."""

import functools
import math
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from data_prep.writing import publish, worker_pool
from hmr_tf.files.errors import InputError

ROOT = Path(__file__).resolve().parents[3]


def run(work, tasks, num_workers=2):
    return list(worker_pool.run(work, map(pickle.dumps, tasks), num_workers))


def test_worker_pool_does_every_task_once():
    assert sorted(run(math.factorial, range(9))) == sorted(map(math.factorial, range(9)))


def test_worker_pool_takes_tasks_when_a_worker_is_free():
    taken = []

    def tasks():
        for number in range(20):
            taken.append(number)
            yield pickle.dumps(number)

    for done, _ in enumerate(worker_pool.run(math.factorial, tasks(), 2)):
        assert len(taken) <= done + 4  # two at work, two that have just sent a result


def test_worker_pool_accepts_no_tasks():
    assert run(math.factorial, []) == []


def test_worker_pool_passes_on_input_errors():
    with pytest.raises(InputError, match="cannot write to /proc/nothing"):
        run(functools.partial(publish.write_json, "/proc/nothing/x"), [{}])


def test_worker_pool_passes_on_tracebacks():
    with pytest.raises(RuntimeError, match=r"Traceback[^Z]*ValueError: math domain error"):
        run(math.sqrt, [4, -1])


@pytest.mark.parametrize(
    ("work", "task", "how"),
    [(signal.raise_signal, 9, r"was killed \(SIGKILL\)"), (os._exit, 3, r"ended \(exit code 3\)")],
)
def test_worker_pool_dead_worker_is_named_in_one_line(work, task, how):
    with pytest.raises(InputError, match=f"a worker process {how}.*--num_workers"):
        run(work, [task])


PARENT = """
import pickle, signal
from data_prep.writing import worker_pool
signal.signal(signal.SIGINT, signal.default_int_handler)
code = "import os, time; os.write(1, str(os.getpid()).ljust(9).encode()); time.sleep(60)"
list(worker_pool.run(exec, [pickle.dumps(code)] * 2, 2))
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_worker_pool_workers_end_with_their_parent(number):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    workers = [int(parent.stdout.read(9)) for _ in range(2)]
    assert all(map(_lives, workers))
    parent.send_signal(number)
    parent.communicate()
    deadline = time.monotonic() + 10
    while any(map(_lives, workers)):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _lives(pid):
    """Whether there is such a process, and more of it than its exit code."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False

"""Worker processes of this machine, one task each at a time. A worker that dies ends the run.

TensorFlow must not be forked once it is imported, so workers are spawned. They import it
themselves; this process does not need it.
"""

import contextlib
import itertools
import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from concurrent import futures
from concurrent.futures.process import BrokenProcessPool

from hmr_tf.files.errors import InputError

# One thread each: there is a worker for every core.
_ONE_THREAD = {
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENCV_FOR_THREADS_NUM": "1",
}


def available_cores():
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run(work, tasks, num_workers):
    """Does all tasks. The next task is taken from `tasks` only when a worker is free.

    Args:
      work: module-level function of one task.
      tasks: iterable of pickled tasks.
      num_workers: int.

    Yields:
      What `work` returned, in the order in which the tasks are finished.

    Raises:
      InputError: as `work` raised it; or a worker was killed.
      RuntimeError: `work` raised something else; the message has its traceback.
    """
    tasks, workers = iter(tasks), []
    pool = futures.ProcessPoolExecutor(
        num_workers, mp_context=multiprocessing.get_context("spawn"), initializer=_exit_with_parent
    )
    try:
        pending = _submit_first(pool, work, itertools.islice(tasks, num_workers), workers)
        while pending:
            done, pending = futures.wait(pending, return_when=futures.FIRST_COMPLETED)
            for future in done:
                value = _result_or_raise(*future.result())
                following = itertools.islice(tasks, 1)
                pending |= {pool.submit(_run_task, work, task) for task in following}
                yield value
    except BrokenProcessPool:
        pool.shutdown()  # waits for the exit codes
        raise _worker_error(workers) from None
    finally:
        for worker in workers:  # in the middle of their tasks, if need be
            worker.kill()
        pool.shutdown()


def _submit_first(pool, work, tasks, workers):
    """Futures of the first tasks. Appends the processes that the pool starts for them."""
    others = multiprocessing.active_children()
    with environment(_ONE_THREAD), _ignored(signal.SIGINT):  # the workers inherit both
        try:
            return {pool.submit(_run_task, work, task) for task in tasks}
        finally:
            workers += [p for p in multiprocessing.active_children() if p not in others]


def _exit_with_parent():
    """Ends this worker when the parent is gone, even by SIGKILL."""
    parent = multiprocessing.parent_process()
    threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()


def _run_task(work, task):
    """Runs in a worker. Exceptions travel as text: not all of them can be pickled."""
    try:
        return "done", work(pickle.loads(task))
    except InputError as error:
        return "input error", str(error)
    except Exception:
        return "bug", traceback.format_exc()


def _result_or_raise(kind, value):
    if kind == "input error":
        raise InputError(value)
    if kind == "bug":
        raise RuntimeError(f"a worker process failed:\n{value}")
    return value


def _worker_error(workers):
    """InputError about how a worker ended; the pool has stopped the others by SIGTERM."""
    codes = [worker.exitcode for worker in workers]
    code = next((code for code in codes if code != -signal.SIGTERM), -signal.SIGTERM)
    how = f"was killed ({signal.Signals(-code).name})" if code < 0 else f"ended (exit code {code})"
    return InputError(
        f"a worker process {how}, perhaps because memory ran out; the same command continues "
        "after the finished shards, with fewer --num_workers if need be"
    )


@contextlib.contextmanager
def environment(variables):
    """Sets environment variables, also for processes that are started meanwhile."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def _ignored(number):
    before = signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(number, before)

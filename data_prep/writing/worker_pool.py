"""Worker processes that do one task at a time. A worker that dies ends the run in one line.

TensorFlow must not be forked once it is imported, so workers are started anew (spawn). They import
it at the same time, while this process does not need it.
"""

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import pickle
import signal
import threading
import traceback

from hmr_tf.files.errors import InputError

# Each worker is one of many: what it starts threads for, others do beside it.
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
    """Does all tasks, each worker one at a time, and asks for a task only when one is free.

    Args:
      work: function of a module, of one task; what it returns is sent back.
      tasks: iterable of pickled tasks.
      num_workers: int.

    Yields:
      What `work` returned, in the order in which the tasks are done.

    Raises:
      InputError: as `work` raised it; or a worker was killed.
      RuntimeError: `work` raised something else; the message has its traceback.
    """
    tasks = iter(tasks)
    with _workers(work, num_workers) as workers:
        while workers:
            for pipe in multiprocessing.connection.wait(list(workers)):
                result = _receive(pipe, workers[pipe])
                task = next(tasks, None)
                if task is None:
                    del workers[pipe]
                else:
                    _send(pipe, workers[pipe], task)
                if result is not None:
                    yield result


@contextlib.contextmanager
def _workers(work, number):
    """dict: pipe -> process. In the end all are stopped in what they do."""
    context, workers = multiprocessing.get_context("spawn"), {}
    try:
        with environment(_ONE_THREAD), _ignored(signal.SIGINT):  # both are handed on
            for _ in range(number):
                pipe, theirs = context.Pipe()
                process = context.Process(target=_serve, args=(theirs,), daemon=True)
                process.start()
                theirs.close()
                workers[pipe] = process
        for pipe, process in workers.items():
            _send(pipe, process, pickle.dumps(work))
        yield dict(workers)
    finally:
        for process in workers.values():
            process.kill()
        for pipe, process in workers.items():
            process.join()
            pipe.close()


def _serve(pipe):
    """A worker's life: takes the function, says that it is ready, does the tasks."""
    # However the parent ends, no orphan writes on.
    parent = multiprocessing.parent_process()
    threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()
    with contextlib.suppress(EOFError, OSError):  # of the pipe: the parent is no more
        work = pipe.recv()  # imports its module
        pipe.send(("ready", None))
        while True:
            pipe.send(_outcome(work, pipe.recv()))


def _outcome(work, task):
    try:
        return "done", work(task)
    except InputError as error:
        return "input error", str(error)
    except Exception:
        return "bug", traceback.format_exc()


def _receive(pipe, process):
    try:
        kind, value = pipe.recv()
    except (EOFError, OSError):
        raise _death(process) from None
    if kind == "input error":
        raise InputError(value)
    if kind == "bug":
        raise RuntimeError(f"a worker process failed:\n{value}")
    return value


def _send(pipe, process, task):
    try:
        pipe.send_bytes(task)
    except OSError:
        raise _death(process) from None


def _death(process):
    process.join()
    code = process.exitcode
    how = f"was killed ({signal.Signals(-code).name})" if code < 0 else f"ended (exit code {code})"
    return InputError(
        f"a worker process {how}, perhaps for want of memory; the same command goes on from the "
        "shards that are whole, with fewer --num_workers if need be"
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

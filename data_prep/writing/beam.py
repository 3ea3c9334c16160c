"""The tasks of `worker_pool`, run by Apache Beam: for clusters.

All workers must see --data_dir and --output_dir under the same paths (a network file system). Tasks
are passed as files, so that Beam's pipeline holds only their names: some runners limit its size.
"""

import logging
import os
import pickle
import shlex
from pathlib import Path

from data_prep.writing import publish, worker_pool
from hmr_tf.files.errors import InputError

RUNNERS = ("DirectRunner", "DataflowRunner", "FlinkRunner", "SparkRunner")
_REQUIREMENTS = "data_prep/requirements-beam.txt"
_TASK, _FAULT = ".task", ".fault"


def run(work, tasks, partial, runner, options, num_workers=None):
    """Does all tasks. What `work` returns is not sent back: the caller reads the files it wrote.

    Args:
      work: function of one task, in a module that all workers can import.
      tasks: iterable of names and pickled tasks.
      partial: Path of a folder that all workers see, for the tasks.
      runner: one of `RUNNERS`. DirectRunner is this machine.
      options: text of more options for Beam, as "--project=mine --region=europe-west1".
      num_workers: processes of DirectRunner; None: one for each core.

    Raises:
      InputError: Beam is not installed, does not take the options, or the pipeline failed.
    """
    beam, make_options = _import_beam()
    arguments = [f"--runner={runner}", *shlex.split(options)]
    if runner == "DirectRunner":
        # Its mode multi_threading lost records silently.
        processes = num_workers or worker_pool.available_cores()
        arguments += ["--direct_running_mode=multi_processing", f"--direct_num_workers={processes}"]
        # On this machine errors are raised here; the workers need not log them too.
        arguments.append("--default_sdk_harness_log_level=CRITICAL")
        logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
    paths = []
    try:
        for name, task in tasks:
            paths.append(str((partial / name).absolute()) + _TASK)
            with publish.write_errors_as_input_errors(partial):
                Path(paths[-1]).write_bytes(pickle.dumps((work, task)))
        with worker_pool.environment({"PYTHONPATH": _python_path()}):
            with beam.Pipeline(options=make_options(arguments)) as pipeline:
                _ = pipeline | beam.Create(paths) | beam.Reshuffle() | beam.Map(run_task)
    except RuntimeError as error:  # Beam's wrapper of a worker's exception
        reason = str(error).strip().splitlines()[-1][:300]
        raise InputError(
            f"the Beam pipeline failed ({reason}); start again: finished shards are kept"
        ) from error
    finally:
        for path in paths:
            Path(path).unlink(missing_ok=True)
    for fault in sorted(partial.glob("*" + _FAULT)):
        raise InputError(fault.read_text())


def run_task(path):
    """Runs in a Beam worker: does the task in a file."""
    path = Path(path)
    work, task = pickle.loads(path.read_bytes())
    try:
        work(pickle.loads(task))
    except InputError as error:
        path.write_text(str(error))  # over the task: there is room even on a full disk
        path.rename(path.with_suffix(_FAULT))


def _import_beam():
    try:
        import apache_beam
        from apache_beam.options.pipeline_options import PipelineOptions
    except ImportError as error:
        raise InputError(
            f"--runner needs Apache Beam ({error}): pip install -r {_REQUIREMENTS}; or leave "
            "--runner out, which is faster on one machine"
        ) from error
    return apache_beam, PipelineOptions


def _python_path():
    """PYTHONPATH with which workers on this machine import the project."""
    root = str(Path(__file__).resolve().parents[2])
    return os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))

"""The devices of a training run: one, all GPUs of a machine, or those of several machines."""

import os

import tensorflow as tf
from absl import logging

from hmr_tf.files.errors import InputError
from hmr_tf.training import cluster

_LOST_WORKER_ERRORS = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
)


def strategy(distribute, worker_timeout_s=0.0):
    """The tf.distribute.Strategy of --distribute; to be made before anything is computed.

    Args:
      distribute: value of --distribute.
      worker_timeout_s: how long to wait for the other workers; 0: for ever.

    Raises:
      InputError: --distribute=multi_worker without a valid TF_CONFIG, or a worker is missing.
    """
    if distribute == "mirrored":
        kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
        names = [device.name for device in tf.config.list_logical_devices(kind)]
        return tf.distribute.MirroredStrategy(names)
    if distribute == "multi_worker":
        workers = cluster.read_config(os.environ.get("TF_CONFIG", ""))
        cluster.wait_for_workers(workers, worker_timeout_s)
        return tf.distribute.MultiWorkerMirroredStrategy()
    return tf.distribute.get_strategy()


def num_workers(strategy):
    """Number of processes that train together."""
    resolver = strategy.cluster_resolver
    if not resolver:
        return 1
    jobs = resolver.cluster_spec().as_dict()
    return sum(len(jobs.get(name, ())) for name in ("chief", "worker"))


def worker_index(strategy):
    """Index of this process; 0 is the chief, which writes the files."""
    resolver = strategy.cluster_resolver
    if not resolver:
        return 0
    has_chief = "chief" in resolver.cluster_spec().as_dict()
    return resolver.task_id + (has_chief and resolver.task_type == "worker")


def is_chief(strategy):
    """Whether this process writes the files."""
    return worker_index(strategy) == 0


def log_on_chief_only(strategy):
    """Silences messages below warnings on all workers but the chief."""
    if not is_chief(strategy):
        logging.set_verbosity(logging.WARNING)


def any_worker(strategy, flags):
    """Element-wise "or" over all workers, which must call this at the same step.

    Args:
      strategy: tf.distribute.Strategy.
      flags: list of bool of this worker.

    Returns:
      list of bool.
    """
    if num_workers(strategy) == 1:
        return flags
    local = strategy.run(lambda: tf.cast(tf.constant(flags), tf.float32))
    total = strategy.reduce(tf.distribute.ReduceOp.SUM, local, axis=None)
    return [bool(value) for value in total.numpy() > 0]


def broadcast_from_chief(strategy, value):
    """The chief's value, a bool; all workers must call this at the same step."""
    return any_worker(strategy, [value and is_chief(strategy)])[0]


def lost_worker_error(error, strategy):
    """InputError if `error` means that another worker was lost, else None."""
    if num_workers(strategy) == 1 or not isinstance(error, _LOST_WORKER_ERRORS):
        return None
    return InputError(
        f"Another worker was lost ({type(error).__name__}), the training cannot go on without it: "
        "start all workers again with --load_path, from the last checkpoint."
    )


def describe(strategy):
    """Number and kind of the devices, as text."""
    gpus = tf.config.list_physical_devices("GPU")
    kind = "GPU" if gpus else "CPU"
    text = f"{strategy.num_replicas_in_sync} {kind}{'s' * (strategy.num_replicas_in_sync > 1)}"
    if num_workers(strategy) > 1:
        text += f" on {num_workers(strategy)} workers, this is number {worker_index(strategy)}"
    return text

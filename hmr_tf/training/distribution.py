"""The devices of a training run: one, all GPUs of a machine, or those of several machines."""

import os
import signal

import tensorflow as tf
from absl import logging

from hmr_tf.files.errors import InputError
from hmr_tf.training import cluster, cluster_wait

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
        cluster_wait.wait_for_workers(workers, worker_timeout_s)
        return _connected(workers)
    return tf.distribute.get_strategy()


def _connected(workers):
    """The strategy of a `cluster.Cluster` whose workers wait for each other.

    TensorFlow does not return to Python until it has connected them: Ctrl-C ends the process then.
    It gets the jobs that train and no others: for an evaluator it would wait for ever.
    """
    kind, index = workers.task
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec(workers.jobs), task_type=kind, task_id=index, rpc_layer="grpc"
    )
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
    finally:
        for number, handler in before.items():  # TensorFlow sets one for SIGTERM
            signal.signal(number, handler)


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

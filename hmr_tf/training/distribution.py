"""What a training runs on: one device, all GPUs of a machine, or those of several machines."""

import json
import os

import tensorflow as tf
from absl import logging

from hmr_tf.files.errors import InputError

_GONE = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
)


def strategy(distribute):
    """The tf.distribute.Strategy of --distribute; to be made before anything is computed.

    Raises:
      InputError: several workers are wanted, and TF_CONFIG does not say which.
    """
    if distribute == "mirrored":
        kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
        names = [device.name for device in tf.config.list_logical_devices(kind)]
        return tf.distribute.MirroredStrategy(names)
    if distribute == "multi_worker":
        _check_cluster(os.environ.get("TF_CONFIG", ""))
        return tf.distribute.MultiWorkerMirroredStrategy()
    return tf.distribute.get_strategy()


def _check_cluster(text):
    """TensorFlow trains alone, without a word, where TF_CONFIG is missing."""
    try:
        config = json.loads(text)
        workers = config["cluster"]["worker"]
        known = config["task"]["type"] == "worker" and 0 <= config["task"]["index"] < len(workers)
    except (ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise InputError(
            "--distribute=multi_worker needs the environment variable TF_CONFIG, as "
            '\'{"cluster": {"worker": ["HOST:PORT", "HOST:PORT"]}, "task": {"type": "worker", '
            '"index": 0}}\', with another index on each worker.'
        )


def num_workers(strategy):
    """How many processes train together."""
    resolver = strategy.cluster_resolver
    return len(resolver.cluster_spec().as_dict()["worker"]) if resolver else 1


def worker(strategy):
    """This process's number among them; the first one, the chief, writes what all agree on."""
    resolver = strategy.cluster_resolver
    return resolver.task_id if resolver else 0


def let_the_chief_speak(strategy):
    """Of several workers the first one alone says how it goes; what goes wrong, each of them."""
    if worker(strategy):
        logging.set_verbosity(logging.WARNING)


def any_worker(strategy, wishes):
    """What anybody wishes; all workers must ask at the same step.

    Args:
      strategy: tf.distribute.Strategy.
      wishes: list of bool, this worker's.

    Returns:
      list of bool.
    """
    if num_workers(strategy) == 1:
        return wishes
    own = strategy.run(lambda: tf.cast(tf.constant(wishes), tf.float32))
    total = strategy.reduce(tf.distribute.ReduceOp.SUM, own, axis=None)
    return [bool(value) for value in total.numpy() > 0]


def as_chief_says(strategy, answer):
    """The chief's answer, a bool; all workers must ask at the same step."""
    return any_worker(strategy, [answer and worker(strategy) == 0])[0]


def lost_worker(error, strategy):
    """InputError saying that another worker is gone, if that is what `error` means, or None."""
    if num_workers(strategy) == 1 or not isinstance(error, _GONE):
        return None
    return InputError(
        f"Another worker is gone ({type(error).__name__}): the training cannot go on without it. "
        "Start all workers again with --load_path, from the last checkpoint."
    )


def describe(strategy):
    """In words."""
    gpus = tf.config.list_physical_devices("GPU")
    kind = "GPU" if gpus else "CPU"
    text = f"{strategy.num_replicas_in_sync} {kind}{'s' * (strategy.num_replicas_in_sync > 1)}"
    if num_workers(strategy) > 1:
        text += f" on {num_workers(strategy)} workers, this is number {worker(strategy)}"
    return text

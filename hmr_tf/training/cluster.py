"""The workers of a training run on several machines: reads TF_CONFIG and waits for them."""

import contextlib
import json
import re
import socket
import threading
import time
from typing import NamedTuple

from absl import logging

from hmr_tf.files.errors import InputError

_EXAMPLE = (
    '\'{"cluster": {"worker": ["HOST:PORT", "HOST:PORT"]}, "task": {"type": "worker", '
    '"index": 0}}\', with another index on each worker'
)
_ADDRESS = re.compile(
    r"(?:[a-z0-9+]+://)?(?P<host>\[[0-9a-fA-F:]+\]|[^:/\s]+):(?P<port>[0-9]{1,5})"
)
_TRAINING = ("chief", "worker")  # in the order in which TensorFlow counts them
_CONNECT_S, _RETRY_S, _LOOK_S, REPORT_S = 2.0, 1.0, 0.2, 30.0


class Cluster(NamedTuple):
    """The processes that train together, in TensorFlow's order: the chief, where there is one."""

    addresses: tuple  # of str, HOST:PORT
    index: int  # of this process


def read_config(text):
    """`Cluster` of the environment variable TF_CONFIG.

    Raises:
      InputError: it is missing or no valid cluster. TensorFlow would train alone, or wait for ever.
    """
    try:
        config = json.loads(text)
        cluster, task = config["cluster"], config["task"]
        kind, index = task["type"], task.get("index", 0)
        addresses = {name: list(cluster.get(name) or ()) for name in _TRAINING}
        index = int(index) if isinstance(index, (int, str)) else -1
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            "--distribute=multi_worker needs the environment variable TF_CONFIG, as " + _EXAMPLE
        ) from error
    if kind not in _TRAINING:
        raise _invalid(f"the task's type is {kind}; only {' and '.join(_TRAINING)} train")
    if len(addresses["chief"]) > 1:
        raise _invalid(f"it has {len(addresses['chief'])} chiefs; one is allowed")
    if not 0 <= index < len(addresses[kind]):
        raise _invalid(f"the task's index is {index}, of {len(addresses[kind])} of type {kind}")
    every = tuple(address for name in _TRAINING for address in addresses[name])
    for address in every:
        match = _ADDRESS.fullmatch(address) if isinstance(address, str) else None
        if not match or not 0 < int(match["port"]) < 65536:
            raise _invalid(f"the address {address} is not HOST:PORT")
        if every.count(address) > 1:
            raise _invalid(f"the address {address} comes twice")
    return Cluster(every, index + (len(addresses["chief"]) if kind == "worker" else 0))


def wait_for_workers(cluster, timeout_s=0.0, report_s=REPORT_S):
    """Returns when every worker was reachable; meanwhile Ctrl-C and SIGTERM work.

    TensorFlow's wait prints nothing and cannot be interrupted. Each worker listens at its address
    until it has reached all others, then TensorFlow does.

    Args:
      cluster: Cluster.
      timeout_s: 0: wait for ever.
      report_s: seconds between lines that name the missing workers.

    Raises:
      InputError: workers are missing after `timeout_s`, or this one's port is taken.
    """
    start = reported = time.monotonic()
    others = {i: _Search(a) for i, a in enumerate(cluster.addresses) if i != cluster.index}
    with _listening(cluster.addresses[cluster.index]):
        while True:
            missing = {i: other for i, other in others.items() if not other.is_reached}
            now = time.monotonic()
            names = ", ".join(f"{other.address} (worker {i})" for i, other in missing.items())
            if not missing:
                return
            if timeout_s and now - start >= timeout_s:
                raise InputError(
                    f"no response within --worker_timeout={timeout_s:g} seconds from {names}: "
                    "start them, or check the addresses in TF_CONFIG"
                )
            if now - reported >= report_s:
                logging.warning("Waiting for %s since %.0f s", names, now - start)
                reported = now
            time.sleep(min(_LOOK_S, report_s))


class _Search(threading.Thread):
    """Connects to a worker until it listens.

    A thread that ends with the program: the search for an unknown host name takes up to half
    a minute, which no signal ends.
    """

    def __init__(self, address):
        super().__init__(daemon=True)
        self.address = address
        self.is_reached = False
        self.start()

    def run(self):
        while not _is_reachable(self.address):
            time.sleep(_RETRY_S)
        self.is_reached = True


def _invalid(reason):
    return InputError(f"TF_CONFIG: {reason}; it must be as {_EXAMPLE}")


def _host_and_port(address):
    match = _ADDRESS.fullmatch(address)
    return match["host"].strip("[]"), int(match["port"])


@contextlib.contextmanager
def _listening(address):
    """Listens at this worker's address until TensorFlow does, so that others can reach it."""
    _, port = _host_and_port(address)
    has_ipv6 = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if has_ipv6 else socket.AF_INET
    try:
        listener = socket.create_server(("", port), family=family, dualstack_ipv6=has_ipv6)
    except OSError as error:
        raise InputError(
            f"TF_CONFIG: this worker's port {port} cannot be used: {error.strerror}; is another "
            "training running?"
        ) from error
    with listener:
        yield


def _is_reachable(address):
    """Whether something listens there."""
    try:
        with socket.create_connection(_host_and_port(address), timeout=_CONNECT_S):
            return True
    except OSError:
        return False

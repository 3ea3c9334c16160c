"""Waits for the other workers of a training run, and names those that are missing."""

import contextlib
import socket
import threading
import time

from absl import logging

from hmr_tf.files.errors import InputError

_CONNECT_S, _RETRY_S, _LOOK_S, REPORT_S = 2.0, 1.0, 0.2, 30.0
_LAST_S = 2.0  # how long a worker still tells others that it is ready, before TensorFlow listens
_NAMED = 10  # missing workers in one line
# End of the line that a worker sends: before it has reached all others, and after.
_WAITING, _READY = b"waiting", b"ready"
_PROGRAM = b"hmr_tf "
_LINE_BYTES = 64  # at least of a worker's line


def wait_for_workers(cluster, timeout_s=0.0, report_s=REPORT_S):
    """Returns when all workers have reached each other; meanwhile Ctrl-C and SIGTERM work.

    TensorFlow's wait prints nothing and cannot be interrupted. Each worker listens at its address
    until all have reached each other, then TensorFlow does.

    Args:
      cluster: Cluster.
      timeout_s: 0: wait for ever.
      report_s: seconds between lines that name the missing workers.

    Raises:
      InputError: workers are missing after `timeout_s`, or this one's port is taken.
    """
    start = reported = time.monotonic()
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(_Listener(cluster))
        others = [
            stack.enter_context(_Search(cluster, i))
            for i in range(len(cluster.addresses))
            if i != cluster.index
        ]
        while True:
            listener.is_ready = all(other.is_reached for other in others)
            missing = [other for other in others if not other.is_ready]
            if not missing:
                time.sleep(_LAST_S if others else 0)
                return
            now = time.monotonic()
            if timeout_s and now - start >= timeout_s:
                raise InputError(
                    f"no response within --worker_timeout={timeout_s:g} seconds from "
                    f"{_names(missing)}: start them, or check the addresses in TF_CONFIG"
                )
            if now - reported >= report_s:
                logging.warning("Waiting for %s since %.0f s", _names(missing), now - start)
                reported = now
            time.sleep(min(_LOOK_S, report_s))


def _names(missing):
    """The missing workers; those that wait for others themselves only where there are no others."""
    missing = [search for search in missing if not search.is_reached] or missing
    names = ", ".join(search.describe() for search in missing[:_NAMED])
    return names + (f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else "")


def _line(cluster, index):
    """The line by which a worker is known, without its end."""
    return _PROGRAM + f"worker {index} of {len(cluster.addresses)} ".encode()


def _host_and_port(address):
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _first_bytes(address):
    """What is sent by the program that listens there; None where no program does."""
    received = b""
    try:
        with socket.create_connection(_host_and_port(address), timeout=_CONNECT_S) as connection:
            with contextlib.suppress(TimeoutError, socket.timeout):  # two classes on Python 3.9
                while len(received) < _LINE_BYTES:
                    part = connection.recv(_LINE_BYTES)
                    received += part
                    if not part or not received.startswith(_PROGRAM[: len(received)]):
                        break
    except (OSError, UnicodeError):  # a host name that cannot be encoded
        return None
    return received


def _is_grpc(received):
    """Whether TensorFlow's server sent it: an HTTP/2 frame of type SETTINGS, below 64 KiB."""
    return received[:1] == b"\0" and received[3:4] == b"\4"


class _Listener(threading.Thread):
    """Greets who connects to this worker's address, until TensorFlow listens there."""

    def __init__(self, cluster):
        super().__init__(daemon=True)
        self.is_ready = False  # whether this worker has reached all others
        self._line = _line(cluster, cluster.index)
        _, port = _host_and_port(cluster.addresses[cluster.index])
        has_ipv6 = socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if has_ipv6 else socket.AF_INET
        try:
            self._socket = socket.create_server(("", port), family=family, dualstack_ipv6=has_ipv6)
        except OSError as error:
            raise InputError(
                f"TF_CONFIG: this worker's port {port} cannot be used: {error.strerror}; is "
                "another training running?"
            ) from error
        self._socket.settimeout(_LOOK_S)
        self._is_over = threading.Event()

    def run(self):
        while not self._is_over.is_set():
            with contextlib.suppress(OSError):  # no worker connected, or it left again
                connection, _ = self._socket.accept()
                with connection:
                    connection.settimeout(_CONNECT_S)
                    connection.sendall(self._line + (_READY if self.is_ready else _WAITING))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._is_over.set()
        self.join()
        self._socket.close()


class _Search(threading.Thread):
    """Connects to a worker until it has reached all others.

    A thread that ends with the program: the search for an unknown host name takes up to half
    a minute, which no signal ends.
    """

    def __init__(self, cluster, index):
        super().__init__(daemon=True)
        self.is_reached = self.is_ready = False
        self._address, self._index = cluster.addresses[index], index
        self._expected = _line(cluster, index)
        self._is_another = False
        self._is_over = threading.Event()

    def describe(self):
        """The worker, and what listens there in its place."""
        another = ", where another program listens, or a worker with another TF_CONFIG"
        return f"{self._address} (worker {self._index}{another if self._is_another else ''})"

    def run(self):
        while not self._is_over.is_set():
            received = _first_bytes(self._address)
            is_listening, received = received is not None, received or b""
            is_grpc = _is_grpc(received)
            self.is_reached = is_grpc or received.startswith(self._expected)
            self._is_another = is_listening and not self.is_reached
            self.is_ready = is_grpc or received == self._expected + _READY
            if self.is_ready:
                return
            self._is_over.wait(_RETRY_S)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._is_over.set()

"""Workers wait until all have reached each other; missing ones are named; a signal ends it."""

import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import tensorflow as tf
from absl import logging

from hmr_tf.files.errors import InputError
from hmr_tf.training import cluster, cluster_wait


def free_addresses(number):
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    addresses = tuple(f"127.0.0.1:{listener.getsockname()[1]}" for listener in listeners)
    for listener in listeners:
        listener.close()
    return addresses


@pytest.fixture
def waiting(monkeypatch):
    """Function: (addresses, indices) -> threads of these workers, which wait at most 20 s."""
    monkeypatch.setattr(cluster_wait, "_RETRY_S", 0.05)
    monkeypatch.setattr(cluster_wait, "_LOOK_S", 0.02)
    monkeypatch.setattr(cluster_wait, "_LAST_S", 1.0)
    started = []

    def start(addresses, indices):
        threads = [
            threading.Thread(
                target=cluster_wait.wait_for_workers,
                args=(cluster.Cluster(addresses, i), 20),
                daemon=True,
            )
            for i in indices
        ]
        for thread in threads:
            thread.start()
        started.extend(threads)
        return threads

    yield start
    for thread in started:
        thread.join(timeout=20)


def lines_of_wait(monkeypatch, addresses):
    """The lines of worker 0's wait, which ends by its timeout, and the error."""
    lines = []
    monkeypatch.setattr(logging, "warning", lambda text, *values: lines.append(text % values))
    with pytest.raises(InputError, match=r"--worker_timeout=1 seconds from ") as error:
        cluster_wait.wait_for_workers(cluster.Cluster(addresses, 0), timeout_s=1, report_s=0.3)
    assert lines
    return lines, str(error.value)


def test_cluster_wait_names_missing_workers_and_ends_at_the_timeout(waiting, monkeypatch):
    addresses = free_addresses(3)
    monkeypatch.setattr(cluster_wait, "_CONNECT_S", 0.5)
    reached = cluster_wait._Listener(cluster.Cluster(addresses, 1))
    with reached:
        lines, error = lines_of_wait(monkeypatch, addresses)
    assert f"from {addresses[2]} (worker 2): start" in error
    assert f"Waiting for {addresses[2]} (worker 2) since" in lines[-1]


def test_cluster_wait_names_ten_of_many_missing_workers(waiting, monkeypatch):
    _, error = lines_of_wait(monkeypatch, free_addresses(14))
    assert "(worker 10) and 3 more: start" in error


def test_cluster_wait_names_a_worker_whose_address_another_program_has(waiting, monkeypatch):
    own, other, silent, wrong = free_addresses(4)
    monkeypatch.setattr(cluster_wait, "_CONNECT_S", 0.3)
    with (
        cluster_wait._Listener(cluster.Cluster((other, own), 0)),  # another index and number
        socket.create_server(cluster_wait._host_and_port(silent)),
    ):
        lines, _ = lines_of_wait(monkeypatch, (own, other, silent, wrong))
    another = ", where another program listens, or a worker with another TF_CONFIG)"
    for number, address in ((1, other), (2, silent)):
        assert f"{address} (worker {number}{another}" in lines[-1]
    assert f"{wrong} (worker 3)" in lines[-1]


def test_cluster_wait_ends_when_all_have_reached_each_other(waiting):
    addresses = free_addresses(3)
    first = waiting(addresses, (0, 2))
    time.sleep(0.5)
    assert all(thread.is_alive() for thread in first)
    for thread in (*waiting(addresses, (1,)), *first):
        thread.join(timeout=20)
        assert not thread.is_alive()


def test_cluster_wait_ends_where_tensorflow_listens_already(waiting):
    addresses = free_addresses(2)
    server = tf.distribute.Server({"worker": list(addresses)}, task_index=1)
    (thread,) = waiting(addresses, (0,))
    thread.join(timeout=20)
    assert not thread.is_alive()
    del server


@pytest.mark.parametrize("host", ["a..b", "a" * 70, "no-such-host.invalid"])
def test_cluster_wait_goes_on_where_a_host_has_no_address(host):
    assert cluster_wait._first_bytes(f"{host}:80") is None


def test_cluster_refuses_a_port_that_is_taken():
    (address,) = free_addresses(1)
    port = cluster_wait._host_and_port(address)[1]
    with (
        socket.create_server(("", port)),
        pytest.raises(InputError, match=f"port {port} cannot be used"),
    ):
        cluster_wait.wait_for_workers(cluster.Cluster((address,), 0))


# A command that waits for workers; a name that no server knows blocks the search for 30 seconds.
WAITING = """
import socket, sys, time
from hmr_tf.cli import command_line
from hmr_tf.training import cluster, cluster_wait
if sys.argv[2] == "name":
    socket.create_connection = lambda *_, **__: time.sleep(30)
def main(_):
    print("waiting", flush=True)
    cluster_wait.wait_for_workers(cluster.Cluster(tuple(sys.argv[1].split(",")), 0))
command_line.run(main, argv=["waiting"])
"""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
@pytest.mark.parametrize("missing", ["worker", "name"])
def test_cluster_wait_ends_with_a_signal_within_two_seconds(number, code, missing):
    process = subprocess.Popen(
        [sys.executable, "-c", WAITING, ",".join(free_addresses(2)), missing],
        cwd=Path(__file__).resolve().parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "waiting\n"
    time.sleep(0.5)
    assert process.poll() is None
    start = time.monotonic()
    process.send_signal(number)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == code
    assert time.monotonic() - start < 2
    assert errors == ("" if number == signal.SIGKILL else "stopped\n")

"""TF_CONFIG of several workers: checked as a whole; missing workers are named, not waited for."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import tensorflow as tf
from absl import logging

from hmr_tf.files.errors import InputError
from hmr_tf.training import cluster, distribution


def config(kind="worker", index=0, **jobs):
    return json.dumps({"cluster": jobs, "task": {"type": kind, "index": index}})


def free_addresses(number):
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    addresses = tuple(f"127.0.0.1:{listener.getsockname()[1]}" for listener in listeners)
    for listener in listeners:
        listener.close()
    return addresses


@pytest.mark.parametrize(
    ("text", "index"),
    [
        (config(index=1, worker=["a:1", "b:2"]), 1),
        (config(index="1", worker=["a:1", "b:2"]), 1),
        (config("chief", chief=["c:3"], worker=["a:1", "b:2"]), 0),
        (config(index=1, chief=["c:3"], worker=["a:1", "b:2"]), 2),
        (config(worker=["grpc://a.b-c.svc:2222", "[::1]:80"], evaluator=["x"]), 0),
    ],
)
def test_cluster_counts_the_chief_first_as_tensorflow_does(text, index):
    parsed = cluster.read_config(text)
    assert parsed.index == index
    content = json.loads(text)
    jobs = {k: v for k, v in content["cluster"].items() if k != "evaluator"}
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec(jobs),
        task_type=content["task"]["type"],
        task_id=int(content["task"]["index"]),
    )
    strategy = SimpleNamespace(cluster_resolver=resolver)
    assert distribution.worker_index(strategy) == index
    assert distribution.num_workers(strategy) == len(parsed.addresses)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (config(index=2, worker=["a:1", "b:2"]), "index is 2, of 2 of type worker"),
        (config(index=-1, worker=["a:1", "b:2"]), "index is -1"),
        (config(index=None, worker=["a:1"]), "index is -1"),
        (config(worker=["a", "b:2"]), "address a is not HOST:PORT"),
        (config(worker=["a:1", "b:"]), "address b: is not HOST:PORT"),
        (config(worker=["a:1", "b:99999"]), "address b:99999 is not"),
        (config(worker=["a:1", 5]), "address 5 is not"),
        (config(worker=["a:1", "a:1"]), "address a:1 comes twice"),
        (config(chief=["a:1"], worker=["a:1"]), "address a:1 comes twice"),
        (config("chief", chief=["a:1", "b:1"]), "2 chiefs"),
        (config("evaluator", worker=["a:1"]), "type is evaluator; only chief and worker"),
        (config("ps", ps=["a:1"]), "type is ps"),
        ("[]", "needs the environment variable TF_CONFIG"),
    ],
)
def test_cluster_names_what_is_wrong_in_one_line(text, message):
    with pytest.raises(InputError, match=message) as error:
        cluster.read_config(text)
    assert "\n" not in str(error.value)


def test_cluster_names_missing_workers_and_ends_at_the_timeout(monkeypatch):
    lines = []
    monkeypatch.setattr(logging, "warning", lambda text, *values: lines.append(text % values))
    addresses = free_addresses(3)
    with (
        socket.create_server(cluster._host_and_port(addresses[1])),
        pytest.raises(InputError, match=r"--worker_timeout=0.3 .* from .*\(worker 2\): start"),
    ):
        cluster.wait_for_workers(cluster.Cluster(addresses, 0), timeout_s=0.3, report_s=0.1)
    assert lines
    assert all(f"Waiting for {addresses[2]} (worker 2)" in line for line in lines)


def test_cluster_wait_ends_when_all_are_reached():
    addresses = free_addresses(3)
    workers = cluster.Cluster(addresses, 1)
    wait = threading.Thread(target=cluster.wait_for_workers, args=(workers, 20), daemon=True)
    others = [socket.create_server(cluster._host_and_port(addresses[i])) for i in (0, 2)]
    wait.start()
    wait.join(timeout=20)
    assert not wait.is_alive()
    for listener in others:
        listener.close()


def test_cluster_refuses_a_port_that_is_taken():
    (address,) = free_addresses(1)
    port = cluster._host_and_port(address)[1]
    with (
        socket.create_server(("", port)),
        pytest.raises(InputError, match=f"port {port} cannot be used"),
    ):
        cluster.wait_for_workers(cluster.Cluster((address,), 0))


# A command that waits for workers; a name that no server knows blocks the search for 30 seconds.
WAITING = """
import socket, sys, time
from hmr_tf.cli import command_line
from hmr_tf.training import cluster
if sys.argv[2] == "name":
    socket.create_connection = lambda *_, **__: time.sleep(30)
def main(_):
    print("waiting", flush=True)
    cluster.wait_for_workers(cluster.Cluster(tuple(sys.argv[1].split(",")), 0))
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

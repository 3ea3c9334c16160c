"""The load generator: TensorFlow Serving's batching rules, and latency below and above capacity."""

import itertools
import sys

import numpy as np
import pytest
import tensorflow as tf

import benchmarks
from benchmarks import serving_load
from benchmarks.batching.batch_queue import BatchQueue, Rules, read_rules
from benchmarks.batching.batch_threads import SimulatedThreads, serve
from hmr_tf.serving import saved_model
from tests.fakes import rest_server

SERVICE_S = 0.02  # of a batch, whatever its size
ONE = Rules(1, 0, num_batch_threads=1, max_enqueued_batches=1 << 40)
EIGHT = ONE._replace(max_batch_size=8, batch_timeout_micros=5000)


def load(arrivals, rules, seconds=lambda size: SERVICE_S):
    return serve(arrivals, rules, SimulatedThreads(seconds, rules.num_batch_threads))


def test_serving_load_below_capacity_has_the_latency_of_the_model():
    report = load(0.03 * np.arange(100), ONE)
    np.testing.assert_allclose(report.latencies, SERVICE_S, atol=1e-9)
    assert report.refused == 0


def test_serving_load_above_capacity_grows_the_queue_and_keeps_the_rate():
    gap = 0.005
    report = load(gap * np.arange(100), ONE)
    np.testing.assert_allclose(
        report.latencies, SERVICE_S + np.arange(100) * (SERVICE_S - gap), atol=1e-9
    )
    assert report.rate == pytest.approx(1 / SERVICE_S)


def test_serving_load_of_random_arrivals_waits_as_long_as_theory_says():
    """Pollaczek and Khinchine: with a constant service time s, s * load / 2 / (1 - load)."""
    for share in (0.3, 0.6):
        arrivals = serving_load.poisson_arrivals(share / SERVICE_S, 1000, seed=0)
        wait = load(arrivals, ONE).latencies.mean() - SERVICE_S
        assert wait == pytest.approx(SERVICE_S * share / 2 / (1 - share), rel=0.05)


def test_serving_load_arrivals_repeat_with_the_seed():
    first, again, other = (serving_load.poisson_arrivals(50, 100, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)
    assert len(first) / first[-1] == pytest.approx(50, rel=0.05)


def test_serving_load_batch_that_is_not_full_waits_for_its_timeout():
    report = load([1.0, 1.001, 1.002], EIGHT)
    np.testing.assert_allclose(report.latencies, 0.005 + SERVICE_S - np.arange(3) * 1e-3)
    assert report.num_batches == 1


def test_serving_load_full_batch_starts_at_once():
    report = load([1.0] * 8, EIGHT)
    np.testing.assert_allclose(report.latencies, SERVICE_S)


def test_serving_load_batch_that_waits_for_a_thread_takes_more_requests():
    """The second batch is ready at 1.006 s, the thread at 1.025 s."""
    report = load([1.0, 1.006, 1.015, 1.024, 1.026], EIGHT)
    ends = np.array([1.025, *[1.045] * 3, 1.065])
    np.testing.assert_allclose(report.latencies, ends - [1.0, 1.006, 1.015, 1.024, 1.026])


def test_serving_load_threads_compute_beside_each_other():
    report = load([1.0] * 4, ONE._replace(num_batch_threads=2))
    np.testing.assert_allclose(np.sort(report.latencies), SERVICE_S * np.array([1, 1, 2, 2]))


def test_serving_load_refuses_what_the_queue_cannot_hold():
    """One batch is computed and three wait, with one request each."""
    report = load(0.001 * np.arange(10), ONE._replace(max_enqueued_batches=3))
    assert report.refused == 6
    np.testing.assert_allclose(report.latencies, SERVICE_S * np.arange(1, 5) - 0.001 * np.arange(4))


def test_serving_load_batches_reach_the_rate_that_one_by_one_do_not():
    arrivals = serving_load.poisson_arrivals(200, 20, seed=0)
    alone, together = load(arrivals, ONE), load(arrivals, EIGHT)
    assert alone.rate == pytest.approx(1 / SERVICE_S, rel=1e-3)
    assert together.rate == pytest.approx(200, rel=0.05)
    assert np.percentile(together.latencies, 99) < 2 * SERVICE_S + 0.005


def test_batch_queue_is_ready_never_without_requests():
    waiting = BatchQueue(EIGHT)
    assert waiting.ready_time() == np.inf
    waiting.add(3.0)
    assert waiting.ready_time() == pytest.approx(3.005)
    assert waiting.take() == [3.0]
    assert waiting.ready_time() == np.inf


def test_batching_rules_are_those_of_the_export():
    rules = read_rules(saved_model.BATCHING)
    assert rules == Rules(32, 5000, 2, 64, (1, 2, 4, 8, 16, 32))
    assert [rules.padded_size(n) for n in (1, 3, 8, 9, 32)] == [1, 4, 8, 16, 32]


def run(monkeypatch, capsys, *arguments):
    """Rows that the command prints, split into words."""
    monkeypatch.setattr(sys, "argv", ["serving_load", *arguments])
    benchmarks.run(serving_load.main)
    return [line.split() for line in capsys.readouterr().out.splitlines()]


def test_serving_load_prints_a_row_for_each_rate_and_size(monkeypatch, capsys):
    flags = ["--service_ms=10,5", "--num_batch_threads=1", "--batch_sizes=1,4", "--rates=10,1000"]
    rows = run(monkeypatch, capsys, *flags)[1:]
    assert [row[:2] for row in rows] == [["1", "10"], ["1", "1000"], ["4", "10"], ["4", "1000"]]
    rates = [float(row[2]) for row in rows]
    assert rates[1] == pytest.approx(1000 / 15, rel=0.01)
    assert rates[3] == pytest.approx(1000 * 4 / 30, rel=0.01)
    assert rates[0] == rates[2] == pytest.approx(10, rel=0.2)


def test_serving_load_runs_an_exported_model(exported, monkeypatch, capsys):
    flags = [f"--saved_model={exported[1]}", "--batch_sizes=2", "--rates=40", "--seconds=1"]
    header, alone, row = run(monkeypatch, capsys, *flags)
    assert header[:2] == ["max", "batch"]
    assert alone[:3] == ["2", "at", "once,"]
    assert row[0] == "2"
    assert row[3] == "0"  # refused
    assert 0 < float(row[5]) <= float(row[6])


def test_serving_load_counts_what_a_server_refuses(monkeypatch, capsys):
    calls = itertools.count()

    def every_third_is_refused(image_bytes, boxes):
        if next(calls) % 3 == 2:
            raise tf.errors.InvalidArgumentError(None, None, "full")
        return {"transl": tf.zeros([len(boxes), 3])}

    server = rest_server.start({"predict_image_bytes": every_third_is_refused})
    try:
        url = f"--url=http://localhost:{server.server_port}/v1/models/hmr"
        row = run(monkeypatch, capsys, url, "--rates=20", "--seconds=1")[1]
    finally:
        server.shutdown()
        server.server_close()
    assert row[0] == "server's"
    assert row[3] == "7"  # of 20, after the one that is sent before the load
    assert float(row[5]) > 0

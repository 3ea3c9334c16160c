"""Threads that compute batches, on the real clock or a simulated one, and a load on them."""

import collections
import heapq
import math
import queue
import time
from concurrent import futures
from typing import NamedTuple

import numpy as np

from benchmarks.batching.batch_queue import BatchQueue


class Threads:
    """Threads that compute batches, on the clock of the machine."""

    def __init__(self, compute, number):
        """`compute` takes the number of requests and returns False if the server refused them."""
        self.free, self._compute = number, compute
        self._pool, self._finished = futures.ThreadPoolExecutor(number), queue.SimpleQueue()
        self._start = time.perf_counter()

    def now(self):
        return time.perf_counter() - self._start

    def start(self, batch):
        self.free -= 1
        self._pool.submit(self._work, batch)

    def _work(self, batch):
        try:
            result = self._compute(len(batch))
        except BaseException as error:  # is raised by `wait`
            result = error
        self._finished.put((batch, self.now(), result))

    def wait(self, until):
        """Waits until this time or until a batch is finished.

        Returns:
          (times of arrival, time of the end, whether it was served) of that batch, or None.
        """
        seconds = None if until == math.inf else max(0.0, until - self.now())
        try:
            batch, end, result = self._finished.get(timeout=seconds)
        except queue.Empty:
            return None
        if isinstance(result, BaseException):
            raise result
        self.free += 1
        return batch, end, result


class SimulatedThreads:
    """The same on a simulated clock: a batch of n takes `seconds(n)`, and waiting takes no time."""

    def __init__(self, seconds, number):
        self.free, self._seconds = number, seconds
        self._now, self._running = 0.0, []  # a heap of (time of the end, times of arrival)

    def now(self):
        return self._now

    def start(self, batch):
        self.free -= 1
        heapq.heappush(self._running, (self._now + self._seconds(len(batch)), batch))

    def wait(self, until):
        end = self._running[0][0] if self._running else math.inf
        self._now = max(self._now, min(end, until))
        if end > until:
            return None
        self.free += 1
        _, batch = heapq.heappop(self._running)
        return batch, end, True


class Report(NamedTuple):
    """Result of a load."""

    latencies: np.ndarray  # (N,) seconds from arrival to result of the requests that were served
    refused: int
    num_batches: int  # that were served
    seconds: float  # from the first arrival to the last result

    @property
    def rate(self):
        """Requests served per second."""
        return len(self.latencies) / self.seconds


def serve(arrivals, rules, threads):
    """Offers requests at their times; returns a Report.

    Args:
      arrivals: ascending times, seconds.
      rules: Rules of the queue.
      threads: Threads or SimulatedThreads, as many as `rules` says.
    """
    waiting, upcoming = BatchQueue(rules), collections.deque(arrivals)
    latencies, ends, refused, num_batches = [], [], 0, 0

    def start_batches(until):
        while threads.free and waiting.ready_time() <= until:
            threads.start(waiting.take())

    while upcoming or waiting.ready_time() < math.inf or threads.free < rules.num_batch_threads:
        ready = waiting.ready_time() if threads.free else math.inf
        finished = threads.wait(min(ready, upcoming[0] if upcoming else math.inf))
        if finished:
            batch, end, is_served = finished
            ends.append(end)
            num_batches += is_served
            latencies += [end - arrival for arrival in batch] if is_served else []
            refused += 0 if is_served else len(batch)
        while upcoming and upcoming[0] <= threads.now():
            start_batches(upcoming[0])
            refused += not waiting.add(upcoming.popleft())
        start_batches(threads.now())
    return Report(np.array(latencies), refused, num_batches, max(ends) - arrivals[0])

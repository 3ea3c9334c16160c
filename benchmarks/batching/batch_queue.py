"""TensorFlow Serving's rules of batching: which requests wait, and which are computed together."""

import collections
import math
import re
from typing import NamedTuple


class Rules(NamedTuple):
    """TensorFlow Serving's batching parameters, under its names."""

    max_batch_size: int
    batch_timeout_micros: int
    num_batch_threads: int
    max_enqueued_batches: int
    allowed_batch_sizes: tuple = ()  # ascending; a batch is padded to the next one

    def padded_size(self, size):
        """Number of photographs that are computed for a batch of `size` requests."""
        return next((n for n in self.allowed_batch_sizes if n >= size), self.max_batch_size)


def read_rules(text):
    """Rules in the text of a file for --batching_parameters_file."""
    values = collections.defaultdict(list)
    for name, value in re.findall(r"(\w+)(?: *\{ *value)? *: *(\d+)", text):
        values[name].append(int(value))
    allowed = tuple(values.pop("allowed_batch_sizes", ()))
    return Rules(**{name: value for name, (value,) in values.items()}, allowed_batch_sizes=allowed)


class BatchQueue:
    """Requests of one photograph each that wait for a thread, by TensorFlow Serving's rules.

    A request joins the last batch. If that is full, it begins another one, or is refused if there
    are max_enqueued_batches. A thread may take the first batch when it is full or when
    batch_timeout_micros have passed since its first request. A batch that waits for a thread still
    takes requests.

    Source: TensorFlow 2.15, `core/kernels/batching_util/shared_batch_scheduler.h`.
    """

    def __init__(self, rules):
        self._rules = rules
        self._batches = collections.deque()  # of lists of times of arrival

    def add(self, arrival):
        """False: the request is refused. `arrival` is in seconds."""
        if not self._batches or len(self._batches[-1]) == self._rules.max_batch_size:
            if len(self._batches) >= self._rules.max_enqueued_batches:
                return False
            self._batches.append([])
        self._batches[-1].append(arrival)
        return True

    def ready_time(self):
        """When a thread may take the first batch, in seconds; infinite if no request waits."""
        if not self._batches:
            return math.inf
        first = self._batches[0]
        if len(first) == self._rules.max_batch_size:
            return first[-1]
        return first[0] + 1e-6 * self._rules.batch_timeout_micros

    def take(self):
        """The times of arrival of the first batch's requests."""
        return self._batches.popleft()

"""An exported model under load; HMR_LOAD_REQUESTS=10000 is the whole trial."""

import os

from tests.fakes import server_load

NUM_REQUESTS = int(os.environ.get("HMR_LOAD_REQUESTS", "200"))


def test_server_under_load_gives_the_outputs_of_a_quiet_one(served):
    report = server_load.run(served, NUM_REQUESTS)
    assert not report.faults
    assert report.num_good + report.num_refused == NUM_REQUESTS
    assert min(report.num_good, report.num_refused) > NUM_REQUESTS // 5
    assert report.largest_difference < 1e-3  # pixels, metres, radians
    warm = report.memory_mb[len(report.memory_mb) // 4][1]
    assert report.memory_mb[-1][1] < warm + 200

"""Clocks of videos in many forms: constant, uneven, without stamps, with wrong stated rates."""

import numpy as np

from hmr_tf.inference import video_files
from tests.fakes.random_cases import chance, check_cases, choose

RATES = (1.0, 5.0, 10.0, 15.0, 23.976, 24.0, 25.0, 29.97, 30.0, 50.0, 59.94, 60.0, 120.0, 240.0)


def check_constant(rng, _):
    """Stamps in milliseconds or exact, from any start; some lost; any stated rate."""
    rate = choose(rng, *RATES)
    number = int(rng.integers(3, 200))
    seconds = np.arange(number) / rate
    stamps = seconds + choose(rng, 0.0, 0.0, 1.4, -0.5)
    digits = choose(rng, 3, 3, 9)
    if digits == 3 and rate > 100:  # a clock of whole milliseconds is too coarse
        digits = 9
    stamps = stamps.round(digits)
    stated = choose(rng, rate, rate, 25.0, 30.0)
    if number > 10 and chance(rng, 0.3):  # stamps that are missing: 0 or NaN
        lost = rng.permutation(np.arange(1, number - 1))[: number // 4]
        stamps[lost] = choose(rng, 0.0, np.nan) if stamps[0] >= 0 else np.nan
    times = video_files.frame_times(stamps, stated)
    last = seconds[-1]
    assert abs(times.seconds[-1] - last) <= max(1 / rate, 0.01) / 2, (rate, stated)
    np.testing.assert_allclose(times.seconds, seconds, atol=max(0.5 / rate, 0.002))
    shown = times.shown_frames()
    assert abs(len(shown) / times.rate_hz - number / rate) <= 1.01 / min(rate, times.rate_hz)
    assert (np.diff(shown) >= 0).all()


def check_uneven(rng, _):
    """Pauses and bursts: every output is as long as the video, to one of its frames."""
    number = int(rng.integers(3, 120))
    steps = rng.choice([0.016, 0.033, 0.033, 0.034, 0.066, 0.2, 1.0], number - 1)
    seconds = np.concatenate([[0], np.cumsum(steps)])
    stated = choose(rng, 1000.0, 30.0, 25.0, 240.0)
    times = video_files.frame_times(seconds + choose(rng, 0.0, 3.0), min(stated, 240.0))
    np.testing.assert_allclose(times.seconds, seconds, atol=0.5 / times.rate_hz)
    shown = times.shown_frames()
    assert abs((len(shown) - 1) / times.rate_hz - seconds[-1]) <= 1 / times.rate_hz
    assert len(shown) <= video_files._MAX_REPEATS * number + 1
    # Each moment shows the frame that the video shows then, or its neighbour within one frame.
    moments = np.arange(len(shown)) / times.rate_hz
    late = np.abs(times.seconds[shown] - moments) - np.max(steps)
    assert (late <= 1 / times.rate_hz).all()


def check_none(rng, _):
    """No stamps at all: the stated rate decides."""
    number, stated = int(rng.integers(1, 50)), choose(rng, *RATES)
    stamps = np.full(number, choose(rng, 0.0, np.nan, -1.0))
    times = video_files.frame_times(stamps, stated)
    np.testing.assert_allclose(times.seconds, np.arange(number) / stated)
    assert times.rate_hz == stated


def test_video_times_of_constant_rates_mean_the_same_in_every_form(tmp_path):
    check_cases(check_constant, tmp_path)


def test_video_times_of_uneven_rates_keep_the_length(tmp_path):
    check_cases(check_uneven, tmp_path)


def test_video_times_without_stamps_are_as_stated(tmp_path):
    check_cases(check_none, tmp_path, 300)

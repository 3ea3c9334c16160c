"""Who is who from frame to frame, and motion without jitter."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.signal import savgol_filter

from hmr_tf.body.rotation import nearest_rotation

# Boxes of one person in neighbouring frames share at least so much of their common area.
MIN_OVERLAP = 0.3
# After so many frames without a box a person is another one.
MAX_GAP = 15
SMOOTHERS = ("none", "one_euro", "savgol")
_SAVGOL_FRAMES, _SAVGOL_ORDER = 9, 2
# One-Euro filter (Casiez et al. 2012): cut-off at rest in Hz, its growth with speed.
_MIN_CUTOFF_HZ, _BETA, _SPEED_CUTOFF_HZ = 1.0, 0.7, 1.0


class Track(NamedTuple):
    """One person in a video."""

    frames: list  # int, in order
    people: list  # one entry for each frame


def overlap(first, second):
    """(N, 4), (M, 4) boxes x, y, width, height -> (N, M) intersection over union."""
    a, b = np.asarray(first, float)[:, None], np.asarray(second, float)[None]
    low = np.maximum(a[..., :2], b[..., :2])
    high = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=-1)
    return shared / np.maximum(a[..., 2:].prod(-1) + b[..., 2:].prod(-1) - shared, 1e-9)


def follow(frames):
    """Puts the people of each frame into tracks, by the overlap of their boxes.

    Args:
      frames: for each frame a list of people, each with an entry "box".

    Returns:
      list of Track, in the order in which they begin.
    """
    tracks = []
    for number, people in enumerate(frames):
        open_tracks = [track for track in tracks if number - track.frames[-1] <= MAX_GAP]
        taken = _assigned(open_tracks, people)
        for i, person in enumerate(people):
            if i in taken:
                track = open_tracks[taken[i]]
            else:
                track = Track([], [])
                tracks.append(track)
            track.frames.append(number)
            track.people.append(person)
    return tracks


def _assigned(open_tracks, people):
    """Person's index -> track's index, of the pairs that overlap enough."""
    if not open_tracks or not people:
        return {}
    shared = overlap(
        [person["box"] for person in people], [track.people[-1]["box"] for track in open_tracks]
    )
    pairs = zip(*linear_sum_assignment(shared, maximize=True))
    return {i: j for i, j in pairs if shared[i, j] >= MIN_OVERLAP}


def smooth(values, kind, rate_hz):
    """Filters a motion along time.

    Args:
      values: (T, ...) numbers, frame by frame.
      kind: one of `SMOOTHERS`.
      rate_hz: frames a second.

    Returns:
      (T, ...) float64.
    """
    flat = np.asarray(values, float).reshape(len(values), -1)
    if kind == "savgol":
        frames = min(_SAVGOL_FRAMES, len(flat) - (len(flat) + 1) % 2)
        if frames > _SAVGOL_ORDER:
            flat = savgol_filter(flat, frames, _SAVGOL_ORDER, axis=0)
    elif kind == "one_euro":
        flat = _one_euro(flat, rate_hz)
    return flat.reshape(np.shape(values))


def smooth_rotations(rotations, kind, rate_hz):
    """As `smooth`, for (T, J, 3, 3): the filtered matrices made rotations again."""
    return nearest_rotation(smooth(rotations, kind, rate_hz))


def _one_euro(values, rate_hz):
    """The mean of the filter forwards, which lags behind, and backwards, which is as much ahead."""
    return (_forwards(values, rate_hz) + _forwards(values[::-1], rate_hz)[::-1]) / 2


def _forwards(values, rate_hz):
    def share(cutoff_hz):  # of the new value, in exponential smoothing
        return 1 / (1 + rate_hz / (2 * np.pi * cutoff_hz))

    smoothed, speed = [values[0]], np.zeros_like(values[0])
    for before, value in zip(values, values[1:]):
        speed = speed + share(_SPEED_CUTOFF_HZ) * ((value - before) * rate_hz - speed)
        weight = share(_MIN_CUTOFF_HZ + _BETA * np.abs(speed))
        smoothed.append(smoothed[-1] + weight * (value - smoothed[-1]))
    return np.array(smoothed)

"""Tracks people from frame to frame, and smooths their motion."""

from typing import NamedTuple

import numpy as np

from hmr_tf.body import fitting
from hmr_tf.body.rotation import nearest_rotation

# Least intersection over union of one person's boxes in neighbouring frames.
MIN_OVERLAP = 0.3
# A person without a box for more frames than this starts a new track.
MAX_GAP = 15
SMOOTHERS = ("none", "one_euro", "savgol")
_SAVGOL_FRAMES, _SAVGOL_ORDER = 9, 2
_MAX_STEPS = 1 << 20  # of times that are interpolated
# One-Euro filter (Casiez et al. 2012): cut-off at rest in Hz, its growth with speed.
_MIN_CUTOFF_HZ, _BETA, _SPEED_CUTOFF_HZ = 1.0, 0.7, 1.0


class Track(NamedTuple):
    """One person in a video."""

    frames: list  # int, in order
    people: list  # the person in each of these frames


def overlap(first, second):
    """(N, 4), (M, 4) boxes x, y, width, height -> (N, M) intersection over union."""
    a, b = np.asarray(first, float)[:, None], np.asarray(second, float)[None]
    low = np.maximum(a[..., :2], b[..., :2])
    high = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    intersection = np.prod(np.clip(high - low, 0, None), axis=-1)
    union = a[..., 2:].prod(-1) + b[..., 2:].prod(-1) - intersection
    return intersection / np.maximum(union, 1e-9)


def track_people(frames):
    """Assigns the people of each frame to tracks, by the overlap of their boxes.

    Args:
      frames: for each frame a list of people, each with an entry "box".

    Returns:
      list of Track, in the order in which they begin.
    """
    tracks = []
    for number, people in enumerate(frames):
        open_tracks = [track for track in tracks if number - track.frames[-1] <= MAX_GAP]
        assignment = _assign(open_tracks, people)
        for i, person in enumerate(people):
            if i in assignment:
                track = open_tracks[assignment[i]]
            else:
                track = Track([], [])
                tracks.append(track)
            track.frames.append(number)
            track.people.append(person)
    return tracks


def _assign(open_tracks, people):
    """Dict: index of a person -> index of the track whose last box overlaps enough."""
    return _pairs(
        [person["box"] for person in people], [track.people[-1]["box"] for track in open_tracks]
    )


def _pairs(boxes, others):
    """Dict: index of a box -> index of the other that it overlaps enough, one for each."""
    if not len(boxes) or not len(others):
        return {}
    from scipy.optimize import linear_sum_assignment  # here: photographs do without its import

    overlaps = overlap(boxes, others)
    pairs = zip(*linear_sum_assignment(overlaps, maximize=True))
    return {i: j for i, j in pairs if overlaps[i, j] >= MIN_OVERLAP}


def motion_of_frames(boxes, people_before):
    """Links the people of successive frames, by the overlap of their boxes.

    Args:
      boxes: for each frame a list of boxes x, y, width, height.
      people_before: list of people, dicts with "box" and "rotations" (24, 3, 3), of the frame
        before the first.

    Returns:
      `fitting.Motion` of the people of all frames, in this order.
    """
    motion, first = fitting.no_motion(sum(map(len, boxes))), 0
    boxes_before, first_before = [person["box"] for person in people_before], None
    for of_frame in boxes:
        for i, j in _pairs(of_frame, boxes_before).items():
            if first_before is None:
                motion.anchors[first + i] = people_before[j]["rotations"]
                motion.has_anchor[first + i] = 1
            else:
                motion.previous[first + i] = first_before + j
        boxes_before, first_before = of_frame, first
        first += len(of_frame)
    return motion


def smooth(values, kind, seconds):
    """Filters a motion along time.

    Args:
      values: (T, ...) numbers, frame by frame.
      kind: one of `SMOOTHERS`.
      seconds: (T,) rising times of the frames; their steps may differ.

    Returns:
      (T, ...) float64.
    """
    flat = np.asarray(values, float).reshape(len(values), -1)
    if kind == "savgol":
        flat = _savgol(flat, np.asarray(seconds, float))
    elif kind == "one_euro":
        flat = _one_euro(flat, np.asarray(seconds, float))
    return flat.reshape(np.shape(values))


def smooth_rotations(rotations, kind, seconds):
    """As `smooth`, for (T, J, 3, 3): the rotations nearest to the filtered matrices.

    Joint after joint, so that the memory for a long video stays small.
    """
    smoothed = np.empty_like(rotations)
    for joint in range(smoothed.shape[1]):
        smoothed[:, joint] = nearest_rotation(smooth(rotations[:, joint], kind, seconds))
    return smoothed


def _savgol(values, seconds):
    """Savitzky-Golay's filter, which needs equal steps: other times are interpolated."""
    steps = np.diff(seconds)
    if len(steps) and np.ptp(steps) > 0.5 * np.median(steps):
        number = min(round((seconds[-1] - seconds[0]) / np.median(steps)) + 1, _MAX_STEPS)
        even = np.linspace(seconds[0], seconds[-1], number)
        calm = _savgol(_interpolated(even, seconds, values), even)
        return _interpolated(seconds, even, calm)
    frames = min(_SAVGOL_FRAMES, len(values) - (len(values) + 1) % 2)
    if frames <= _SAVGOL_ORDER:
        return values
    from scipy.signal import savgol_filter  # here, since its import takes 0.2 s

    return savgol_filter(values, frames, _SAVGOL_ORDER, axis=0)


def _interpolated(at, seconds, values):
    return np.stack([np.interp(at, seconds, column) for column in values.T], axis=1)


def _one_euro(values, seconds):
    """The mean of the filter forwards, which lags, and backwards, which leads by as much."""
    backwards = _one_euro_forwards(values[::-1], -seconds[::-1])[::-1]
    return (_one_euro_forwards(values, seconds) + backwards) / 2


def _one_euro_forwards(values, seconds):
    smoothed, speed = [values[0]], np.zeros_like(values[0])
    for before, value, rate_hz in zip(values, values[1:], 1 / np.diff(seconds)):

        def weight_of_new(cutoff_hz, rate_hz=rate_hz):  # in exponential smoothing
            return 1 / (1 + rate_hz / (2 * np.pi * cutoff_hz))

        speed = speed + weight_of_new(_SPEED_CUTOFF_HZ) * ((value - before) * rate_hz - speed)
        weight = weight_of_new(_MIN_CUTOFF_HZ + _BETA * np.abs(speed))
        smoothed.append(smoothed[-1] + weight * (value - smoothed[-1]))
    return np.array(smoothed)

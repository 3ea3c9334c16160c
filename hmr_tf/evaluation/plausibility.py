"""Whether bodies are possible: joint angles and betas against those of motion capture.

Plausible bodies are the purpose of the adversarial prior (paper, figure 5).
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from hmr_tf.data import record
from hmr_tf.files.errors import InputError

RANGE_SHARE = 0.99  # share of motion capture in the range of a joint angle
MAX_SIGMA = 3.0  # of betas, which are in standard deviations
_NUM_MOCAP = 100_000


class Mocap(NamedTuple):
    """Bodies of motion capture."""

    poses: np.ndarray  # (N, 23, 3) axis-angle in radians, without the global rotation
    betas: np.ndarray  # (N, 10)


def read_mocap(paths):
    """Mocap of TFRecords, of the first 100,000 bodies.

    Raises:
      InputError: a file that is broken or holds something else.
    """
    records = tf.data.TFRecordDataset([str(path) for path in paths]).take(_NUM_MOCAP)
    try:
        batches = list(records.map(record.decode_mocap).batch(1000).as_numpy_iterator())
    except tf.errors.OpError as error:
        raise InputError(
            f"{paths[0].parent} does not hold motion capture as data_prep/to_tfrecords.py writes "
            "it: convert it again."
        ) from error
    if not batches:
        raise InputError(f"{paths[0].parent} holds no body: convert the motion capture again.")
    poses = np.concatenate([batch["pose"] for batch in batches])[:, 1:]
    return Mocap(poses, np.concatenate([batch["betas"] for batch in batches]))


def joint_ranges(poses, share=RANGE_SHARE):
    """The range of each joint's axis-angle components that holds the middle `share` of the poses.

    Args:
      poses: (N, 23, 3) axis-angle in radians, without the global rotation.

    Returns:
      Two arrays (23, 3), lowest and highest.
    """
    tail = (1.0 - share) / 2.0
    return np.quantile(_shortest(poses), [tail, 1.0 - tail], axis=0)


def share_outside(poses, ranges):
    """Share of the (N, 23, 3) axis-angle components that lie outside `ranges` of `joint_ranges`."""
    return float(shares_outside(poses, ranges).mean())


def shares_outside(poses, ranges):
    """(N,) `share_outside` of each pose."""
    low, high = ranges
    angles = _shortest(poses)
    return ((angles < low) | (angles > high)).mean((1, 2))


def share_beyond(betas, sigma=MAX_SIGMA):
    """Share of the (N, 10) betas that lie further than `sigma` from the mean shape."""
    return float(shares_beyond(betas, sigma).mean())


def shares_beyond(betas, sigma=MAX_SIGMA):
    """(N,) `share_beyond` of each person."""
    return (np.abs(betas) > sigma).mean(1)


def _shortest(poses):
    """The same rotations with angles up to pi; networks also predict larger ones."""
    angle = np.linalg.norm(poses, axis=-1, keepdims=True)
    whole_rotations = np.round(angle / (2 * np.pi))
    return poses * (1.0 - 2 * np.pi * whole_rotations / np.maximum(angle, 1e-12))

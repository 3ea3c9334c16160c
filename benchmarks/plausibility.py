"""Plausibility of predicted bodies: joint angles and betas beside those of motion capture.

The purpose of the adversarial prior (paper, figure 5): reprojection alone gives monsters.
"""

import numpy as np

SHARE = 0.99  # of the angles of motion capture are in their range
SIGMA = 3.0  # betas are in standard deviations


def joint_ranges(poses, share=SHARE):
    """The range of each joint's axis-angle components that holds the middle `share` of the poses.

    Args:
      poses: (N, 23, 3) axis-angle in radians, without the global rotation.

    Returns:
      Two arrays (23, 3), lowest and highest.
    """
    tail = (1.0 - share) / 2.0
    return np.quantile(_canonical(poses), [tail, 1.0 - tail], axis=0)


def outside(poses, ranges):
    """Share of the (N, 23, 3) axis-angle components that lie outside `ranges` of `joint_ranges`."""
    low, high = ranges
    angles = _canonical(poses)
    return float(((angles < low) | (angles > high)).mean())


def beyond(betas, sigma=SIGMA):
    """Share of the (N, 10) betas that lie further than `sigma` from the mean shape."""
    return float((np.abs(betas) > sigma).mean())


def _canonical(poses):
    """The same rotations with angles up to pi; networks also predict larger ones."""
    angle = np.linalg.norm(poses, axis=-1, keepdims=True)
    whole_rotations = np.round(angle / (2 * np.pi))
    return poses * (1.0 - 2 * np.pi * whole_rotations / np.maximum(angle, 1e-12))

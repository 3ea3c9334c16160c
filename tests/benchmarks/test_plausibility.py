"""Plausibility of bodies: angles outside the range of motion capture, betas beyond three sigma."""

import numpy as np
import pytest

from benchmarks import plausibility


@pytest.fixture(scope="module")
def mocap():
    """Every component from -1 to 1 in 1001 even steps; the same in all components of a pose."""
    return np.broadcast_to(np.linspace(-1, 1, 1001)[:, None, None], (1001, 23, 3)).copy()


def test_plausibility_range_is_the_middle_99_percent(mocap):
    low, high = plausibility.joint_ranges(mocap)
    np.testing.assert_allclose(high, 0.99, atol=1e-9)
    np.testing.assert_allclose(low, -0.99, atol=1e-9)


def test_plausibility_counts_one_angle_too_large(mocap):
    poses = np.zeros((2, 23, 3))
    poses[1, 4, 0] = 1.5
    ranges = plausibility.joint_ranges(mocap)
    assert plausibility.outside(poses, ranges) == pytest.approx(1 / (2 * 23 * 3))


def test_plausibility_of_motion_capture_is_one_percent_outside(mocap):
    ranges = plausibility.joint_ranges(mocap)
    assert plausibility.outside(mocap, ranges) == pytest.approx(0.01, abs=0.001)


def test_plausibility_ignores_whole_rotations(mocap):
    ranges = plausibility.joint_ranges(mocap)
    poses = np.random.default_rng(0).normal(size=(50, 23, 3))
    length = np.linalg.norm(poses, axis=-1, keepdims=True)
    further = poses * (1 + 2 * np.pi / length)
    assert plausibility.outside(further, ranges) == plausibility.outside(poses, ranges)


def test_plausibility_counts_betas_beyond_three_sigma():
    betas = np.zeros((2, 10))
    betas[0, :2] = 3.1, -3.1
    betas[1, 0] = 2.9
    assert plausibility.beyond(betas) == pytest.approx(0.1)

"""How human bodies are: angles beside those of a known prior, betas beyond three sigma."""

import numpy as np
import pytest

from hmr_tf.evaluation import plausibility


@pytest.fixture(scope="module")
def prior():
    """Every component from -1 to 1 in 1001 even steps, each pose the same for all."""
    return np.broadcast_to(np.linspace(-1, 1, 1001)[:, None, None], (1001, 23, 3)).copy()


def test_the_middle_99_percent_are_the_range(prior):
    low, high = plausibility.joint_ranges(prior)
    np.testing.assert_allclose(high, 0.99, atol=1e-9)
    np.testing.assert_allclose(low, -0.99, atol=1e-9)


def test_one_angle_too_large_is_counted_once(prior):
    poses = np.zeros((2, 23, 3))
    poses[1, 4, 0] = 1.5
    ranges = plausibility.joint_ranges(prior)
    assert plausibility.outside(poses, ranges) == pytest.approx(1 / (2 * 23 * 3))


def test_the_prior_itself_is_outside_by_one_percent(prior):
    ranges = plausibility.joint_ranges(prior)
    assert plausibility.outside(prior, ranges) == pytest.approx(0.01, abs=0.001)


def test_a_whole_turn_more_is_the_same_rotation(prior):
    ranges = plausibility.joint_ranges(prior)
    poses = np.random.default_rng(0).normal(size=(50, 23, 3))
    length = np.linalg.norm(poses, axis=-1, keepdims=True)
    further = poses * (1 + 2 * np.pi / length)
    assert plausibility.outside(further, ranges) == plausibility.outside(poses, ranges)


def test_betas_beyond_three_sigma_on_either_side():
    betas = np.zeros((2, 10))
    betas[0, :2] = 3.1, -3.1
    betas[1, 0] = 2.9
    assert plausibility.beyond(betas) == pytest.approx(0.1)

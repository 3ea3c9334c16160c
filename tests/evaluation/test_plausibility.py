"""Plausibility of bodies: ranges of joint angles from motion capture, betas, wrong files."""

import numpy as np
import pytest

from hmr_tf.data import shards
from hmr_tf.evaluation import plausibility
from hmr_tf.files.errors import InputError


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
    assert plausibility.share_outside(poses, ranges) == pytest.approx(1 / (2 * 23 * 3))


def test_plausibility_of_motion_capture_is_one_percent_outside(mocap):
    ranges = plausibility.joint_ranges(mocap)
    assert plausibility.share_outside(mocap, ranges) == pytest.approx(0.01, abs=0.001)


def test_plausibility_ignores_whole_rotations(mocap):
    ranges = plausibility.joint_ranges(mocap)
    poses = np.random.default_rng(0).normal(size=(50, 23, 3))
    length = np.linalg.norm(poses, axis=-1, keepdims=True)
    further = poses * (1 + 2 * np.pi / length)
    assert plausibility.share_outside(further, ranges) == plausibility.share_outside(poses, ranges)


def test_plausibility_counts_betas_beyond_three_sigma():
    betas = np.zeros((2, 10))
    betas[0, :2] = 3.1, -3.1
    betas[1, 0] = 2.9
    assert plausibility.share_beyond(betas) == pytest.approx(0.1)


def test_plausibility_refuses_folders_without_motion_capture(tmp_path):
    with pytest.raises(InputError, match=r"--mocap_ranges=.*holds no TFRecords"):
        shards.of_mocap_ranges(tmp_path)
    (tmp_path / "a.tfrecord").write_bytes(b"")
    with pytest.raises(InputError, match="holds no body"):
        plausibility.read_mocap(shards.of_mocap_ranges(tmp_path))
    (tmp_path / "a.tfrecord").write_bytes(b"no records" * 10)
    with pytest.raises(InputError, match="does not hold motion capture") as error:
        plausibility.read_mocap(shards.of_mocap_ranges(tmp_path))
    assert "\n" not in str(error.value)

"""People keep their identity from frame to frame; filtered motion is calmer and stays true."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hmr_tf.inference import tracking


def person(x, name=None):
    return {"box": (x, 0, 10, 20), "name": name}


def test_tracking_overlap_of_known_boxes():
    shared = tracking.overlap([(0, 0, 10, 10)], [(0, 0, 10, 10), (5, 0, 10, 10), (20, 0, 5, 5)])
    np.testing.assert_allclose(shared, [[1, 1 / 3, 0]])


def test_tracking_follows_two_people_who_pass_each_other():
    frames = []
    for number in range(10):
        pair = [person(3 * number, "right"), person(100 - 3 * number, "left")]
        frames.append(pair[:: 1 if number % 2 else -1])
    tracks = tracking.track_people(frames)
    assert [len(track.frames) for track in tracks] == [10, 10]
    assert all(len({p["name"] for p in track.people}) == 1 for track in tracks)


def test_tracking_bridges_short_gaps_only():
    gap = [[]] * tracking.MAX_GAP
    bridged, lost = ([[person(0)], *empty, [person(1)]] for empty in (gap[1:], gap))
    assert [track.frames for track in tracking.track_people(bridged)] == [[0, tracking.MAX_GAP]]
    assert len(tracking.track_people(lost)) == 2
    assert tracking.track_people([[], []]) == []


def test_tracking_links_people_of_successive_frames():
    """Two people, then one of them and a new one, nobody, and one of them again."""
    before = [{"box": (50, 0, 10, 20), "rotations": np.full((24, 3, 3), 7.0)}]
    boxes = [
        [(0, 0, 10, 20), (51, 0, 10, 20)],
        [(50, 1, 10, 20), (90, 0, 10, 20)],
        [],
        [(50, 0, 10, 20)],
    ]
    motion = tracking.motion_of_frames(boxes, before)
    assert motion.previous.tolist() == [0, 1, 1, 3, 4]
    assert motion.has_anchor.tolist() == [0, 1, 0, 0, 0]
    assert (motion.anchors[1] == 7).all()
    assert not tracking.motion_of_frames(boxes, []).has_anchor.any()


@pytest.mark.parametrize("kind", ["one_euro", "savgol"])
def test_smoothing_removes_noise_and_keeps_slow_motion(kind, rng):
    time = np.arange(200) / 25
    truth = np.stack([np.sin(0.5 * time), np.full(200, 3.0)], axis=1)
    noisy = truth + rng.normal(scale=0.05, size=truth.shape)
    calm = tracking.smooth(noisy, kind, time)
    assert np.std(np.diff(calm, axis=0)) < 0.5 * np.std(np.diff(noisy, axis=0))
    assert np.abs(calm - truth).mean() < np.abs(noisy - truth).mean()
    np.testing.assert_allclose(tracking.smooth(np.full((30, 2), 7.0), kind, time[:30]), 7.0)


@pytest.mark.parametrize("kind", ["one_euro", "savgol"])
def test_smoothing_does_not_lag_behind_a_walk(kind, rng):
    """At 1 m/s, in metres: the filter of one direction alone is 0.09 m late."""
    truth = np.arange(100)[:, None] / 25
    calm = tracking.smooth(truth + rng.normal(scale=0.02, size=truth.shape), kind, truth[:, 0])
    assert abs(np.mean((calm - truth)[10:-10])) < 0.01
    assert np.abs((calm - truth)[10:-10]).max() < 0.06


@pytest.mark.parametrize("kind", tracking.SMOOTHERS)
@pytest.mark.parametrize("length", [1, 2, 5, 40])
def test_smoothing_of_rotations_gives_rotations(kind, length, rng):
    rotations = Rotation.from_rotvec(rng.normal(scale=2, size=(length * 24, 3))).as_matrix()
    calm = tracking.smooth_rotations(
        rotations.reshape(length, 24, 3, 3), kind, np.arange(length) / 25
    )
    np.testing.assert_allclose(
        calm @ np.swapaxes(calm, -1, -2), np.eye(3)[None, None] + 0 * calm, atol=1e-9
    )
    np.testing.assert_allclose(np.linalg.det(calm), 1.0, atol=1e-9)
    if kind == "none":
        np.testing.assert_allclose(calm, rotations.reshape(calm.shape), atol=1e-9)


@pytest.mark.parametrize("kind", ["one_euro", "savgol"])
def test_smoothing_uses_the_times_of_the_frames(kind, rng):
    """Frames of a steady walk at uneven times: it stays where it was at each of them."""
    seconds = np.sort(rng.uniform(0, 8, size=200))
    truth = np.stack([seconds, -2 * seconds], axis=1)
    noisy = truth + rng.normal(scale=0.02, size=truth.shape)
    calm = tracking.smooth(noisy, kind, seconds)
    assert np.abs((calm - truth)[10:-10]).mean() < 0.8 * np.abs(noisy - truth).mean()
    assert np.abs((calm - truth)[10:-10]).max() < 0.06
    assert tracking.smooth(truth[:1], kind, seconds[:1]).tolist() == truth[:1].tolist()

"""Metrics beside independent implementations and on known cases."""

import numpy as np
import pytest

from hmr_tf.body.skeleton import centred_on_hips
from hmr_tf.evaluation import metrics


def independent(predicted, truth):
    """MPJPE and PA-MPJPE, body by body; Procrustes by Kabsch's formula
    with the determinant in the middle, the scale as the least squares of one unknown."""
    plain, aligned = [], []
    for body, target in zip(np.float64(predicted), np.float64(truth)):
        plain.append(np.sqrt(((body - target) ** 2).sum(-1)).mean())
        x, y = body - body.mean(0), target - target.mean(0)
        u, _, vt = np.linalg.svd(y.T @ x)
        rotated = x @ (u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt).T
        scale = (rotated * y).sum() / (rotated**2).sum()
        aligned.append(np.sqrt(((scale * rotated - y) ** 2).sum(-1)).mean())
    return np.array(plain), np.array(aligned)


@pytest.mark.parametrize("mirror", [1, -1])
def test_metrics_equal_an_independent_implementation(rng, mirror):
    truth = rng.normal(size=(200, 14, 3))
    predicted = truth * [mirror, 1, 1] + 0.3 * rng.normal(size=truth.shape) + 2.0
    expected = independent(predicted, truth)
    np.testing.assert_allclose(metrics.mpjpe(predicted, truth), expected[0], rtol=0, atol=1e-9)
    np.testing.assert_allclose(metrics.pa_mpjpe(predicted, truth), expected[1], rtol=0, atol=1e-9)


def test_metrics_pck_and_auc_equal_their_definitions(rng):
    distance = rng.gamma(2.0, 0.06, size=(300, 17))
    thresholds = [0.001 * mm for mm in range(0, 151, 5)]
    curve = [np.mean(distance < threshold) for threshold in thresholds]
    assert metrics.pck(distance, metrics.PCK_M) == pytest.approx(curve[-1], abs=1e-9)
    assert metrics.auc(distance) == pytest.approx(np.mean(curve), abs=1e-9)
    counts = rng.random(distance.shape) < 0.5
    limits = rng.uniform(0.05, 0.2, size=(300, 1))
    hits = sum(d < t for d, t, c in zip(distance.flat, np.repeat(limits, 17), counts.flat) if c)
    assert metrics.pck(distance, limits, counts) == pytest.approx(hits / counts.sum(), abs=1e-9)
    assert np.isnan(metrics.pck(distance, 1.0, np.zeros_like(counts)))


def test_metrics_auc_of_a_perfect_prediction_is_30_of_31():
    distance = np.zeros((4, 14))
    assert metrics.pck(distance, metrics.PCK_M) == 1
    assert metrics.auc(distance) == 30 / 31
    assert metrics.pck(np.full((1, 1), metrics.PCK_M), metrics.PCK_M) == 0


def test_metrics_percentiles_are_linear_between_people():
    assert metrics.percentiles(np.arange(101.0))[95] == 95
    assert metrics.percentiles(np.array([0.0, 1.0]))[50] == 0.5


def test_metrics_of_a_translation_by_30_mm(rng):
    truth = rng.normal(size=(5, 14, 3))
    moved = truth + np.array([0.0, 0.03, 0.0])
    np.testing.assert_allclose(metrics.mpjpe(moved, truth), 0.03)
    np.testing.assert_allclose(metrics.pa_mpjpe(moved, truth), 0, atol=1e-12)
    centred = [centred_on_hips(points) for points in (moved, truth)]
    np.testing.assert_allclose(metrics.mpjpe(*centred), 0, atol=1e-12)


def test_metrics_keypoint_error_is_of_labelled_points():
    truth = np.zeros((2, 3, 2))
    predicted = np.array([[(3, 4), (100, 0), (0, 0)], [(1, 1)] * 3], float)
    labelled = np.array([[1, 0, 1], [0, 0, 0]])
    error = metrics.keypoint_error(predicted, truth, labelled)
    assert error[0] == pytest.approx(2.5)
    assert np.isnan(error[1])


def test_metrics_acceleration_error_needs_three_frames_in_a_row():
    """One joint of two jumps by 6 mm in frame 2: 3, 6 and 3 mm around it, half for the mean."""
    truth = np.zeros((7, 2, 3))
    predicted = np.cumsum(np.ones((7, 2, 3)), axis=0)  # the same speed in all frames
    predicted[2, 0, 1] += 0.006
    follows = np.array([False, True, True, True, True, False, True])
    error = metrics.acceleration_error(predicted, truth, follows)
    expected = [np.nan, 0.003, 0.006, 0.003, np.nan, np.nan, np.nan]
    np.testing.assert_allclose(error, expected, atol=1e-12)


def test_metrics_jerk_of_a_cubic_motion_is_six():
    time = np.arange(6) / 30
    joints = np.zeros((9, 2, 3))
    joints[:6, 0, 2] = time**3  # metres; the other joint stays
    file = np.repeat([0, 1], [6, 3])
    jerk = metrics.jerk(joints, file, frames_per_second=30)
    np.testing.assert_allclose(jerk, [*[np.nan] * 3, 3, 3, 3, *[np.nan] * 3], atol=1e-8)


def test_metrics_area_under_pck_counts_points_at_the_threshold():
    thresholds = np.arange(5)
    points = metrics.area_under_pck(np.array([0.0, 0.5, 1.0, 3.999, 4.0, 4.001]), thresholds)
    assert points.tolist() == [1, 3.5 / 4, 3.5 / 4, 0.125, 0.125, 0]

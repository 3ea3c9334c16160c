import numpy as np
import pytest

from hmr_tf.evaluation import metrics


def test_a_shift_of_30_mm_is_30_mm_and_nothing_after_alignment(rng):
    truth = rng.normal(size=(5, 14, 3))
    shifted = truth + np.array([0.0, 0.03, 0.0])
    np.testing.assert_allclose(metrics.mpjpe(shifted, truth), 0.03)
    np.testing.assert_allclose(metrics.pa_mpjpe(shifted, truth), 0, atol=1e-12)
    roots = (2, 3)
    centred = [metrics.centred(points, roots) for points in (shifted, truth)]
    np.testing.assert_allclose(metrics.mpjpe(*centred), 0, atol=1e-12)


def test_a_mirrored_body_is_not_aligned_away(rng):
    body = rng.normal(size=(8, 14, 3))
    assert metrics.pa_mpjpe(body * [-1, 1, 1], body).min() > 0.1


def test_keypoint_error_looks_at_labelled_points_only():
    truth = np.zeros((2, 3, 2))
    predicted = np.array([[(3, 4), (100, 0), (0, 0)], [(1, 1)] * 3], float)
    labelled = np.array([[1, 0, 1], [0, 0, 0]])
    error = metrics.keypoint_error(predicted, truth, labelled)
    assert error[0] == pytest.approx(2.5)
    assert np.isnan(error[1])

"""Baselines beside a trained model."""

import numpy as np
import tensorflow as tf

from benchmarks import mean_pose_baseline
from hmr_tf.evaluation.evaluation_set import EvaluationSet
from tests.fakes import tiny_hmr


def people_with(labels_px, labelled, scale_xy, corner_px):
    """Frames of people with labels (N, 19, 2) in pixels of the crop."""
    stored = (labels_px + corner_px) / scale_xy
    labels = np.concatenate([stored, labelled[..., None]], axis=-1)
    return EvaluationSet((), None, None, {"keypoints_px": labels}, {})


def test_best_camera_fits_scale_and_translation_to_the_labelled_keypoints():
    rng = np.random.default_rng(0)
    points = rng.uniform(20, 200, size=(3, 19, 2))
    goal = 0.7 * points + np.array([11.0, -5.0])
    labelled = (rng.random((3, 19)) < 0.6).astype(float)
    goal[labelled == 0] = 1e4
    place = {"scale_xy": np.full((3, 2), 1.3), "corner_px": np.full((3, 2), 40.0)}
    people = people_with(goal, labelled, 1.3, 40.0)
    moved = mean_pose_baseline.with_best_camera(people, {"keypoints_px": points, **place})[
        "keypoints_px"
    ]
    np.testing.assert_allclose(moved[labelled > 0], goal[labelled > 0], atol=1e-9)


def test_best_camera_has_no_negative_scale():
    points = np.random.default_rng(1).uniform(-1, 1, size=(1, 19, 2))
    place = {"scale_xy": np.ones((1, 2)), "corner_px": np.zeros((1, 2))}
    people = people_with(-points, np.ones((1, 19)), 1.0, 0.0)
    moved = mean_pose_baseline.with_best_camera(people, {"keypoints_px": points, **place})[
        "keypoints_px"
    ]
    np.testing.assert_allclose(moved, np.broadcast_to(-points.mean(1, keepdims=True), moved.shape))


def test_predictions_of_theta_equal_those_of_the_network(tmp_path):
    hmr = tiny_hmr.build(tmp_path)
    images = tf.random.stateless_uniform([2, hmr.image_size, hmr.image_size, 3], [0, 1], -1, 1)
    last = hmr(images, training=False)[-1]
    like = {
        "theta": np.zeros((2, 85)),
        "keypoints_px": np.zeros((2, 19, 2)),
        "joints3d": np.zeros((2, 19, 3)),
    }
    again = mean_pose_baseline.predictions_of_theta(hmr, last.theta.numpy(), like)
    pixels = (last.keypoints2d_norm.numpy() + 1) * hmr.image_size / 2
    np.testing.assert_allclose(again["keypoints_px"], pixels, atol=1e-4)
    np.testing.assert_allclose(again["joints3d"], last.joints3d, atol=1e-5)

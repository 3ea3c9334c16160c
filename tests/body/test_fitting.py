"""Fitting to 2D keypoints: the fitted keypoints fall on the labels, priors and hinges count."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial.transform import Rotation

from hmr_tf.body import body_model, camera, fit_initialization, fitting, theta
from hmr_tf.body.skeleton import SMPL_JOINTS, indices
from hmr_tf.body.smpl import SMPL
from hmr_tf.networks.hmr import mean_theta

COUNT = 4
KNEES = list(indices(("left_knee", "right_knee"), SMPL_JOINTS))
SHOULDERS = list(indices(("left_shoulder", "right_shoulder"), SMPL_JOINTS))


@pytest.fixture(scope="module")
def smpl():
    return SMPL(body_model.read_model())


@pytest.fixture(scope="module")
def people(smpl):
    """Labels of bodies with raised arms and bent knees, and the initial thetas."""
    rng = np.random.default_rng(0)
    pose = np.tile(theta.split(mean_theta()).pose.numpy(), (COUNT, 1, 1))
    pose[:, SHOULDERS, 2] += rng.uniform(-0.9, 0.9, (COUNT, 2))
    pose[:, KNEES, 0] += rng.uniform(0, 1, (COUNT, 2))
    weak = np.column_stack([rng.uniform(0.6, 0.9, COUNT), rng.normal(0, 0.1, (COUNT, 2))])
    body = smpl(tf.constant(pose, tf.float32), tf.zeros([COUNT, 10]))
    points = camera.project(body.joints3d, tf.constant(weak, tf.float32))
    labels = tf.concat([points, tf.ones([COUNT, 19, 1])], axis=-1).numpy()
    return labels, np.tile(mean_theta(), (COUNT, 1))


@pytest.fixture(scope="module")
def fitter(smpl):
    return fitting.Fitter(smpl)


@pytest.fixture(scope="module")
def fitted(fitter, people):
    return fitter(*people, num_steps=150)


def test_fitting_puts_keypoints_on_the_labels(smpl, fitter, people, fitted):
    before = fitter(*people, num_steps=0).error_norm
    assert np.max(fitted.error_norm) < 0.02  # about 2 px of 224
    assert np.min(before) > 5 * np.max(fitted.error_norm)
    parts = theta.split(fitted.theta)
    points = camera.project(smpl(parts.pose, parts.betas).joints3d, parts.camera)
    distance = np.linalg.norm(points - people[0][..., :2], axis=-1).mean(axis=1)
    np.testing.assert_allclose(fitted.error_norm, distance, rtol=1e-4)
    assert np.abs(parts.betas).max() < 3


def test_fitting_a_person_does_not_depend_on_the_others(fitter, people, fitted):
    alone = fitter(people[0][1:2], people[1][1:2], num_steps=150)
    np.testing.assert_allclose(alone.theta[0], fitted.theta[1], atol=5e-3)


def test_fitting_a_large_batch_gives_the_same_bodies(fitter, people):
    """It is compiled, and padded from 18 to 32."""
    few = fitter(*people, num_steps=40)
    places = np.arange(18) % COUNT
    many = fitter(people[0][places], people[1][places], num_steps=40)
    assert many.theta.shape == (18, 85)
    np.testing.assert_allclose(many.theta, few.theta.numpy()[places], atol=5e-3)
    np.testing.assert_allclose(many.energy, few.energy.numpy()[places], rtol=1e-2)


def test_fitting_ignores_unlabelled_keypoints(fitter, people):
    labels = people[0].copy()
    labels[:, ::2] = (9.0, -9.0, 0.0)
    hidden = fitter(labels, people[1], num_steps=60)
    assert np.max(hidden.error_norm) < 0.05
    unlabelled = fitter(np.zeros_like(labels), people[1], num_steps=10)
    assert np.isfinite(unlabelled.theta).all()
    np.testing.assert_array_equal(unlabelled.error_norm, np.zeros(COUNT))


def test_fitting_hinges_cost_only_the_wrong_way():
    straight, bent = np.zeros((1, 24, 3), np.float32), np.zeros((1, 24, 3), np.float32)
    bent[0, KNEES, 0] = 1.5  # as in sitting down
    broken = -bent
    costs = [float(fitting._hinges(tf.constant(pose))[0]) for pose in (bent, straight, broken)]
    assert costs[0] < costs[1] < costs[2] / 100


def test_fitting_follows_the_prior(smpl, fitter, people):
    body_shoulders = [joint - 1 for joint in SHOULDERS]  # without the global rotation

    def arms_down(rotations, betas):
        shoulders = tf.gather(rotations, body_shoulders, axis=1)
        return 100.0 * tf.reduce_sum(tf.square(shoulders - tf.eye(3)), axis=[1, 2, 3])

    free, held = (
        theta.split(fit(*people, 60).theta).pose.numpy()[:, SHOULDERS]
        for fit in (fitter, fitting.Fitter(smpl, arms_down))
    )
    assert np.abs(held).mean() < 0.5 * np.abs(free).mean()


def sideways_people(smpl):
    """Arms stretched towards the viewer: seen from the front, 2D keypoints do not say which way."""
    pose = np.tile(theta.split(mean_theta()).pose.numpy(), (2, 1, 1))
    pose[:, SHOULDERS, 1] = np.array([(-1.3, 1.3), (1.3, -1.3)])  # forwards, backwards
    body = smpl(tf.constant(pose, tf.float32), tf.zeros([2, 10]))
    weak = tf.constant([[0.8, 0.0, 0.0]] * 2)
    points = camera.project(body.joints3d, weak)
    labels = tf.concat([points, tf.ones([2, 19, 1])], axis=-1)
    directions = fitting.unit_directions(body.joints3d)
    weight = tf.ones([2, len(fitting.DIRECTIONS), 1])
    return body, labels, tf.concat([directions, weight], axis=-1)


def depth_error(body, wanted):
    return np.abs(body.joints3d[..., 2] - wanted.joints3d[..., 2]).max(axis=1)


def test_fitting_takes_the_depth_from_directions(smpl, fitter):
    body, labels, directions = sideways_people(smpl)
    start = np.tile(mean_theta(), (2, 1))
    without = fitter(labels, start, num_steps=150)
    fitted = fitter(labels, start, num_steps=150, directions=directions)
    assert depth_error(fitted.body, body).max() < 0.12
    assert depth_error(without.body, body).max() > 0.3
    assert np.max(fitted.error_norm) < 0.03


def test_fitting_with_directions_of_no_weight_is_as_without(smpl, fitter, people, fitted):
    directions = np.ones((COUNT, len(fitting.DIRECTIONS), 4)) * (1, 0, 0, 0)
    again = fitter(*people, num_steps=150, directions=directions)
    np.testing.assert_allclose(again.theta, fitted.theta, atol=1e-6)  # another graph


def test_fitting_keeps_the_best_of_several_starts(smpl, fitter):
    """A person seen from the front and one seen from the back, each start right for one of them."""
    body, labels, directions = sideways_people(smpl)
    front, back = fit_initialization.initial_thetas(smpl, labels, directions)
    starts = [np.stack([front[0], back[1]]), np.stack([back[0], front[1]])]
    best = fitter.best_of(labels, starts, num_steps=150, directions=directions)
    assert depth_error(best.body, body).max() < 0.15
    wrong = fitter(labels, np.stack([back[0], back[1]]), 100, directions)
    assert (best.energy.numpy() < wrong.energy.numpy() + 1e-3).all()


def swinging_arms(smpl, frames, noise):
    """Joints of a motion, noisy labels and directions of its frames."""
    rng = np.random.default_rng(3)
    pose = np.tile(theta.split(mean_theta()).pose.numpy(), (frames, 1, 1))
    pose[:, SHOULDERS, 2] += 0.6 * np.sin(np.arange(frames) / 4)[:, None]
    body = smpl.joints_only(tf.constant(pose), tf.zeros([frames, 10]))
    points = camera.project(body.joints3d, tf.constant([[0.8, 0.0, 0.0]] * frames)).numpy()
    points += rng.normal(0, noise, points.shape)
    noisy3d = body.joints3d.numpy() + rng.normal(0, noise, body.joints3d.shape)
    directions = fitting.unit_directions(noisy3d.astype(np.float32)).numpy()
    labels, directions = (
        np.concatenate([x, np.ones((*x.shape[:2], 1))], axis=-1) for x in (points, directions)
    )
    return body.joints3d.numpy(), labels, directions


def about_hips(joints3d):
    return joints3d - joints3d[:, 2:4].mean(axis=1, keepdims=True)


def test_fitting_of_successive_frames_jitters_less_and_errs_no_more(smpl, fitter):
    joints, labels, directions = swinging_arms(smpl, 12, noise=0.03)
    start = np.tile(mean_theta(), (12, 1))
    linked = fitting.no_motion(12)._replace(previous=np.maximum(np.arange(12) - 1, 0))
    errors, jitters = [], []
    for motion in (None, linked):
        fit = fitter(labels, start, 120, directions, motion)
        fitted = about_hips(fit.body.joints3d.numpy())
        errors.append(np.linalg.norm(fitted - about_hips(joints), axis=-1).mean())
        jitters.append(np.linalg.norm(np.diff(fitted, n=2, axis=0), axis=-1).mean())
    assert jitters[1] < 0.6 * jitters[0]
    assert errors[1] < errors[0]


def test_fitting_is_drawn_to_the_anchor(smpl, fitter):
    _, labels, directions = swinging_arms(smpl, 2, noise=0.03)
    start = np.tile(mean_theta(), (2, 1))
    anchors = np.tile(np.eye(3), (2, 24, 1, 1))
    free = fitter(labels, start, 60, directions)
    motion = fitting.Motion(np.arange(2), anchors, np.array([0, 1]))
    held = fitter(labels, start, 60, directions, motion)
    apart = [np.square(fit.body.rotations - anchors).sum(axis=(1, 2, 3)) for fit in (free, held)]
    assert apart[1][1] < 0.7 * apart[0][1]
    np.testing.assert_allclose(held.theta[0], free.theta[0], atol=1e-4)


@pytest.mark.parametrize("degrees", [0, 90, 180, -60])
def test_fitting_starts_rotated_as_the_torso(smpl, degrees):
    """From directions the global rotation itself, from 2D keypoints the rotation in the picture."""
    upright = Rotation.from_rotvec([np.pi, 0, 0])
    rotation = Rotation.from_euler("z", degrees, degrees=True) * upright
    pose = np.zeros((1, 24, 3), np.float32)
    pose[0, 0] = rotation.as_rotvec()
    body = smpl(tf.constant(pose), tf.zeros([1, 10]))
    weak = np.float32([[0.7, 0.1, -0.2]])
    labels = np.concatenate([camera.project(body.joints3d, weak), np.ones((1, 19, 1))], axis=-1)
    known = np.ones((1, len(fitting.DIRECTIONS), 1))
    directions = np.concatenate([fitting.unit_directions(body.joints3d), known], axis=-1)
    for given in (directions, 0 * directions):
        front, back = fit_initialization.initial_thetas(smpl, labels, given)
        parts = theta.split(front)
        front_rotation = Rotation.from_rotvec(parts.pose[0, 0].numpy())
        assert (front_rotation.inv() * rotation).magnitude() < 0.05
        np.testing.assert_allclose(parts.camera, weak, atol=0.02)
        behind = Rotation.from_rotvec(theta.split(back).pose[0, 0].numpy())
        assert (front_rotation.inv() * behind).magnitude() == pytest.approx(np.pi, abs=1e-3)

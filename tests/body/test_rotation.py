"""Rotations against scipy, hand-made cases, finite differences; Procrustes."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial.transform import Rotation

from hmr_tf.body.rotation import (
    angle_between,
    axis_angle_from_matrix,
    best_similarity,
    euler_zxy_from_matrix,
    global_rotations,
    matrix_from_axis_angle,
    nearest_rotation,
    procrustes_align,
    quaternion_from_matrix,
    reflect,
    rotate_180_about_z,
)
from hmr_tf.body.skeleton import SMPL_JOINTS, mirror

QUARTER = np.pi / 2


@pytest.mark.parametrize(
    ("axis_angle", "point", "rotated"),
    [
        ((QUARTER, 0, 0), (0, 1, 0), (0, 0, 1)),
        ((0, QUARTER, 0), (0, 0, 1), (1, 0, 0)),
        ((0, 0, QUARTER), (1, 0, 0), (0, 1, 0)),
        ((np.pi, 0, 0), (0.3, 1, 2), (0.3, -1, -2)),
        ((0, 0, 0), (1, 2, 3), (1, 2, 3)),
    ],
)
def test_matrix_from_axis_angle_rotates_the_right_way(axis_angle, point, rotated):
    matrix = matrix_from_axis_angle(tf.constant(axis_angle, tf.float32)).numpy()
    np.testing.assert_allclose(matrix @ np.array(point), rotated, atol=1e-6)


def test_rotate_180_about_z_equals_scipy(rng):
    """Also no rotation, a rotation of pi, and a rotation that it undoes; gradients are finite."""
    special = [(0, 0, 0), (np.pi, 0, 0), (0, 0, np.pi), (0, 0, -np.pi), (0, 1e-7, 0)]
    axis_angle = np.concatenate([special, rng.normal(size=(50, 3)) * rng.uniform(0, 4, (50, 1))])
    variable = tf.Variable(axis_angle, dtype=tf.float32)
    with tf.GradientTape() as tape:
        rotated = rotate_180_about_z(variable)
    expected = Rotation.from_rotvec((0, 0, np.pi)) * Rotation.from_rotvec(axis_angle)
    difference = (Rotation.from_rotvec(rotated.numpy()) * expected.inv()).magnitude()
    assert difference.max() < 2e-6
    assert np.linalg.norm(rotated, axis=1).max() < np.pi + 1e-5
    assert np.isfinite(tape.gradient(rotated, variable)).all()


def test_matrix_from_axis_angle_equals_scipy(rng):
    axis_angle = rng.normal(size=(50, 3)) * rng.uniform(0, 4, size=(50, 1))
    ours = matrix_from_axis_angle(tf.constant(axis_angle, tf.float32))
    np.testing.assert_allclose(ours, Rotation.from_rotvec(axis_angle).as_matrix(), atol=2e-6)


@pytest.mark.parametrize("value", [(0, 0, 0), (-1e-8, -1e-8, -1e-8), (1e-8, 0, 0), (0, 0, 1e-4)])
def test_matrix_from_axis_angle_is_finite_near_zero(value):
    axis_angle = tf.constant(value, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(axis_angle)
        matrix = matrix_from_axis_angle(axis_angle)
    np.testing.assert_allclose(matrix, np.eye(3), atol=2e-4)
    assert np.isfinite(tape.jacobian(matrix, axis_angle)).all()


def test_matrix_from_axis_angle_jacobian_at_zero_is_skew():
    axis_angle = tf.zeros([3])
    with tf.GradientTape() as tape:
        tape.watch(axis_angle)
        matrix = matrix_from_axis_angle(axis_angle)
    jacobian = tape.jacobian(matrix, axis_angle).numpy()
    skew_x = np.array([[0, 0, 0], [0, 0, -1], [0, 1, 0]])
    np.testing.assert_allclose(jacobian[..., 0], skew_x, atol=1e-6)


def test_matrix_from_axis_angle_gradient_equals_finite_difference(rng):
    at = rng.normal(size=(20, 3))
    direction, weight = rng.normal(size=at.shape), rng.normal(size=(20, 3, 3))

    def value(x):
        return tf.reduce_sum(weight * matrix_from_axis_angle(x))

    x = tf.constant(at)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = value(x)
    step = 1e-5
    difference = (value(at + step * direction) - value(at - step * direction)) / (2 * step)
    np.testing.assert_allclose(np.sum(tape.gradient(y, x) * direction), difference, rtol=1e-5)


def test_reflect_is_the_mirror_and_its_inverse(rng):
    swap = mirror(SMPL_JOINTS)
    rotations = Rotation.random(48, random_state=0).as_matrix().reshape(2, 24, 3, 3)
    flip = np.diag([-1.0, 1, 1])
    expected = flip @ rotations[:, list(swap)] @ flip
    once = reflect(tf.constant(rotations), swap)
    np.testing.assert_allclose(once, expected, atol=1e-12)
    np.testing.assert_allclose(reflect(once, swap), rotations, atol=1e-12)


def test_procrustes_undoes_a_similarity(rng):
    target = rng.normal(size=(8, 14, 3))
    rotation = Rotation.random(8, random_state=1).as_matrix()
    source = 1.7 * np.einsum("bij,bkj->bki", rotation, target) + rng.normal(size=(8, 1, 3))
    np.testing.assert_allclose(procrustes_align(source, target), target, atol=1e-12)


def test_best_similarity_moves_other_points_too(rng):
    source, others = rng.normal(size=(2, 5, 3)), rng.normal(size=(2, 9, 3))
    rotation = Rotation.from_rotvec([0.3, -0.8, 0.5])
    target = 1.7 * rotation.apply(source.reshape(-1, 3)).reshape(2, 5, 3) + 0.4
    moved = best_similarity(source, target)
    assert moved.scale == pytest.approx(np.full(2, 1.7))
    assert moved.rotation == pytest.approx(np.tile(rotation.as_matrix(), (2, 1, 1)))
    expected = 1.7 * rotation.apply(others.reshape(-1, 3)).reshape(2, 9, 3) + 0.4
    assert moved.apply(others) == pytest.approx(expected)


@pytest.mark.parametrize("angle", [0.0, 1e-9, 0.3, QUARTER, 3.0, np.pi])
def test_angle_between_is_exact_near_nothing_and_half_a_turn(rng, angle):
    first = Rotation.random(4, random_state=rng)
    axes = rng.normal(size=(4, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    second = Rotation.from_rotvec(angle * axes) * first
    angles = angle_between(first.as_matrix(), second.as_matrix())
    assert angles == pytest.approx(np.full(4, angle), abs=1e-14 if angle < 3 else 1e-7)


def test_global_rotations_follow_the_parents():
    quarter = Rotation.from_rotvec([0, 0, QUARTER]).as_matrix()
    chain = global_rotations(np.tile(quarter, (1, 4, 1, 1)), (-1, 0, 1, 0))
    angles = angle_between(chain[0], np.eye(3))
    assert angles == pytest.approx(np.array([1, 2, 1, 2]) * QUARTER)  # three quarters: one back


def test_procrustes_never_mirrors(rng):
    body = rng.normal(size=(8, 14, 3))
    mirrored = body * [-1, 1, 1]
    error = np.linalg.norm(procrustes_align(mirrored, body) - body, axis=-1).mean(-1)
    assert error.min() > 0.1


def test_procrustes_of_a_single_point_is_that_point():
    source, target = np.ones((1, 14, 3)), np.full((1, 14, 3), 5.0)
    np.testing.assert_allclose(procrustes_align(source, target), target)


AXES = np.array([(1, 0, 0), (0, 1, 0), (0, 0, 1), (-1, 0, 0), (0.6, 0, -0.8), (-0.36, 0.48, 0.8)])
ANGLES = (0, 1e-9, 1e-5, 0.3, QUARTER, 3, np.pi - 1e-5, np.pi - 1e-9, np.pi)


@pytest.mark.parametrize("angle", ANGLES)
@pytest.mark.parametrize("axis", AXES)
def test_axis_angle_from_matrix_inverts(axis, angle):
    matrix = Rotation.from_rotvec(axis * angle).as_matrix()
    back = axis_angle_from_matrix(matrix)
    # A rotation by pi about an axis is one about its opposite.
    candidates = [axis * angle] + [-axis * angle] * (angle > np.pi - 1e-8)
    assert min(np.abs(back - candidate).max() for candidate in candidates) < 1e-8
    np.testing.assert_allclose(Rotation.from_rotvec(back).as_matrix(), matrix, atol=1e-12)


def test_axis_angle_from_matrix_takes_float32(rng):
    axis = rng.normal(size=(200, 3))
    axis_angle = np.pi * axis / np.linalg.norm(axis, axis=-1, keepdims=True)
    matrix = Rotation.from_rotvec(axis_angle).as_matrix().astype(np.float32)
    back = Rotation.from_rotvec(axis_angle_from_matrix(matrix)).as_matrix()
    np.testing.assert_allclose(back, matrix, atol=1e-6)


@pytest.mark.parametrize(
    ("axis_angle", "quaternion"),
    [
        ((0, 0, 0), (0, 0, 0, 1)),
        ((QUARTER, 0, 0), (np.sqrt(0.5), 0, 0, np.sqrt(0.5))),
        ((0, -QUARTER, 0), (0, -np.sqrt(0.5), 0, np.sqrt(0.5))),
        ((0, 0, np.pi), (0, 0, 1, 0)),
    ],
)
def test_quaternion_from_matrix_by_hand(axis_angle, quaternion):
    matrix = Rotation.from_rotvec(axis_angle).as_matrix()
    np.testing.assert_allclose(quaternion_from_matrix(matrix), quaternion, atol=1e-12)


@pytest.mark.parametrize(
    ("axis_angle", "zxy"),
    [
        ((0, 0, 0.3), (0.3, 0, 0)),
        ((0.3, 0, 0), (0, 0.3, 0)),
        ((0, 0.3, 0), (0, 0, 0.3)),
        ((0, -2.9, 0), (0, 0, -2.9)),
        ((QUARTER, 0, 0), (0, QUARTER, 0)),
        ((-QUARTER, 0, 0), (0, -QUARTER, 0)),
    ],
)
def test_euler_zxy_names_the_axis_of_each_angle(axis_angle, zxy):
    matrix = Rotation.from_rotvec(axis_angle).as_matrix()
    np.testing.assert_allclose(euler_zxy_from_matrix(matrix), zxy, atol=1e-12)


def test_euler_zxy_gives_the_matrix_back_even_in_gimbal_lock(rng):
    anywhere = rng.uniform(-np.pi, np.pi, (200, 3))
    locked = anywhere.copy()
    locked[:, 1] = np.sign(anywhere[:, 1]) * QUARTER
    nearly = locked.copy()
    nearly[:, 1] += np.geomspace(1e-9, 1e-3, len(nearly))
    angles = np.concatenate([anywhere, locked, nearly])
    matrices = Rotation.from_euler("ZXY", angles).as_matrix()
    for dtype, atol in ((np.float64, 2e-6), (np.float32, 3e-6)):
        ours = euler_zxy_from_matrix(matrices.astype(dtype))
        back = Rotation.from_euler("ZXY", ours).as_matrix()
        np.testing.assert_allclose(back, matrices, atol=atol)


def test_nearest_rotation_of_a_sum_is_nearest_to_all(rng):
    rotations = Rotation.from_rotvec(rng.normal(size=(20, 3))).as_matrix()
    mean = nearest_rotation(rotations.sum(axis=0))
    distance = np.square(rotations - mean).sum()
    for axis_angle in 0.05 * rng.normal(size=(100, 3)):
        other = Rotation.from_rotvec(axis_angle).as_matrix() @ mean
        assert np.square(rotations - other).sum() > distance


def test_nearest_rotation_is_no_mirror_image(rng):
    matrices = rng.normal(size=(50, 3, 3))
    rotations = nearest_rotation(matrices)
    np.testing.assert_allclose(np.linalg.det(rotations), 1)
    np.testing.assert_allclose(
        rotations @ rotations.swapaxes(1, 2), np.tile(np.eye(3), (50, 1, 1)), atol=1e-12
    )

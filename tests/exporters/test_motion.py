import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial.transform import Rotation

from hmr_tf.body import body_model
from hmr_tf.body.body_model import rest_body, rest_joints
from hmr_tf.body.smpl import SMPL
from hmr_tf.exporters import axes, motion
from tests.fakes import tiny_body
from tests.fakes.motions import walker


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return body_model.read_model(tiny_body.write(tmp_path_factory.mktemp("body") / "body.npz"))


def points_of(model, person):
    """(N, V, 3) the posed vertices."""
    betas = tf.constant(np.repeat(person.betas[None], len(person.frames), axis=0), tf.float32)
    body = SMPL(model)(tf.constant(person.rotations, tf.float32), betas)
    return body.vertices.numpy() + person.transl[:, None]


@pytest.mark.parametrize(
    ("up_axis", "right", "up", "towards_viewer"),
    [("y", (1, 0, 0), (0, 1, 0), (0, 0, 1)), ("z", (1, 0, 0), (0, 0, 1), (0, -1, 0))],
)
def test_axes_of_the_camera_in_files(up_axis, right, up, towards_viewer):
    camera = np.array([(1, 0, 0), (0, -1, 0), (0, 0, -1)])  # right, up, towards the viewer
    np.testing.assert_array_equal(axes.from_camera(camera, up_axis), [right, up, towards_viewer])


def test_axes_refuse_another_letter():
    with pytest.raises(ValueError, match="up_axis must be one of y, z; received 'x'"):
        axes.from_camera(np.zeros(3), "x")


def test_motion_from_camera_keeps_the_points(model):
    walk = walker(frames=3)
    person = motion.from_camera("a", model, walk.betas, walk.rotations, walk.transl)
    expected = axes.from_camera(points_of(model, walk))
    np.testing.assert_allclose(points_of(model, person), expected, atol=1e-5)


def test_motion_has_one_shape_and_the_pelvis_stays(model, rng):
    walk = walker(frames=4)
    betas = walk.betas + 0.3 * rng.normal(size=(4, 10))
    person = motion.from_camera("a", model, betas, walk.rotations, walk.transl)
    np.testing.assert_allclose(person.betas, betas.mean(axis=0))
    pelvises = np.stack([rest_body(model, b)[1][0] for b in betas]) + walk.transl
    now = rest_body(model, person.betas)[1][0] + person.transl
    np.testing.assert_allclose(now, axes.from_camera(pelvises), atol=1e-9)


def test_rest_joints_of_many_shapes_at_once(model, rng):
    betas = rng.normal(size=(3, 10))
    expected = [rest_body(model, b)[1] for b in betas]
    np.testing.assert_allclose(rest_joints(model, betas), expected, atol=1e-12)
    np.testing.assert_allclose(rest_joints(model, betas[1]), expected[1], atol=1e-12)


@pytest.mark.parametrize("betas", [np.zeros(11), np.full(10, np.nan)])
def test_a_shape_of_other_betas_is_refused(model, betas):
    with pytest.raises(ValueError, match=r"betas must be \(10,\), finite"):
        rest_body(model, betas)


def test_motion_rotates_with_its_frame(model):
    person = walker(frames=3)
    matrix = Rotation.from_rotvec([0.3, -1, 2]).as_matrix()
    rotated = points_of(model, motion.rotate_frame(person, matrix, model))
    np.testing.assert_allclose(rotated, points_of(model, person) @ matrix.T, atol=1e-5)


def test_motion_gaps_are_interpolated():
    poses = np.zeros((3, 24, 3))
    poses[:, 5, 2] = np.radians([0, 90, 170])
    transl = np.array([(0, 0, 0), (1, 2, 3), (1, 2, 4)])
    person = motion.from_arrays("a", np.zeros(10), poses, transl, frames=[7, 10, 11])
    whole = motion.without_gaps(person)
    np.testing.assert_array_equal(whole.frames, [7, 8, 9, 10, 11])
    angles_deg = Rotation.from_matrix(whole.rotations[:, 5]).as_rotvec(degrees=True)
    np.testing.assert_allclose(angles_deg[:, 2], [0, 30, 60, 90, 170], atol=1e-5)
    np.testing.assert_allclose(whole.transl[:3], [(0, 0, 0), (1 / 3, 2 / 3, 1), (2 / 3, 4 / 3, 2)])


def test_motion_without_gaps_is_unchanged():
    person = walker(frames=4, start=3)
    assert motion.without_gaps(person) is person


def test_motion_takes_axis_angle_and_matrices(rng):
    pose = rng.normal(size=(2, 24, 3))
    matrices = Rotation.from_rotvec(pose.reshape(-1, 3)).as_matrix().reshape(2, 24, 3, 3)
    for rotations in (pose, pose.reshape(2, 72), matrices):
        person = motion.from_arrays("a", np.zeros(10), rotations)
        np.testing.assert_allclose(person.rotations, matrices, atol=1e-7)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"betas": np.zeros(9)}, "betas of 'a' must be"),
        ({"rotations": np.zeros((2, 23, 3))}, "rotations of 'a' must be"),
        ({"rotations": np.full((2, 72), np.nan)}, "rotations of 'a' must be .* finite"),
        ({"rotations": np.zeros((0, 72))}, "at least one"),
        ({"transl": np.zeros((3, 3))}, "transl of 'a' must be"),
        ({"frames": [1, 1]}, "frames of 'a' must rise"),
        ({"rotations": np.tile(1.1 * np.eye(3), (2, 24, 1, 1))}, "must be rotation matrices"),
        (
            {"rotations": np.tile(np.diag([1, 1, -1]), (2, 24, 1, 1))},
            "mirrored, as those of a left",
        ),
        (
            {"rotations": np.zeros((2, 24, 3, 3))},
            "must be rotation matrices; some are scaled, empty",
        ),
    ],
)
def test_motion_refuses_wrong_arrays(changes, message):
    good = {"betas": np.zeros(10), "rotations": np.zeros((2, 72))}
    with pytest.raises(ValueError, match=message):
        motion.from_arrays("a", **{**good, **changes})


def test_motion_from_an_earlier_frame_begins_in_the_rest_pose(rng):
    rotations = Rotation.random(3 * 24, random_state=0).as_matrix().reshape(3, 24, 3, 3)
    late = motion.from_arrays(
        "late", np.zeros(10), rotations, transl=rng.normal(size=(3, 3)), frames=[3, 4, 6]
    )
    trimmed = motion.from_frame(late, 1)
    assert trimmed.frames.tolist() == [1, 2, 3, 4, 6]
    np.testing.assert_array_equal(trimmed.rotations[:2], np.broadcast_to(np.eye(3), (2, 24, 3, 3)))
    np.testing.assert_array_equal(trimmed.rotations[2:], late.rotations)
    np.testing.assert_array_equal(trimmed.transl[:3], np.repeat(late.transl[:1], 3, axis=0))
    assert motion.from_frame(late, 3).frames.tolist() == [3, 4, 6]

import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial.transform import Rotation

from hmr_tf.body import model_file
from hmr_tf.body.skeleton import KEYPOINTS, SMPL_JOINTS, SMPL_PARENTS
from hmr_tf.body.smpl import SMPL
from hmr_tf.errors import InputError
from tests import tiny_body


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return model_file.read_model(tiny_body.write(tmp_path_factory.mktemp("body") / "tiny.npz"))


@pytest.fixture(scope="module")
def smpl(model):
    return SMPL(model)


def slow_smpl(model, pose, betas):
    """SMPL as the paper writes it, one body, float64, loops: the independent reference."""
    rest = model.v_template + model.shapedirs @ betas
    joints = model.joint_regressor @ rest
    rotations = Rotation.from_rotvec(pose).as_matrix()
    rest = rest + model.posedirs @ (rotations[1:] - np.eye(3)).ravel()
    turns, places = [rotations[0]], [joints[0]]
    for joint in range(1, 24):
        parent = SMPL_PARENTS[joint]
        turns.append(turns[parent] @ rotations[joint])
        places.append(places[parent] + turns[parent] @ (joints[joint] - joints[parent]))
    vertices = np.zeros_like(rest)
    for joint in range(24):
        moved = (rest - joints[joint]) @ turns[joint].T + places[joint]
        vertices += model.weights[:, joint : joint + 1] * moved
    return vertices, np.array(places), model.keypoint_regressor @ vertices


def inputs(rng, count=4):
    pose, betas = 0.5 * rng.normal(size=(count, 24, 3)), rng.normal(size=(count, 10))
    pose[0], betas[0] = 0, 0
    pose[1, 0] = (np.pi, 0, 0)
    return pose, betas


def test_equals_the_paper_written_out(rng, model, smpl):
    pose, betas = inputs(rng)
    body = smpl(tf.constant(pose, tf.float32), tf.constant(betas, tf.float32))
    for i in range(len(pose)):
        vertices, joints, keypoints = slow_smpl(model, pose[i], betas[i])
        np.testing.assert_allclose(body.vertices[i], vertices, atol=5e-6)
        np.testing.assert_allclose(body.joints[i], joints, atol=5e-6)
        np.testing.assert_allclose(body.keypoints[i], keypoints, atol=5e-6)


def test_joints_only_gives_the_same_joints(rng, smpl):
    pose, betas = (tf.constant(x, tf.float32) for x in inputs(rng))
    full, light = smpl(pose, betas), smpl.joints_only(pose, betas)
    assert light.vertices is None
    np.testing.assert_array_equal(light.keypoints, full.keypoints)
    np.testing.assert_array_equal(light.joints, full.joints)


def test_matrices_are_as_good_as_axis_angle(rng, smpl):
    pose, betas = inputs(rng)
    matrices = Rotation.from_rotvec(pose.reshape(-1, 3)).as_matrix().reshape(-1, 24, 3, 3)
    betas = tf.constant(betas, tf.float32)
    a = smpl(tf.constant(pose, tf.float32), betas)
    b = smpl(tf.constant(matrices, tf.float32), betas)
    np.testing.assert_allclose(a.vertices, b.vertices, atol=5e-6)


def test_global_rotation_turns_about_the_pelvis(rng, smpl):
    pose, betas = inputs(rng)
    pose[:, 0] = 0
    rest = smpl(tf.constant(pose, tf.float32), tf.constant(betas, tf.float32))
    pose[:, 0] = (0, 0, np.pi / 2)
    turned = smpl(tf.constant(pose, tf.float32), tf.constant(betas, tf.float32))
    pelvis = rest.joints[:, :1]
    arm = (rest.vertices - pelvis).numpy()
    expected = pelvis + arm[..., [1, 0, 2]] * (-1, 1, 1)
    np.testing.assert_allclose(turned.vertices, expected, atol=5e-6)


def test_a_few_vertices_by_their_smpl_numbers(rng, model, smpl):
    pose, betas = (tf.constant(x, tf.float32) for x in inputs(rng))
    few = SMPL(model, vertex_ids=[50, 3, 4])(pose, betas)
    whole = smpl(pose, betas)
    np.testing.assert_allclose(few.vertices, whole.vertices.numpy()[:, [50, 3, 4]], atol=1e-6)
    np.testing.assert_array_equal(few.keypoints, whole.keypoints)


def test_smpls_vertex_numbers_are_refused_on_the_built_in_body():
    with pytest.raises(InputError, match="topology 'cc0'"):
        SMPL(model_file.read_model(), vertex_ids=[332])


def test_gradient_equals_finite_difference(rng, smpl):
    pose, betas = inputs(rng)
    weight = rng.normal(size=(4, len(KEYPOINTS), 3)).astype(np.float32)
    pose_dir, betas_dir = rng.normal(size=pose.shape), rng.normal(size=betas.shape)

    def value(p, b):
        body = smpl.joints_only(tf.cast(p, tf.float32), tf.cast(b, tf.float32))
        return tf.reduce_sum(weight * body.keypoints)

    p, b = tf.constant(pose), tf.constant(betas)
    with tf.GradientTape() as tape:
        tape.watch([p, b])
        y = value(p, b)
    slope = sum(np.sum(g * d) for g, d in zip(tape.gradient(y, [p, b]), (pose_dir, betas_dir)))
    step = 1e-3
    difference = value(pose + step * pose_dir, betas + step * betas_dir)
    difference -= value(pose - step * pose_dir, betas - step * betas_dir)
    np.testing.assert_allclose(slope, difference / (2 * step), rtol=2e-3)


def test_eager_graph_and_xla_agree(rng, smpl):
    pose, betas = (tf.constant(x, tf.float32) for x in inputs(rng))
    eager = smpl(pose, betas)
    for compiled in (False, True):
        traced = tf.function(lambda p, b: smpl(p, b)[:3], jit_compile=compiled)(pose, betas)
        for a, b in zip(eager[:3], traced):
            np.testing.assert_allclose(a, b, atol=5e-6)


def test_built_in_body_stands_the_right_way(rng):
    smpl = SMPL(model_file.read_model())
    body = smpl(tf.zeros([1, 24, 3]), tf.zeros([1, 10]))
    place = dict(zip(SMPL_JOINTS, body.joints[0].numpy()))
    point = dict(zip(KEYPOINTS, body.keypoints[0].numpy()))
    assert place["head"][1] > place["neck"][1] > place["pelvis"][1] > place["left_knee"][1]
    assert place["left_wrist"][0] > 0 > place["right_wrist"][0]
    assert point["left_wrist"][0] > 0 > point["right_wrist"][0]
    assert point["nose"][2] > place["head"][2]
    assert body.vertices.shape == (1, 6890, 3)

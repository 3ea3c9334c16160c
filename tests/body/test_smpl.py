"""The SMPL layer against the paper written out, and what it promises."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial.transform import Rotation

from hmr_tf.body import body_model
from hmr_tf.body.skeleton import KEYPOINTS, LSP_JOINTS, SMPL_JOINTS
from hmr_tf.body.smpl import SMPL
from tests.fakes import tiny_body


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return body_model.read_model(tiny_body.write(tmp_path_factory.mktemp("body") / "tiny.npz"))


@pytest.fixture(scope="module")
def smpl(model):
    return SMPL(model)


def slow_smpl(model, pose, betas):
    """SMPL as the paper writes it, one body, float64, loops: the independent reference."""
    rest = model.v_template + model.shapedirs @ betas
    joints = model.joint_regressor @ rest
    rotations = Rotation.from_rotvec(pose).as_matrix()
    rest = rest + model.posedirs @ (rotations[1:] - np.eye(3)).ravel()
    global_rotations, posed_joints = [rotations[0]], [joints[0]]
    for joint in range(1, 24):
        parent = model.parents[joint]
        offset = global_rotations[parent] @ (joints[joint] - joints[parent])
        global_rotations.append(global_rotations[parent] @ rotations[joint])
        posed_joints.append(posed_joints[parent] + offset)
    vertices = np.zeros_like(rest)
    for joint in range(24):
        moved = (rest - joints[joint]) @ global_rotations[joint].T + posed_joints[joint]
        vertices += model.lbs_weights[:, joint : joint + 1] * moved
    return vertices, np.array(posed_joints), model.keypoint_regressor @ vertices


def inputs(rng, count=4):
    pose, betas = 0.5 * rng.normal(size=(count, 24, 3)), rng.normal(size=(count, 10))
    pose[0], betas[0] = 0, 0
    pose[1, 0] = (np.pi, 0, 0)
    return pose, betas


def test_smpl_equals_the_paper_written_out(rng, model, smpl):
    pose, betas = inputs(rng)
    body = smpl(tf.constant(pose, tf.float32), tf.constant(betas, tf.float32))
    for i in range(len(pose)):
        vertices, joints, keypoints = slow_smpl(model, pose[i], betas[i])
        np.testing.assert_allclose(body.vertices[i], vertices, atol=5e-6)
        np.testing.assert_allclose(body.smpl_joints[i], joints, atol=5e-6)
        np.testing.assert_allclose(body.joints3d[i], keypoints, atol=5e-6)


def test_smpl_takes_any_tree_whose_parents_come_first(rng, model):
    limbs = model._replace(parents=np.array([-1] + [j if j % 6 else 0 for j in range(23)]))
    pose, betas = inputs(rng)
    body = SMPL(limbs)(tf.constant(pose, tf.float32), tf.constant(betas, tf.float32))
    for i in range(len(pose)):
        vertices, joints, _ = slow_smpl(limbs, pose[i], betas[i])
        np.testing.assert_allclose(body.vertices[i], vertices, atol=1e-5)
        np.testing.assert_allclose(body.smpl_joints[i], joints, atol=1e-5)


def test_smpl_joints_only_gives_the_same_joints(rng, smpl):
    pose, betas = (tf.constant(x, tf.float32) for x in inputs(rng))
    full, light = smpl(pose, betas), smpl.joints_only(pose, betas)
    assert light.vertices is None
    np.testing.assert_array_equal(light.joints3d, full.joints3d)
    np.testing.assert_array_equal(light.smpl_joints, full.smpl_joints)


def test_smpl_joints_only_never_builds_the_mesh(model, smpl):
    specs = tf.TensorSpec([None, 24, 3]), tf.TensorSpec([None, 10])

    sizes = {len(model.v_template), 3 * len(model.v_template)}

    def has_mesh(path):
        graph = tf.function(path).get_concrete_function(*specs).graph
        tensors = [tensor for op in graph.get_operations() for tensor in op.outputs]
        shapes = [x.shape for x in (*tensors, *graph.variables) if x.shape.rank]
        return any(size in sizes for shape in shapes for size in shape)

    assert has_mesh(smpl)
    assert not has_mesh(smpl.joints_only)


def test_body_lsp_joints_are_the_first_keypoints(rng, smpl):
    body = smpl.joints_only(*(tf.constant(x, tf.float32) for x in inputs(rng)))
    lsp = [KEYPOINTS.index(name) for name in LSP_JOINTS]
    assert body.lsp_joints.shape == (4, 14, 3)
    np.testing.assert_array_equal(body.lsp_joints, body.joints3d.numpy()[:, lsp])


def test_smpl_takes_matrices_and_axis_angle(rng, smpl):
    pose, betas = inputs(rng)
    matrices = Rotation.from_rotvec(pose.reshape(-1, 3)).as_matrix().reshape(-1, 24, 3, 3)
    betas = tf.constant(betas, tf.float32)
    a = smpl(tf.constant(pose, tf.float32), betas)
    b = smpl(tf.constant(matrices, tf.float32), betas)
    np.testing.assert_allclose(a.vertices, b.vertices, atol=5e-6)


def test_smpl_global_rotation_is_about_the_pelvis(rng, smpl):
    pose, betas = inputs(rng)
    pose[:, 0] = 0
    rest = smpl(tf.constant(pose, tf.float32), tf.constant(betas, tf.float32))
    pose[:, 0] = (0, 0, np.pi / 2)
    rotated = smpl(tf.constant(pose, tf.float32), tf.constant(betas, tf.float32))
    pelvis = rest.smpl_joints[:, :1]
    arm = (rest.vertices - pelvis).numpy()
    expected = pelvis + arm[..., [1, 0, 2]] * (-1, 1, 1)
    np.testing.assert_allclose(rotated.vertices, expected, atol=5e-6)


@pytest.mark.parametrize("mode", ["eager", "graph", "xla"])
def test_smpl_gradient_equals_finite_difference(rng, model, smpl, mode):
    """Along a random direction; one body is at zero rotation, one is rotated by pi."""
    pose, betas = inputs(rng)
    pose_dir, betas_dir = rng.normal(size=pose.shape), rng.normal(size=betas.shape)
    weights = [rng.normal(size=(count, 3)) for count in (len(model.v_template), 24, 19)]

    def gradient(p, b):
        with tf.GradientTape() as tape:
            tape.watch([p, b])
            parts = [tf.cast(w, tf.float32) * x for w, x in zip(weights, smpl(p, b))]
            value = tf.add_n([tf.reduce_sum(part) for part in parts])
        return tape.gradient(value, [p, b])

    def value(i, step):
        body = slow_smpl(model, pose[i] + step * pose_dir[i], betas[i] + step * betas_dir[i])
        return sum(np.sum(w * x) for w, x in zip(weights, body))

    if mode != "eager":
        gradient = tf.function(gradient, jit_compile=mode == "xla")
    gradients = gradient(tf.constant(pose, tf.float32), tf.constant(betas, tf.float32))
    for i in range(len(pose)):
        derivative = np.sum(gradients[0][i] * pose_dir[i]) + np.sum(gradients[1][i] * betas_dir[i])
        difference = (value(i, 1e-5) - value(i, -1e-5)) / 2e-5
        np.testing.assert_allclose(derivative, difference, rtol=1e-4)


def test_smpl_eager_graph_and_xla_agree(rng, smpl):
    pose, betas = (tf.constant(x, tf.float32) for x in inputs(rng))
    eager = smpl(pose, betas)
    for compiled in (False, True):
        traced = tf.function(lambda p, b: smpl(p, b)[:3], jit_compile=compiled)(pose, betas)
        for a, b in zip(eager[:3], traced):
            np.testing.assert_allclose(a, b, atol=5e-6)


def test_smpl_built_in_body_stands_upright_facing_z(rng):
    smpl = SMPL(body_model.read_model())
    body = smpl(tf.zeros([1, 24, 3]), tf.zeros([1, 10]))
    place = dict(zip(SMPL_JOINTS, body.smpl_joints[0].numpy()))
    point = dict(zip(KEYPOINTS, body.joints3d[0].numpy()))
    assert place["head"][1] > place["neck"][1] > place["pelvis"][1] > place["left_knee"][1]
    assert place["left_wrist"][0] > 0 > place["right_wrist"][0]
    assert point["left_wrist"][0] > 0 > point["right_wrist"][0]
    assert point["nose"][2] > place["head"][2]
    assert body.vertices.shape == (1, 6890, 3)

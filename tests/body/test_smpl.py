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
    turns, places = [rotations[0]], [joints[0]]
    for joint in range(1, 24):
        parent = model.parents[joint]
        turns.append(turns[parent] @ rotations[joint])
        places.append(places[parent] + turns[parent] @ (joints[joint] - joints[parent]))
    vertices = np.zeros_like(rest)
    for joint in range(24):
        moved = (rest - joints[joint]) @ turns[joint].T + places[joint]
        vertices += model.lbs_weights[:, joint : joint + 1] * moved
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
        np.testing.assert_allclose(body.smpl_joints[i], joints, atol=5e-6)
        np.testing.assert_allclose(body.joints3d[i], keypoints, atol=5e-6)


def test_any_tree_whose_parents_come_first(rng, model):
    limbs = model._replace(parents=np.array([-1] + [j if j % 6 else 0 for j in range(23)]))
    pose, betas = inputs(rng)
    body = SMPL(limbs)(tf.constant(pose, tf.float32), tf.constant(betas, tf.float32))
    for i in range(len(pose)):
        vertices, joints, _ = slow_smpl(limbs, pose[i], betas[i])
        np.testing.assert_allclose(body.vertices[i], vertices, atol=1e-5)
        np.testing.assert_allclose(body.smpl_joints[i], joints, atol=1e-5)


def test_joints_only_gives_the_same_joints(rng, smpl):
    pose, betas = (tf.constant(x, tf.float32) for x in inputs(rng))
    full, light = smpl(pose, betas), smpl.joints_only(pose, betas)
    assert light.vertices is None
    np.testing.assert_array_equal(light.joints3d, full.joints3d)
    np.testing.assert_array_equal(light.smpl_joints, full.smpl_joints)


def test_joints_only_never_builds_the_mesh(model, smpl):
    specs = tf.TensorSpec([None, 24, 3]), tf.TensorSpec([None, 10])

    def used(path):
        graph = tf.function(path).get_concrete_function(*specs).graph
        sizes = [t.shape for op in graph.get_operations() for t in op.outputs if t.shape.rank]
        return {v.name for v in graph.variables}, any(len(model.v_template) in s for s in sizes)

    (names, per_vertex), (light_names, light_per_vertex) = used(smpl), used(smpl.joints_only)
    assert names - light_names == {"blend:0", "weights:0"}
    assert (per_vertex, light_per_vertex) == (True, False)


def test_the_14_joints_are_the_first_keypoints(rng, smpl):
    body = smpl.joints_only(*(tf.constant(x, tf.float32) for x in inputs(rng)))
    lsp = [KEYPOINTS.index(name) for name in LSP_JOINTS]
    assert body.lsp_joints.shape == (4, 14, 3)
    np.testing.assert_array_equal(body.lsp_joints, body.joints3d.numpy()[:, lsp])


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
    pelvis = rest.smpl_joints[:, :1]
    arm = (rest.vertices - pelvis).numpy()
    expected = pelvis + arm[..., [1, 0, 2]] * (-1, 1, 1)
    np.testing.assert_allclose(turned.vertices, expected, atol=5e-6)


@pytest.mark.parametrize("mode", ["eager", "graph", "xla"])
def test_gradient_equals_finite_difference(rng, model, smpl, mode):
    """Of each body along a random direction; the first is at zero rotation, one turned by pi."""
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
    slopes = gradient(tf.constant(pose, tf.float32), tf.constant(betas, tf.float32))
    for i in range(len(pose)):
        slope = np.sum(slopes[0][i] * pose_dir[i]) + np.sum(slopes[1][i] * betas_dir[i])
        difference = (value(i, 1e-5) - value(i, -1e-5)) / 2e-5
        np.testing.assert_allclose(slope, difference, rtol=1e-4)


def test_eager_graph_and_xla_agree(rng, smpl):
    pose, betas = (tf.constant(x, tf.float32) for x in inputs(rng))
    eager = smpl(pose, betas)
    for compiled in (False, True):
        traced = tf.function(lambda p, b: smpl(p, b)[:3], jit_compile=compiled)(pose, betas)
        for a, b in zip(eager[:3], traced):
            np.testing.assert_allclose(a, b, atol=5e-6)


def test_built_in_body_stands_the_right_way(rng):
    smpl = SMPL(body_model.read_model())
    body = smpl(tf.zeros([1, 24, 3]), tf.zeros([1, 10]))
    place = dict(zip(SMPL_JOINTS, body.smpl_joints[0].numpy()))
    point = dict(zip(KEYPOINTS, body.joints3d[0].numpy()))
    assert place["head"][1] > place["neck"][1] > place["pelvis"][1] > place["left_knee"][1]
    assert place["left_wrist"][0] > 0 > place["right_wrist"][0]
    assert point["left_wrist"][0] > 0 > point["right_wrist"][0]
    assert point["nose"][2] > place["head"][2]
    assert body.vertices.shape == (1, 6890, 3)

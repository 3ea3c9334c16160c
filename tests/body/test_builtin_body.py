"""The body that comes with hmr_tf has the form of an SMPL file and is a closed symmetric person."""

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

from hmr_tf.body import body_model, skeleton

JOINT_SIDES = list(skeleton.mirror(skeleton.SMPL_JOINTS))
KEYPOINT_SIDES = list(skeleton.mirror(skeleton.KEYPOINTS))
REFLECT = np.array([-1.0, 1.0, 1.0])


@pytest.fixture(scope="module")
def body():
    with np.load(body_model.BUILT_IN) as file:
        return {key: file[key] for key in file.files}


@pytest.fixture(scope="module")
def mirror(body):
    points = body["v_template"]
    return cKDTree(points).query(points * REFLECT)[1]


@pytest.fixture(scope="module")
def joints(body):
    return dict(zip(skeleton.SMPL_JOINTS, body["J_regressor"] @ body["v_template"]))


@pytest.fixture(scope="module")
def keypoints(body):
    return dict(zip(skeleton.KEYPOINTS, body["cocoplus_regressor"] @ body["v_template"]))


def test_built_in_body_has_exactly_the_arrays_of_an_smpl_file(body):
    form = {key: (array.shape, array.dtype.name) for key, array in body.items()}
    assert form.pop("topology")[0] == ()
    assert form == {
        "v_template": ((6890, 3), "float32"),
        "shapedirs": ((6890, 3, 10), "float16"),
        "posedirs": ((6890, 3, 207), "float16"),
        "J_regressor": ((24, 6890), "float32"),
        "weights": ((6890, 24), "float32"),
        "f": ((13776, 3), "uint16"),
        "kintree_table": ((2, 24), "uint32"),
        "cocoplus_regressor": ((19, 6890), "float32"),
    }
    assert body["topology"] == "cc0"
    assert body_model.BUILT_IN.stat().st_size < 1.2e6


def test_built_in_body_is_finite(body):
    assert all(np.isfinite(array).all() for array in body.values() if array.dtype.kind == "f")


def test_built_in_body_is_read_as_a_model():
    model = body_model.read_model()
    assert model.topology == "cc0"
    assert tuple(model.parents) == skeleton.SMPL_PARENTS


def test_built_in_body_has_smpls_tree_and_unsigned_root(body):
    assert body["kintree_table"][0, 0] == 2**32 - 1
    np.testing.assert_array_equal(body["kintree_table"][0, 1:], skeleton.SMPL_PARENTS[1:])
    np.testing.assert_array_equal(body["kintree_table"][1], np.arange(24))


def test_built_in_body_surface_is_closed_oriented_and_in_one_piece(body):
    faces = body["f"].astype(int)
    directed = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    assert len(np.unique(directed, axis=0)) == len(directed)  # no edge twice in one direction
    assert {*map(tuple, directed)} == {*map(tuple, directed[:, ::-1])}  # each in both
    num_edges, num_vertices = len(directed) // 2, len(np.unique(faces))
    assert num_vertices == len(body["v_template"])
    assert num_vertices - num_edges + len(faces) == 2
    graph = sparse.coo_matrix((np.ones(len(directed)), directed.T))
    assert csgraph.connected_components(graph)[0] == 1


def test_built_in_body_faces_point_outwards_around_the_volume_of_a_person(body):
    a, b, c = np.moveaxis(body["v_template"][body["f"].astype(int)].astype(float), 1, 0)
    volume = np.sum(a * np.cross(b, c)) / 6
    assert 0.05 < volume < 0.1  # cubic metres


def test_built_in_body_template_faces_and_weights_are_symmetric(body, mirror):
    np.testing.assert_array_equal(mirror[mirror], np.arange(len(mirror)))
    np.testing.assert_array_equal(
        body["v_template"][mirror], body["v_template"] * np.float32(REFLECT)
    )
    np.testing.assert_array_equal(body["weights"][mirror][:, JOINT_SIDES], body["weights"])
    faces = body["f"].astype(int)

    def without_start(triangles):
        """Each triangle with its smallest corner first, in the same direction."""
        first = np.argmin(triangles, axis=1)[:, None]
        return {*map(tuple, np.take_along_axis(triangles, (first + np.arange(3)) % 3, 1))}

    assert without_start(faces) == without_start(mirror[faces][:, ::-1])


def test_built_in_body_blend_shapes_are_symmetric(body, mirror):
    shapes = body["shapedirs"].astype(float)
    np.testing.assert_allclose(shapes[mirror] * REFLECT[:, None], shapes, atol=1e-4)
    offsets = body["posedirs"].astype(float).reshape(-1, 3, 23, 3, 3)
    sides = np.array(JOINT_SIDES)[1:] - 1
    reflected = np.einsum("vcjab,c,a,b->vcjab", offsets[mirror][:, :, sides], *[REFLECT] * 3)
    np.testing.assert_allclose(reflected, offsets, atol=1e-6)


def test_built_in_body_regressors_are_symmetric(body, mirror):
    joints, keypoints = body["J_regressor"], body["cocoplus_regressor"]
    np.testing.assert_allclose(joints[JOINT_SIDES][:, mirror], joints, atol=1e-6)
    reflected = keypoints[KEYPOINT_SIDES][:, mirror]
    differs = np.abs(reflected - keypoints).max(1) > 1e-6
    # The calibration takes its nearest vertices, of a pair sometimes one.
    assert set(np.array(skeleton.KEYPOINTS)[differs]) == {"head_top"}


def test_built_in_body_keypoints_are_symmetric_in_all_shapes(body, rng):
    betas = rng.normal(size=(50, 10))
    shapes = body["v_template"] + np.einsum("vcs,ns->nvc", body["shapedirs"].astype(float), betas)
    keypoints = body["cocoplus_regressor"] @ shapes
    np.testing.assert_allclose(keypoints[:, KEYPOINT_SIDES] * REFLECT, keypoints, atol=1e-3)


def test_built_in_body_weights_sum_to_one_over_at_most_four_joints(body):
    weights = body["weights"]
    assert weights.min() >= 0
    assert (weights > 0).sum(1).max() <= 4
    np.testing.assert_allclose(weights.sum(1), 1.0, atol=2e-7)


@pytest.mark.parametrize(
    ("key", "smallest"),
    [("J_regressor", 0.0), ("cocoplus_regressor", -0.15)],  # the calibration adds negative ones
)
def test_built_in_body_regressor_rows_are_weighted_means(body, key, smallest):
    assert body[key].min() >= smallest
    np.testing.assert_allclose(body[key].sum(1, dtype=np.float64), 1.0, atol=1e-6)


def test_built_in_body_stands_where_smpl_stands(body, joints):
    assert 1.5 < np.ptp(body["v_template"][:, 1]) < 1.9
    np.testing.assert_allclose(joints["pelvis"], [0, -0.22, 0.03], atol=1e-3)


def test_built_in_body_joints_lie_in_the_order_of_a_body(joints):
    column = ("head", "neck", "spine3", "spine2", "spine1", "pelvis", "left_hip", "left_knee")
    heights = [joints[name][1] for name in (*column, "left_ankle", "left_foot")]
    assert heights == sorted(heights, reverse=True)
    assert joints["left_foot"][2] > joints["left_ankle"][2] + 0.05  # toes to the front
    for name, place in joints.items():
        side = name.partition("_")[0]
        assert np.sign(round(place[0], 5)) == {"left": 1, "right": -1}.get(side, 0), name


def test_built_in_body_arms_are_stretched_sideways(joints):
    arm = [joints[f"left_{name}"] for name in ("shoulder", "elbow", "wrist", "hand")]
    assert np.all(np.diff([place[0] for place in arm]) > 0.05)
    assert np.ptp([place[1] for place in arm]) < 0.02


def test_built_in_body_keypoints_lie_where_their_names_say(keypoints, joints, body):
    for name, place in keypoints.items():
        side = name.partition("_")[0]
        assert np.sign(round(place[0], 5)) == {"left": 1, "right": -1}.get(side, 0), name
    crown = body["v_template"][:, 1].max()
    assert crown - 0.05 < keypoints["head_top"][1] <= crown  # people mark it below the hair
    assert keypoints["head_top"][1] > keypoints["left_eye"][1] > keypoints["nose"][1]
    assert keypoints["nose"][1] > keypoints["neck"][1] > joints["spine3"][1]
    assert keypoints["nose"][2] > keypoints["left_eye"][2] > keypoints["left_ear"][2]
    for name in set(skeleton.KEYPOINTS) & set(skeleton.SMPL_JOINTS) - {"neck"}:
        is_moved = name.partition("_")[2] in ("shoulder", "hip")  # by the calibration
        distance = np.linalg.norm(keypoints[name] - joints[name])
        assert distance < (0.06 if is_moved else 0.003), name


def test_built_in_body_grows_with_positive_betas_most_with_the_first(body):
    heights = [
        np.ptp((body["v_template"] + body["shapedirs"][..., k].astype(np.float32))[:, 1])
        for k in range(10)
    ]
    growth = np.array(heights) - np.ptp(body["v_template"][:, 1])
    assert growth.min() > -1e-4
    assert growth.argmax() == 0
    assert 0.05 < growth[0] < 0.15  # one standard deviation of adults is about 10 cm


def test_built_in_body_has_its_licence_beside_it():
    text = body_model.BUILT_IN.with_name("cc0_body_LICENSE.txt").read_text(encoding="utf-8")
    assert "CC0 1.0 Universal" in text
    assert "4. __Limitations and Disclaimers.__" in text
    assert "MakeHuman" in text

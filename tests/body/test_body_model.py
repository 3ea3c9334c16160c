"""SMPL files of every kind: found in their order, read, and refused in one line."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from hmr_tf.body import body_model, keypoint_regressor
from hmr_tf.body.skeleton import KEYPOINTS, SMPL_JOINTS
from hmr_tf.files import safe_npz
from hmr_tf.files.errors import InputError
from tests.fakes import python2_pickle, tiny_body


def array_file(shape):
    """The bytes of an .npy that says `shape` and holds four numbers."""
    stream = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue() + np.zeros(4).tobytes()


def test_reads_what_was_written(tmp_path):
    truth = tiny_body.arrays()
    model = body_model.read_model(tiny_body.write(tmp_path / "body.npz"))
    np.testing.assert_array_equal(model.v_template, truth["v_template"])
    np.testing.assert_array_equal(model.joint_regressor, truth["J_regressor"])
    assert model.parents[0] == -1
    assert model.topology == "smpl"


def test_takes_the_first_ten_of_many_betas(tmp_path, rng):
    many = rng.normal(size=(60, 3, 300))
    model = body_model.read_model(tiny_body.write(tmp_path / "body.npz", shapedirs=many))
    np.testing.assert_array_equal(model.shapedirs, many[..., :10])


def test_built_in_body_is_no_smpl_topology():
    assert body_model.read_model().topology == "cc0"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"weights": None}, "lacks weights"),
        ({"cocoplus_regressor": None}, "no cocoplus_regressor"),
        ({"v_template": np.full((60, 3), np.nan)}, "not finite"),
        ({"posedirs": np.zeros((60, 3, 9))}, "posedirs has shape"),
        ({"f": np.array([[0, 1, 60]])}, "outside 0..59"),
        ({"kintree_table": np.zeros((2, 24), np.uint32)}, "no tree"),
        ({"f": np.array([{}])}, "no numbers"),
    ],
)
def test_refuses_what_is_no_model(tmp_path, changes, said):
    path = tiny_body.write(tmp_path / "body.npz", **changes)
    with pytest.raises(InputError, match=said) as error:
        body_model.read_model(path)
    assert "body.npz" in str(error.value)
    assert "\n" not in str(error.value)


def test_refuses_what_is_too_large_to_be_a_model(tmp_path, monkeypatch):
    path = tmp_path / "body.npz"
    np.savez_compressed(path, **{**tiny_body.arrays(), "f": np.zeros(300_000)})
    for limit, said in (
        (2**21, r"unpacks to 2,\d+,\d+ bytes; at most 2,097,152"),
        (99, "at most 99"),
    ):
        monkeypatch.setattr(safe_npz, "MAX_BYTES", limit)
        with pytest.raises(InputError, match=said):
            body_model.read_model(path)


def test_refuses_a_missing_and_a_truncated_file(tmp_path):
    with pytest.raises(InputError, match=r"not found.*smpl\.is\.tue"):
        body_model.read_model(tmp_path / "none.npz")
    whole = tiny_body.write(tmp_path / "whole.npz").read_bytes()
    for name, content in (
        ("half.npz", whole[: len(whole) // 2]),
        ("empty.npz", b""),
        ("x.npz", b"x"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=name):
            body_model.read_model(tmp_path / name)


def test_a_flag_a_variable_a_folder_then_the_built_in(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(body_model.VARIABLE, raising=False)
    assert body_model.find() == body_model.BUILT_IN
    (tmp_path / "models").mkdir()
    assert body_model.find() == body_model.BUILT_IN
    for name in reversed(body_model.NAMES):  # HMR's own file is taken before the official ones
        (tmp_path / "models" / name).touch()
        assert body_model.find() == Path("models") / name
    monkeypatch.setenv(body_model.VARIABLE, "elsewhere.pkl")
    assert body_model.find() == Path("elsewhere.pkl")
    assert body_model.find("mine.npz") == Path("mine.npz")
    assert body_model.find("models") == Path("models") / body_model.NAMES[0]
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match=r"none holds no SMPL model: none of neutral_smpl"):
        body_model.find("none")


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    """Like SMPL_NEUTRAL.npz: 6,890 vertices, 300 betas, no keypoints, things nobody needs."""
    path, num_vertices = tmp_path_factory.mktemp("official") / "SMPL_NEUTRAL.npz", 6890
    content = {
        **tiny_body.arrays(num_vertices),
        "shapedirs": np.zeros((num_vertices, 3, 300)),
        "posedirs": np.zeros((num_vertices, 3, 207)),
        "joint2num": np.array({"Pelvis": 0}),
    }
    del content["cocoplus_regressor"]
    np.savez_compressed(path, **content)
    return path


def test_official_file_gets_keypoints_from_joints_and_the_face(official, caplog):
    model = body_model.read_model(official)
    assert "has no cocoplus_regressor" in caplog.text
    keypoints = model.keypoint_regressor @ model.v_template
    joints = dict(zip(SMPL_JOINTS, model.joint_regressor @ model.v_template))
    for name, point in zip(KEYPOINTS, keypoints):
        vertex = keypoint_regressor.FACE_VERTICES.get(name)
        expected = joints[name] if vertex is None else model.v_template[vertex]
        np.testing.assert_allclose(point, expected, atol=1e-12, err_msg=name)


def test_a_regressor_of_its_own(official, tmp_path, rng, caplog):
    regressor = rng.random((19, 6890))
    np.save(tmp_path / "regressor.npy", regressor)
    np.savez(tmp_path / "regressor.npz", cocoplus_regressor=regressor)
    sparse_matrix = python2_pickle.OldSparse(sparse.csc_matrix(regressor))
    python2_pickle.write(tmp_path / "hmr.pkl", {"cocoplus_regressor": sparse_matrix})
    for name in ("regressor.npy", "regressor.npz", "hmr.pkl"):
        model = body_model.read_model(official, tmp_path / name)
        np.testing.assert_array_equal(model.keypoint_regressor, regressor)
    assert not caplog.text


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("none.npy", None, "no such file"),
        ("empty.npy", b"", "is damaged"),
        ("lie.npy", array_file((10**12, 19)), r"holds float64 \(1000000000000, 19\) in 32 bytes"),
        ("small.npy", array_file((2, 2)), "keypoint_regressor has shape"),
        ("other.pkl", b"}.", "holds no cocoplus_regressor"),
        ("text.npz", b"text", "is damaged"),
    ],
)
def test_what_is_no_regressor_is_refused(official, tmp_path, name, content, said):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=said):
        body_model.read_model(official, tmp_path / name)


def test_sparse_matrices_inside_an_npz_are_read_and_nothing_is_run(tmp_path):
    truth = tiny_body.arrays()
    regressor = np.array(sparse.csc_matrix(truth["J_regressor"]), dtype=object)
    model = body_model.read_model(tiny_body.write(tmp_path / "body.npz", J_regressor=regressor))
    np.testing.assert_array_equal(model.joint_regressor, truth["J_regressor"])
    marker = tmp_path / "marker"
    evil = np.array(python2_pickle.Runs(os.system, f"touch {marker}"), dtype=object)
    with pytest.raises(InputError, match=r"evil\.npz: holds (posix|os|nt)\.system"):
        body_model.read_model(tiny_body.write(tmp_path / "evil.npz", J_regressor=evil))
    assert not marker.exists()

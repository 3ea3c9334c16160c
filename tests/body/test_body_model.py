"""SMPL files of every kind: the order of search, reading, refusals in one line, rest pose."""

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
    """The bytes of an .npy whose header states `shape`, with four numbers."""
    stream = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue() + np.zeros(4).tobytes()


def test_read_model_returns_what_was_written(tmp_path):
    truth = tiny_body.arrays()
    model = body_model.read_model(tiny_body.write(tmp_path / "body.npz"))
    np.testing.assert_array_equal(model.v_template, truth["v_template"])
    np.testing.assert_array_equal(model.joint_regressor, truth["J_regressor"])
    assert model.parents[0] == -1
    assert model.topology == "smpl"


def test_read_model_takes_the_first_ten_betas(tmp_path, rng):
    many = rng.normal(size=(60, 3, 300))
    model = body_model.read_model(tiny_body.write(tmp_path / "body.npz", shapedirs=many))
    np.testing.assert_array_equal(model.shapedirs, many[..., :10])


def test_digest_of_the_built_in_body_never_changes():
    """Checkpoints name their body by it."""
    digest = "a91cb7ccc53393d421fafef94ad52deb66076a422bf1f4fcdaa61cfa719d518a"
    assert body_model.digest(body_model.read_model(body_model.BUILT_IN)) == digest


def test_built_in_body_of_version_1_0_is_chosen_by_its_digest(caplog):
    caplog.set_level("INFO")
    assert body_model.built_in() == body_model.built_in("0" * 64) == body_model.BUILT_IN
    assert not caplog.records
    former = body_model.built_in(body_model.DIGEST_1_0)
    assert body_model.digest(body_model.read_model(former)) == body_model.DIGEST_1_0
    (line,) = caplog.messages
    assert "version 1.0" in line
    assert "\n" not in line


def test_built_in_bodies_differ_only_in_their_keypoints():
    former, new = (
        body_model.read_model(body_model.built_in(d)) for d in (body_model.DIGEST_1_0, None)
    )
    for name, values in new._asdict().items():
        is_same = np.array_equal(values, getattr(former, name))
        assert is_same == (name != "keypoint_regressor"), name


def test_digest_ignores_file_format_faces_and_topology(tmp_path):
    arrays = tiny_body.arrays()
    model = body_model.read_model(tiny_body.write(tmp_path / "body.npz"))
    python2_pickle.write(tmp_path / "body.pkl", arrays)
    digest = body_model.digest(model)
    assert body_model.digest(body_model.read_model(tmp_path / "body.pkl")) == digest
    assert body_model.digest(model._replace(faces=model.faces[:1], topology="other")) == digest
    assert body_model.digest(model._replace(v_template=model.v_template + 1e-4)) != digest


def test_read_model_knows_the_built_in_topology():
    assert body_model.read_model().topology == "cc0"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": None}, "lacks weights"),
        ({"cocoplus_regressor": None}, "no cocoplus_regressor"),
        ({"v_template": np.full((60, 3), np.nan)}, "not finite"),
        ({"posedirs": np.zeros((60, 3, 9))}, "posedirs has shape"),
        ({"f": np.array([[0, 1, 60]])}, "outside 0..59"),
        ({"kintree_table": np.zeros((2, 24), np.uint32)}, "not a tree"),
        ({"f": np.array([[0, 1, 1e300]])}, r"f holds 1e\+300, which is no index"),
        ({"f": np.array([[0, 1, 3e9]])}, "outside 0..59"),
        ({"kintree_table": np.full((2, 24), 2.0**32)}, "kintree_table holds 4.29e\\+09, which is"),
        ({"f": np.array([{}])}, "no numbers"),
        (
            {"v_template": 1000 * tiny_body.arrays()["v_template"]},
            r"3\.\d+e\+03 units tall, so not",
        ),
        (
            {"v_template": tiny_body.arrays()["v_template"][:, [0, 2, 1]]},
            "SMPL's rest pose has y up",
        ),
        ({"weights": np.zeros((60, 24))}, "weights of some vertices do not add up to 1"),
        ({"kintree_table": np.zeros((2, 52), np.uint32)}, "this is SMPL-H; download SMPL"),
        ({"kintree_table": np.zeros((2, 55), np.uint32)}, "this is SMPL-X; download SMPL"),
    ],
)
def test_read_model_refuses_wrong_content(tmp_path, changes, message):
    path = tiny_body.write(tmp_path / "body.npz", **changes)
    with pytest.raises(InputError, match=message) as error:
        body_model.read_model(path)
    assert "body.npz" in str(error.value)
    assert "\n" not in str(error.value)


def test_read_model_refuses_a_too_large_file(tmp_path, monkeypatch):
    path = tmp_path / "body.npz"
    np.savez_compressed(path, **{**tiny_body.arrays(), "f": np.zeros(300_000)})
    for limit, message in (
        (2**21, r"unpacks to 2,\d+,\d+ bytes; at most 2,097,152"),
        (99, "at most 99"),
    ):
        monkeypatch.setattr(safe_npz, "MAX_BYTES", limit)
        with pytest.raises(InputError, match=message):
            body_model.read_model(path)


def test_read_model_refuses_missing_and_truncated_files(tmp_path):
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


def test_find_takes_flag_variable_folder_built_in_in_this_order(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(body_model.VARIABLE, raising=False)
    assert body_model.find() == body_model.BUILT_IN
    (tmp_path / "models").mkdir()
    assert body_model.find() == body_model.BUILT_IN
    for name in reversed(body_model.NAMES):  # HMR's file is taken before the official ones
        (tmp_path / "models" / name).touch()
        assert body_model.find() == Path("models") / name
    monkeypatch.setenv(body_model.VARIABLE, "elsewhere.pkl")
    assert body_model.find() == Path("elsewhere.pkl")
    assert body_model.find("mine.npz") == Path("mine.npz")
    assert body_model.find("models") == Path("models") / body_model.NAMES[0]
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match=r"none holds no SMPL model: none of neutral_smpl"):
        body_model.find("none")


def test_find_knows_the_folders_of_smplx(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(body_model.VARIABLE, raising=False)
    (tmp_path / "models" / "smpl").mkdir(parents=True)
    assert body_model.find() == body_model.BUILT_IN
    (tmp_path / "models" / "smpl" / "SMPL_NEUTRAL.pkl").touch()
    assert body_model.find() == Path("models/smpl/SMPL_NEUTRAL.pkl")
    assert body_model.find("models") == Path("models/smpl/SMPL_NEUTRAL.pkl")
    (tmp_path / "models" / "smpl" / "SMPL_MALE.pkl").touch()
    assert body_model.find_gendered("models")["male"] == Path("models/smpl/SMPL_MALE.pkl")
    (tmp_path / "models" / "SMPL_NEUTRAL.npz").touch()
    assert body_model.find() == Path("models/SMPL_NEUTRAL.npz")


def test_another_body_than_the_trainings_is_warned_of(tmp_path, caplog):
    body = body_model.read_model(tiny_body.write(tmp_path / "body.npz"))
    body_model.warn_of_another_body(body, body_model.digest(body), "body.npz")
    assert not caplog.records
    other = body._replace(shapedirs=-body.shapedirs)
    body_model.warn_of_another_body(other, body_model.digest(body), "SMPL_FEMALE.pkl")
    (line,) = caplog.messages
    assert "another body or other keypoints than those of SMPL_FEMALE.pkl" in line


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    """Like SMPL_NEUTRAL.npz: 6,890 vertices, 300 betas, no keypoints, unused keys."""
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


def test_keypoint_regressor_of_official_file_is_joints_and_face(official, caplog):
    model = body_model.read_model(official)
    assert "has no cocoplus_regressor" in caplog.text
    keypoints = model.keypoint_regressor @ model.v_template
    joints = dict(zip(SMPL_JOINTS, model.joint_regressor @ model.v_template))
    for name, point in zip(KEYPOINTS, keypoints):
        vertex = keypoint_regressor.FACE_VERTICES.get(name)
        expected = joints[name] if vertex is None else model.v_template[vertex]
        np.testing.assert_allclose(point, expected, atol=1e-12, err_msg=name)


def test_keypoint_regressor_from_another_file(official, tmp_path, rng, caplog):
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
    ("name", "content", "message"),
    [
        ("none.npy", None, "no such file"),
        ("empty.npy", b"", "is damaged"),
        ("lie.npy", array_file((10**12, 19)), r"holds 19000000000000 values in 32 bytes"),
        ("small.npy", array_file((2, 2)), "keypoint_regressor has shape"),
        ("other.pkl", b"}.", "holds no cocoplus_regressor"),
        ("text.npz", b"text", "is damaged"),
    ],
)
def test_keypoint_regressor_refuses_wrong_files(official, tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        body_model.read_model(official, tmp_path / name)


def test_read_model_reads_sparse_matrices_and_runs_nothing(tmp_path):
    truth = tiny_body.arrays()
    regressor = np.array(sparse.csc_matrix(truth["J_regressor"]), dtype=object)
    model = body_model.read_model(tiny_body.write(tmp_path / "body.npz", J_regressor=regressor))
    np.testing.assert_array_equal(model.joint_regressor, truth["J_regressor"])
    marker = tmp_path / "marker"
    evil = np.array(python2_pickle.Runs(os.system, f"touch {marker}"), dtype=object)
    with pytest.raises(InputError, match=r"evil\.npz: holds (posix|os|nt)\.system"):
        body_model.read_model(tiny_body.write(tmp_path / "evil.npz", J_regressor=evil))
    assert not marker.exists()


def test_find_gendered_takes_official_names_and_refuses_other_folders(tmp_path):
    male = tiny_body.write(tmp_path / "SMPL_MALE.npz")
    assert body_model.find_gendered(tmp_path) == {"male": male}
    female = tmp_path / "basicModel_f_lbs_10_207_0_v1.0.0.pkl"
    female.touch()
    assert body_model.find_gendered(tmp_path) == {"female": female, "male": male}
    for folder in (tmp_path / "none", tmp_path.parent):
        with pytest.raises(InputError, match="smpl_model_dir"):
            body_model.find_gendered(folder)

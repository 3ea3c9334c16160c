import numpy as np
import pytest

from hmr_tf.body import model_file
from hmr_tf.errors import InputError
from tests import tiny_body


def test_reads_what_was_written(tmp_path):
    truth = tiny_body.arrays()
    model = model_file.read_model(tiny_body.write(tmp_path / "body.npz"))
    np.testing.assert_array_equal(model.v_template, truth["v_template"])
    np.testing.assert_array_equal(model.joint_regressor, truth["J_regressor"])
    assert model.parents[0] == -1
    assert model.topology == "smpl"


def test_takes_the_first_ten_of_many_betas(tmp_path, rng):
    many = rng.normal(size=(60, 3, 300))
    model = model_file.read_model(tiny_body.write(tmp_path / "body.npz", shapedirs=many))
    np.testing.assert_array_equal(model.shapedirs, many[..., :10])


def test_built_in_body_is_no_smpl_topology():
    assert model_file.read_model().topology == "cc0"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"weights": None}, "lacks weights"),
        ({"cocoplus_regressor": None}, "no cocoplus_regressor"),
        ({"v_template": np.full((60, 3), np.nan)}, "not finite"),
        ({"posedirs": np.zeros((60, 3, 9))}, "posedirs has shape"),
        ({"f": np.array([[0, 1, 60]])}, "outside 0..59"),
        ({"kintree_table": np.zeros((2, 24), np.uint32)}, "no tree"),
        ({"f": np.array([{}])}, "allow_pickle"),
    ],
)
def test_refuses_what_is_no_model(tmp_path, changes, said):
    path = tiny_body.write(tmp_path / "body.npz", **changes)
    with pytest.raises(InputError, match=said) as error:
        model_file.read_model(path)
    assert "body.npz" in str(error.value)
    assert "\n" not in str(error.value)


def test_refuses_what_is_too_large_to_be_a_model(tmp_path, monkeypatch):
    path = tmp_path / "body.npz"
    np.savez_compressed(path, **tiny_body.arrays(), more=np.zeros(300_000))
    for limit, said in ((2**21, "unpacks to 2 MB: no SMPL model has more than 2"), (99, "larger")):
        monkeypatch.setattr(model_file, "MAX_BYTES", limit)
        with pytest.raises(InputError, match=said):
            model_file.read_model(path)


def test_refuses_a_missing_and_a_truncated_file(tmp_path):
    with pytest.raises(InputError, match=r"not found.*smpl\.is\.tue"):
        model_file.read_model(tmp_path / "none.npz")
    whole = tiny_body.write(tmp_path / "whole.npz").read_bytes()
    for name, content in (
        ("half.npz", whole[: len(whole) // 2]),
        ("empty.npz", b""),
        ("x.npz", b"x"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=name):
            model_file.read_model(tmp_path / name)

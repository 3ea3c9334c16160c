"""Pickles of Python 2 come back as arrays; pickles that want to run something do not."""

import collections
import os
import pickle

import numpy as np
import pytest
from scipy import sparse

from hmr_tf.files import safe_pickle
from hmr_tf.files.errors import InputError
from tests.fakes import python2_pickle


def test_pickle_of_python_2_comes_back(tmp_path, rng):
    dense = rng.normal(size=(5, 9)) * (rng.uniform(size=(5, 9)) > 0.6)
    big = rng.normal(size=(4, 3, 12))
    chosen = np.arange(big.size).reshape(big.shape)[:, :, :10].ravel()
    path = python2_pickle.write(
        tmp_path / "model.pkl",
        {
            "faces": np.arange(12, dtype=np.uint32).reshape(4, 3),
            "template": python2_pickle.Ch(big[:, :, 0]),
            "shapedirs": python2_pickle.Select(python2_pickle.Ch(big), chosen, (4, 3, 10)),
            "regressor": python2_pickle.OldSparse(sparse.csc_matrix(dense)),
            "fortran": np.asfortranarray(dense),
            "big_endian": dense.astype(">f4"),
            "style": "lbs",
            "high": "\xff\x00\x80",
            "number": np.float64(1.5),
        },
    )
    loaded = safe_pickle.load(path)
    assert loaded["style"] == "lbs"
    assert loaded["high"] == "\xff\x00\x80"
    assert loaded["faces"].dtype == np.uint32
    np.testing.assert_array_equal(loaded["faces"], np.arange(12).reshape(4, 3))
    expected = {
        "template": big[:, :, 0],
        "shapedirs": big[:, :, :10],
        "regressor": dense,
        "fortran": dense,
        "big_endian": dense.astype(np.float32),
        "number": 1.5,
    }
    for key, value in expected.items():
        array = safe_pickle.to_array(loaded[key])
        assert array.dtype == np.float64
        np.testing.assert_array_equal(array, value)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("kind", ["csc_matrix", "csr_matrix", "coo_matrix"])
def test_pickle_of_python_3_comes_back(protocol, kind, tmp_path, rng):
    dense = np.round(rng.normal(size=(6, 7)), 1) * (rng.uniform(size=(6, 7)) > 0.5)
    value = collections.OrderedDict(
        dense=dense,
        sparse=getattr(sparse, kind)(dense),
        names=np.array(["a", "bc"]),
        flag=np.bool_(True),
        text=np.str_("male"),
        none=np.zeros(0),  # its bytes are empty
    )
    path = tmp_path / "new.pkl"
    path.write_bytes(pickle.dumps(value, protocol))
    loaded = safe_pickle.load(path)
    np.testing.assert_array_equal(safe_pickle.to_array(loaded["dense"]), dense)
    np.testing.assert_array_equal(safe_pickle.to_array(loaded["sparse"]), dense)
    assert loaded["names"].tolist() == ["a", "bc"]
    assert loaded["flag"] == np.True_
    assert loaded["text"] == "male"
    assert loaded["none"].shape == (0,)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_pickle_that_runs_a_command_is_refused(protocol, tmp_path):
    marker = tmp_path / "marker"
    path = tmp_path / "evil.pkl"
    path.write_bytes(
        pickle.dumps({"v_template": python2_pickle.Runs(os.system, f"touch {marker}")}, protocol)
    )
    with pytest.raises(InputError, match=r"evil\.pkl: holds (posix|os|nt)\.system"):
        safe_pickle.load(path)
    assert not marker.exists()


@pytest.mark.parametrize(
    "stream",
    [
        b"cbuiltins\neval\n(S'1+1'\ntR.",
        b"cbuiltins\ngetattr\n(cnumpy\nndarray\nS'__class__'\ntR.",
        b"(ios\nsystem\nS'true'\n.",
        b"cnumpy\nload\n.",
        b"cnumpy.core.multiarray\n_reconstruct\n(cbuiltins\nset\n(I9\ntS'b'\ntR.",
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(L9999999999L\ntS'b'\ntR.",
        b"ccopy_reg\n_reconstructor\n(cbuiltins\nset\ncbuiltins\nobject\nNtR.",
        b"cchumpy.ch\nCh\n(N}S'state'\nI1\nstb.",  # a state for the class, not for an object
        b"c_codecs\nencode\n(Vx\nVbz2\ntR.",
        b"cnumpy\ndtype\n(S'f8,O'\nI0\nI1\ntR.",
        b"c__builtin__\nbytes\n(I9999999999\ntR.",
        b"P1\n.",
    ],
)
def test_pickle_that_runs_code_or_fills_memory_is_refused(stream, tmp_path):
    path = tmp_path / "evil.pkl"
    path.write_bytes(stream)
    with pytest.raises(InputError, match=r"evil\.pkl"):
        safe_pickle.load(path)


def array_stream(shape, content):
    """A pickled float64 array that says `shape` and holds `content`."""
    array = pickle.dumps(np.zeros(2), 2)
    assert array.count(b"K\x02\x85") == 1  # the shape, (2,)
    return array.replace(b"K\x02\x85", pickle.dumps(shape, 2)[2:-1]).replace(b"\0" * 16, content)


@pytest.mark.parametrize("shape", [(10**9,), (3,), (-2,), (2, 2)])
def test_pickle_array_of_another_size_is_refused(shape, tmp_path):
    path = tmp_path / "lie.pkl"
    path.write_bytes(array_stream(shape, b"\0" * 16))
    with pytest.raises(InputError, match="for an array of shape"):
        safe_pickle.load(path)


@pytest.mark.parametrize(("key", "value"), [("_shape", (10**6, 10**6)), ("indices", [0, 99, 1])])
def test_pickle_sparse_matrix_with_false_shape_is_refused(key, value, tmp_path):
    matrix = python2_pickle.OldSparse(sparse.csc_matrix(np.eye(3)))
    setattr(matrix, key, value)
    loaded = safe_pickle.load(python2_pickle.write(tmp_path / "lie.pkl", matrix))
    with pytest.raises(InputError, match="not an array"):
        safe_pickle.to_array(loaded)


@pytest.mark.parametrize(
    "content", [b"", b"\x80", b"\x80\x02}", b"PK\x03\x04", b"<html>404</html>"]
)
def test_pickle_refuses_other_files(content, tmp_path):
    path = tmp_path / "page.pkl"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"page\.pkl"):
        safe_pickle.load(path)


def test_pickle_cut_anywhere_is_refused(tmp_path):
    path = python2_pickle.write(
        tmp_path / "m.pkl", {"a": python2_pickle.Ch(np.arange(4.0)), "b": np.arange(3)}
    )
    whole = path.read_bytes()
    for length in range(len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError):
            safe_pickle.load(path)


def test_pickle_missing_or_too_large_is_refused(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="No such file"):
        safe_pickle.load(tmp_path / "none.pkl")
    path = tmp_path / "large.pkl"
    path.write_bytes(pickle.dumps(np.zeros(100)))
    monkeypatch.setattr(safe_pickle, "MAX_BYTES", 500)
    with pytest.raises(InputError, match="at most 500 are read"):
        safe_pickle.load(path)


@pytest.mark.parametrize("value", ["text", None, {"a": 1}, [1, "b"], safe_pickle._Ch()])
def test_pickle_value_that_is_no_array_is_refused(value):
    with pytest.raises(InputError, match="not an array"):
        safe_pickle.to_array(value)

"""Pickles of Python 2 come back as arrays; pickles that want to run something do not."""

import collections
import importlib.util
import os
import pickle
import struct

import numpy as np
import pytest
from scipy import sparse

from hmr_tf.body import safe_pickle
from hmr_tf.errors import InputError


class _Ch:
    """Pickled below under the name chumpy.ch.Ch."""

    def __init__(self, x):
        self._dirty_vars, self._depends_on_deps, self.x = set(), {}, x


class _Select:
    def __init__(self, a, idxs, shape):
        self.a, self.idxs, self.preferred_shape = a, idxs, shape


class _OldSparse:
    """scipy.sparse.csc.csc_matrix, as the scipy of Python 2 pickled it."""

    def __init__(self, matrix):
        self._shape, self.maxprint, self.format = matrix.shape, 50, "csc"
        self.indices, self.indptr, self.data = matrix.indices, matrix.indptr, matrix.data


_RECONSTRUCT = np.zeros(0).__reduce__()[0]  # its module has another name in numpy 2
_OLD_NAMES = {
    _Ch: "chumpy.ch\nCh\n",
    _Select: "chumpy.reordering\nSelect\n",
    _OldSparse: "scipy.sparse.csc\ncsc_matrix\n",
    _RECONSTRUCT: "numpy.core.multiarray\n_reconstruct\n",
}


class _Python2Pickler(pickle._Pickler):
    """Texts and bytes become Python 2 strings, classes keep their old names."""

    dispatch = dict(pickle._Pickler.dispatch)  # noqa: RUF012

    def save_string(self, value):
        raw = value.encode("latin1") if isinstance(value, str) else value
        self.write(pickle.BINSTRING + struct.pack("<i", len(raw)) + raw)
        self.memoize(value)

    def save_name(self, value, name=None):
        if value not in _OLD_NAMES:
            return self.save_global(value, name)
        self.write(pickle.GLOBAL + _OLD_NAMES[value].encode())
        return self.memoize(value)

    dispatch[str] = dispatch[bytes] = save_string
    dispatch[type] = dispatch[type(_RECONSTRUCT)] = save_name


def write_python2(path, value):
    with open(path, "wb") as file:
        _Python2Pickler(file, 2).dump(value)
    return path


def test_a_python_2_file_comes_back(tmp_path, rng):
    dense = rng.normal(size=(5, 9)) * (rng.uniform(size=(5, 9)) > 0.6)
    big = rng.normal(size=(4, 3, 12))
    chosen = np.arange(big.size).reshape(big.shape)[:, :, :10].ravel()
    path = write_python2(
        tmp_path / "model.pkl",
        {
            "faces": np.arange(12, dtype=np.uint32).reshape(4, 3),
            "template": _Ch(big[:, :, 0]),
            "shapedirs": _Select(_Ch(big), chosen, (4, 3, 10)),
            "regressor": _OldSparse(sparse.csc_matrix(dense)),
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
def test_todays_files_come_back_too(protocol, kind, tmp_path, rng):
    dense = np.round(rng.normal(size=(6, 7)), 1) * (rng.uniform(size=(6, 7)) > 0.5)
    value = collections.OrderedDict(
        dense=dense, sparse=getattr(sparse, kind)(dense), names=np.array(["a", "bc"]), flag=True
    )
    path = tmp_path / "new.pkl"
    path.write_bytes(pickle.dumps(value, protocol))
    loaded = safe_pickle.load(path)
    np.testing.assert_array_equal(safe_pickle.to_array(loaded["dense"]), dense)
    np.testing.assert_array_equal(safe_pickle.to_array(loaded["sparse"]), dense)
    assert loaded["names"].tolist() == ["a", "bc"]


class _Runs:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_that_runs_a_command_is_refused(protocol, tmp_path):
    marker = tmp_path / "marker"
    path = tmp_path / "evil.pkl"
    path.write_bytes(pickle.dumps({"v_template": _Runs(os.system, f"touch {marker}")}, protocol))
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
        b"P1\n.",
    ],
)
def test_other_ways_to_run_or_to_fill_memory_are_refused(stream, tmp_path):
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
def test_an_array_of_another_size_than_it_says_is_refused(shape, tmp_path):
    path = tmp_path / "lie.pkl"
    path.write_bytes(array_stream(shape, b"\0" * 16))
    with pytest.raises(InputError, match="for an array of shape"):
        safe_pickle.load(path)


@pytest.mark.parametrize(("key", "value"), [("_shape", (10**6, 10**6)), ("indices", [0, 99, 1])])
def test_a_lying_sparse_matrix_is_refused(key, value, tmp_path):
    matrix = _OldSparse(sparse.csc_matrix(np.eye(3)))
    setattr(matrix, key, value)
    loaded = safe_pickle.load(write_python2(tmp_path / "lie.pkl", matrix))
    with pytest.raises(InputError, match="not an array"):
        safe_pickle.to_array(loaded)


@pytest.mark.parametrize(
    "content", [b"", b"\x80", b"\x80\x02}", b"PK\x03\x04", b"<html>404</html>"]
)
def test_a_file_that_is_no_pickle_is_refused(content, tmp_path):
    path = tmp_path / "page.pkl"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"page\.pkl"):
        safe_pickle.load(path)


def test_every_cut_of_a_file_is_refused(tmp_path):
    path = write_python2(tmp_path / "m.pkl", {"a": _Ch(np.arange(4.0)), "b": np.arange(3)})
    whole = path.read_bytes()
    for length in range(len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError):
            safe_pickle.load(path)


def test_a_missing_or_large_file_is_refused(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="No such file"):
        safe_pickle.load(tmp_path / "none.pkl")
    path = tmp_path / "large.pkl"
    path.write_bytes(pickle.dumps(np.zeros(100)))
    monkeypatch.setattr(safe_pickle, "MAX_BYTES", 500)
    with pytest.raises(InputError, match="at most 500 are read"):
        safe_pickle.load(path)


@pytest.mark.parametrize("value", ["text", None, {"a": 1}, [1, "b"], safe_pickle._Ch()])
def test_what_is_no_array_says_so(value):
    with pytest.raises(InputError, match="not an array"):
        safe_pickle.to_array(value)


@pytest.mark.parametrize(
    "options", [{}, {"select": True}, {"chumpy": False, "legacy_sparse": False}]
)
def test_a_whole_body_model_comes_back(options, shared, tmp_path):
    spec = importlib.util.spec_from_file_location("f", shared / "parity" / "lib" / "fixtures.py")
    fixtures = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fixtures)
    truth = fixtures.mini_smpl(tmp_path / "smpl.pkl", **options)
    loaded = safe_pickle.load(tmp_path / "smpl.pkl")
    for key, value in truth.items():
        if isinstance(value, str):
            assert loaded[key] == value
        else:
            np.testing.assert_array_equal(safe_pickle.to_array(loaded[key]), value)

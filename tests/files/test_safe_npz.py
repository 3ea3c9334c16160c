"""Arrays of untrusted .npz and .npy files: no objects, no size that a file only claims."""

import io
import zipfile

import numpy as np
import pytest

from hmr_tf.files import safe_npz
from hmr_tf.files.errors import InputError


def test_npz_reads_only_the_named_arrays(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, a=np.arange(3), b=np.array("text"), c=np.array([{}], object))
    arrays = safe_npz.load(path, ("b", "a", "none"))
    assert list(arrays) == ["b", "a"]
    np.testing.assert_array_equal(arrays["a"], range(3))
    assert str(arrays["b"]) == "text"
    with pytest.raises(InputError, match=r"a\.npz is damaged .*c holds objects"):
        safe_npz.load(path, ("c",))


def test_npz_refuses_what_unpacks_to_too_much(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, a=np.zeros(10**6))
    assert path.stat().st_size < 10**5
    with pytest.raises(InputError, match="unpacks to 8,000,128 bytes; at most 1,000,000"):
        safe_npz.load(path, ("a",), max_bytes=10**6)


def test_npz_refuses_a_file_that_is_too_large(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, a=np.arange(3), b=np.zeros(1000))
    with pytest.raises(InputError, match=r"a\.npz: it has 8,\d+ bytes; at most 1,000"):
        safe_npz.load(path, ("a",), max_bytes=1000)


@pytest.mark.parametrize("shape", [(2**40,), (1,)])
def test_npz_refuses_a_shape_that_the_file_does_not_hold(shape, tmp_path):
    file = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", file.getvalue())
    with pytest.raises(InputError, match=f"a holds {shape[0]} values in"):
        safe_npz.load(path, ("a",))


@pytest.mark.parametrize("load", [lambda path: safe_npz.load(path, ("a",)), safe_npz.load_npy])
def test_npz_that_is_missing_is_named(load, tmp_path):
    with pytest.raises(InputError, match=r"none\.npz cannot be read: No such file"):
        load(tmp_path / "none.npz")


def test_npz_reads_pickled_objects_only_where_asked(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, a=np.array({"x": np.arange(3)}, object))
    value = safe_npz.load(path, ("a",), pickled=True)["a"]
    np.testing.assert_array_equal(value["x"], range(3))
    with pytest.raises(InputError, match="a holds objects"):
        safe_npz.load(path, ("a",))


def test_npz_notices_changed_bytes(tmp_path):
    """The archive has a checksum of every array."""
    path = tmp_path / "a.npz"
    np.savez(path, a=np.arange(1000))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.npz is damaged"):
        safe_npz.load(path, ("a",))


def test_npy_returns_its_array(tmp_path, rng):
    for array in (
        rng.normal(size=(3, 4)),
        np.asfortranarray(rng.normal(size=(3, 4))),
        np.arange(0),
    ):
        np.save(tmp_path / "a.npy", array)
        np.testing.assert_array_equal(safe_npz.load_npy(tmp_path / "a.npy"), array)


def test_npy_refuses_what_it_does_not_hold(tmp_path):
    whole = tmp_path / "whole.npy"
    np.save(whole, np.arange(100))
    np.save(tmp_path / "objects.npy", np.array([{}], object))
    (tmp_path / "half.npy").write_bytes(whole.read_bytes()[:500])
    (tmp_path / "empty.npy").write_bytes(b"")
    for name in ("objects", "half", "empty"):
        with pytest.raises(InputError, match=rf"{name}\.npy is damaged"):
            safe_npz.load_npy(tmp_path / f"{name}.npy")

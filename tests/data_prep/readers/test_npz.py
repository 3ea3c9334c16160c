"""Arrays of strangers' .npz files: no objects, no size that a file only claims."""

import io
import zipfile

import numpy as np
import pytest

from data_prep.readers.formats import npz
from hmr_tf.files.errors import InputError


def test_only_the_named_arrays_are_read(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, a=np.arange(3), b=np.array("text"), c=np.array([{}], object))
    arrays = npz.read_arrays(path, ("b", "a", "none"))
    assert list(arrays) == ["b", "a"]
    np.testing.assert_array_equal(arrays["a"], range(3))
    assert str(arrays["b"]) == "text"
    with pytest.raises(InputError, match=r"a\.npz is no readable \.npz file .*c holds object"):
        npz.read_arrays(path, ("c",))


def test_what_unpacks_to_too_much_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, a=np.zeros(10**6))
    assert path.stat().st_size < 10**5
    with pytest.raises(InputError, match="8,000,000 bytes of arrays, at most 1,000,000"):
        npz.read_arrays(path, ("a",), max_bytes=10**6)


def test_a_shape_that_the_file_does_not_hold_is_refused(tmp_path):
    file = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": (2**40,)}
    np.lib.format.write_array_header_1_0(file, header)
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", file.getvalue())
    with pytest.raises(InputError, match=r"a holds float64 \(1099511627776,\) in"):
        npz.read_arrays(path, ("a",))


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"none\.npz"):
        npz.read_arrays(tmp_path / "none.npz", ("a",))

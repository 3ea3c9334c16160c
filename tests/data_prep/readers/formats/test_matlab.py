"""MATLAB files: both versions give the same; files that state false sizes are refused."""

import struct

import h5py
import numpy as np
import pytest
import scipy.io

from data_prep.readers.formats import matlab, matlab_5
from hmr_tf.files.errors import InputError
from tests.fakes.mpi_fakes import cells, structs

NUMBERS = np.arange(24.0).reshape(4, 6)
CONTENT = {
    "numbers": NUMBERS,
    "bytes": np.uint8([[7]]),
    "complex": np.array([[1 + 2j]]),
    "cells": cells([NUMBERS, np.empty((0, 0))]),
    "structs": structs([{"x": 3, "name": "a.jpg", "inner": structs([{"y": 1.5}])}] * 2),
}


@pytest.fixture(params=[False, True], ids=["plain", "compressed"])
def path(request, tmp_path):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, CONTENT, do_compression=request.param)
    return path


def test_matlab_version_5(path):
    content = matlab.load(path, ["cells", "numbers", "structs"], optional=["bytes", "nothing"])
    assert list(content) == ["cells", "numbers", "structs", "bytes"]
    np.testing.assert_array_equal(content["numbers"], NUMBERS)
    np.testing.assert_array_equal(matlab.items(content["cells"])[0], NUMBERS)
    assert matlab.items(content["cells"])[1].size == 0
    first, _ = matlab.items(content["structs"])
    assert matlab.number(matlab.field(first, "x")) == 3
    assert matlab.text(matlab.field(first, "name")) == "a.jpg"
    (inner,) = matlab.items(matlab.field(first, "inner"))
    assert matlab.number(matlab.field(inner, "y")) == 1.5


def test_matlab_big_endian(path):
    """Written by hand: one 2 x 1 matrix of bytes, "b"."""
    element = struct.pack(">14I", 14, 56, 6, 8, 9, 0, 5, 8, 2, 1, 1 << 16 | 1, 98 << 24, 2, 2)
    path.write_bytes(b"MATLAB 5.0".ljust(124) + b"\x01\x00MI" + element + bytes([5, 9] + [0] * 6))
    assert matlab.load(path, ["b"])["b"].tolist() == [[5], [9]]


@pytest.mark.parametrize("value", [None, 3, "a", NUMBERS, np.array([["a", "b"]]), np.empty((0, 0))])
def test_matlab_accessors_return_nothing_for_other_kinds(value):
    assert matlab.items(value) == []
    assert np.isnan(matlab.number(value))
    assert matlab.text(value) == ""
    assert matlab.field(value, "x").size == 0


def test_matlab_version_7_3_has_the_same_axes(tmp_path):
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file["numbers"] = NUMBERS.T
        file["#refs#/a"], file["#refs#/b"] = NUMBERS.T, np.zeros((2, 3))
        references = [[file["#refs#/a"].ref], [file["#refs#/b"].ref], [file["#refs#/a"].ref]]
        file.create_dataset("cells", data=np.array(references, h5py.ref_dtype))
    content = matlab.load(tmp_path / "a.mat", ["numbers", "cells"])
    np.testing.assert_array_equal(content["numbers"], NUMBERS)
    assert content["cells"].shape == (1, 3)
    np.testing.assert_array_equal(content["cells"][0, 2], NUMBERS)
    assert content["cells"][0, 1].shape == (3, 2)


def test_matlab_other_variables_are_not_unpacked(tmp_path, monkeypatch):
    scipy.io.savemat(tmp_path / "a.mat", {"big": np.zeros((999, 999)), **CONTENT}, do_compression=1)
    monkeypatch.setattr(matlab, "MAX_BYTES", 100_000)
    assert list(matlab.load(tmp_path / "a.mat", ["numbers"])) == ["numbers"]
    with pytest.raises(InputError, match="too large"):
        matlab.load(tmp_path / "a.mat", ["big"])


def claim(content, kind, shape, new_shape):
    """Replaces the shape in the one array of this class and shape."""
    head = struct.pack("<6I", 6, 8, kind, 0, 5, 8)
    at = content.index(head + struct.pack("<2i", *shape)) + len(head)
    return content[:at] + struct.pack("<2i", *new_shape) + content[at + 8 :]


@pytest.mark.parametrize(
    ("kind", "shape", "claimed"),
    [
        (6, (4, 6), (2**15, 2**15)),
        (6, (4, 6), (-4, 6)),
        (1, (2, 1), (2**30, 1)),
        (2, (1, 2), (1, 2**30)),
        (4, (1, 5), (2**30, 1)),
    ],
)
def test_matlab_false_size_is_refused_before_memory_is_taken(
    kind, shape, claimed, tmp_path, monkeypatch
):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, CONTENT, do_compression=False)
    path.write_bytes(claim(path.read_bytes(), kind, shape, claimed))
    monkeypatch.setattr(matlab_5.scipy.io, "loadmat", None)
    with pytest.raises(InputError, match=r"a\.mat is not a readable MATLAB file \("):
        matlab.load(path, list(CONTENT))


def test_matlab_arrays_in_arrays_in_arrays_are_refused(tmp_path, monkeypatch):
    nested = np.zeros((1, 1))
    for _ in range(matlab_5.MAX_DEPTH):
        nested = cells([nested])
    scipy.io.savemat(tmp_path / "a.mat", {"x": nested, "many": cells([NUMBERS] * 20)})
    with pytest.raises(InputError, match="too many nested arrays"):
        matlab.load(tmp_path / "a.mat", ["x"])
    assert matlab.load(tmp_path / "a.mat", ["many"])["many"].size == 20
    monkeypatch.setattr(matlab_5, "MAX_ARRAYS", 20)
    with pytest.raises(InputError, match="too many nested arrays"):
        matlab.load(tmp_path / "a.mat", ["many"])


def test_matlab_sparse_arrays_are_refused(tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {"x": scipy.sparse.eye(3)})
    with pytest.raises(InputError, match="neither numbers, text, cells nor structs"):
        matlab.load(tmp_path / "a.mat", ["x"])


def _too_large(file, other):
    file.create_dataset("x", (2**40,), "f8", chunks=(1024,))


def _in_itself(file, other):
    cell = file.create_dataset("x", (1,), h5py.ref_dtype)
    cell[0] = cell.ref


def _external_link(file, other):
    file["x"] = h5py.ExternalLink(str(other), "secret")


def _external_numbers(file, other):
    file.create_dataset("x", (2,), "u1", external=[(str(other), 0, 2)])


def _virtual(file, other):
    layout = h5py.VirtualLayout((2,), "f8")
    layout[:] = h5py.VirtualSource(str(other), "secret", (2,))
    file.create_virtual_dataset("x", layout)


def _text(file, other):
    file["x"] = "text"


def _group(file, other):
    file.create_group("x")


@pytest.mark.parametrize(
    "write", [_too_large, _in_itself, _external_link, _external_numbers, _virtual, _text, _group]
)
def test_matlab_hostile_hdf5(write, tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["secret"] = np.ones(2)
    with h5py.File(tmp_path / "a.mat", "w") as file:
        write(file, tmp_path / "other.h5")
    with pytest.raises(InputError, match=r"a\.mat (holds no x|is not a readable)"):
        matlab.load(tmp_path / "a.mat", ["x"])


def test_matlab_missing_files_are_named(path):
    with pytest.raises(InputError, match=r"there is no .*nowhere\.mat$"):
        matlab.load(path.parent / "nowhere.mat", ["x"])
    with pytest.raises(InputError, match=r"a\.mat holds no x and no y: .*another dataset"):
        matlab.load(path, ["x", "numbers", "y"])


def damaged(content, rng):
    """Cut off anywhere, or with three bytes changed."""
    content = bytearray(content)
    if rng.random() < 0.3:
        return content[: rng.integers(len(content))]
    for at in rng.integers(0, len(content), 3):
        content[at] = rng.integers(256)
    return content


def test_matlab_damaged_files_are_refused_or_read_and_nothing_else(path, rng):
    content, messages = path.read_bytes(), []
    for _ in range(400):
        path.write_bytes(damaged(content, rng))
        try:
            matlab.load(path, list(CONTENT))
        except InputError as error:
            messages.append(str(error))
    assert len(messages) > 100
    assert not any("\n" in message for message in messages)


def test_matlab_unknown_types_are_refused(tmp_path):
    """scipy 1.11 ends with a segmentation fault."""
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"x": NUMBERS})
    content = path.read_bytes()
    tag = struct.pack("<2I", 9, NUMBERS.nbytes)
    assert content.count(tag) == 1
    path.write_bytes(content.replace(tag, struct.pack("<2I", 77, NUMBERS.nbytes)))
    with pytest.raises(InputError, match="of an unknown type"):
        matlab.load(path, ["x"])


def test_matlab_structs_of_version_7_3_are_refused_in_words(tmp_path):
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file.create_group("RELEASE")["annolist"] = 1.0
    with pytest.raises(InputError, match=r"structs in version 7\.3: save it in MATLAB with -v7"):
        matlab.load(tmp_path / "a.mat", ["RELEASE"])

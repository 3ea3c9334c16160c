"""MATLAB files as numpy arrays: version 5 through scipy, version 7.3 (HDF5) through h5py."""

import math
import os

import h5py
import numpy as np
import scipy.io

from data_prep.readers.formats import matlab_5
from hmr_tf.files.errors import InputError

MAX_BYTES = 2**30  # of the variables read, unpacked; those of MPI-INF-3DHP take up to 200 MB
MAX_DEPTH = 4  # of cells in cells


def load(path, names, optional=()):
    """Reads variables of a MATLAB file.

    Args:
      path: file of version 5 or 7.3.
      names: variables to read.
      optional: more of them, which may be missing.

    Returns:
      dict, in that order: name -> array with MATLAB's axes, two or more. A cell array is an array
      of arrays, a struct array (version 5 only) one of structs: see `items` and `field`.

    Raises:
      InputError: missing, unreadable, too large, or without one of the variables.
    """
    try:
        if os.path.getsize(path) > MAX_BYTES:
            raise ValueError(f"larger than {MAX_BYTES:,} bytes")
        load_version = _load_hdf5 if h5py.is_hdf5(path) else _load_version_5
        found = load_version(path, (*names, *optional))
    except FileNotFoundError as error:
        raise InputError(f"there is no {path}") from error
    except Exception as error:  # whatever a damaged file trips over is the file's fault
        reason = f"{type(error).__name__}: {error}".split("\n")[0][:200]
        raise InputError(
            f"{path} is no readable MATLAB file ({reason}); download it again"
        ) from error
    missing = [name for name in names if name not in found]
    if missing:
        raise InputError(
            f"{path} holds no {' and no '.join(missing)}: it belongs to another dataset"
        )
    return found


def items(array):
    """Members of a cell or struct array as a list; [] for what is none."""
    return list(np.ravel(array)) if _kind(array) == "O" else []


def field(item, name):
    """A field of a struct, or an empty array where it is no struct or has no such field."""
    return getattr(item, name, np.empty((0, 0))) if _is_struct(item) else np.empty((0, 0))


def numbers(array):
    """Numbers of an array in one row; none for what holds none."""
    return np.ravel(array) if _kind(array) in "biuf" else np.empty(0)


def number(array):
    """The one number in an array; NaN where there is none, or another thing."""
    found = numbers(array)
    return float(found[0]) if len(found) == 1 else math.nan


def text(array):
    """The one string in an array; "" where there is none, or another thing."""
    return str(array.item()) if _kind(array) == "U" and array.size == 1 else ""


def _kind(array):
    return array.dtype.kind if isinstance(array, np.ndarray) else "none"


def _is_struct(item):
    return isinstance(item, scipy.io.matlab.mat_struct)


def _load_version_5(path, names):
    with open(path, "rb") as file:
        return matlab_5.read(file.read(MAX_BYTES), names, MAX_BYTES)


def _load_hdf5(path, names):
    with h5py.File(path, "r") as file:
        reader = _Hdf5(file)
        # a link may lead into any other file
        there = [name for name in names if isinstance(file.get(name, getlink=True), h5py.HardLink)]
        return {name: reader.read(file[name]) for name in there}


class _Hdf5:
    """Reads data sets, whose axes are MATLAB's in reverse, and references to them, the cells."""

    def __init__(self, file):
        self._file = file
        self._left_bytes = MAX_BYTES

    def read(self, item, depth=0):
        is_cell = h5py.check_ref_dtype(item.dtype) is h5py.Reference
        self._left_bytes -= max(item.dtype.itemsize, 8) * item.size
        if self._left_bytes < 0 or depth > MAX_DEPTH:
            raise ValueError("too large")
        # external and virtual ones take their numbers from other files
        if item.external or item.is_virtual or not (is_cell or item.dtype.kind in "biuf"):
            raise ValueError("neither numbers nor cells")
        values = item[()].T
        if not is_cell:
            return values
        cells = np.empty(values.shape, object)
        for place, reference in np.ndenumerate(values):
            cells[place] = self.read(self._file[reference], depth + 1)
        return cells

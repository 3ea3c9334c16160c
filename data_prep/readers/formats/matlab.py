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
      optional: more variables, which may be missing.

    Returns:
      dict, in that order: name -> array with MATLAB's axes, two or more. A cell array is an array
      of arrays, a struct array (version 5 only) an array of structs: see `items` and `field`.

    Raises:
      InputError: missing, unreadable, too large, or without one of the variables.
    """
    try:
        if os.path.getsize(path) > MAX_BYTES:
            raise InputError(f"larger than {MAX_BYTES:,} bytes")
        load_version = _load_hdf5 if h5py.is_hdf5(path) else _load_version_5
        variables = load_version(path, (*names, *optional))
    except FileNotFoundError as error:
        raise InputError(f"there is no {path}") from error
    except Exception as error:  # a damaged file may raise anything
        reason = str(error) if isinstance(error, InputError) else "damaged"
        raise InputError(
            f"{path} is not a readable MATLAB file ({reason}); download it again"
        ) from error
    missing = [name for name in names if name not in variables]
    if missing:
        raise InputError(
            f"{path} holds no {' and no '.join(missing)}: it belongs to another dataset"
        )
    return variables


def items(array):
    """Members of a cell or struct array as a list; [] for anything else."""
    return list(np.ravel(array)) if _kind(array) == "O" else []


def field(item, name):
    """A field of a struct; an empty array if it is not a struct or has no such field."""
    return getattr(item, name, np.empty((0, 0))) if _is_struct(item) else np.empty((0, 0))


def with_axes(array, num_axes):
    """The array with that many axes: MATLAB leaves out those of length 1 at the end."""
    return array.reshape(array.shape + (1,) * (num_axes - array.ndim))


def numbers(array):
    """Numbers of an array in one row; an empty row for anything else."""
    return np.ravel(array) if _kind(array) in "biuf" else np.empty(0)


def number(array):
    """The only number in an array; NaN for anything else."""
    values = numbers(array)
    return float(values[0]) if len(values) == 1 else math.nan


def text(array):
    """The only string in an array; "" for anything else."""
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
        # other links may lead into any file
        present = [
            name for name in names if isinstance(file.get(name, getlink=True), h5py.HardLink)
        ]
        return {name: reader.read(file[name]) for name in present}


class _Hdf5:
    """Reads data sets, whose axes are MATLAB's reversed, and cells, references to them."""

    def __init__(self, file):
        self._file = file
        self._left_bytes = MAX_BYTES

    def read(self, item, depth=0):
        if not isinstance(item, h5py.Dataset):
            raise InputError("structs in version 7.3: save it in MATLAB with -v7")
        is_cell = h5py.check_ref_dtype(item.dtype) is h5py.Reference
        self._left_bytes -= max(item.dtype.itemsize, 8) * item.size
        if self._left_bytes < 0 or depth > MAX_DEPTH:
            raise InputError("too large")
        # external and virtual data sets read other files
        if item.external or item.is_virtual or not (is_cell or item.dtype.kind in "biuf"):
            raise InputError("neither numbers nor cells")
        values = item[()].T
        if not is_cell:
            return values
        cells = np.empty(values.shape, object)
        for index, reference in np.ndenumerate(values):
            cells[index] = self.read(self._file[reference], depth + 1)
        return cells

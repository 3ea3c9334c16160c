"""Writes pickles as Python 2, chumpy and an old scipy did."""

import pickle
import struct

import numpy as np


class Ch:
    """Pickled under the name chumpy.ch.Ch, with the state of chumpy 0.70."""

    def __init__(self, x):
        self._dirty_vars, self._itr, self._depends_on_deps = set(), None, {}
        self._make_dense = self._make_sparse = False
        self.x = x


class Select:
    """chumpy.reordering.Select: what slicing a Ch gives."""

    def __init__(self, a, idxs, shape):
        self.a, self.idxs, self.preferred_shape = a, idxs, shape


class OldSparse:
    """scipy.sparse.csc.csc_matrix, as the scipy of Python 2 pickled it."""

    def __init__(self, matrix):
        self._shape, self.maxprint, self.format = matrix.shape, 50, "csc"
        self.indices, self.indptr, self.data = matrix.indices, matrix.indptr, matrix.data


_RECONSTRUCT = np.zeros(0).__reduce__()[0]  # its module has another name in numpy 2
_OLD_NAMES = {
    Ch: "chumpy.ch\nCh\n",
    Select: "chumpy.reordering\nSelect\n",
    OldSparse: "scipy.sparse.csc\ncsc_matrix\n",
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


def write(path, value):
    """Writes `value` with protocol 2 and returns the path."""
    with open(path, "wb") as file:
        _Python2Pickler(file, 2).dump(value)
    return path


class Runs:
    """Pickled as a call of a function: what a malicious file does."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call

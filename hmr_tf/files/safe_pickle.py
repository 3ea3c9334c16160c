"""Reads the pickles of SMPL, MoSh, 3DPW and EMDB without running any code in them.

Python 2 wrote most of those files: numpy arrays, scipy's sparse matrices, and chumpy objects, which
wrap arrays. Only these are built, by the functions below; any other name is refused. chumpy and
scipy are not needed.
"""

import collections
import io
import itertools
import math
import os
import pickle
import pickletools
import re

import numpy as np

from hmr_tf.files.errors import InputError

# No file of SMPL or MoSh is larger, packed or unpacked (SMPL with 300 betas: 247 MB).
MAX_BYTES = 2**29
# A sparse matrix states its size; a false one would fill the memory (SMPL's are 24 x 6,890).
MAX_DENSE_ENTRIES = 2**26
_FIRST_OPERATIONS = 20  # of a pickle; a text that begins as one soon has another letter
_NOT_A_PICKLE = "not a readable pickle, damaged or another kind of file; download it again"


def load(path):
    """Reads a pickle file of Python 2 or 3, of at most `MAX_BYTES`.

    Returns:
      the pickled containers, numbers, strings and arrays; chumpy and sparse objects come as
      objects for `to_array`.

    Raises:
      InputError: the file is missing, too large or no pickle, or holds other objects.
    """
    try:
        size = os.path.getsize(path)
        if size > MAX_BYTES:
            raise InputError(f"{path} has {size:,} bytes; at most {MAX_BYTES:,} are read")
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES)  # a device has no size
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    try:
        return loads(content)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def check(path):
    """InputError for a file that does not begin as a pickle; the rest of it is not read."""
    try:
        with open(path, "rb") as file:
            if not list(itertools.islice(pickletools.genops(file), _FIRST_OPERATIONS)):
                raise InputError(f"{path}: {_NOT_A_PICKLE}")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{path}: {_NOT_A_PICKLE}") from error


def loads(content):
    """As `load`, from bytes."""
    try:
        return _Unpickler(io.BytesIO(content), encoding="latin1").load()
    except InputError:
        raise
    except Exception as error:  # a damaged stream can raise any kind
        raise InputError(_NOT_A_PICKLE) from error


def to_array(value):
    """Array, number, list, chumpy or sparse object of a pickle -> dense float64 array.

    Raises:
      InputError: `value` holds no numbers, or states a wrong shape.
    """
    try:
        if isinstance(value, _Sparse):
            return _dense(value)
        if isinstance(value, _Ch):
            return to_array(value.state["x"])
        if isinstance(value, _Select):
            source, chosen = to_array(value.state["a"]), np.asarray(value.state["idxs"])
            return source.ravel()[chosen].reshape(value.state["preferred_shape"])
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            raise InputError("not an array: it holds no numbers")
        return array.astype(np.float64)
    except InputError:
        raise
    except Exception as error:  # a false shape, index or kind can raise any kind
        raise InputError("not an array of numbers: its shape or kind is wrong") from error


def _dense(sparse):
    """Sparse -> dense array; numpy checks the bounds of the indices."""
    state = sparse.state
    shape = tuple(int(side) for side in state.get("_shape", state.get("shape")))
    if len(shape) != 2 or min(shape) < 0 or math.prod(shape) > MAX_DENSE_ENTRIES:
        raise InputError(f"not an array: a sparse matrix of shape {shape}")
    if sparse.format == "coo":
        rows, columns = state["coords"] if "coords" in state else (state["row"], state["col"])
    else:
        lengths = np.diff(state["indptr"])
        outer = np.repeat(np.arange(len(lengths)), lengths)
        rows, columns = outer, state["indices"]
        if sparse.format == "csc":
            rows, columns = columns, rows
    dense = np.zeros(shape)
    np.add.at(dense, (np.asarray(rows), np.asarray(columns)), np.asarray(state["data"], float))
    return dense


class _StandIn:
    """Keeps the pickled state of an object and runs nothing."""

    state = None


class _Ch(_StandIn):
    """chumpy's array; `x` is the numpy array."""


class _Select(_StandIn):
    """chumpy's slice: `a.ravel()[idxs].reshape(preferred_shape)`."""


class _Sparse(_StandIn):
    """scipy's sparse matrices."""

    format = None


_SPARSE = {name: type(f"_{name}", (_Sparse,), {"format": name}) for name in ("csc", "csr", "coo")}


class _NdarrayName:
    """Replaces `numpy.ndarray`, which is only an argument of `_reconstruct`."""


def _reconstruct(subtype, shape, _typecode):
    """An empty array, as numpy pickles arrays; BUILD sets its state next."""
    if subtype is not _NdarrayName or shape != (0,):
        raise InputError("holds a kind of array that SMPL files do not have")
    return np.empty(0)


def _reconstructor(cls, base, state):
    """Python 2's function that makes an object without its constructor."""
    if not (isinstance(cls, type) and issubclass(cls, _StandIn)) or base is not object or state:
        raise InputError("holds an object that SMPL files do not have")
    return cls()


def _dtype(name, align=False, copy=True):
    """A new dtype each time, as its byte order is set later."""
    if not re.fullmatch(r"[biufcSUO]\d*", str(name)):
        raise InputError(f"holds an array of the type {name}")
    return np.dtype(str(name), False, True)


def _frombuffer(content, dtype, shape, order):
    """An array of pickle protocol 5."""
    if dtype.kind == "O":
        raise InputError("holds objects where numbers should be")
    return np.frombuffer(content, dtype).reshape(shape, order=order).copy()


def _scalar(dtype, content):
    if not isinstance(dtype, np.dtype) or dtype.kind not in "biufcSU":
        raise InputError("holds a number of an unknown type")
    return np.frombuffer(_bytes(content), dtype, count=1)[0]


def _encode(text, encoding="latin1"):
    """Python 3 writes bytes for Python 2 as a latin1 text and this call."""
    if encoding not in ("latin1", "latin-1"):
        raise InputError(f"holds bytes in the encoding {encoding}")
    return text.encode("latin1")


def _empty_bytes():
    """Python 3 writes empty bytes for Python 2 as this call; with a number it would take memory."""
    return b""


def _bytes(content):
    return content.encode("latin1") if isinstance(content, str) else content


def _named(modules, name, value):
    return {(module, name): value for module in modules.split()}


# Module names: first Python 2's and old libraries', then today's.
_ALLOWED = {
    **_named("__builtin__ builtins", "object", object),
    **_named("__builtin__ builtins", "bytes", _empty_bytes),
    **_named("__builtin__ builtins", "set", set),
    **_named("__builtin__ builtins", "frozenset", frozenset),
    **_named("collections", "OrderedDict", collections.OrderedDict),
    **_named("copy_reg copyreg", "_reconstructor", _reconstructor),
    **_named("_codecs", "encode", _encode),
    **_named("numpy", "ndarray", _NdarrayName),
    **_named("numpy", "dtype", _dtype),
    **_named("numpy.core.multiarray numpy._core.multiarray", "_reconstruct", _reconstruct),
    **_named("numpy.core.multiarray numpy._core.multiarray", "scalar", _scalar),
    **_named("numpy.core.numeric numpy._core.numeric", "_frombuffer", _frombuffer),
    **_named("scipy.sparse.csc scipy.sparse._csc", "csc_matrix", _SPARSE["csc"]),
    **_named("scipy.sparse.csr scipy.sparse._csr", "csr_matrix", _SPARSE["csr"]),
    **_named("scipy.sparse.coo scipy.sparse._coo", "coo_matrix", _SPARSE["coo"]),
    **_named("chumpy.ch", "Ch", _Ch),
    **_named("chumpy.reordering", "Select", _Select),
}


class _Unpickler(pickle._Unpickler):
    """pickle's Python version: it checks states, and allocates no memory for a stated size."""

    dispatch = dict(pickle._Unpickler.dispatch)  # noqa: RUF012 (the way pickle offers to extend it)

    def find_class(self, module, name):
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise InputError(
                f"holds {module}.{name}, which files of SMPL, MoSh, 3DPW and EMDB do not need; "
                "nothing of it was run, take the file from its official source"
            ) from None

    def load_build(self):
        """The state of an object: kept for stand-ins, checked for numpy, refused for all others."""
        state = self.stack.pop()
        target = self.stack[-1]
        if isinstance(target, _StandIn):
            if not isinstance(state, dict):
                raise InputError("holds an object without a state")
            target.state = state
        elif isinstance(target, np.ndarray):
            _set_array_state(target, state)
        elif isinstance(target, np.dtype):
            _set_dtype_state(target, state)
        else:
            raise InputError(f"gives a state to {type(target).__name__}")

    dispatch[pickle.BUILD[0]] = load_build


def _set_array_state(array, state):
    version, shape, dtype, is_fortran, content = state
    if not isinstance(dtype, np.dtype):
        raise InputError("holds an array without a type")
    shape = tuple(int(side) for side in shape)
    num_values = len(content) if dtype.kind == "O" else len(content) / max(dtype.itemsize, 1)
    if min(shape, default=0) < 0 or math.prod(shape) != num_values:
        raise InputError(f"holds {len(content)} bytes for an array of shape {shape}")
    content = list(content) if dtype.kind == "O" else _bytes(content)
    array.__setstate__((int(version), shape, dtype, bool(is_fortran), content))


def _set_dtype_state(dtype, state):
    byte_order, structure = state[1], state[2:5]
    if byte_order not in ("<", ">", "|", "=") or any(part is not None for part in structure):
        raise InputError("holds an array of records")
    if dtype.kind in "biufc":
        dtype.__setstate__((3, byte_order, None, None, None, -1, -1, 0))
    elif byte_order == ">":
        raise InputError("holds texts in a foreign byte order")

"""Reads untrusted .npz and .npy files: their size is bounded, and no pickle in them is run."""

import contextlib
import math
import zipfile
from pathlib import Path

import numpy as np

from hmr_tf.files import safe_pickle
from hmr_tf.files.errors import InputError
from hmr_tf.files.safe_pickle import MAX_BYTES

_KINDS = "biufSU"  # numbers and texts
_READ_HEADER = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


class _Damage(Exception):
    """An array that the file does not hold as its header states."""


def load(path, keys, max_bytes=None, pickled=False):
    """Reads the named arrays of an .npz file.

    Args:
      path: the file.
      keys: names of arrays. Names that the file lacks are left out; its other arrays are not read.
      max_bytes: limit for the file and for the named arrays together, unpacked; None: `MAX_BYTES`.
      pickled: read arrays of objects with `safe_pickle`, as SMPL's files need; otherwise they are
        refused.

    Returns:
      dict: name -> array of numbers or texts, or with `pickled` what `safe_pickle.loads` returns.

    Raises:
      InputError: the file is missing, too large or damaged, or holds objects.
    """
    path, limit = Path(path), MAX_BYTES if max_bytes is None else max_bytes
    with _errors_with_path(path):
        _check_size(path.stat().st_size, "has", limit)
        with zipfile.ZipFile(path) as archive:
            members = {info.filename: info for info in archive.infolist()}
            selected = {key: members[f"{key}.npy"] for key in keys if f"{key}.npy" in members}
            _check_size(sum(info.file_size for info in selected.values()), "unpacks to", limit)
            arrays = {}
            for key, info in selected.items():
                with archive.open(info) as file:
                    arrays[key] = _read_array(file, info.file_size, key, pickled)
            return arrays


def load_npy(path):
    """Reads the array of an .npy file, which may hold numbers or texts; raises as `load`."""
    path = Path(path)
    with _errors_with_path(path), open(path, "rb") as file:
        num_bytes = path.stat().st_size
        _check_size(num_bytes, "has", MAX_BYTES)
        return _read_array(file, num_bytes, "it", pickled=False)


@contextlib.contextmanager
def _errors_with_path(path):
    """Raises InputError, which begins with the path, for every error."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # zipfile, zlib and numpy raise many kinds for damaged files
        reason = f" ({error})" if isinstance(error, _Damage) else ", or another kind of file"
        raise InputError(f"{path} is damaged{reason}: download or make it again.") from error


def _check_size(num_bytes, verb, limit):
    if num_bytes > limit:
        raise InputError(f"it {verb} {num_bytes:,} bytes; at most {limit:,} are read")


def _read_array(file, num_bytes, name, pickled):
    """Reads one .npy of `num_bytes`, after a check of the size that its header states."""
    shape, _, dtype = _READ_HEADER[np.lib.format.read_magic(file)](file)
    num_data_bytes = num_bytes - file.tell()
    if pickled and dtype.hasobject:
        value = safe_pickle.loads(file.read())
        return value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value
    if dtype.kind not in _KINDS or math.prod(shape) * dtype.itemsize != num_data_bytes:
        count = "objects" if dtype.hasobject else f"{math.prod(shape)} values"
        raise _Damage(f"{name} holds {count} in {num_data_bytes} bytes")
    file.seek(0)
    return np.lib.format.read_array(file, allow_pickle=False)

"""Reads numpy's .npz and .npy files of strangers: sizes are bounded, pickles in them not run."""

import io
import math
import zipfile

import numpy as np

from hmr_tf.files import safe_pickle
from hmr_tf.files.errors import InputError
from hmr_tf.files.safe_pickle import MAX_BYTES

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def load(path, keys):
    """The arrays of an .npz that are named.

    Args:
      path: the file, at most `MAX_BYTES` packed and unpacked.
      keys: names; those that the file lacks are left out. What else it holds is not read.

    Returns:
      dict name -> array, or what `safe_pickle.load` gives where numpy pickled an object.

    Raises:
      InputError: missing, too large, damaged, or a pickle with other things in it.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path} is larger than {MAX_BYTES >> 20} MB: no SMPL model is.")
        with zipfile.ZipFile(path) as archive:
            members = {info.filename: info for info in archive.infolist()}
            wanted = {key: members[f"{key}.npy"] for key in keys if f"{key}.npy" in members}
            total = sum(member.file_size for member in wanted.values())
            if total > MAX_BYTES:
                raise InputError(
                    f"{path} unpacks to {total >> 20} MB: no SMPL model has more than "
                    f"{MAX_BYTES >> 20}."
                )
            return {key: _array(archive.read(member)) for key, member in wanted.items()}
    except InputError as error:
        raise InputError(str(error) if str(path) in str(error) else f"{path}: {error}") from error
    except Exception as error:  # zipfile, zlib and numpy raise their own kinds for damaged files
        raise InputError(f"{path} is damaged: {type(error).__name__}: {error}") from error


def load_npy(path):
    """The array of an .npy file; raises as `load`."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"it is larger than {MAX_BYTES >> 20} MB")
        return _array(path.read_bytes())
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except Exception as error:
        raise InputError(f"{path} is damaged: {type(error).__name__}: {error}") from error


def _array(content):
    """The bytes of an .npy -> its array; numpy.load would take memory on the header's word."""
    stream = io.BytesIO(content)
    shape, is_fortran, dtype = _HEADERS[np.lib.format.read_magic(stream)](stream)
    if dtype.hasobject:
        value = safe_pickle.loads(stream.read())
        return value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value
    if math.prod(shape) * dtype.itemsize != len(content) - stream.tell():
        raise ValueError(f"no array of shape {shape} is in it")
    array = np.frombuffer(content, dtype, offset=stream.tell())
    return array.reshape(shape, order="F" if is_fortran else "C")

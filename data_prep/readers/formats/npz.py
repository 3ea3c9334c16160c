"""Reads arrays of .npz files of strangers: no pickles, and no memory on a file's word."""

import zipfile

import numpy as np

from hmr_tf.files.errors import InputError

MAX_BYTES = 2**32  # all arrays of a file together, unpacked; Human3.6M in SPIN's form has 1 GB
_KINDS = "biufSU"  # numbers and texts


def read_arrays(path, names, max_bytes=MAX_BYTES):
    """Those of the named arrays that are in the file.

    Args:
      path: .npz file.
      names: of arrays; others are not looked at.
      max_bytes: more than this, unpacked, is refused.

    Returns:
      dict: name -> array of numbers or texts.

    Raises:
      InputError: no readable .npz file, a named array of objects, or too much.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            present = [name for name in names if f"{name}.npy" in archive.namelist()]
            sizes = {name: _check_header(archive, name) for name in present}
            if sum(sizes.values()) > max_bytes:
                raise ValueError(f"{sum(sizes.values()):,} bytes of arrays, at most {max_bytes:,}")
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in present}
    except Exception as error:  # zipfile, zlib and numpy name no exceptions for damaged files
        reason = " ".join(f"{error!r}".split())[:200]
        raise InputError(f"{path} is no readable .npz file ({reason})") from error


def _check_header(archive, name):
    """Bytes of the array; ValueError where there are objects in it or its shape is a lie."""
    held = archive.getinfo(f"{name}.npy").file_size
    with archive.open(f"{name}.npy") as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0
        shape, _, dtype = (read if version == (1, 0) else np.lib.format.read_array_header_2_0)(file)
    size = dtype.itemsize * int(np.prod(shape, dtype=object))
    if dtype.kind not in _KINDS or size > held:
        raise ValueError(f"{name} holds {dtype} {shape} in {held} bytes")
    return size

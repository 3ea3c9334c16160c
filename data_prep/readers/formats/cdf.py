"""The CDF files of Human3.6M: one variable, Pose, of 1 x frames x coordinates.

The library trusts all sizes in a file and would loop for hours over a damaged one, so they are
checked first. Format: NASA, "CDF Internal Format Description", version 3.
"""

import re
import struct
import zlib
from pathlib import Path

import cdflib
import numpy as np

from hmr_tf.files.errors import InputError

MAX_FRAMES = 50_000  # Human3.6M's longest recording has 6,343
_MAX_BYTES = 2**25
_MAGIC = bytes.fromhex("cdf300010000ffff")  # version 3, the file as a whole not compressed
_MAX_VARIABLES, _MAX_DIMENSIONS, _MAX_BLOCKS = 16, 4, 10_000
_REALS = (21, 22, 44, 45)  # REAL4, REAL8, FLOAT, DOUBLE
_GZIP_START = b"\x1f\x8b\x08"


def read_pose(path, num_coordinates):
    """Reads the variable Pose.

    Args:
      path: file.
      num_coordinates: numbers in each frame: 64 or 96.

    Returns:
      (N, num_coordinates) float64.

    Raises:
      FileNotFoundError: there is no such file.
      InputError: it is another kind of file, truncated, or too large.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(path)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError("too large")
        _check_structure(path.read_bytes())
        with cdflib.CDF(path) as file:
            variable = file.varinq("Pose")
            _check_variable(variable, num_coordinates)
            with np.errstate(invalid="ignore"):  # the caller looks for NaN
                poses = np.asarray(file.varget("Pose"), float)
        return poses.reshape(-1, num_coordinates)
    except Exception as error:  # the library raises anything for damaged files
        reason = str(error) if isinstance(error, InputError) else "damaged"
        raise InputError(f"{path} is not a readable CDF file of poses ({reason})") from error


def _check_variable(variable, num_coordinates):
    """Raises InputError unless it holds frames of so many real numbers, according to its header."""
    sizes = (variable.Last_Rec + 1, *variable.Dim_Sizes)
    num_frames = int(np.prod(sizes, dtype=object)) // num_coordinates
    is_complete = min(sizes) > 0 and num_coordinates in sizes and variable.Num_Elements == 1
    if not is_complete or num_frames > MAX_FRAMES or variable.Data_Type not in _REALS:
        raise InputError(f"Pose is {variable.Data_Type_Description} of {sizes}")


def _check_structure(content):
    """Raises InputError if the file is truncated or a count in it is impossible."""
    if not content.startswith(_MAGIC):
        raise InputError("not an uncompressed CDF file of version 3")
    (descriptor,) = struct.unpack_from(">q", content, 20)
    variable, _, end, num_r, _, _, num_dimensions, num_z = struct.unpack_from(
        ">qqqiiiii", content, descriptor + 20
    )
    if end > len(content):
        raise InputError(f"truncated: {len(content)} of {end} bytes")
    if num_r or not 0 < num_z <= _MAX_VARIABLES:
        raise InputError(f"{num_r} and {num_z} variables")
    _check_dimensions(num_dimensions)
    for _ in range(num_z):
        (next_variable,) = struct.unpack_from(">q", content, variable + 12)
        (blocks,) = struct.unpack_from(">q", content, variable + 28)
        (num_dimensions,) = struct.unpack_from(">i", content, variable + 340)
        _check_dimensions(num_dimensions)
        _check_blocks(content, blocks)
        variable = next_variable
    _check_compressed(content)


def _check_dimensions(number):
    if not 0 <= number <= _MAX_DIMENSIONS:
        raise InputError(f"{number} dimensions")


def _check_blocks(content, start):
    """Follows the index records of a variable, which may point to each other."""
    starts, num_read = [start], 0
    while starts:
        start = starts.pop()
        following, num_entries, num_used = struct.unpack_from(">qii", content, start + 12)
        num_read += 1 + num_used
        if num_used < 0 or num_entries < num_used or num_read > _MAX_BLOCKS:
            raise InputError("its index records form a loop")
        offsets = struct.unpack_from(f">{num_used}q", content, start + 28 + 8 * num_entries)
        index_records = [at for at in offsets if struct.unpack_from(">i", content, at + 8)[0] == 6]
        starts += index_records + ([following] if following else [])


def _check_compressed(content):
    """Raises InputError if compressed parts unpack to far more than any recording."""
    left = _MAX_BYTES
    for match in re.finditer(re.escape(_GZIP_START), content):
        try:
            left -= len(zlib.decompressobj(31).decompress(content[match.start() :], left))
        except zlib.error:  # these three bytes were numbers
            continue
        if left <= 0:
            raise InputError("it unpacks to too much")

"""MATLAB files of version 5, read by scipy after the sizes in them are checked.

A few bytes may declare an array of gigabytes, or unpack to one. Source: "MAT-File Format", The
MathWorks, chapter 1.
"""

import io
import math
import struct
import zlib
from typing import NamedTuple

import scipy.io

from hmr_tf.files.errors import InputError

MAX_ARRAYS = 2**23  # in one variable; even empty ones take memory. MPII's has about 3 million
MAX_DEPTH = 12  # of structs and cells; MPII's has 8
_HEADER_BYTES = 128
_MATRIX, _COMPRESSED = 14, 15  # kinds of elements
_CELL, _STRUCT, _TEXT, _NUMBERS = 1, 2, 4, range(6, 16)  # classes of arrays
_TYPES = {_TEXT: (1, 2, 4, 16, 17, 18), **dict.fromkeys(_NUMBERS, (1, 2, 3, 4, 5, 6, 7, 9, 12, 13))}
_NAME_BYTES = 512  # the start of an unpacked variable, with its name


def read(content, names, max_bytes):
    """Variables in a file's bytes, as scipy returns them with struct_as_record=False.

    Args:
      content: bytes of the file.
      names: the variables to read.
      max_bytes: of all these variables, unpacked.

    Returns:
      dict: name -> array, of the `names` that the file has.

    Raises:
      InputError and others: the bytes are damaged, or larger than allowed.
    """
    order = {b"IM": "<", b"MI": ">"}.get(content[_HEADER_BYTES - 2 : _HEADER_BYTES])
    if not content.startswith(b"MATLAB 5.0") or order is None:
        raise InputError("not a MATLAB file of version 5 or 7.3")
    checked = [content[:_HEADER_BYTES]]
    for element in _elements(content, order):
        if _name(element, order) in names:
            checked.append(_unpack(element, order, max_bytes))
            max_bytes -= len(checked[-1])
            _Walk(checked[-1], order).check_array(0, MAX_DEPTH)
    variables = scipy.io.loadmat(io.BytesIO(b"".join(checked)), struct_as_record=False)
    return {name: variables[name] for name in names if name in variables}


def _elements(content, order):
    """Yields the bytes of each variable, with their tag."""
    position = _HEADER_BYTES
    while position < len(content):
        kind, size = struct.unpack_from(order + "II", content, position)
        end = position + 8 + size
        if end > len(content) or kind not in (_MATRIX, _COMPRESSED):
            raise InputError("damaged or truncated")
        yield content[position:end]
        position = end


def _unpack(element, order, max_bytes):
    if struct.unpack_from(order + "I", element)[0] == _MATRIX:
        return element
    packed = zlib.decompressobj()
    unpacked = packed.decompress(element[8:], max_bytes)
    if not packed.eof:
        raise InputError("truncated" if len(unpacked) < max_bytes else "too large")
    return unpacked


def _name(element, order):
    if struct.unpack_from(order + "I", element)[0] == _COMPRESSED:
        element = zlib.decompressobj().decompress(element[8:], _NAME_BYTES)
    walk = _Walk(element, order)
    start, stop = walk.head(8).name
    return element[start:stop].decode()


class _Head(NamedTuple):
    kind: int  # class of the array
    is_complex: bool
    count: int  # members
    name: tuple  # start and stop of its bytes
    end: int  # start of the content


class _Walk:
    """Walks through the bytes of one variable in the order in which scipy reads them."""

    def __init__(self, content, order):
        self._content = content
        self._pair = struct.Struct(order + "II")
        self._order = order
        self._num_arrays = 0

    def head(self, position):
        """Flags, dimensions and name of the array whose tag ends at `position`."""
        _, start, stop, position = self._tag(position)
        if stop - start != 8:
            raise InputError("an array without flags")
        flags, _ = self._pair.unpack_from(self._content, start)
        _, start, stop, position = self._tag(position)
        sides = struct.unpack_from(f"{self._order}{(stop - start) // 4}i", self._content, start)
        if min(sides, default=-1) < 0:
            raise InputError("an array with no size")
        _, *name, position = self._tag(position)
        return _Head(flags & 0xFF, bool(flags & 0x800), math.prod(sides), tuple(name), position)

    def check_array(self, position, depth):
        """Checks an array and all in it; returns where it ends. InputError if it is damaged."""
        kind, start, stop, _ = self._tag(position)
        self._num_arrays += 1
        if kind != _MATRIX or not depth or self._num_arrays > MAX_ARRAYS:
            raise InputError("damaged, or too many nested arrays")
        if start == stop:  # an empty array
            return stop
        head = self.head(start)
        if head.kind in (_CELL, _STRUCT):
            return self._check_members(head, depth)
        if head.kind not in _TYPES:
            raise InputError("neither numbers, text, cells nor structs")
        position = head.end
        for _ in range(1 + head.is_complex):
            kind, start, stop, position = self._tag(position)
            if kind not in _TYPES[head.kind]:  # scipy crashes on unknown types
                raise InputError("numbers or text of an unknown type")
            if head.count > stop - start:  # a number takes at least a byte
                raise InputError("an array larger than its content")
        return position

    def _check_members(self, head, depth):
        position, num_members = head.end, head.count
        if head.kind == _STRUCT:
            _, start, _, position = self._tag(position)
            (length,) = struct.unpack_from(self._order + "i", self._content, start)
            _, start, stop, position = self._tag(position)
            if length < 1:
                raise InputError("fields without names")
            num_members *= (stop - start) // length
        if max(head.count, 8 * num_members) > len(self._content) - position:
            raise InputError("an array with more members than its content")
        for _ in range(num_members):
            position = self.check_array(position, depth - 1)
        return position

    def _tag(self, position):
        """An element's type, start and stop of its content, and start of the next element."""
        kind, size = self._pair.unpack_from(self._content, position)
        if kind >> 16:  # small: size, type and content in eight bytes
            kind, size, start, end = kind & 0xFFFF, kind >> 16, position + 4, position + 8
        else:
            start = position + 8
            end = start + size + -size % 8
        if start + size > min(end, len(self._content)):
            raise InputError("truncated")
        return kind, start, start + size, end

"""The container of a GLB file: arrays in one buffer, and a JSON with their places."""

import json
import struct

import numpy as np

# glTF's constants for component types and buffer targets.
_COMPONENT = {"float32": 5126, "uint8": 5121, "uint16": 5123, "uint32": 5125}
_TYPE = {1: "SCALAR", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
VERTICES, INDICES = 34962, 34963
_MAGIC, _VERSION, _JSON, _BIN = 0x46546C67, 2, 0x4E4F534A, 0x004E4942
# Sizes in the file are 32 bits.
_MAX_BYTES = 2**32 - 1


class Buffer:
    """Collects arrays; `views` and `accessors` are glTF's lists of them."""

    def __init__(self):
        self.chunks, self.views, self.accessors = [], [], []
        self.length = 0

    def add(self, array, target=None, bounds=False):
        """Stores (N,) or (N, C) float32, uint8, uint16 or uint32; returns its accessor's index.

        Args:
          array: C is 1, 3, 4 or 16.
          target: VERTICES, INDICES or None.
          bounds: store the least and largest values, which glTF requires of positions and times.
        """
        array = np.ascontiguousarray(array)
        columns = array.reshape(len(array), -1)
        view = {"buffer": 0, "byteOffset": self.length, "byteLength": array.nbytes}
        if target is not None:
            view["target"] = target
        accessor = {
            "bufferView": len(self.views),
            "componentType": _COMPONENT[array.dtype.name],
            "count": len(array),
            "type": _TYPE[columns.shape[1]],
        }
        if bounds:
            accessor["min"] = columns.min(axis=0).tolist()
            accessor["max"] = columns.max(axis=0).tolist()
        content = _padded(array.tobytes(), b"\0")
        self.chunks.append(content)
        self.length += len(content)
        self.views.append(view)
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def container(document, buffer):
    """The bytes of a GLB.

    Args:
      document: dict, glTF's JSON without buffers, bufferViews and accessors.
      buffer: Buffer.

    Raises:
      ValueError: more than 4 GiB.
    """
    document = {
        **document,
        "buffers": [{"byteLength": buffer.length}],
        "bufferViews": buffer.views,
        "accessors": buffer.accessors,
    }
    text = _padded(json.dumps(document, separators=(",", ":"), allow_nan=False).encode(), b" ")
    length = 12 + 8 + len(text) + 8 + buffer.length
    if length > _MAX_BYTES:
        raise ValueError(
            f"a GLB holds 4 GiB; this one would have {length} bytes: take fewer frames"
        )
    header = struct.pack("<III", _MAGIC, _VERSION, length)
    parts = [header, struct.pack("<II", len(text), _JSON), text]
    return b"".join([*parts, struct.pack("<II", buffer.length, _BIN), *buffer.chunks])


def _padded(content, filler):
    """The content filled up to a multiple of four bytes, as glTF requires of every chunk."""
    return content + filler * (-len(content) % 4)

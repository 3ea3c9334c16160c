"""How a stored picture is rotated or mirrored to be shown: the orientation beside its pixels.

JPEG, PNG, WebP and TIFF keep EXIF's tag 0x0112 (EXIF 2.32, section 4.6.4), 1 to 8. A picture whose
EXIF has none may have it as XMP's tiff:Orientation (Metadata Working Group, Guidelines 2.0).
`serving.photo_ops` does the same in TensorFlow's graph.
"""

import re
import struct

import cv2
import numpy as np

from hmr_tf.files.image_size import JPEG_END, JPEG_SCAN, JPEG_WITHOUT_LENGTH

UPRIGHT = 1
TAG = 0x0112
EXIF, XMP, XMP_IN_PNG = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"XML:com.adobe.xmp\0"
# An attribute or an element; Python and RE2 read it alike.
XMP_PATTERN = r"""tiff:Orientation[ \t\r\n]*(?:=[ \t\r\n]*["']|>)[ \t\r\n]*([1-8])[ \t\r\n]*["'<]"""
JPEG_APP1 = 0xE1
_TYPES = {1: "B", 3: "H", 4: "I"}  # TIFF's types of whole numbers: BYTE, SHORT, LONG


def stored_orientation(content):
    """EXIF's orientation of a picture as it is stored.

    Args:
      content: bytes of a JPEG, PNG, WebP or TIFF file.

    Returns:
      int, 1 to 8; 1, upright, for other files and where there is none or it is not valid.
    """
    for signature, blocks in _BLOCKS.items():
        if content.startswith(signature):
            return _orientation(**_first(blocks(content)))
    return UPRIGHT


def make_upright(image, orientation):
    """(H, W, ...) array as stored -> contiguous array, upright."""
    if orientation in (5, 6, 7, 8):
        image = np.swapaxes(image, 0, 1)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image)


def rotate_clockwise(image, degrees):
    """(H, W, ...) array rotated by a multiple of 90 degrees, as a video's rotation tag requires."""
    return np.ascontiguousarray(np.rot90(image, -round(degrees / 90) % 4))


def upright_size(height, width, orientation):
    """(height, width) after `make_upright`."""
    return (width, height) if orientation in (5, 6, 7, 8) else (height, width)


def decode_upright(content, flags=cv2.IMREAD_COLOR):
    """OpenCV's array of a picture file, upright in every format; None if it is not a picture.

    OpenCV itself makes JPEG upright by its first APP1 segment only, and TIFF always.
    """
    buffer = np.frombuffer(content, np.uint8)
    image = cv2.imdecode(buffer, flags | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None or content.startswith((b"II", b"MM")):
        return image
    return make_upright(image, stored_orientation(content))


def _orientation(exif, xmp):
    """The orientation in the EXIF block; where it has no valid one, that in the XMP block."""
    from_exif = _orientation_from_tiff(exif)
    if from_exif:
        return from_exif
    match = re.search(XMP_PATTERN.encode(), xmp)
    return int(match[1]) if match else UPRIGHT


def _orientation_from_tiff(content):
    """The orientation in a TIFF file or an EXIF block, which is one; 0 where there is none."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(content[:4])
    if order is None:
        return 0
    try:
        (directory,) = struct.unpack_from(order + "I", content, 4)
        (count,) = struct.unpack_from(order + "H", content, directory)
    except struct.error:  # it points out of the block
        return 0
    whole = min(count, (len(content) - directory - 2) // 12)
    for offset in range(directory + 2, directory + 2 + 12 * whole, 12):
        tag, kind = struct.unpack_from(order + "HH", content, offset)
        if tag == TAG and kind in _TYPES:
            (value,) = struct.unpack_from(order + _TYPES[kind], content, offset + 8)
            return value if 1 <= value <= 8 else 0
    return 0


def _first(blocks):
    """(kind, block) pairs -> the first EXIF block and the first XMP block, or empty ones."""
    first_blocks = {"exif": b"", "xmp": b""}
    for kind, block in blocks:
        if not first_blocks[kind]:
            first_blocks[kind] = block
    return first_blocks


def _jpeg_blocks(content):
    """Yields the EXIF and XMP blocks before the scan."""
    offset = 2
    while content[offset : offset + 1] == b"\xff" and offset + 4 <= len(content):
        marker = content[offset + 1]
        if marker in (JPEG_SCAN, JPEG_END):
            return
        if marker == 0xFF:  # a fill byte
            offset += 1
        elif marker in JPEG_WITHOUT_LENGTH:
            offset += 2
        else:
            end = offset + 2 + int.from_bytes(content[offset + 2 : offset + 4], "big")
            block = content[offset + 4 : end]
            if marker == JPEG_APP1 and block.startswith(EXIF):
                yield "exif", block[len(EXIF) :]
            elif marker == JPEG_APP1 and block.startswith(XMP):
                yield "xmp", block
            offset = end


def _png_blocks(content):
    offset = 8
    while offset + 8 <= len(content):
        length, name = struct.unpack_from(">I4s", content, offset)
        block = content[offset + 8 : offset + 8 + length]
        if name == b"eXIf":
            yield "exif", block.removeprefix(EXIF)
        elif name == b"iTXt" and block.startswith(XMP_IN_PNG):
            yield "xmp", block
        offset += length + 12


def _webp_blocks(content):
    offset = 12
    while offset + 8 <= len(content):
        name, length = struct.unpack_from("<4sI", content, offset)
        block = content[offset + 8 : offset + 8 + length]
        if name == b"EXIF":
            yield "exif", block.removeprefix(EXIF)
        elif name == b"XMP ":
            yield "xmp", block
        offset += 8 + length + length % 2


def _tiff_blocks(content):
    yield "exif", content


_BLOCKS = {
    b"\xff\xd8": _jpeg_blocks,
    b"\x89PNG\r\n\x1a\n": _png_blocks,
    b"RIFF": _webp_blocks,
    b"II*\0": _tiff_blocks,
    b"MM\0*": _tiff_blocks,
}

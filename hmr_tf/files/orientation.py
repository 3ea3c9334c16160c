"""How a stored picture is rotated or mirrored to be shown: the orientation beside its pixels.

JPEG, PNG, WebP and TIFF keep EXIF's tag 0x0112 (EXIF 2.32, section 4.6.4), 1 to 8. A picture whose
EXIF has none may have it as XMP's tiff:Orientation (Metadata Working Group, Guidelines 2.0).
`serving.photo_ops` does the same in TensorFlow's graph, or refuses.
"""

import contextlib
import re
import struct
import zlib

import cv2
import numpy as np

from hmr_tf.files.image_size import JPEG_END, JPEG_SCAN, jpeg_markers

UPRIGHT = 1
TAG, _XMP_TAG = 0x0112, 700
EXIF, XMP, XMP_IN_PNG = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"XML:com.adobe.xmp\0"
# An attribute or an element; Python and RE2 read it alike.
XMP_PATTERN = r"""tiff:Orientation[ \t\r\n]*(?:=[ \t\r\n]*["']|>)[ \t\r\n]*([1-8])[ \t\r\n]*["'<]"""
PNG_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
# Keywords of text chunks in which ImageMagick and its like keep EXIF and XMP, in hexadecimal.
PNG_PROFILES = tuple(b"Raw profile type " + name for name in (b"exif", b"APP1", b"xmp"))
_TIFF_STARTS = {b"II*\0": "<", b"MM\0*": ">"}  # and their byte order
_MAX_TEXT_BYTES = 1 << 20
JPEG_APP1 = 0xE1
_MAX_MOVIE_BYTES = 1 << 26
_BY_ROTATION = (1, 6, 3, 8)  # by 0, 90, 180, 270 degrees clockwise
# By the matrix a, b, c, d of a track: a pixel x, y is shown at a x + c y, b x + d y.
_BY_MATRIX = {
    **{(1, 0, 0, 1): 1, (-1, 0, 0, 1): 2, (-1, 0, 0, -1): 3, (1, 0, 0, -1): 4},
    **{(0, 1, 1, 0): 5, (0, 1, -1, 0): 6, (0, -1, -1, 0): 7, (0, -1, 1, 0): 8},
}
_MIRRORED = (2, 4, 5, 7)
# TIFF's types of whole numbers: BYTE, SHORT, LONG, and with a sign, which the values do not need.
INTEGER_TYPES = {1: "B", 6: "B", 3: "H", 8: "H", 4: "I", 9: "I"}


def stored_orientation(content):
    """EXIF's orientation of a picture as it is stored.

    Args:
      content: bytes of a JPEG, PNG, WebP or TIFF file.

    Returns:
      int, 1 to 8; 1, upright, for other files and where there is none or it is not valid.
    """
    for signature, blocks in _BLOCKS.items():
        if content.startswith(signature):
            return _orientation(blocks(content))
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


def upright_size(height, width, orientation):
    """(height, width) after `make_upright`."""
    return (width, height) if orientation in (5, 6, 7, 8) else (height, width)


def decode_upright(content, flags=cv2.IMREAD_COLOR):
    """OpenCV's array of a picture file, upright in every format; None if it is not a picture.

    OpenCV itself makes JPEG upright by its first APP1 segment only, and TIFF always by its tag.
    """
    buffer = np.frombuffer(content, np.uint8)
    image = cv2.imdecode(buffer, flags | cv2.IMREAD_IGNORE_ORIENTATION)
    is_upright = content[:4] in _TIFF_STARTS and _orientation_from_tiff(content)
    if image is None or is_upright:
        return image
    return make_upright(image, stored_orientation(content))


def video_orientation(path, clockwise_deg):
    """Orientation, 1 to 8, of a video's frames as they are stored.

    Args:
      path: of the file. MP4 and MOV may mirror frames by the matrix of their first video track
        (ISO/IEC 14496-12, section 8.3.2), which OpenCV does not tell.
      clockwise_deg: the rotation that OpenCV tells.
    """
    with open(path, "rb") as file:
        of_track = _track_orientation(_movie_box(file))
    by_rotation = _BY_ROTATION[round(clockwise_deg / 90) % 4]
    return of_track if of_track in _MIRRORED else by_rotation


def _movie_box(file):
    """Content of the box "moov" of an MP4 or MOV; empty if there is none."""
    while len(head := file.read(16)) == 16:
        size, name, long_size = struct.unpack(">I4sQ", head)
        start, size = (16, long_size) if size == 1 else (8, size or _MAX_MOVIE_BYTES)
        if name == b"moov":
            return (head + file.read(min(size, _MAX_MOVIE_BYTES)))[start:size]
        if not 8 <= size < 1 << 60:
            return b""
        file.seek(size - len(head), 1)
    return b""


def _track_orientation(movie):
    """Orientation of the first video track; UPRIGHT where its matrix is another one."""
    for track in _boxes(movie, b"trak"):
        is_video = any(
            handler[8:12] == b"vide"
            for media in _boxes(track, b"mdia")
            for handler in _boxes(media, b"hdlr")
        )
        for header in _boxes(track, b"tkhd") if is_video else ():
            place = 52 if header[0] else 40  # version 1 has times of 64 bits
            a, b, _, c, d = struct.unpack_from(">5i", header.ljust(72, b"\0"), place)
            largest = max(abs(a), abs(b), abs(c), abs(d), 1)
            return _BY_MATRIX.get(tuple(round(x / largest) for x in (a, b, c, d)), UPRIGHT)
    return UPRIGHT


def _boxes(content, wanted):
    """Yields the contents of the boxes of a name, all in one box."""
    offset = 0
    while offset + 8 <= len(content):
        size, name = struct.unpack_from(">I4s", content, offset)
        if size < 8:
            return
        if name == wanted and size > 8:
            yield content[offset + 8 : offset + size]
        offset += size


def _orientation(blocks):
    """The first valid orientation of the EXIF blocks, else of a profile, else of XMP."""
    values = {}
    with contextlib.suppress(IndexError, ValueError, struct.error):  # the file is cut off
        for kind, block in blocks:
            value = 0 if kind == "xmp" else _orientation_from_tiff(block)
            value = value or (0 if kind == "exif" else _orientation_from_xmp(block))
            if value:
                values.setdefault(kind, value)
    return next((values[kind] for kind in ("exif", "profile", "xmp") if kind in values), UPRIGHT)


def _orientation_from_xmp(block):
    match = re.search(XMP_PATTERN.encode(), block)
    return int(match[1]) if match else 0


def _orientation_from_tiff(content):
    """The orientation in a TIFF file or an EXIF block, which is one; 0 where there is none."""
    for order, tag, kind, place in _tiff_tags(content):
        if tag == TAG and kind in INTEGER_TYPES:
            (value,) = struct.unpack_from(order + INTEGER_TYPES[kind], content, place + 8)
            return value if 1 <= value <= 8 else 0
    return 0


def _tiff_tags(content):
    """Yields byte order, tag, type and offset of the entries of the first directory."""
    order = _TIFF_STARTS.get(content[:4])
    if order is None:
        return
    try:
        (directory,) = struct.unpack_from(order + "I", content, 4)
        (count,) = struct.unpack_from(order + "H", content, directory)
    except struct.error:  # it points out of the block
        return
    whole = min(count, (len(content) - directory - 2) // 12)
    for place in range(directory + 2, directory + 2 + 12 * whole, 12):
        yield order, *struct.unpack_from(order + "HH", content, place), place


def _jpeg_blocks(content):
    """Yields the EXIF and XMP blocks before the scan."""
    for marker, offset in jpeg_markers(content):
        if marker in (JPEG_SCAN, JPEG_END):
            return
        if marker == JPEG_APP1:
            (length,) = struct.unpack_from(">H", content, offset + 2)
            block = content[offset + 4 : offset + 2 + length]
            if block.startswith(EXIF):
                yield "exif", block[len(EXIF) :]
            elif block.startswith(XMP):
                yield "xmp", block


def _png_blocks(content):
    offset = 8
    while offset + 8 <= len(content):
        length, name = struct.unpack_from(">I4s", content, offset)
        end = offset + 8 + length
        if name == b"eXIf":
            yield "exif", content[offset + 8 : end].removeprefix(EXIF)
        elif name in PNG_TEXTS:
            yield from _png_text_blocks(name, content[offset + 8 : end])
        offset = end + 4


def _png_text_blocks(name, block):
    """The block in a text chunk of a PNG (PNG 1.2, section 4.2.3), if it has one."""
    keyword, _, text = block.partition(b"\0")
    if keyword + b"\0" != XMP_IN_PNG and keyword not in PNG_PROFILES:
        return
    is_compressed = name == b"zTXt" or (name == b"iTXt" and text.startswith(b"\1"))
    if name == b"iTXt":
        text = text[2:].split(b"\0", 2)[-1]  # after the language and the translated keyword
    elif name == b"zTXt":
        text = text[1:]
    try:
        text = zlib.decompressobj().decompress(text, _MAX_TEXT_BYTES) if is_compressed else text
        if keyword not in PNG_PROFILES:
            yield "xmp", text
            return
        # ImageMagick's form: the profile's name, its number of bytes, the bytes in hexadecimal.
        profile = bytes.fromhex(text.split(None, 2)[2].decode("ascii"))
        yield "profile", profile.removeprefix(EXIF)
    except (zlib.error, ValueError, IndexError):
        return


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
    for order, tag, _, place in _tiff_tags(content):
        if tag == _XMP_TAG:
            length, offset = struct.unpack_from(order + "II", content, place + 4)
            yield "xmp", content[offset : offset + length]


_BLOCKS = {
    b"\xff\xd8": _jpeg_blocks,
    b"\x89PNG\r\n\x1a\n": _png_blocks,
    b"RIFF": _webp_blocks,
    **dict.fromkeys(_TIFF_STARTS, _tiff_blocks),
}

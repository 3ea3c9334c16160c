"""Kind and size of a picture from the first bytes of its file, before memory is taken for it."""

import math
import struct

# Markers of JPEG that no length follows: TEM, RST0 to RST7, SOI.
JPEG_WITHOUT_LENGTH = (0x01, *range(0xD0, 0xD9))
JPEG_SCAN, JPEG_END = 0xDA, 0xD9
# Markers of JPEG that begin a frame, with the size in them; C4, C8 and CC are tables.
_JPEG_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_SAMPLE_FORMAT = 256, 257, 339
_TIFF_NO_PICTURE = (
    2,
    3,
)  # sample formats: numbers with a sign, fractions; black and white are unknown


# Brands of ISO's media files (bytes 8 to 12, after "ftyp") that are pictures.
_HEIC_BRANDS = b"heic heix heim heis hevc hevm hevs hevx mif1 mif2 msf1".split()
_BRANDS = {
    **dict.fromkeys(_HEIC_BRANDS, "HEIC"),
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
    b"crx ": "camera raw",
}
_UNSUPPORTED_SIGNATURES = {
    b"GIF8": "GIF",
    b"8BPS": "Photoshop",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"FUJIFILMCCD-RAW": "camera raw",
    **dict.fromkeys((b"II\x55\0", b"IIRO", b"IIRS"), "camera raw"),
    **dict.fromkeys((b"II\x2b\0", b"MM\0\x2b"), "BigTIFF"),
}
# Their files are TIFF's, which hold a preview first.
_RAW_EXTENSIONS = tuple(
    ".3fr .arw .cr2 .dcr .dng .erf .gpr .iiq .kdc .nef .nrw .orf .pef .rw2 .srf .srw".split()
)
# Of files that are pictures, too, but are not read.
UNSUPPORTED_EXTENSIONS = (
    *_RAW_EXTENSIONS,
    *".heic .heif .hif .avif .gif .jp2 .j2k .jxl .psd .cr3 .mrw .raf .x3f".split(),
    *".exr .hdr .pgm .pnm .ppm .svg .tga".split(),
)
HEAD_BYTES = 16


def is_supported_image(head, extension=""):
    """Whether a file that begins with these bytes is a picture of a kind that is read."""
    if head.startswith(b"RIFF"):  # films and sounds have these brands, too
        return head[8:12] == b"WEBP"
    if head.startswith(b"BM"):  # some texts begin like this; four bytes of the header are reserved
        return head[6:10] == bytes(4)
    return head.startswith(tuple(_READERS)) and not unsupported_format(head, extension)


def unsupported_format(head, extension=""):
    """Name of a kind of picture that is not read; None for all other files.

    Args:
      head: the first `HEAD_BYTES` bytes of the file.
      extension: of the file's name, as ".dng".
    """
    if extension.lower() in _RAW_EXTENSIONS and head[:2] in (b"II", b"MM"):
        return "camera raw"
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12])
    return next(
        (kind for start, kind in _UNSUPPORTED_SIGNATURES.items() if head.startswith(start)), None
    )


def image_size(content):
    """(height, width) that a JPEG, PNG, BMP, WebP or TIFF file states; None for all other bytes.

    Args:
      content: bytes of the file. Damage after the header is not looked for.
    """
    for signature, read in _READERS.items():
        if content.startswith(signature):
            try:
                return read(content)
            except (struct.error, IndexError, ValueError):
                return None
    return None


def is_same_shape(size, other):
    """Whether images of these (height, width) may be one in two sizes, in whole pixels."""
    (height, width), (other_height, other_width) = size, other
    difference = abs(height * other_width - width * other_height)
    return math.isfinite(difference) and difference <= max(height, width)


def jpeg_markers(content):
    """Yields (marker, offset of its 0xFF) of the segments of a JPEG, scans left to the caller.

    Bytes between segments are skipped, as decoders do.

    Raises:
      IndexError, ValueError, struct.error: the file ends.
    """
    offset = 2
    while True:
        offset = content.index(0xFF, offset)
        marker = content[offset + 1]
        if marker in (0x00, 0xFF):  # no marker, a fill byte
            offset += 1
            continue
        yield marker, offset
        offset += 2
        if marker not in JPEG_WITHOUT_LENGTH:
            offset += struct.unpack_from(">H", content, offset)[0]


def _jpeg(content):
    offset = next(offset for marker, offset in jpeg_markers(content) if marker in _JPEG_FRAMES)
    return struct.unpack_from(">HH", content, offset + 5)


def _png(content):
    width, height = struct.unpack_from(">II", content, 16)
    return height, width


def _bmp(content):
    if struct.unpack_from("<I", content, 14)[0] == 12:  # OS/2's header
        width, height = struct.unpack_from("<HH", content, 18)
    else:
        width, height = struct.unpack_from("<ii", content, 18)
    return abs(height), abs(width)  # a negative height: the first row is the top one


def _webp(content):
    kind = content[8:16]
    if kind == b"WEBPVP8X":
        width, height = (int.from_bytes(content[at : at + 3], "little") + 1 for at in (24, 27))
    elif kind == b"WEBPVP8L":
        bits = struct.unpack_from("<I", content, 21)[0]
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"WEBPVP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", content, 26))
    else:
        return None
    return height, width


def _tiff(content):
    order = "<" if content.startswith(b"II") else ">"
    directory = struct.unpack_from(order + "I", content, 4)[0]
    count = struct.unpack_from(order + "H", content, directory)[0]
    sides = {}
    for offset in range(directory + 2, directory + 2 + 12 * count, 12):
        tag, kind = struct.unpack_from(order + "HH", content, offset)
        if tag in (_TIFF_WIDTH, _TIFF_HEIGHT):
            code = order + ("H" if kind == 3 else "I")
            sides[tag] = struct.unpack_from(code, content, offset + 8)
        elif tag == _TIFF_SAMPLE_FORMAT:
            num_samples, place = struct.unpack_from(order + "II", content, offset + 4)
            place = place if num_samples > 2 else offset + 8  # two fit into the entry
            if struct.unpack_from(order + "H", content, place)[0] in _TIFF_NO_PICTURE:
                return None
    if len(sides) < 2:
        return None
    return sides[_TIFF_HEIGHT][0], sides[_TIFF_WIDTH][0]


_READERS = {
    b"\xff\xd8": _jpeg,
    b"\x89PNG\r\n\x1a\n": _png,
    b"BM": _bmp,
    b"RIFF": _webp,
    b"II*\0": _tiff,
    b"MM\0*": _tiff,
}

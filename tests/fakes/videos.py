"""Video files that OpenCV cannot write: frames at any times, a rotation tag."""

import struct

import cv2


def _element(name, content):
    """An EBML element: its id in hexadecimal, its length in eight bytes."""
    return bytes.fromhex(name) + struct.pack(">Q", len(content) | 1 << 56) + content


def _number(name, value):
    return _element(name, struct.pack(">Q", value))


def write_matroska(path, images, milliseconds, stated_hz=1000):
    """MJPEG in Matroska, as a browser's recorder times it.

    Args:
      path: the file.
      images: of (H, W, 3) uint8 RGB, all of one size.
      milliseconds: when each is shown, below 32,768.
      stated_hz: frames a second that the file states.
    """
    height, width = images[0].shape[:2]
    video = _element("e0", _number("b0", width) + _number("ba", height))
    track = _number("d7", 1) + _number("73c5", 1) + _number("83", 1) + _element("86", b"V_MJPEG")
    track += _number("23e383", 10**9 // stated_hz) + video
    blocks = b""
    for image, at in zip(images, milliseconds):
        jpeg = cv2.imencode(".jpg", image[..., ::-1])[1].tobytes()
        blocks += _element("a3", b"\x81" + struct.pack(">hB", at, 0x80) + jpeg)
    segment = _element("1549a966", _number("2ad7b1", 10**6))
    segment += _element("1654ae6b", _element("ae", track))
    segment += _element("1f43b675", _number("e7", 0) + blocks)
    head = _element("4282", b"matroska") + _number("4287", 4) + _number("4285", 2)
    path.write_bytes(_element("1a45dfa3", head) + _element("18538067", segment))
    return path


# The matrix a, b, c, d of each EXIF orientation: a pixel x, y is shown at a x + c y, b x + d y.
MATRICES = {
    **{1: (1, 0, 0, 1), 2: (-1, 0, 0, 1), 3: (-1, 0, 0, -1), 4: (1, 0, 0, -1)},
    **{5: (0, 1, 1, 0), 6: (0, 1, -1, 0), 7: (0, -1, -1, 0), 8: (0, -1, 1, 0)},
}
_BY_DEGREES = {0: 1, 90: 6, 180: 3, 270: 8}


def write_rotated(path, images, degrees, rate_hz=10.0):
    """An MP4 whose track header says that it is shown rotated clockwise, as phones do."""
    return write_with_matrix(path, images, MATRICES[_BY_DEGREES[degrees]], rate_hz)


def write_with_matrix(path, images, matrix, rate_hz=10.0):
    """An MP4 whose track header has this matrix a, b, c, d."""
    height, width = images[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), rate_hz, (width, height))
    for image in images:
        writer.write(image[..., ::-1])
    writer.release()
    content = bytearray(path.read_bytes())
    place = content.index(b"tkhd") + 4 + 40  # the matrix, of a header of version 0
    a, b, c, d = (value << 16 for value in matrix)
    struct.pack_into(">9i", content, place, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    return path


def with_box(content, name, box):
    """An MP4 with a box added at the end of its description of samples of this name.

    Its other boxes are as `cv2.VideoWriter` writes them, with the movie's at the end.
    """
    content = bytearray(content)
    parents = [b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", name]
    places, place = [], 0
    for parent in parents:
        place = content.index(parent, place)
        places.append(place - 4)
    sizes = [struct.unpack_from(">I", content, at)[0] for at in places]
    end = places[-1] + sizes[-1]
    for at, size in zip(places, sizes):
        struct.pack_into(">I", content, at, size + len(box))
    return bytes(content[:end]) + box + bytes(content[end:])

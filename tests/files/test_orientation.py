"""Orientation of stored pictures, every place and form of it, in Python and in the graph."""

import struct
import zlib

import cv2
import numpy as np
import pytest
import tensorflow as tf

from hmr_tf.files import orientation
from hmr_tf.inference import photo
from hmr_tf.serving import photo_ops

decode = tf.function(photo_ops.decode, input_signature=[tf.TensorSpec([], tf.string)])
in_graph = tf.function(photo_ops.orientation, input_signature=[tf.TensorSpec([], tf.string)])
XMP = orientation.XMP + b'<rdf:Description \xff tiff:Make="x" tiff:Orientation="%d"/>'


@pytest.fixture
def picture(rng):
    return cv2.resize(rng.integers(0, 256, (5, 7, 3), np.uint8), (64, 40))


def tiff(value, order="<", kind=3, before=1, start=8):
    """A TIFF block whose directory has `before` other tags before the orientation."""
    other = [struct.pack(order + "HHII", 0x9000 + i, 3, 1, 0) for i in range(before)]
    form = {1: "Bxxx", 3: "Hxx", 4: "I"}.get(kind, "I")
    tag = struct.pack(order + "HHI" + form, 0x0112, kind, 1, value)
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, start)
    return head + bytes(start - 8) + struct.pack(order + "H", before + 1) + b"".join(other) + tag


def segment(content, marker=0xE1):
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def exif(value, **form):
    return segment(orientation.EXIF + tiff(value, **form))


def jpeg(image, *segments):
    """Without the JFIF segment, which is what cameras write, then with these."""
    content = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    length = struct.unpack(">H", content[4:6])[0]
    return content[:2] + b"".join(segments) + content[4 + length :]


def png_chunk(name, content):
    return (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )


def png(image, *chunks, at_end=False):
    content = cv2.imencode(".png", image[..., ::-1])[1].tobytes()
    place = len(content) - 12 if at_end else 33  # before IEND; after IHDR
    return content[:place] + b"".join(chunks) + content[place:]


# Name -> orientation and the JPEG segments that say it.
JPEGS = {
    "plain": (6, [exif(6)]),
    "big endian": (8, [exif(8, order=">")]),
    "far directory": (6, [exif(6, start=30_000)]),
    "many tags": (3, [exif(3, before=300)]),
    "long": (6, [exif(6, kind=4)]),
    "long, big endian": (6, [exif(6, kind=4, order=">")]),
    "byte": (5, [exif(5, kind=1)]),
    "after JFIF": (6, [segment(b"JFIF\0\1\1\0\0\1\0\1\0\0", 0xE0), exif(6)]),
    "after XMP": (6, [segment(XMP % 1), exif(6)]),
    "after 130 kB of other segments": (7, [*[segment(bytes(65_000), 0xE2)] * 2, exif(7)]),
    "after fill bytes": (6, [segment(b"x", 0xFE), b"\xff\xff\xff", exif(6)]),
    "before XMP that differs": (6, [exif(6), segment(XMP % 3)]),
    "XMP alone": (6, [segment(XMP % 6)]),
    "XMP element": (
        6,
        [segment(orientation.XMP + b"<tiff:Orientation>6</tiff:Orientation>")],
    ),
    "XMP, EXIF without": (8, [exif(0), segment(XMP % 8)][::-1]),
    "not valid": (1, [exif(9)]),
    "zero": (1, [exif(0)]),
    "other name": (1, [segment(b"exif\0\0" + tiff(6))]),
    "no TIFF": (1, [segment(b"Exif\0\0" + b"XX" + tiff(6)[2:])]),
    "text type": (1, [exif(6, kind=2)]),
    "directory outside": (1, [segment(b"Exif\0\0II*\0" + b"\xff" * 8)]),
    "cut entry": (1, [segment((orientation.EXIF + tiff(6))[:-5])]),
    "nothing": (1, []),
    "comment that looks like it": (1, [segment(orientation.EXIF + tiff(6), 0xFE)]),
}


@pytest.mark.parametrize("name", JPEGS)
def test_orientation_of_jpeg_in_python_and_graph(picture, name, tmp_path):
    expected, segments = JPEGS[name]
    content = jpeg(picture, *segments)
    assert orientation.stored_orientation(content) == expected
    assert in_graph(content) == expected
    (tmp_path / "a.jpg").write_bytes(content)
    upright = photo.read_image(tmp_path / "a.jpg")
    np.testing.assert_array_equal(decode(content), upright)
    stored = orientation.make_upright(
        cv2.imdecode(np.frombuffer(jpeg(picture), np.uint8), 1)[..., ::-1], expected
    )
    np.testing.assert_array_equal(upright, stored)


@pytest.mark.parametrize("value", range(1, 9))
@pytest.mark.parametrize("at_end", [False, True])
def test_orientation_of_png_in_python_and_graph(picture, value, at_end, tmp_path):
    for block in (tiff(value, order=">"), orientation.EXIF + tiff(value)):
        content = png(
            picture, png_chunk(b"tEXt", b"a\0b"), png_chunk(b"eXIf", block), at_end=at_end
        )
        assert orientation.stored_orientation(content) == in_graph(content) == value
    (tmp_path / "a.png").write_bytes(content)
    upright = photo.read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(upright, orientation.make_upright(picture, value))
    np.testing.assert_array_equal(decode(content), upright)


def test_orientation_of_png_in_xmp(picture):
    text = orientation.XMP_IN_PNG + bytes(4) + b'<x tiff:Orientation = "6" />'
    content = png(picture, png_chunk(b"iTXt", text))
    assert orientation.stored_orientation(content) == in_graph(content) == 6


@pytest.mark.parametrize("value", range(1, 9))
@pytest.mark.parametrize("prefix", [b"", orientation.EXIF])
def test_orientation_of_webp(picture, value, prefix, tmp_path):
    content = cv2.imencode(".webp", picture[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, 101])[1]
    image = content.tobytes()[12:]
    block = prefix + tiff(value)
    chunks = b"VP8X" + struct.pack("<II", 10, 8) + struct.pack("<I", 63)[:3] + bytes([39, 0, 0])
    chunks += image + b"EXIF" + struct.pack("<I", len(block)) + block + bytes(len(block) % 2)
    content = b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks
    assert orientation.stored_orientation(content) == value
    (tmp_path / "a.webp").write_bytes(content)
    upright = photo.read_image(tmp_path / "a.webp")
    np.testing.assert_array_equal(upright, orientation.make_upright(picture, value))
    with pytest.raises(tf.errors.InvalidArgumentError, match="JPEG or PNG"):
        decode(content)


@pytest.mark.parametrize("value", range(1, 9))
def test_orientation_of_tiff(picture, value, tmp_path):
    content = bytearray(cv2.imencode(".tiff", picture[..., ::-1])[1].tobytes())
    (place,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, place)
    tags = [bytes(content[at : at + 12]) for at in range(place + 2, place + 2 + 12 * count, 12)]
    tags = sorted(
        [*tags, tiff(value, before=0)[-12:]], key=lambda tag: struct.unpack("<H", tag[:2])
    )
    struct.pack_into("<I", content, 4, len(content))
    content += struct.pack("<H", len(tags)) + b"".join(tags) + bytes(4)
    assert orientation.stored_orientation(bytes(content)) == value
    (tmp_path / "a.tif").write_bytes(content)
    upright = photo.read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(upright, orientation.make_upright(picture, value))
    height, width = orientation.upright_size(*picture.shape[:2], value)
    assert upright.shape == (height, width, 3)


def test_orientation_of_damaged_files_is_alike_in_python_and_graph(picture, rng):
    """Bytes changed and cut anywhere in the header: the same number, or both say 1."""
    sound = [jpeg(picture, segment(XMP % 3), exif(6)), png(picture, png_chunk(b"eXIf", tiff(6)))]
    for number in range(300):
        content = bytearray(sound[number % 2][:400])
        for place in rng.integers(2, 200, size=3):
            content[place] = rng.integers(256)
        content = bytes(content[: rng.integers(3, 400)])
        assert orientation.stored_orientation(content) == in_graph(content), content


def test_orientation_rotates_video_frames_clockwise():
    image = np.arange(6).reshape(2, 3)
    assert orientation.rotate_clockwise(image, 90).tolist() == [[3, 0], [4, 1], [5, 2]]
    assert orientation.rotate_clockwise(image, 180).tolist() == [[5, 4, 3], [2, 1, 0]]
    assert orientation.rotate_clockwise(image, -90).tolist() == [[2, 5], [1, 4], [0, 3]]
    assert orientation.rotate_clockwise(image, 0).tolist() == image.tolist()

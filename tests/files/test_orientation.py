"""Orientation of stored pictures, every place and form of it, in Python and in the graph."""

import struct
import tracemalloc
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
    form = {1: "Bxxx", 3: "Hxx", 8: "Hxx"}.get(kind, "I")
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
    "after bytes that are no segment": (6, [segment(b"x", 0xFE), b"\0junk\xff\0", exif(6)]),
    "after EXIF without": (6, [exif(0), segment(orientation.EXIF), exif(6), exif(3)]),
    "signed": (6, [exif(6, kind=8, order=">")]),
    "XMP after XMP without": (6, [segment(orientation.XMP + b"<x/>"), segment(XMP % 6)]),
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


def profile_chunk(kind, profile, is_compressed):
    """EXIF or XMP of a PNG as ImageMagick writes it: its bytes in hexadecimal."""
    digits = profile.hex()
    lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    text = f"\n{kind}\n{len(profile):8}\n{lines}\n".encode()
    keyword = b"Raw profile type %s\0" % kind.encode()
    if is_compressed:
        return png_chunk(b"zTXt", keyword + b"\0" + zlib.compress(text))
    return png_chunk(b"tEXt", keyword + text)


HIDDEN_IN_PNG = {
    "exif": profile_chunk("exif", orientation.EXIF + tiff(6), is_compressed=True),
    "short exif": profile_chunk("exif", orientation.EXIF + tiff(6), is_compressed=False),
    "APP1 with EXIF": profile_chunk("APP1", orientation.EXIF + tiff(6), is_compressed=True),
    "APP1 with XMP": profile_chunk("APP1", XMP % 6, is_compressed=True),
    "xmp": profile_chunk("xmp", XMP % 6, is_compressed=True),
    "compressed XMP": png_chunk(
        b"iTXt", orientation.XMP_IN_PNG + b"\1\0en\0XMP\0" + zlib.compress(XMP % 6)
    ),
    "compressed XMP as zTXt": png_chunk(
        b"zTXt", orientation.XMP_IN_PNG + b"\0" + zlib.compress(XMP % 6)
    ),
}


@pytest.mark.parametrize("name", HIDDEN_IN_PNG)
def test_orientation_in_png_text_is_read_in_python_and_refused_by_the_graph(picture, name):
    content = png(picture, HIDDEN_IN_PNG[name])
    assert orientation.stored_orientation(content) == 6
    with pytest.raises(tf.errors.InvalidArgumentError, match="may be in compressed or hexadecimal"):
        decode(content)
    with_exif = png(picture, HIDDEN_IN_PNG[name], png_chunk(b"eXIf", tiff(8)))
    assert orientation.stored_orientation(with_exif) == in_graph(with_exif) == 8


@pytest.mark.parametrize("text", [b"", b"\0no zlib", b"\0" + zlib.compress(b"\nexif\n 9\nxyz")])
def test_orientation_in_damaged_png_text_is_none(picture, text):
    content = png(picture, png_chunk(b"zTXt", b"Raw profile type exif\0" + text))
    assert orientation.stored_orientation(content) == orientation.UPRIGHT


def test_orientation_in_huge_png_text_takes_bounded_memory(picture):
    text = zlib.compress(b"\nexif\n 9\n" + b"0" * (1 << 26))
    content = png(picture, png_chunk(b"zTXt", b"Raw profile type exif\0\0" + text))
    tracemalloc.start()
    assert orientation.stored_orientation(content) == orientation.UPRIGHT
    assert tracemalloc.get_traced_memory()[1] < 1 << 24
    tracemalloc.stop()


def test_orientation_of_png_as_plain_text_in_xmp(picture):
    content = png(picture, png_chunk(b"tEXt", orientation.XMP_IN_PNG + XMP % 6))
    assert orientation.stored_orientation(content) == in_graph(content) == 6


def test_orientation_search_of_the_graph_ends(picture, monkeypatch):
    monkeypatch.setattr(photo_ops, "MAX_PARTS", 100)
    bounded = tf.function(photo_ops.orientation, input_signature=[tf.TensorSpec([], tf.string)])
    assert bounded(jpeg(picture, *[segment(b"", 0xFE)] * 90, exif(6))) == 6
    for between in (segment(b"", 0xFE), b"\xff\0"):
        with pytest.raises(tf.errors.InvalidArgumentError, match="more than 100 segments"):
            bounded(jpeg(picture, between * 101, exif(6)))


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


def with_tags(image, *added, end=b""):
    """A TIFF file with more tags, 12 bytes each, and bytes at its end."""
    content = bytearray(cv2.imencode(".tiff", image[..., ::-1])[1].tobytes())
    (place,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, place)
    tags = [bytes(content[at : at + 12]) for at in range(place + 2, place + 2 + 12 * count, 12)]
    tags = sorted([*tags, *added], key=lambda tag: struct.unpack("<H", tag[:2]))
    struct.pack_into("<I", content, 4, len(content))
    return bytes(content) + struct.pack("<H", len(tags)) + b"".join(tags) + bytes(4) + end


@pytest.mark.parametrize("value", range(1, 9))
@pytest.mark.parametrize("is_xmp", [False, True])
def test_orientation_of_tiff(picture, value, is_xmp, tmp_path):
    content = with_tags(picture, tiff(value, before=0)[-12:])
    if is_xmp:
        text, tag = XMP % value, struct.pack("<HHII", 700, 1, 0, 0)
        start = len(with_tags(picture, tag))
        content = with_tags(picture, struct.pack("<HHII", 700, 1, len(text), start), end=text)
    assert orientation.stored_orientation(content) == value
    (tmp_path / "a.tif").write_bytes(content)
    upright = photo.read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(upright, orientation.make_upright(picture, value))
    height, width = orientation.upright_size(*picture.shape[:2], value)
    assert upright.shape == (height, width, 3)
    assert photo.read_size(tmp_path / "a.tif") == (height, width)


def test_orientation_of_damaged_files_is_alike_in_python_and_graph(picture, rng):
    """Bytes changed and cut anywhere in the header: the same number, or both say 1."""
    sound = [jpeg(picture, segment(XMP % 3), exif(6)), png(picture, png_chunk(b"eXIf", tiff(6)))]
    for number in range(300):
        content = bytearray(sound[number % 2][:400])
        for place in rng.integers(2, 200, size=3):
            content[place] = rng.integers(256)
        content = bytes(content[: rng.integers(3, 400)])
        assert orientation.stored_orientation(content) == in_graph(content), content

"""Orientation in every place of a picture file: Python's reader and the graph's."""

import struct
import zlib

import numpy as np
import tensorflow as tf

from hmr_tf.files import orientation
from hmr_tf.serving import photo_ops
from tests.fakes.random_cases import chance, check_cases, choose

NUM_IN_GRAPH = 700
in_graph = tf.function(photo_ops.orientation, input_signature=[tf.TensorSpec([], tf.string)])


def random_tiff(rng, value):
    """A TIFF block with the tag, or without one (0), among others; both byte orders."""
    order = choose(rng, "<", ">")
    kind = choose(rng, 3, 3, 3, 1, 4)
    tags = [struct.pack(order + "HHII", 0x100 + i, 3, 1, 7) for i in range(rng.integers(0, 5))]
    if value:
        form = {1: "Bxxx", 3: "Hxx", 4: "I"}[kind]
        tag = struct.pack(order + "HHI" + form, 0x0112, kind, 1, value)
        tags.insert(int(rng.integers(0, len(tags) + 1)), tag)
    start = choose(rng, 8, 8, 20)
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, start)
    body = struct.pack(order + "H", len(tags)) + b"".join(tags) + struct.pack(order + "I", 0)
    return head + bytes(start - 8) + body + rng.bytes(rng.integers(0, 30))


def random_xmp(rng, value):
    """An XMP packet; 0: without orientation."""
    quote, blank = choose(rng, b"'", b'"'), choose(rng, b"", b" ", b"\n")
    number = b"%d" % value
    attribute = b"tiff:Orientation" + blank + b"=" + blank + quote + number + quote
    element = b"<tiff:Orientation>" + number + b"</tiff:Orientation>"
    content = choose(rng, attribute, element) if value else b""
    return b"<x:xmpmeta tiff:Make='x'>" + content + b"</x:xmpmeta>"


def random_blocks(rng):
    """The picture's orientation, an EXIF block or None, an XMP block or None."""
    of_exif, of_xmp = (int(value) for value in rng.integers(0, 9, 2))
    exif = random_tiff(rng, of_exif) if chance(rng, 0.8) else None
    xmp = random_xmp(rng, of_xmp) if chance(rng, 0.5) else None
    values = [of_exif * (exif is not None), of_xmp * (xmp is not None)]
    return next(filter(None, values), orientation.UPRIGHT), exif, xmp


def segment(content, marker=0xE1):
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def random_jpeg(rng):
    """A head: the readers look at no pixel."""
    truth, exif, xmp = random_blocks(rng)
    parts = []
    if exif is not None:
        parts.append(segment(orientation.EXIF + exif))
    if xmp is not None:
        parts.append(segment(orientation.XMP + xmp))
    parts = [parts[i] for i in rng.permutation(len(parts))]
    others = [
        segment(b"JFIF\0" + bytes(9), 0xE0),
        segment(rng.bytes(rng.integers(0, 200)), 0xE2),
        segment(b"a comment", 0xFE),
        segment(b"Photoshop 3.0\0", 0xED),
        segment(b"http://ns.adobe.com/xmp/extension/\0" + bytes(40)),
        b"\0no segment\xff\0" + bytes(rng.integers(0, 10_000)),
        b"\xff\xff" + segment(bytes(65), 0xDB)[1:],  # a fill byte
    ]
    for _ in range(rng.integers(0, 6)):
        parts.insert(int(rng.integers(0, len(parts) + 1)), choose(rng, *others))
    late = segment(orientation.EXIF + random_tiff(rng, 6)) if chance(rng, 0.2) else b""
    scan = segment(bytes(10), 0xDA)
    return truth, b"\xff\xd8" + b"".join(parts) + scan + rng.bytes(20) + late + b"\xff\xd9"


def chunk(name, content):
    crc = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + crc


def random_png(rng):
    truth, exif, xmp = random_blocks(rng)
    parts = [chunk(b"IDAT", rng.bytes(rng.integers(0, 90))), chunk(b"tEXt", b"a\0b")]
    if exif is not None:
        parts.append(chunk(b"eXIf", choose(rng, b"", b"", orientation.EXIF) + exif))
    if xmp is not None:
        parts.append(chunk(b"iTXt", orientation.XMP_IN_PNG + bytes(4) + xmp))
    parts = [parts[i] for i in rng.permutation(len(parts))]
    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", bytes(13))
    return truth, head + b"".join(parts) + chunk(b"IEND", b"")


def random_webp(rng):
    truth, exif, xmp = random_blocks(rng)
    parts = [(b"VP8 ", rng.bytes(rng.integers(0, 90))), (b"ICCP", bytes(3))]
    if exif is not None:
        parts.append((b"EXIF", choose(rng, b"", orientation.EXIF) + exif))
    if xmp is not None:
        parts.append((b"XMP ", xmp))
    parts = [parts[i] for i in rng.permutation(len(parts))]
    chunks = [struct.pack("<4sI", name, len(c)) + c + bytes(len(c) % 2) for name, c in parts]
    body = b"WEBP" + b"".join(chunks)
    return truth, b"RIFF" + struct.pack("<I", len(body)) + body


def random_tiff_file(rng):
    value = int(rng.integers(0, 9))
    return value or orientation.UPRIGHT, random_tiff(rng, value)


def check_python(rng, _):
    truth, content = choose(rng, random_jpeg, random_png, random_webp, random_tiff_file)(rng)
    assert orientation.stored_orientation(content) == truth, content[:4]


def check_graph(rng, _):
    truth, content = choose(rng, random_jpeg, random_png)(rng)
    assert in_graph(content).numpy() == truth, content[:4]


def test_orientation_means_the_same_in_every_place(tmp_path):
    check_cases(check_python, tmp_path)


def test_orientation_of_the_graph_means_the_same_in_every_place(tmp_path):
    check_cases(check_graph, tmp_path, NUM_IN_GRAPH)


def test_orientation_moves_a_corner_where_the_tag_says():
    stored = np.arange(6).reshape(2, 3)
    corners = [orientation.make_upright(stored, value)[0, 0] for value in range(1, 9)]
    assert corners == [0, 2, 5, 3, 0, 3, 5, 2]

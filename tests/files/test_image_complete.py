"""Truncated and damaged pictures, told from their structure alone."""

import struct

import cv2
import numpy as np
import pytest

from hmr_tf.files.image_complete import is_complete
from hmr_tf.files.image_size import image_size

ENCODINGS = {
    "jpeg": (".jpg", ()),
    "progressive": (".jpg", (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)),
    "restarts": (".jpg", (cv2.IMWRITE_JPEG_RST_INTERVAL, 2)),
    "png": (".png", ()),
    "bmp": (".bmp", ()),
    "webp": (".webp", (cv2.IMWRITE_WEBP_QUALITY, 80)),
    "lossless webp": (".webp", (cv2.IMWRITE_WEBP_QUALITY, 101)),
}


def encoded(name, channels=3, width=53):
    picture = np.random.default_rng(0).integers(0, 256, (40, width, channels), dtype=np.uint8)
    extension, parameters = ENCODINGS[name]
    return cv2.imencode(extension, picture, parameters)[1].tobytes()


@pytest.mark.parametrize("name", ENCODINGS)
def test_image_complete_for_every_whole_file_and_for_none_that_is_cut(name):
    content = encoded(name)
    assert is_complete(content)
    assert is_complete(content + b"what other programs append")
    cuts = (12, 100, len(content) // 3, len(content) // 2, len(content) - 3)
    assert [cut for cut in cuts if is_complete(content[:cut])] == []


@pytest.mark.parametrize("channels", [1, 4])
def test_image_complete_for_grey_and_transparent_bmp(channels):
    content = encoded("bmp", channels, width=51)
    assert is_complete(content)
    assert not is_complete(content[:-1])


def test_image_complete_looks_for_the_end_behind_the_thumbnail():
    """The preview in a JPEG's EXIF block is a whole JPEG."""
    content, preview = encoded("jpeg"), encoded("jpeg", width=8)
    block = b"\xff\xe1" + struct.pack(">H", len(preview) + 8) + b"Exif\0\0" + preview
    content = content[:2] + block + content[2:]
    assert is_complete(content)
    assert not is_complete(content[:-2])


def test_image_complete_skips_bytes_between_segments_as_decoders_do():
    content = encoded("jpeg")
    first_segment = 4 + struct.unpack_from(">H", content, 4)[0]
    content = content[:first_segment] + b"\0\0" + content[first_segment:]
    assert cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) is not None
    assert is_complete(content)
    assert image_size(content) == (40, 53)
    assert not is_complete(content[:-2])


def test_image_complete_is_false_for_a_file_that_ends_in_zeros():
    """As an interrupted download leaves it."""
    for name in ("jpeg", "png"):
        content = encoded(name)
        assert not is_complete(content[: len(content) // 2] + bytes(len(content) // 2))


def test_image_complete_checks_the_sums_of_critical_png_chunks_alone():
    content = encoded("png")
    text = b"tEXtComment\0x"
    noted = content[:33] + struct.pack(">I", len(text) - 4) + text + b"\1\2\3\4" + content[33:]
    assert is_complete(noted)
    for at in (20, 45, len(content) - 6):  # in IHDR, IDAT, and the sum of IEND
        damaged = bytearray(content)
        damaged[at] ^= 1
        assert not is_complete(bytes(damaged))


def test_image_complete_says_nothing_of_other_files():
    for content in (b"", b"some text", b"GIF89a", b"II*\0" + bytes(20)):
        assert is_complete(content)

"""A picture's size from its first bytes, against what OpenCV decodes."""

import struct

import cv2
import numpy as np
import pytest

from hmr_tf.files.image_size import image_size

EXTENSIONS = (".jpg", ".png", ".bmp", ".webp", ".tif")


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("size", [(7, 30), (300, 2), (257, 258)])
def test_image_size_is_what_is_decoded(extension, size, rng):
    image = rng.integers(0, 256, size=(*size, 3), dtype=np.uint8)
    content = cv2.imencode(extension, image)[1]
    assert image_size(content.tobytes()) == cv2.imdecode(content, cv2.IMREAD_COLOR).shape[:2]


@pytest.mark.parametrize(
    ("extension", "flags"),
    [
        (".jpg", [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]),
        (".webp", [cv2.IMWRITE_WEBP_QUALITY, 101]),  # lossless: VP8L
        (".webp", [cv2.IMWRITE_WEBP_QUALITY, 50]),  # VP8
    ],
)
def test_image_size_of_other_codings(extension, flags):
    content = cv2.imencode(extension, np.zeros((20, 33, 3), np.uint8), flags)[1].tobytes()
    assert image_size(content) == (20, 33)


def test_image_size_of_a_webp_with_alpha():
    content = cv2.imencode(".webp", np.zeros((20, 33, 4), np.uint8))[1].tobytes()
    assert image_size(content) == (20, 33)


def test_image_size_of_an_extended_webp():
    """VP8X, what cameras write with EXIF: 24 bits a side, less one."""
    sides = (32).to_bytes(3, "little") + (19).to_bytes(3, "little")
    content = b"RIFF\0\0\0\0WEBPVP8X" + struct.pack("<II", 10, 8) + sides
    assert image_size(content) == (20, 33)


def test_image_size_of_a_bmp_from_the_top():
    content = b"BM" + bytes(12) + struct.pack("<Iii", 40, 33, -20)
    assert image_size(content) == (20, 33)


def test_image_size_of_a_big_endian_tiff():
    entries = struct.pack(">HHIHH", 256, 3, 1, 33, 0) + struct.pack(">HHII", 257, 4, 1, 20)
    assert image_size(b"MM\0*" + struct.pack(">IH", 8, 2) + entries) == (20, 33)


def test_image_size_of_a_jpeg_with_fill_bytes():
    content = cv2.imencode(".jpg", np.zeros((20, 33, 3), np.uint8))[1].tobytes()
    assert image_size(b"\xff\xd8\xff\xff\xff" + content[3:]) == (20, 33)


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_image_size_of_cut_headers_is_unknown(extension):
    content = cv2.imencode(extension, np.zeros((20, 33, 3), np.uint8))[1].tobytes()
    for length in range(12):
        assert image_size(content[:length]) is None


@pytest.mark.parametrize("content", [b"", b"no image", b"GIF89a" + bytes(20), b"\0" * 40])
def test_image_size_of_other_bytes_is_unknown(content):
    assert image_size(content) is None

"""Bytes to an upright image, against what OpenCV reads from the same file."""

import struct
import zlib

import cv2
import numpy as np
import pytest
import tensorflow as tf

from hmr_tf.inference import photo as photos
from hmr_tf.serving import photo_ops

decode = tf.function(photo_ops.decode, input_signature=[tf.TensorSpec([], tf.string)])


@pytest.fixture
def photo(rng):
    smooth = cv2.resize(rng.integers(0, 256, (5, 7, 3), np.uint8), (64, 40))
    return np.clip(smooth + rng.normal(0, 4, smooth.shape), 0, 255).astype(np.uint8)


def encoded(image, suffix):
    return cv2.imencode(suffix, image)[1].tobytes()


def exif(value, order="<", before=b"", start=8):
    """An APP1 segment with one other tag before the orientation."""
    magic = b"II" if order == "<" else b"MM"
    tags = struct.pack(order + "HHIIHHIHH", 0x010F, 2, 4, 0, 0x0112, 3, 1, value, 0)
    tiff = magic + struct.pack(order + "HI", 42, start) + bytes(start - 8)
    tiff += struct.pack(order + "H", 2) + tags + bytes(4)
    content = b"Exif\x00\x00" + tiff
    return before + b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content


def with_exif(jpeg, segment):
    """Without the JFIF segment that OpenCV writes first, as cameras do."""
    length = struct.unpack(">H", jpeg[4:6])[0]
    return jpeg[:2] + segment + jpeg[4 + length :]


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_photo_ops_read_the_pixels_that_opencv_reads(photo, suffix, tmp_path):
    content = encoded(photo, suffix)
    (tmp_path / "photo").write_bytes(content)
    np.testing.assert_array_equal(decode(content), photos.read_image(tmp_path / "photo"))


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_photo_ops_read_grey_as_three_channels(photo, suffix):
    image = decode(encoded(photo[..., 0], suffix)).numpy()
    assert image.shape == photo.shape
    assert (image[..., 0] == image[..., 2]).all()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("value", range(1, 9))
def test_photo_ops_rotate_upright_as_opencv(photo, value, order, tmp_path):
    content = with_exif(encoded(photo, ".jpg"), exif(value, order, start=8 + 2 * value))
    (tmp_path / "photo.jpg").write_bytes(content)
    upright = photos.read_image(tmp_path / "photo.jpg")
    assert upright.shape[:2] == ((64, 40) if value > 4 else (40, 64))
    np.testing.assert_array_equal(decode(content), upright)


@pytest.mark.parametrize(
    "segment",
    [exif(0), exif(9), exif(77), exif(6)[:-24] + bytes(24), exif(6).replace(b"Exif", b"exif")],
)
def test_photo_ops_ignore_damaged_exif(segment):
    jpeg = b"\xff\xd8" + segment
    assert photo_ops.orientation(tf.constant(jpeg)) == 1


def test_photo_ops_ignore_exif_that_points_out_of_the_file(rng):
    for start in (0xFFFFFFFF, 0x7FFFFFFF, 4090, 70000):
        content = exif(6).replace(struct.pack("<I", 8), struct.pack("<I", start), 1)
        assert photo_ops.orientation(tf.constant(b"\xff\xd8" + content)) == 1
    for _ in range(50):
        content = bytearray(b"\xff\xd8" + exif(6))
        content[rng.integers(4, len(content))] = rng.integers(256)
        assert 1 <= photo_ops.orientation(tf.constant(bytes(content))) <= 8


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "JPEG or PNG"),
        (b"no image at all", "JPEG or PNG"),
        (b"GIF89a" + bytes(40), "JPEG or PNG"),
        (b"\xff\xd8\xff\xe0 half a jpeg", "JPEG"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
    ],
)
def test_photo_ops_refuse_what_is_no_image(content, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        decode(content)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_photo_ops_refuse_half_a_photograph(photo, suffix):
    content = encoded(photo, suffix)
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode(content[: len(content) // 2])


def test_photo_ops_check_the_size_before_decoding():
    size = struct.pack(">II", 30_000, 20_000)
    header = b"IHDR" + size + bytes([8, 2, 0, 0, 0])
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header
    png += struct.pack(">I", zlib.crc32(header))
    with pytest.raises(tf.errors.InvalidArgumentError, match="600000000"):
        decode(png)
    jpeg = encoded(np.zeros((8, 8, 3), np.uint8), ".jpg")
    place = jpeg.index(b"\xff\xc0") + 5
    jpeg = jpeg[:place] + struct.pack(">HH", 20_000, 30_000) + jpeg[place + 4 :]
    with pytest.raises(tf.errors.InvalidArgumentError, match="600000000"):
        decode(jpeg)

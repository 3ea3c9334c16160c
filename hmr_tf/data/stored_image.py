"""Parts of stored images: arrays of pixels, or JPEGs of which only the part in use is decoded."""

from typing import NamedTuple

import tensorflow as tf

# libjpeg interpolates colours across columns, and has no neighbours where its decoding begins or
# ends: with this margin the pixels are those of the whole image.
_MARGIN_COLUMNS = 2


class JpegPart(NamedTuple):
    """A rectangle of a JPEG that is not decoded yet. Sizes and corners are (y, x)."""

    jpeg: tf.Tensor  # () string
    jpeg_size: tf.Tensor  # (2,) int32 of the whole JPEG
    corner: tf.Tensor  # (2,) int32, the rectangle's first pixel
    size: tf.Tensor  # (2,) int32 of the rectangle


def open_jpeg(jpeg):
    """() string -> the whole JPEG as JpegPart; reads only its header.

    Raises:
      tf.errors.InvalidArgumentError: no JPEG.
    """
    size = tf.io.extract_jpeg_shape(jpeg)[:2]
    return JpegPart(jpeg, size, tf.zeros([2], tf.int32), size)


def size_of(image):
    """(2,) int32 height and width of a JpegPart or an (H, W, 3) tensor."""
    return image.size if isinstance(image, JpegPart) else tf.shape(image)[:2]


def part(image, first, end):
    """The rectangle of a JpegPart or an (H, W, 3) tensor, as the same kind.

    Args:
      first, end: (2,) int32 (y, x); the pixel at `end` is the first one outside.
    """
    if isinstance(image, JpegPart):
        return image._replace(corner=image.corner + first, size=end - first)
    return tf.slice(image, tf.concat([first, [0]], 0), tf.concat([end - first, [3]], 0))


def pixels(image):
    """(H, W, 3) uint8 RGB of a JpegPart, equal to those of the whole decoded image."""
    if not isinstance(image, JpegPart):
        return image
    margin = tf.constant([0, _MARGIN_COLUMNS])
    first = tf.maximum(image.corner - margin, 0)
    end = tf.minimum(image.corner + image.size + margin, image.jpeg_size)
    decoded = tf.io.decode_and_crop_jpeg(
        image.jpeg, tf.concat([first, end - first], axis=0), channels=3
    )
    start = image.corner - first
    return part(decoded, start, start + image.size)

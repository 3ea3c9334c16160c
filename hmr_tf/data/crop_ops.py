"""The test-time crop as TensorFlow operations, for servers where no Python runs.

The same pixels as `output.people.crop_person` of one box: only those that end in the crop are
computed, in the fixed-point arithmetic with which `cv2.resize` filters uint8.
"""

from typing import NamedTuple

import tensorflow as tf

from hmr_tf.data import crop

_ONE = 1 << 11  # a whole weight; OpenCV's INTER_RESIZE_COEF_SCALE


class Crops(NamedTuple):
    """N people of one photograph; `crop.Crop` as tensors."""

    pixels: tf.Tensor  # (N, S, S, 3) uint8
    scale_xy: tf.Tensor  # (N, 2) float32, size of the scaled photograph / size of the photograph
    start_px: tf.Tensor  # (N, 2) float32, corner of the crop in the scaled photograph


def crop_people(image, boxes, image_size):
    """Scales every person to 150 px of 224 and cuts the square around them, repeating the edge.

    Args:
      image: (H, W, 3) uint8.
      boxes: (N, 4) x, y, width, height in its pixels; not checked here.
      image_size: S, side of the crops.

    Returns:
      Crops.
    """
    source = tf.cast(tf.reverse(tf.shape(image)[:2], [0]), tf.float64)  # width, height
    corner, extent = tf.split(tf.cast(boxes, tf.float64), 2, axis=1)
    scaled = tf.maximum(tf.floor(source * person_scale(extent, image_size)), 1)
    scale_xy = scaled / source
    center = tf.round((corner + extent / 2) * scale_xy)  # halves to even, as numpy
    start = tf.clip_by_value(center, tf.zeros_like(scaled), scaled) - image_size // 2
    places = start[..., None] + tf.range(image_size, dtype=tf.float64)  # (N, 2, S)
    places = tf.clip_by_value(places, tf.zeros_like(places), scaled[..., None] - 1)
    at = tf.cast((places + 0.5) / scale_xy[..., None] - 0.5, tf.float32)
    pixels = _bilinear(image, at[:, 0], at[:, 1])
    return Crops(pixels, tf.cast(scale_xy, tf.float32), tf.cast(start, tf.float32))


def person_scale(extent, image_size):
    """(N, 2) width and height of boxes -> (N, 1) factor that scales the person for the network."""
    person_px = crop.PERSON_PX * image_size / crop.CROP_PX
    return person_px / tf.norm(extent, axis=1, keepdims=True)


def to_image(points_px, crops):
    """(N, K, 2) points of the crops -> in the photograph's pixels, as `crop.to_image`."""
    return (points_px + crops.start_px[:, None]) / crops.scale_xy[:, None]


def _bilinear(image, x, y):
    """(H, W, 3) uint8 at the columns x and rows y, both (N, S) -> (N, S, S, 3) uint8."""
    height, width = tf.unstack(tf.shape(image)[:2])
    left, right, right_weight = _neighbours(x, width)
    top, bottom, bottom_weight = _neighbours(y, height)
    pixels = tf.reshape(image, [-1, 3])

    def mixed_along_x(rows):
        """(N, S) rows -> (N, S, S, 3) int32, 128 times the grey level."""
        first = tf.gather(pixels, rows[:, :, None] * width + left[:, None])
        second = tf.gather(pixels, rows[:, :, None] * width + right[:, None])
        weight = right_weight[:, None, :, None]
        mixed = tf.cast(first, tf.int32) * (_ONE - weight) + tf.cast(second, tf.int32) * weight
        return tf.bitwise.right_shift(mixed, 4)

    # The shifts are those of OpenCV's VResizeLinear, which keeps its products within 32 bits.
    weight = bottom_weight[:, :, None, None]
    upper = tf.bitwise.right_shift(mixed_along_x(top) * (_ONE - weight), 16)
    lower = tf.bitwise.right_shift(mixed_along_x(bottom) * weight, 16)
    return tf.cast(tf.bitwise.right_shift(upper + lower + 2, 2), tf.uint8)


def _neighbours(at, side):
    """Float places along an axis -> int32 pixel before, pixel after, weight of the one after."""
    before = tf.floor(at)
    weight = tf.cast(tf.round((at - before) * _ONE), tf.int32)
    before = tf.cast(before, tf.int32)
    return (
        tf.clip_by_value(before, 0, side - 1),
        tf.clip_by_value(before + 1, 0, side - 1),
        weight,
    )

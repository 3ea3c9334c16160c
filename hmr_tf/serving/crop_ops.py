"""The test-time crop as TensorFlow operations, for servers where no Python runs.

The pixels are those of `inference.person_crops.crop_person`. Only the crop is computed, in the
fixed-point arithmetic with which `cv2.resize` filters uint8.
"""

from typing import NamedTuple

import tensorflow as tf

from hmr_tf.data import crop

_ONE = 1 << 11  # the weight 1; OpenCV's INTER_RESIZE_COEF_SCALE


class Crops(NamedTuple):
    """The crops of N people: their pixels, and where they lie, as `data.crop.Crop`."""

    pixels: tf.Tensor  # (N, S, S, 3) uint8
    scale_xy: tf.Tensor  # (N, 2) float32, size of the scaled photograph / size of the photograph
    corner_px: tf.Tensor  # (N, 2) float32, corner of the crop in the scaled photograph
    photo_xy: tf.Tensor  # (N, 2) float32, width and height of the photograph


def crop_boxes(image, boxes, image_size):
    """Scales every person to 150 px of 224 and cuts the square around them, repeating the edge.

    Args:
      image: (H, W, 3) uint8.
      boxes: (N, 4) x, y, width, height in its pixels; not checked here.
      image_size: S, side of the crops.

    Returns:
      Crops.
    """
    photo_xy = tf.reverse(tf.shape(image)[:2], [0])  # width, height
    source = tf.cast(photo_xy, tf.float64)
    box_corner, extent = tf.split(tf.cast(boxes, tf.float64), 2, axis=1)
    scaled = tf.maximum(tf.floor(source * person_scale(extent, image_size)), 1)
    scale_xy = scaled / source
    center = tf.round((box_corner + extent / 2) * scale_xy)  # halves to even, as numpy
    corner = tf.clip_by_value(center, tf.zeros_like(scaled), scaled) - image_size // 2
    places = corner[..., None] + tf.range(image_size, dtype=tf.float64)  # (N, 2, S)
    places = tf.clip_by_value(places, tf.zeros_like(places), scaled[..., None] - 1)
    at = tf.cast((places + 0.5) / scale_xy[..., None] - 0.5, tf.float32)
    return Crops(
        pixels=_bilinear(image, at[:, 0], at[:, 1]),
        scale_xy=tf.cast(scale_xy, tf.float32),
        corner_px=tf.cast(corner, tf.float32),
        photo_xy=tf.broadcast_to(tf.cast(photo_xy, tf.float32), tf.shape(scale_xy)),
    )


def person_scale(extent, image_size):
    """(N, 2) width and height of boxes -> (N, 1) factor that scales the person for the network."""
    person_px = crop.PERSON_PX * image_size / crop.CROP_PX
    return person_px / tf.norm(extent, axis=1, keepdims=True)


def _bilinear(image, x, y):
    """(H, W, 3) uint8 at the columns x and rows y, both (N, S) -> (N, S, S, 3) uint8.

    The bit shifts are those of OpenCV's HResizeLinear and VResizeLinear, which fit into 32 bits.
    """
    height, width = tf.unstack(tf.shape(image)[:2])
    pixels, shape = tf.reshape(image, [-1, 3]), tf.shape(x)
    number, size = shape[0], shape[1]
    columns, column_weights = _neighbours(x, width)
    rows, row_weights = _neighbours(y, height)
    rows = tf.concat(rows, axis=1) * width  # (N, 2S): the rows above, then those below

    def weighted(columns, weights):
        colors = tf.gather(pixels, rows[..., None] + columns[:, None])
        # The three colours of a pixel are neighbours: repeated weights are the fastest broadcast.
        colors = tf.reshape(tf.cast(colors, tf.int32), [number, 2 * size, 3 * size])
        return colors * tf.repeat(weights, 3, axis=1)[:, None]

    mixed = tf.add_n([weighted(*side) for side in zip(columns, column_weights)])
    mixed = tf.bitwise.right_shift(mixed, 4) * tf.concat(row_weights, axis=1)[..., None]
    above, below = tf.split(tf.bitwise.right_shift(mixed, 16), 2, axis=1)
    grey = tf.cast(tf.bitwise.right_shift(above + below + 2, 2), tf.uint8)
    return tf.reshape(grey, [number, size, size, 3])


def _neighbours(at, side):
    """Float positions along an axis -> int32 pixels (before, after) and weights (sum 2 ** 11)."""
    before = tf.floor(at)
    weight = tf.cast(tf.round((at - before) * _ONE), tf.int32)
    before = tf.cast(before, tf.int32)
    pixels = (tf.clip_by_value(before + step, 0, side - 1) for step in (0, 1))
    return tuple(pixels), (_ONE - weight, weight)

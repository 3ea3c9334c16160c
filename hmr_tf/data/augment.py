"""Augmentation of one sample: translate, scale, crop, flip. Pure; `jitter` draws the numbers.

The pixels are the original's (`data_loader.py:269-337`): resize the whole image, repeat its edge,
slice, flip. Only the crop's pixels are decoded and computed. An operation costs the same on few
numbers as on many, so `jitter` and `move_labels` take many samples at once.
"""

from typing import NamedTuple

import tensorflow as tf

from hmr_tf.body import rotation, skeleton
from hmr_tf.data import crop, stored_image

MIRRORED_KEYPOINTS = skeleton.mirror(skeleton.KEYPOINTS)
MIRRORED_JOINTS = skeleton.mirror(skeleton.LSP_JOINTS)
MIRRORED_SMPL = skeleton.mirror(skeleton.SMPL_JOINTS)
# Weights of pixels are multiples of 1 / this, so that a pixel times its weight is exact in float32:
# equal pixels give their value. A position beyond pixel 128 has no finer steps either.
_WEIGHT_UNITS = 65536.0


class Jitter(NamedTuple):
    """Random changes of samples, in the order in which they are applied."""

    translation_px: tf.Tensor  # (..., 2) whole stored pixels, x and y, added to the crop's centre
    scale: tf.Tensor  # (...) factor on the size of the stored image
    flip: tf.Tensor  # (...) bool


class Placement(NamedTuple):
    """Where crops lie in the stored images, as `crop.Crop`, and which of them are mirrored."""

    scale_xy: tf.Tensor  # (..., 2) size of the scaled image / size of the stored one
    corner_px: tf.Tensor  # (..., 2) float, the crop's corner (x, y) in the scaled image
    flip: tf.Tensor  # (...) bool, mirrored after the cropping


def jitter(seed, count, trans_max, scale_min, scale_max):
    """Draws the jitter of `count` samples.

    Args:
      seed: (2,) integers; the same seed draws the same numbers, eagerly and inside `tf.data`.
      count: N.
      trans_max: pixels; translations are whole numbers in [-trans_max, trans_max - 1], because the
        original's random integers exclude the upper end (`util/data_utils.py:181`).
      scale_min, scale_max: scales are uniform between them.

    Returns:
      Jitter with N rows, half of them with a flip on average.
    """
    uniform = tf.random.stateless_uniform([count, 4], seed)
    return Jitter(
        translation_px=tf.floor(uniform[:, :2] * (2.0 * trans_max)) - trans_max,
        scale=scale_min + (scale_max - scale_min) * uniform[:, 2],
        flip=uniform[:, 3] < 0.5,
    )


def no_jitter(scale=1.0):
    """The Jitter of one sample that scales and does nothing else."""
    return Jitter(tf.zeros([2]), tf.constant(scale, tf.float32), tf.constant(False))


def place_crop(stored_size, centre_px, scale, image_size):
    """Where the network's input lies in a stored image.

    Args:
      stored_size: (2,) int, height and width.
      centre_px: (2,) of the crop, in the stored image.
      scale: as in Jitter.
      image_size: S, pixels of the square crop.

    Returns:
      (2,) int size of the scaled image, its (2,) factors x, y, the crop's (2,) int corner in it.
    """
    scaled_size = tf.maximum(tf.cast(tf.cast(stored_size, tf.float32) * scale, tf.int32), 1)
    # The size is cut to whole pixels, so the factors of the two axes differ a little.
    scale_xy = (tf.cast(scaled_size, tf.float32) / tf.cast(stored_size, tf.float32))[::-1]
    centre = tf.cast(centre_px * scale_xy, tf.int32)
    return scaled_size, scale_xy, centre - image_size // 2


def crop_image(sample, translation_px, scale, flip, image_size):
    """Cuts the network's input out of one sample.

    Args:
      sample: dict of `record.decode`, or of `record.decode_later`, which is faster.
      translation_px, scale, flip: as in Jitter.
      image_size: S, pixels of the square crop.

    Returns:
      (S, S, 3) float32 in [-1, 1], and its Placement.
    """
    stored_size = stored_image.size_of(sample["image"])
    centre_px = sample["center_px"] + translation_px
    scaled_size, scale_xy, corner = place_crop(stored_size, centre_px, scale, image_size)
    image = _window(sample["image"], stored_size, scaled_size, corner[::-1], flip, image_size)
    return image, Placement(scale_xy, tf.cast(corner, tf.float32), flip)


def move_labels(sample, placement, image_size):
    """Moves the labels of one sample or of a batch into its crops.

    Args:
      sample: dict of `record.decode`, each value (..., its shape there); the image is not used.
      placement: Placement of the same samples.
      image_size: S, pixels of the square crop.

    Returns:
      dict of keypoints2d_norm (..., 19, 3): x and y in [-1, 1] of the crop, further out where a
      labelled point lies outside, and 1, or (0, 0, 0) if unlabelled; lsp_joints (..., 14, 3) m;
      rotations (..., 24, 3, 3); betas (..., 10); has_joints and has_smpl (...) bool.
    """
    points = crop.to_crop(sample["keypoints_px"][..., :2], placement)
    points = tf.concat([points, sample["keypoints_px"][..., 2:]], axis=-1)
    flip = placement.flip[..., None, None]
    points = tf.where(flip, mirror_keypoints(points, image_size), points)
    rotations = rotation.matrix_from_axis_angle(sample["pose"])
    mirrored = rotation.reflect(rotations, MIRRORED_SMPL)
    return {
        "keypoints2d_norm": _normalized(points, image_size),
        "lsp_joints": tf.where(flip, mirror_joints(sample["lsp_joints"]), sample["lsp_joints"]),
        "rotations": tf.where(flip[..., None], mirrored, rotations),
        "betas": sample["betas"],
        "has_joints": sample["has_joints"],
        "has_smpl": sample["has_smpl"],
    }


def mirror_keypoints(points, image_size):
    """(..., 19, C) points in pixels, x first -> those of the mirrored crop, sides swapped."""
    swapped = tf.gather(points, MIRRORED_KEYPOINTS, axis=-2)
    return tf.concat([image_size - 1.0 - swapped[..., :1], swapped[..., 1:]], axis=-1)


def mirror_joints(joints):
    """(..., 14, 3) metres -> the joints of the mirrored body, with their mean as origin.

    The original moves the mean to the origin here, but not that of unflipped bodies
    (`util/data_utils.py:333-345`); the loss centres both on the hips.
    """
    mirrored = tf.gather(joints, MIRRORED_JOINTS, axis=-2) * [-1.0, 1.0, 1.0]
    return mirrored - tf.reduce_mean(mirrored, axis=-2, keepdims=True)


def _normalized(points, image_size):
    """Pixels of the crop -> [-1, 1]; points that are not labelled -> zeros."""
    labelled = points[..., 2:] > 0
    norm = 2.0 * (points[..., :2] / image_size) - 1.0
    norm = tf.concat([norm, tf.ones_like(norm[..., :1])], axis=-1)
    return tf.where(labelled, norm, tf.zeros_like(norm))


def _window(image, stored_size, scaled_size, corner, flip, image_size):
    """The (S, S, 3) window at `corner` (y, x) of the stored image scaled to `scaled_size`.

    Bilinear as TF 1's `resize_images`: corners at pixel origins, no half-pixel centres.
    """
    rows = tf.range(image_size)
    rows_columns = tf.stack([rows, tf.where(flip, rows[::-1], rows)])
    # The pixel of the scaled image that each row and column shows; the edge is repeated.
    pixel = tf.clip_by_value(corner[:, None] + rows_columns, 0, scaled_size[:, None] - 1)
    step = tf.cast(stored_size, tf.float32) / tf.cast(scaled_size, tf.float32)
    source = tf.cast(pixel, tf.float32) * step[:, None]
    last = stored_size[:, None] - 1
    low = tf.minimum(tf.cast(source, tf.int32), last)
    high = tf.minimum(low + 1, last)
    weight = tf.round((source - tf.cast(low, tf.float32)) * _WEIGHT_UNITS) / _WEIGHT_UNITS

    first, end = tf.reduce_min(low, axis=1), tf.reduce_max(high, axis=1) + 1
    lines = tf.cast(stored_image.pixels(stored_image.part(image, first, end)), tf.float32)
    neighbours = tf.stack([low, high], axis=-1) - first[:, None, None]  # (2, S, 2)
    weights = tf.stack([1.0 - weight, weight], axis=-1)
    lines = _weighted_lines(lines, neighbours[0], weights[0])
    # Whole lines are summed faster than columns, even with two transposes.
    lines = _weighted_lines(tf.transpose(lines, [1, 0, 2]), neighbours[1], weights[1])
    window = tf.transpose(lines, [1, 0, 2]) * (1 / 127.5) - 1.0
    return tf.ensure_shape(window, [image_size, image_size, 3])


def _weighted_lines(lines, numbers, weights):
    """Sums of lines (N, M, 3): line i of the result is of lines numbers[i], times weights[i].

    The product with a sparse matrix is one operation; gathering the lines takes five.
    """
    count, pairs = numbers.shape
    shape = tf.shape(lines, tf.int64)
    position = tf.constant([i for i in range(count) for _ in range(pairs)], tf.int64)
    summed = tf.raw_ops.SparseTensorDenseMatMul(
        a_indices=tf.stack([position, tf.cast(tf.reshape(numbers, [-1]), tf.int64)], axis=1),
        a_values=tf.reshape(weights, [-1]),
        a_shape=tf.stack([tf.constant(count, tf.int64), shape[0]]),
        b=tf.reshape(lines, tf.stack([shape[0], shape[1] * shape[2]])),
    )
    return tf.reshape(summed, tf.stack([tf.constant(count, tf.int64), shape[1], shape[2]]))

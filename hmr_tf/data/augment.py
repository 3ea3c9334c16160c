"""One sample -> one training example: shift, scale, crop, flip. Pure; the dice are thrown apart.

The pixels are the original's (`data_loader.py:287-318`): resize the whole image, repeat its edge,
slice, flip. Only the pixels that end in the crop are touched here.
"""

from typing import NamedTuple

import tensorflow as tf

from hmr_tf.body import rotation, skeleton

MIRRORED_KEYPOINTS = skeleton.mirror(skeleton.KEYPOINTS)
MIRRORED_JOINTS = skeleton.mirror(skeleton.LSP_JOINTS)
MIRRORED_SMPL = skeleton.mirror(skeleton.SMPL_JOINTS)


class Jitter(NamedTuple):
    """What `jitter` draws for one sample, in the order in which it is applied."""

    translation_px: tf.Tensor  # (2,) whole stored pixels, x and y, added to the crop's centre
    scale: tf.Tensor  # () factor on the size of the stored image
    flip: tf.Tensor  # () bool


def jitter(seed, trans_max, scale_min, scale_max):
    """Draws the jitter of one sample.

    Args:
      seed: (2,) integers; the same seed draws the same, eagerly and inside `tf.data`.
      trans_max: pixels; the shift is a whole number in [-trans_max, trans_max - 1], because the
        original's random integer leaves the upper end out (`util/data_utils.py:181`).
      scale_min, scale_max: the scale is uniform between them.

    Returns:
      Jitter; every second one flips.
    """
    uniform = tf.random.stateless_uniform([4], seed)
    return Jitter(
        translation_px=tf.floor(uniform[:2] * (2.0 * trans_max)) - trans_max,
        scale=scale_min + (scale_max - scale_min) * uniform[2],
        flip=uniform[3] < 0.5,
    )


def training_crop(sample, translation_px, scale, flip, image_size):
    """Cuts the network's input out of one sample and moves the labels along.

    Args:
      sample: dict of `record.decode`.
      translation_px: (2,) float, x and y, added to the crop's centre before the scaling.
      scale: () factor on the stored image; its new size is cut to whole pixels.
      flip: () bool, whether to mirror the example.
      image_size: S, pixels of the square crop.

    Returns:
      dict of image (S, S, 3) float32 in [-1, 1]; keypoints_norm (19, 3): x and y in [-1, 1] of the
      crop, further out where a labelled point lies outside, and 1, or (0, 0, 0) if unlabelled;
      joints (14, 3) metres; rotations (24, 3, 3); betas (10,); has_joints and has_smpl () bool.
    """
    stored_size = tf.shape(sample["image"])[:2]
    scaled_size = tf.maximum(tf.cast(tf.cast(stored_size, tf.float32) * scale, tf.int32), 1)
    # The whole-pixel size makes the two axes' factors differ a little; labels follow the real ones.
    scale_xy = (tf.cast(scaled_size, tf.float32) / tf.cast(stored_size, tf.float32))[::-1]
    centre = tf.cast((sample["center_px"] + translation_px) * scale_xy, tf.int32)
    corner = centre - image_size // 2

    points = sample["keypoints_px"][:, :2] * scale_xy - tf.cast(corner, tf.float32)
    return {
        "image": _window(sample["image"], scaled_size, corner[::-1], flip, image_size),
        "keypoints_norm": _keypoints_norm(points, sample["keypoints_px"][:, 2], flip, image_size),
        "joints": tf.where(flip, mirror_joints(sample["joints"]), sample["joints"]),
        "rotations": _rotations(sample["pose"], flip),
        "betas": sample["betas"],
        "has_joints": sample["has_joints"],
        "has_smpl": sample["has_smpl"],
    }


def evaluation_crop(sample, image_size):
    """`training_crop` without shift, scaling and flip."""
    return training_crop(sample, tf.zeros([2]), tf.ones([]), tf.constant(False), image_size)


def mirror_keypoints(points, image_size):
    """(19, C) points in pixels, x first -> those of the mirrored crop, left and right swapped."""
    swapped = tf.gather(points, MIRRORED_KEYPOINTS)
    return tf.concat([image_size - 1.0 - swapped[:, :1], swapped[:, 1:]], axis=1)


def mirror_joints(joints):
    """(14, 3) metres -> the mirrored body's, about its mean.

    The original moves the mean of the 14 to the origin here, and leaves unflipped bodies in place
    (`util/data_utils.py:333-345`); the loss centres both on the hips.
    """
    mirrored = tf.gather(joints, MIRRORED_JOINTS) * [-1.0, 1.0, 1.0]
    return mirrored - tf.reduce_mean(mirrored, axis=0)


def _keypoints_norm(points, labelled, flip, image_size):
    points = tf.concat([points, labelled[:, None]], axis=1)
    points = tf.where(flip, mirror_keypoints(points, image_size), points)
    seen = points[:, 2:] > 0
    norm = tf.concat([2.0 * (points[:, :2] / image_size) - 1.0, tf.cast(seen, tf.float32)], axis=1)
    return tf.where(seen, norm, tf.zeros_like(norm))


def _rotations(pose, flip):
    rotations = rotation.matrix_from_axis_angle(pose)
    return tf.where(flip, rotation.reflect(rotations, MIRRORED_SMPL), rotations)


def _window(image, scaled_size, corner, flip, image_size):
    """(H, W, 3) uint8 -> the (S, S, 3) float32 window at `corner` (y, x) of the resized image.

    Bilinear as TF 1's `resize_images`: corners at pixel origins, no half-pixel centres.
    """
    # Which pixel of the scaled image each output row and column shows: beyond the edge, the edge's.
    pixel = tf.clip_by_value(corner[:, None] + tf.range(image_size), 0, scaled_size[:, None] - 1)
    size = tf.shape(image)[:2]
    step = tf.cast(size, tf.float32) / tf.cast(scaled_size, tf.float32)
    source = tf.cast(pixel, tf.float32) * step[:, None]
    low = tf.minimum(tf.cast(source, tf.int32), size[:, None] - 1)
    high = tf.minimum(low + 1, size[:, None] - 1)
    weight = source - tf.cast(low, tf.float32)

    first = low[:, 0]
    image = tf.cast(image[first[0] : high[0, -1] + 1, first[1] : high[1, -1] + 1], tf.float32)
    low, high = low - first[:, None], high - first[:, None]
    rows = _interpolate(image, low[0], high[0], weight[0])

    low, high, weight = low[1], high[1], weight[1]
    low, high, weight = (tf.where(flip, index[::-1], index) for index in (low, high, weight))
    # Gathering rows copies whole lines and is several times faster than gathering columns.
    columns = _interpolate(tf.transpose(rows, [1, 0, 2]), low, high, weight)
    window = tf.transpose(columns, [1, 0, 2]) * (1 / 127.5) - 1.0
    return tf.ensure_shape(window, [image_size, image_size, 3])


def _interpolate(lines, low, high, weight):
    low, high = tf.gather(lines, low), tf.gather(lines, high)
    return low + (high - low) * weight[:, None, None]

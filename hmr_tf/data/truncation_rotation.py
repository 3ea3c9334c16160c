"""Augmentations of the view: people truncated by the image's border, rotated crops. Pure functions.

Random numbers are drawn separately, as in `augment`. Truncation comes before the crop and changes
only the image: labels outside it keep their coordinates. Rotation comes after crop and flip.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from hmr_tf.data import crop, stored_image

_NUM_RANDOM = 7
# Position of the cut, as a share of the labels' box, measured from the side that is kept.
CUT_RANGE = (0.35, 0.85)
MIN_KEYPOINTS = 5  # labelled keypoints that must remain visible
CUT_IMAGE_PROBABILITY = (
    0.7  # share of the cuts at which the image ends; the others only move the crop
)
MAX_ZOOM = 2.2
UNROTATED_PROBABILITY = 0.4  # share of the samples that are not rotated
ROTATED_SIDE = 1.42  # a square of this side contains the unit square rotated by any angle


class ViewJitter(NamedTuple):
    """Random numbers of samples."""

    truncation: tf.Tensor  # (..., 5) uniform in [0, 1)
    angle: tf.Tensor  # (...) radians, clockwise


def draw(seed, count, max_degrees):
    """ViewJitter with `count` rows; the same seed draws the same numbers."""
    uniform = tf.random.stateless_uniform([count, _NUM_RANDOM], seed)
    angle = (2.0 * uniform[:, 5] - 1.0) * (max_degrees * np.pi / 180.0)
    return ViewJitter(uniform[:, :5], tf.where(uniform[:, 6] < UNROTATED_PROBABILITY, 0.0, angle))


def truncate(sample, random, probability):
    """Cuts off a part of the person, as the border of a photograph does.

    7 of 10 cuts remove the lower part, the others the upper, left or right part.

    Args:
      sample: dict of `record.decode` or `record.decode_later`.
      random: (5,) `ViewJitter.truncation`.
      probability: share of the samples that are truncated.

    Returns:
      The sample with its new image, centre and keypoints, and the factor on the crop's scale that
      makes the visible part fill the crop. Samples with too few visible keypoints are unchanged.
    """
    points, labelled = sample["keypoints_px"][:, :2], sample["keypoints_px"][:, 2] > 0
    border, cuts_low, cuts_high = _cut(points, labelled, random[1], random[2])
    beyond = (cuts_low & (points <= border)) | (cuts_high & (points >= border))
    visible = labelled & ~tf.reduce_any(beyond, axis=1)
    enough = tf.math.count_nonzero(visible) >= MIN_KEYPOINTS
    is_truncated = (random[0] < probability) & enough

    # The box of the visible part ends at the border.
    low, high = _box(points, visible)
    low, high = tf.where(cuts_low, border, low), tf.where(cuts_high, border, high)
    diagonal = tf.maximum(tf.norm(high - low), 1.0)
    zoom = tf.clip_by_value(crop.PERSON_PX / diagonal, 1.0, MAX_ZOOM) ** (0.3 + 0.7 * random[3])
    center = tf.where(is_truncated, (low + high) / 2.0, sample["center_px"])

    ends_image = is_truncated & (random[4] < CUT_IMAGE_PROBABILITY)
    cuts_low, cuts_high = ends_image & cuts_low, ends_image & cuts_high
    image, start = _cut_image(sample["image"], border, cuts_low, cuts_high)
    keypoints = tf.concat([points - start, sample["keypoints_px"][:, 2:]], axis=1)
    truncated = {"image": image, "center_px": center - start, "keypoints_px": keypoints}
    return {**sample, **truncated}, tf.where(is_truncated, zoom, 1.0)


def _cut(points, labelled, random_side, random_position):
    """The cut's coordinate; (2,) bool for x and y: what is below it is cut off, what is above."""
    is_y = random_side < 0.8
    keeps_low = (random_side < 0.7) | (random_side >= 0.9)
    share = CUT_RANGE[0] + (CUT_RANGE[1] - CUT_RANGE[0]) * random_position
    share = tf.where(keeps_low, share, 1.0 - share)
    axis = tf.cast(is_y, tf.int32)
    low, high = _box(points, labelled)
    cut_axis = tf.one_hot(axis, 2, on_value=True, off_value=False)
    border = low[axis] + share * (high[axis] - low[axis])
    return border, cut_axis & ~keeps_low, cut_axis & keeps_low


def _cut_image(image, border, cuts_low, cuts_high):
    """The image without its pixels beyond the border, and the place (x, y) of its new corner."""
    size = tf.cast(stored_image.size_of(image)[::-1], tf.float32)
    start = tf.clip_by_value(tf.where(cuts_low, tf.floor(border), 0.0), 0.0, size - 1.0)
    stop = tf.clip_by_value(tf.where(cuts_high, tf.math.ceil(border), size), start + 1.0, size)
    first, end = tf.cast(start[::-1], tf.int32), tf.cast(stop[::-1], tf.int32)
    return stored_image.part(image, first, end), start


def _box(points, counted):
    """Smallest and largest (x, y) of the counted points."""
    low = tf.reduce_min(tf.where(counted[:, None], points, 1e6), axis=0)
    high = tf.reduce_max(tf.where(counted[:, None], points, -1e6), axis=0)
    return low, high


def unrotated_size(image_size):
    """Side of the crop that `rotate_image` needs for a result of side `image_size`."""
    return image_size + 2 * round(image_size * (ROTATED_SIDE - 1.0) / 2.0)


def rotate_image(image, angle, image_size):
    """Rotates a crop of side `unrotated_size` clockwise; returns its middle, (S, S, 3)."""
    cosine, sine = tf.cos(angle), tf.sin(angle)
    old_center, new_center = (image.shape[0] - 1) / 2.0, (image_size - 1) / 2.0
    # Output pixel -> input pixel: the inverse rotation about the centre.
    row_x = [cosine, sine, old_center - (cosine + sine) * new_center]
    row_y = [-sine, cosine, old_center + (sine - cosine) * new_center]
    rotated = tf.raw_ops.ImageProjectiveTransformV3(
        images=image[None],
        transforms=tf.stack([*row_x, *row_y, 0.0, 0.0])[None],
        output_shape=[image_size, image_size],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )[0]
    return tf.ensure_shape(rotated, [image_size, image_size, 3])


def rotate_labels(labels, angle, image_size):
    """Labels of `augment.move_labels`, rotated as the images are; `angle`: (B,) radians."""
    cosine, sine, zero = tf.cos(angle), tf.sin(angle), tf.zeros_like(angle)
    rows = [[cosine, -sine, zero], [sine, cosine, zero], [zero, zero, zero + 1.0]]
    rotation = tf.stack([tf.stack(row, axis=-1) for row in rows], axis=-2)  # (B, 3, 3)
    points, weight = labels["keypoints2d_norm"][..., :2], labels["keypoints2d_norm"][..., 2:]
    center = -1.0 / image_size  # of the pixels' centres, in crop coordinates
    points = tf.matmul(points - center, rotation[:, :2, :2], transpose_b=True) + center
    points = tf.where(weight > 0, points, tf.zeros_like(points))
    global_rotation = tf.matmul(rotation[:, None], labels["rotations"][:, :1])
    return {
        **labels,
        "keypoints2d_norm": tf.concat([points, weight], axis=-1),
        "lsp_joints": tf.matmul(labels["lsp_joints"], rotation, transpose_b=True),
        "rotations": tf.concat([global_rotation, labels["rotations"][:, 1:]], axis=1),
    }

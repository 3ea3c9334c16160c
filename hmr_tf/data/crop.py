"""The square crop around a person: its pixels, and the transform of points into it and back.

Converters, training and prediction use it. As in the original, a crop is made in two steps: scale
the whole image with bilinear filtering, then cut out a window.
"""

from typing import NamedTuple

import cv2
import numpy as np

from hmr_tf.files.errors import InputError

# People are scaled for crops of this side: 150 px from head to foot in 224 (`coco_to_tfrecords.py`,
# `openpose.py:33-35` of the original). Crops for a smaller input show the same part.
PERSON_PX = 150.0
CROP_PX = 224
# Beyond this a scaled image takes about a gigabyte: the person is a few pixels tall.
MAX_SCALED_PIXELS = 2**28


class Crop(NamedTuple):
    """Where a crop lies in its source image: crop point = source point * scale_xy - corner_px.

    `to_crop` and `to_image` are this transform and its inverse.
    """

    scale_xy: np.ndarray  # (2,) size of the scaled image / size of the source
    corner_px: np.ndarray  # (2,) int, the crop's corner in the scaled image; negative in padding
    size: tuple[int, int]  # (height, width) of the crop


def whole_image(image):
    """The crop that changes nothing: (H, W, ...) image -> Crop."""
    return Crop(np.ones(2), np.zeros(2, int), tuple(image.shape[:2]))


def to_crop(points_px, crop):
    """Points of the source image -> the same points in the crop.

    Args:
      points_px: (..., 2) of one crop, or (..., K, 2) of several; arrays or tensors.
      crop: Crop, or any value with its fields `scale_xy` and `corner_px`: (2,) of one crop, or
        (..., 2) of several.

    Returns:
      points of the same shape, pixels.
    """
    return points_px * _per_point(crop.scale_xy) - _per_point(crop.corner_px)


def to_image(points_px, crop):
    """Points of the crop -> the same points in the source image. Inverse of `to_crop`."""
    return (points_px + _per_point(crop.corner_px)) / _per_point(crop.scale_xy)


def _per_point(values):
    """(2,) stays; (..., 2) of several crops -> (..., 1, 2), for their (..., K, 2) points."""
    return values if len(values.shape) == 1 else values[..., None, :]


def box_of_labelled(keypoints_px, labelled):
    """Smallest and largest (x, y) of the labelled points.

    Args:
      keypoints_px: (K, 2) points.
      labelled: (K,) 0 where a point is not labelled; at least one is.

    Returns:
      (2,) corner with the smallest, (2,) corner with the largest x and y.
    """
    points = np.asarray(keypoints_px)[np.asarray(labelled, bool)]
    return points.min(axis=0), points.max(axis=0)


def scale_image(image, scale):
    """Scales (H, W, 3) uint8; returns the image and the (2,) scale reached in x and in y.

    The new size is rounded down, as in the original's `util/image.py:9`. Raises InputError where it
    would be too large for memory.
    """
    size, scale_xy = _scaled_size(image, scale)
    return cv2.resize(image, size), scale_xy


def _scaled_size(image, scale):
    """(width, height) of the scaled image, and the (2,) scale reached."""
    height, width = image.shape[:2]
    new_height, new_width = (max(int(np.floor(side * scale)), 1) for side in (height, width))
    if new_height * new_width > MAX_SCALED_PIXELS:
        raise InputError(
            f"the person is too small: making it tall enough scales the {width} x {height} image "
            f"{scale:.3g} times; leave this person out or use a larger photograph"
        )
    return (new_width, new_height), np.array([new_width / width, new_height / height])


def _resize_corner(image, scale_xy, end):
    """The upper left part of `cv2.resize` of the whole image, at least (width, height) `end` of it.

    The same pixels, as OpenCV is given the same scale and counts from the same corner.
    """
    size = np.array(image.shape[1::-1])
    columns, rows = np.minimum(np.ceil((np.asarray(end) + 0.5) / scale_xy).astype(int) + 1, size)
    corner = image[:rows, :columns]
    scaled = cv2.resize(corner, None, fx=scale_xy[0], fy=scale_xy[1])
    if scaled.shape == corner.shape:  # then OpenCV has only copied it
        return cv2.resize(image, tuple(np.rint(size * scale_xy).astype(int).tolist()))
    return scaled


def crop_inside(image, scale, center_px, window_px, center_on_pixel=False):
    """Scales, then cuts `window_px` around the centre, less where the image ends: for records.

    Args:
      image: (H, W, 3) uint8.
      scale: factor that makes the person as large as the dataset's rule requires.
      center_px: (2,) x, y in `image`.
      window_px: side of the window in the scaled image, even.
      center_on_pixel: whether the centre in the scaled image is rounded to whole pixels, halves to
        even; otherwise the window's corner is cut to them.

    Returns:
      (h, w, 3) uint8 with h, w <= window_px, and its Crop.

    Raises:
      InputError: no pixel of the image is in the window, or the scaled image is too large.

    Source: the original's `coco_to_tfrecords.py:243-256`, but x with x's scale and y with y's.
    """
    size, scale_xy = _scaled_size(image, scale)
    center = np.asarray(center_px) * scale_xy
    if center_on_pixel:
        center = np.round(center)
    corner = np.maximum(center - window_px // 2, 0).astype(int)
    end = np.minimum((center + window_px // 2).astype(int), size)
    if (end <= corner).any():
        raise InputError("the person lies outside the image")
    scaled = _resize_corner(image, scale_xy, end)
    pixels = scaled[corner[1] : end[1], corner[0] : end[0]]
    return pixels, Crop(scale_xy, corner, pixels.shape[:2])


def crop_padded(image, scale, center_px, size_px):
    """Scales, then cuts exactly `size_px` around the centre, repeating the edge: for the network.

    Args:
      image: (H, W, 3) uint8.
      scale: factor that makes the person about 150 px tall.
      center_px: (2,) x, y in `image`; one outside is moved to its edge.
      size_px: side of the crop.

    Returns:
      (size_px, size_px, 3) uint8 and its Crop, whose corner is negative where the edge is repeated.

    Raises:
      InputError: the scaled image is too large.

    Source: the original's `util/image.py:19-42`; equal for an even size and a centre inside.
    """
    scaled, scale_xy = scale_image(image, scale)
    height, width = scaled.shape[:2]
    center = np.round(np.asarray(center_px) * scale_xy).astype(int)  # halves to even
    corner = np.clip(center, 0, [width, height]) - size_px // 2
    first = np.clip(corner, 0, [width - 1, height - 1])
    end = np.clip(corner + size_px, first + 1, [width, height])
    left, top = before = np.maximum(-corner, 0)
    right, bottom = size_px - before - (end - first)
    inside = scaled[first[1] : end[1], first[0] : end[0]]
    pixels = cv2.copyMakeBorder(inside, top, bottom, left, right, cv2.BORDER_REPLICATE)
    return pixels, Crop(scale_xy, corner, (size_px, size_px))

"""The weak-perspective camera of HMR and the perspective one that draws the same picture.

Camera frame: x to the right, y down, z away from the viewer. "norm" coordinates run from -1 to 1
over the square crop; a pixel's centre lies at +0.5.
"""

from typing import NamedTuple

import tensorflow as tf

# Focal length, in pixels of the crop, of the original's renderer (`util/renderer.py:239`).
CROP_FOCAL_PX = 500.0


def project(points, camera):
    """Weak perspective: s * (X_xy + t) (paper, section 3; the original's `projection.py:25-29`).

    Args:
      points: (B, N, 3) metres in the camera frame.
      camera: (B, 3) scale s, then shift t in metres; s is used as it is, also when negative.

    Returns:
      (B, N, 2) x, y in [-1, 1] crop coordinates.
    """
    return camera[:, None, :1] * (points[..., :2] + camera[:, None, 1:])


def pixels_from_norm(points_norm, image_size):
    """[-1, 1] crop coordinates -> pixels of the crop (the original's `RunModel.py:168-170`)."""
    return (points_norm + 1.0) * 0.5 * image_size


def perspective_translation(camera, image_size, focal_px=CROP_FOCAL_PX):
    """Where to put the body in front of a pinhole camera so that it fills the crop like `project`.

    The pinhole has its principal point in the middle of the crop. One metre shall cover the
    0.5 * size * s pixels that `project` gives it: f / z of them, so the depth is
    z = f / (0.5 * size * s).

    Args:
      camera: (B, 3) weak-perspective scale and shift; |s| under 1e-6 counts as 1e-6.
      image_size: side of the crop in pixels.
      focal_px: focal length in pixels of the crop.

    Returns:
      (B, 3) metres to add to the vertices. Source: the original's `util/renderer.py:239-262`.
    """
    scale = tf.maximum(tf.abs(camera[:, :1]), 1e-6)
    return tf.concat([camera[:, 1:], focal_px / (0.5 * image_size * scale)], axis=-1)


class Pinhole(NamedTuple):
    """A perspective camera: pixel = focal_px * (x, y) / z + principal_px."""

    focal_px: float
    principal_px: tuple  # (x, y)


def project_perspective(points, focal_px, principal_px):
    """What a pinhole camera sees: focal_px * (x, y) / z + principal_px.

    Args:
      points: (B, N, 3) metres in front of the camera.
      focal_px: a number or (B,).
      principal_px: (2,) or (B, 2).

    Returns:
      (B, N, 2) pixels and (B, N) depth in metres.
    """
    focal_px = tf.reshape(tf.cast(focal_px, tf.float32), [-1, 1, 1])
    principal_px = tf.reshape(tf.cast(principal_px, tf.float32), [-1, 1, 2])
    return focal_px * points[..., :2] / points[..., 2:] + principal_px, points[..., 2]


def pinhole_of_photograph(height, width, crop_px, focal_px=None):
    """The camera assumed where nobody knows it: its axis through the middle of the photograph.

    Without `focal_px` it is the original's 500 px for a crop of `crop_px`, applied to the whole
    photograph: about 25 degrees of view along its longer side.
    """
    focal_px = focal_px or CROP_FOCAL_PX / crop_px * max(height, width)
    return Pinhole(float(focal_px), (width / 2, height / 2))


def place_in_photograph(camera, crop_size, scale_xy, corner_px, pinhole):
    """Where bodies stand before the camera of the whole photograph, in metres.

    The network's weak perspective puts a point of the body at the pixel
    u = k * (X + t) + u0 of the photograph, with k = 0.5 * crop_size * s / scale pixels a metre and
    u0 = (0.5 * crop_size + corner) / scale, the middle of the crop. The pinhole puts it at
    f * (X + T) / (Z + T_z) + c. At the body's own depth, Z = 0, both agree for

        T_z = f / k,    T = t + (u0 - c) / k.

    Nearer and farther points differ by perspective, the less the longer f. Source: similar
    triangles, as the original's `util/renderer.py:239-262` for a pinhole in the crop's middle.

    Args:
      camera: (B, 3) the network's scale and shift; |s| under 1e-6 counts as 1e-6.
      crop_size: side of the crops, pixels.
      scale_xy, corner_px: (B, 2) places of the crops, `data.crop.Crop`.
      pinhole: Pinhole of the photograph, or of each: (B, 1) and (B, 2).

    Returns:
      (B, 3) metres to add to the vertices.
    """
    scale_xy, corner_px = tf.cast(scale_xy, tf.float32), tf.cast(corner_px, tf.float32)
    px_per_metre = 0.5 * crop_size * tf.maximum(tf.abs(camera[:, :1]), 1e-6) / scale_xy
    middle_px = (0.5 * crop_size + corner_px) / scale_xy
    shift = camera[:, 1:] + (middle_px - pinhole.principal_px) / px_per_metre
    depth = pinhole.focal_px / tf.reduce_mean(px_per_metre, axis=1, keepdims=True)
    return tf.concat([shift, depth], axis=1)

"""HMR's weak-perspective camera, and the equivalent pinhole (perspective) camera.

Camera frame: x to the right, y down, z away from the viewer. "norm" coordinates run from -1 to 1
over the square crop; the centre of a pixel lies at +0.5.
"""

from typing import NamedTuple

import tensorflow as tf

# Focal length, in pixels of the crop, of the original's renderer (`util/renderer.py:239`).
CROP_FOCAL_PX = 500.0


def project(points, camera):
    """Weak perspective: s * (X_xy + t) (paper, section 3; the original's `projection.py:25-29`).

    Args:
      points: (B, N, 3) metres in the camera frame.
      camera: (B, 3) scale s, then translation t in metres; s may be negative.

    Returns:
      (B, N, 2) x, y in [-1, 1] crop coordinates.
    """
    return camera[:, None, :1] * (points[..., :2] + camera[:, None, 1:])


def pixels_from_norm(points_norm, image_size):
    """[-1, 1] crop coordinates -> pixels of the crop (the original's `RunModel.py:168-170`)."""
    return (points_norm + 1.0) * 0.5 * image_size


def perspective_translation(camera, image_size, focal_px=CROP_FOCAL_PX):
    """Translation with which a pinhole camera shows the body where `project` puts it in the crop.

    The principal point is the middle of the crop. `project` draws one metre 0.5 * size * s pixels
    long, the pinhole f / z pixels, so the depth is z = f / (0.5 * size * s).

    Args:
      camera: (B, 3) weak-perspective scale and translation; |s| under 1e-6 counts as 1e-6.
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
    """Projects points with a pinhole camera: focal_px * (x, y) / z + principal_px.

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


def default_pinhole(height, width, crop_px, focal_px=None):
    """The Pinhole assumed for an uncalibrated photograph: principal point in its middle.

    Without `focal_px`, the original's 500 px for a crop of `crop_px` are scaled to the whole
    photograph: a field of view of about 25 degrees along its longer side.
    """
    focal_px = focal_px or CROP_FOCAL_PX / crop_px * max(height, width)
    return Pinhole(float(focal_px), (width / 2, height / 2))


def place_in_photograph(camera, crop_size, scale_xy, corner_px, pinhole):
    """Translations of bodies in the frame of the photograph's camera, in metres.

    The network's weak perspective puts a point X of the body at the pixel u = k * (X + t) + u0 of
    the photograph, with k = 0.5 * crop_size * s / scale pixels per metre and
    u0 = (0.5 * crop_size + corner) / scale, the middle of the crop. The pinhole puts it at
    f * (X + T) / (Z + T_z) + c. At the body's depth, Z = 0, both agree for

        T_z = f / k,    T = t + (u0 - c) / k.

    The longer f, the less nearer and farther points differ. Source: similar triangles, as the
    original's `util/renderer.py:239-262` for a pinhole in the middle of the crop.

    Args:
      camera: (B, 3) the network's scale and translation; |s| under 1e-6 counts as 1e-6.
      crop_size: side of the crops, pixels.
      scale_xy, corner_px: (B, 2) of the crops, see `data.crop.Crop`.
      pinhole: Pinhole of the photograph, or of each crop: (B, 1) and (B, 2).

    Returns:
      (B, 3) metres to add to the vertices.
    """
    scale_xy, corner_px = tf.cast(scale_xy, tf.float32), tf.cast(corner_px, tf.float32)
    px_per_metre = 0.5 * crop_size * tf.maximum(tf.abs(camera[:, :1]), 1e-6) / scale_xy
    middle_px = (0.5 * crop_size + corner_px) / scale_xy
    translation_xy = camera[:, 1:] + (middle_px - pinhole.principal_px) / px_per_metre
    depth = pinhole.focal_px / tf.reduce_mean(px_per_metre, axis=1, keepdims=True)
    return tf.concat([translation_xy, depth], axis=1)

"""The weak-perspective camera of HMR and the perspective one that draws the same picture.

Camera frame: x to the right, y down, z away from the viewer. "norm" coordinates run from -1 to 1
over the square crop; a pixel's centre lies at +0.5.
"""

import tensorflow as tf

# Focal length, in pixels of the crop, of the original's renderer (`util/renderer.py:239`).
FOCAL_PX = 500.0


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


def perspective_translation(camera, image_size, focal_px=FOCAL_PX):
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

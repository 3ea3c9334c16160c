"""Keypoints, bones and crops as 8-bit RGB images; no mesh, no 3D."""

import cv2
import numpy as np
import tensorflow as tf

from hmr_tf.body import skeleton

_SIDE_COLORS = {"left": (60, 140, 255), "right": (255, 120, 40)}
_MIDDLE_COLOR = (250, 220, 70)


def uint8_from_norm(images):
    """Images in [-1, 1], as the network sees them -> uint8 tensor of the same shape."""
    return tf.cast(tf.clip_by_value((images + 1.0) * 127.5, 0, 255), tf.uint8)


def draw_keypoints(image, keypoints_px, visible, radius_px=None):
    """Draws the 19 keypoints and the bones between them, coloured by `side_color`.

    Args:
      image: (H, W, 3) uint8; not changed.
      keypoints_px: (19, 2) x, y in the order of `skeleton.KEYPOINTS`.
      visible: (19,) true for the points to draw; a bone needs both of its ends.
      radius_px: int, default about 1 % of the image's size.

    Returns:
      (H, W, 3) uint8.
    """
    radius_px = radius_px or max(2, round(0.01 * sum(image.shape[:2]) / 2))
    drawn = draw_bones(image, keypoints_px, visible, width_px=max(1, radius_px - 1))
    for name, pixel in _pixels_by_name(keypoints_px, visible).items():
        cv2.circle(drawn, pixel, radius_px, side_color(name), -1, cv2.LINE_AA)
    return drawn


def draw_bones(image, keypoints_px, visible=None, color=None, width_px=1):
    """Draws the bones between the 19 keypoints.

    Args:
      image, keypoints_px: as `draw_keypoints`.
      visible: (19,) as there; None means all of them.
      color: RGB of every bone; None means `side_color` of each.
      width_px: int, width of the lines.

    Returns:
      (H, W, 3) uint8.
    """
    drawn = np.ascontiguousarray(image).copy()
    pixels = _pixels_by_name(keypoints_px, visible)
    for child, parent in skeleton.KEYPOINT_BONES:
        if child in pixels and parent in pixels:
            bone_color = side_color(child) if color is None else color
            cv2.line(drawn, pixels[child], pixels[parent], bone_color, width_px, cv2.LINE_AA)
    return drawn


def side_color(name):
    """RGB of a keypoint: blue for "left_...", orange for "right_...", yellow for the others."""
    return _SIDE_COLORS.get(name.partition("_")[0], _MIDDLE_COLOR)


def _pixels_by_name(keypoints_px, visible=None):
    """Keypoint name -> (x, y) int pixel, of the visible and finite ones."""
    is_drawn = np.isfinite(keypoints_px).all(axis=-1)
    if visible is not None:
        is_drawn &= np.asarray(visible, bool)
    # Pixel (0, 0) has its centre at (0.5, 0.5). OpenCV overflows on points far outside.
    pixels = np.floor(np.where(is_drawn[:, None], keypoints_px, 0)).clip(-9999, 9999).astype(int)
    return {
        name: (int(x), int(y))
        for name, (x, y), drawn in zip(skeleton.KEYPOINTS, pixels, is_drawn)
        if drawn
    }

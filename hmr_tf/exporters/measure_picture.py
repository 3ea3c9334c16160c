"""Draws the measurements of a body: front and side view, with measuring tapes and numbers."""

import cv2
import numpy as np

from hmr_tf.body import camera
from hmr_tf.exporters.axes import Y_UP_FROM_CAMERA
from hmr_tf.rendering import render

_SIZE_PX = 900  # of each of the two views
_DISTANCE_M = 20.0  # so far away that perspective hardly changes sizes
_MARGIN = 1.15
COLORS = {
    "height": (110, 110, 110), "chest": (200, 60, 50), "waist": (40, 140, 60),
    "hips": (50, 90, 200), "arm": (190, 110, 20), "leg": (140, 60, 160),
}  # fmt: skip


def measure_picture(vertices, faces, measurements):
    """Draws the result of `body.measure.measure`.

    Args:
      vertices: (V, 3) of the measured body, y up.
      faces: (F, 3).
      measurements: dict of `body.measure.Measurement`.

    Returns:
      (900, 1800, 3) uint8 RGB: the front, then the body's left side and the numbers.
    """
    front, side = (_view(vertices, faces, measurements, degrees) for degrees in (0.0, -90.0))
    for row, (name, (metres, _)) in enumerate(measurements.items()):
        for text, x in ((name, 640), (f"{metres:.3f} m", 750)):
            _put_text(side, text, (x, 340 + 40 * row), COLORS[name])
    return np.concatenate([front, side], axis=1)


def _view(vertices, faces, measurements, degrees):
    """The body rotated about the vertical, seen from the front, with the tapes over it."""
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    middle = (low + high) / 2
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    rotation = Y_UP_FROM_CAMERA @ np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
    offset = np.array([0, 0, _DISTANCE_M])
    focal_px = _SIZE_PX * _DISTANCE_M / (max(high - low) * _MARGIN)
    principal_px = (_SIZE_PX / 2, _SIZE_PX / 2)

    def to_camera(points):
        return ((points - middle) @ rotation.T + offset)[None].astype(np.float32)

    picture, _ = render.render_scene(
        to_camera(vertices),
        np.zeros((1, 3), np.float32),
        np.asarray(faces, np.int32),
        focal_px,
        principal_px,
        (_SIZE_PX, _SIZE_PX),
    )
    picture = picture[0]
    for name, (_, lines) in measurements.items():
        for line in lines:
            pixels, _ = camera.project_perspective(to_camera(line), focal_px, principal_px)
            points = np.round(pixels[0].numpy()).astype(np.int32)
            cv2.polylines(picture, [points], False, COLORS[name], 2, cv2.LINE_AA)
    return picture


def _put_text(picture, text, origin, color):
    cv2.putText(picture, text, origin, cv2.FONT_HERSHEY_SIMPLEX, 0.8, color, 2, cv2.LINE_AA)

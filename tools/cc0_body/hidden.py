"""Finds vertices that are invisible from outside: mouth cavity, nostrils, eye sockets."""

import numpy as np
from tqdm import tqdm

from hmr_tf.rendering import render

_PICTURE_PX = 640
_DISTANCE = 50.0  # metres: nearly parallel projection
_VIEWS_AT_ONCE = 6


def hidden_vertices(points, faces, centre, radius, mirror, num_views=60, min_pixels=5):
    """Renders a sphere of the mesh from all sides; finds the vertices that no view shows.

    Args:
      points: (V, 3) metres, first the mesh, mirror-symmetric in x, then objects that may hide it.
      faces: (F, 3) corners, counter-clockwise seen from outside.
      centre: (3,) middle of the sphere, metres.
      radius: of the sphere, metres.
      mirror: (M,) index of each vertex's reflection, for the M vertices of the mesh itself.
      num_views: viewing directions; their reflections are added.
      min_pixels: pixels that a face must cover to be visible; fewer may shine through a slit.

    Returns:
      (M,) bool, symmetric.
    """
    is_visible = np.zeros(len(points), bool)
    directions = _directions(num_views)
    for start in tqdm(range(0, num_views, _VIEWS_AT_ONCE), desc="hidden vertices", leave=False):
        views = [
            _project(points - centre, direction, radius)
            for direction in directions[start : start + _VIEWS_AT_ONCE]
        ]
        pixels, depth = (np.stack(part).astype(np.float32) for part in zip(*views))
        picture = render.rasterize(pixels, depth, faces.astype(np.int32), _PICTURE_PX, _PICTURE_PX)
        for face in picture.face:
            count = np.bincount(face[face >= 0], minlength=len(faces))
            is_visible[faces[count >= min_pixels]] = True
    return ~(is_visible[: len(mirror)] | is_visible[mirror])


def _directions(count):
    """Unit vectors spread over the sphere on a spiral, (count, 3)."""
    step = np.arange(count) + 0.5
    height, angle = 1 - 2 * step / count, np.pi * (1 + 5**0.5) * step
    radius = np.sqrt(1 - height**2)
    return np.stack([radius * np.cos(angle), height, radius * np.sin(angle)], 1)


def _project(points, direction, radius):
    """Points around the origin seen from `direction` -> pixels (V, 2), y down, and depth (V,)."""
    right = np.cross([0.0, 1.0, 0.0], direction)
    right /= np.linalg.norm(right)
    up = np.cross(direction, right)
    plane = np.stack([points @ right, -(points @ up)], 1)
    return (plane / radius + 1.0) * _PICTURE_PX / 2, _DISTANCE - points @ direction

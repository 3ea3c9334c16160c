"""Draws all people of one photograph, as the camera sees them or rotated."""

import numpy as np

from hmr_tf.body import camera
from hmr_tf.rendering import render

# In rotated views: least distance from the camera in metres, and used share of the half picture.
_NEAREST, _REACH = 0.1, 0.95


def draw(people, faces, size, background=None, degrees=0.0):
    """Draws the bodies of one photograph; near ones hide far ones.

    Args:
      people: list of Person, at least one, of one camera.
      faces: (F, 3).
      size: (height, width) of the picture.
      background: (H, W, 3) uint8 of that size, or None for white.
      degrees: rotation of all people about the vertical axis through their common centre; they
        then move away from the camera until all of them are in the picture.

    Returns:
      (H, W, 3) uint8 picture and (H, W) bool mask of the bodies.
    """
    points = np.concatenate([person["vertices"] + person["transl"] for person in people])
    pinhole = camera.Pinhole(people[0]["focal_px"], people[0]["principal_px"])
    if degrees:
        points = render.side_view(points[None], degrees)[0]
        points, pinhole = _all_in_view(points, pinhole, size)
    first_vertex = np.arange(len(people))[:, None, None] * len(people[0]["vertices"])
    picture, mask = render.render_scene(
        points[None],
        np.zeros((1, 3), np.float32),
        (np.asarray(faces) + first_vertex).reshape(-1, 3).astype(np.int32),
        focal_px=pinhole.focal_px,
        principal_px=pinhole.principal_px,
        size=size,
        background=None if background is None else background[None],
    )
    return picture[0], mask[0]


def draw_without_photograph(people, faces, size_px, degrees):
    """Draws the bodies without the photograph, in the middle of a square and as large as it allows.

    Args:
      people, faces: as `draw`.
      size_px: S, side of the picture.
      degrees: as in `draw`; at 90 the left edge of the photograph is nearest.

    Returns:
      (S, S, 3) uint8 on white.
    """
    middle = np.mean([person["vertices"] + person["transl"] for person in people], axis=(0, 1))
    to_front = np.array([0, 0, 1]) - middle  # 1 m away: `draw` moves them back until all are seen
    pinhole = {"focal_px": 2.0 * size_px, "principal_px": np.full(2, size_px / 2)}
    front = [{**person, **pinhole, "transl": person["transl"] + to_front} for person in people]
    return draw(front, faces, (size_px, size_px), degrees=degrees or 360.0)[0]


def _all_in_view(points, pinhole, size):
    """Moves points away from the camera until all are in the picture.

    They move along the ray through their centre m, by d m / m_z, so that m stays on its pixel c.
    A point p is then drawn at c + f (p_xy - p_z m_xy / m_z) / (p_z + d), which gives d; d is 0
    where all points are in the picture already.

    Args:
      points: (N, 3) metres, their centre in front of the camera.
      pinhole: camera.Pinhole.
      size: (height, width) of the picture.

    Returns:
      (N, 3) points, and the Pinhole: its principal point moves where the centre was less than a
      quarter of the picture from an edge, to that distance.
    """
    width_height = np.array(size[::-1], np.float32)
    ray = points.mean(axis=0) / points[:, 2].mean()
    middle_px = pinhole.focal_px * ray[:2] + pinhole.principal_px
    inside_px = np.clip(middle_px, 0.25 * width_height, 0.75 * width_height)
    aside = pinhole.focal_px * (points[:, :2] - points[:, 2:] * ray[:2])  # pixels at 1 m
    room_px = _REACH * np.where(aside > 0, width_height - inside_px, inside_px)
    depth = np.maximum((np.abs(aside) / room_px).max(axis=1), _NEAREST)
    back = max(0.0, (depth - points[:, 2]).max())
    principal_px = np.asarray(pinhole.principal_px) + inside_px - middle_px
    return (points + back * ray).astype(np.float32), pinhole._replace(principal_px=principal_px)

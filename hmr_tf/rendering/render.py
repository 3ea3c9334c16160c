"""Meshes drawn on pictures: overlays, side views, part maps.

Everything is in HMR's camera frame: x right, y DOWN, z away from the viewer, metres. Pictures are
RGB, points in them (x, y). Arrays in, arrays out: NumPy draws a body of 13,776 faces faster than
TensorFlow, whose operations on so few numbers take longer to start.
"""

import numpy as np
import tensorflow as tf

from hmr_tf.body.camera import CROP_FOCAL_PX, perspective_translation
from hmr_tf.rendering.zbuffer import corner_ids, rasterize, take_valid

# The original's body colour, and its three lights: direction towards the light times strength
# (`util/renderer.py`). Right above in front, left behind, left below in front; 200 m away and more.
LIGHT_BLUE = (0.65, 0.74, 0.86)
STUDIO_LIGHTS = ((0.76, -0.41, -0.50), (-0.77, 0.01, 0.64), (-0.36, 0.29, -0.54))
# Pixels of a photograph that are drawn at once: they take some 200 MB beside the picture.
STRIP_PIXELS = 2**21


def render_body(vertices, camera, faces, image_size=224, color=LIGHT_BLUE, background=None):
    """Draws each body over its crop, as HMR's weak-perspective camera sees it.

    Args:
      vertices: (B, V, 3) metres, rotated by the global rotation but not translated.
      camera: (B, 3) weak perspective: scale, translation. A pinhole of 500 px focal length draws,
        at the distance that gives this scale (the original's `util/renderer.py:239-262`).
      faces: (F, 3) int32.
      image_size: int, side of the crop in pixels.
      color: (3,) RGB in 0..1, or one for each vertex, (B, V, 3).
      background: (B, S, S, 3) uint8 crops, or None for white.

    Returns:
      (B, S, S, 3) uint8 pictures and (B, S, S) bool masks of the body.
    """
    camera = tf.convert_to_tensor(camera, tf.float32)
    translation = perspective_translation(camera, image_size)
    return render_scene(
        vertices,
        translation.numpy(),
        faces,
        focal_px=CROP_FOCAL_PX,
        principal_px=(0.5 * image_size, 0.5 * image_size),
        size=(image_size, image_size),
        color=color,
        background=background,
    )


def render_scene(
    vertices, translation, faces, focal_px, principal_px, size, color=LIGHT_BLUE, background=None
):
    """Draws bodies with any pinhole camera, for instance over the whole photograph.

    Several people of one photograph hide each other when their vertices are joined to one mesh,
    (1, N * V, 3).

    Args:
      vertices: (B, V, 3) metres.
      translation: (B, 3) metres, added to the vertices.
      faces: (F, 3) int.
      focal_px: focal length in pixels, a number or (B,).
      principal_px: x, y of the principal point, (2,) or (B, 2).
      size: (height, width) of the picture.
      color: (3,) RGB in 0..1, or one for each vertex, (B, V, 3).
      background: (B, H, W, 3) uint8 photographs of that size, or None for white.

    Returns:
      (B, H, W, 3) uint8 pictures and (B, H, W) bool masks of the bodies.
    """
    points = np.asarray(vertices, np.float32) + np.asarray(translation, np.float32)[:, None]
    if background is None:
        pictures = np.full((len(points), *size, 3), 255, np.uint8)
    else:
        pictures = np.array(background, np.uint8)
    masks = np.zeros(pictures.shape[:3], bool)
    focal_px = np.broadcast_to(np.asarray(focal_px, np.float32), len(points))
    principal_px = np.broadcast_to(np.asarray(principal_px, np.float32), (len(points), 2))
    colors = shade(points, faces, color)
    rows = max(1, STRIP_PIXELS // size[1])
    for i, (picture, mask) in enumerate(zip(pictures, masks)):
        points_px, depth = _project(points[i], focal_px[i], principal_px[i])
        for top in range(0, size[0], rows):
            strip = picture[top : top + rows], mask[top : top + rows]
            _draw_rows(points_px, depth, faces, colors[i], *strip, top)
    return pictures, masks


def _project(points, focal_px, principal_px):
    """`camera.project_perspective` of (V, 3) points, along memory."""
    across, depth = np.ascontiguousarray(points[:, :2].T), points[:, 2].copy()
    with np.errstate(all="ignore"):  # points in the camera's plane
        return (focal_px * across / depth + principal_px[:, None]).T, depth


def _draw_rows(points_px, depth, faces, colors, picture, mask, top):
    """Draws into the rows of a scene from `top` on; only the bodies' window is touched."""
    left, right, up, down = _window(points_px - np.float32([0, top]), depth, *mask.shape)
    fragments = rasterize(
        points_px[None], depth[None], faces, down - up, right - left, (left, top + up)
    )
    window = np.s_[up:down, left:right]
    picture[window] = paint(fragments, faces, colors[None], picture[window][None])[0]
    mask[window] = fragments.face[0] >= 0


def _window(points_px, depth, height, width):
    """First column, end of the columns, first row and end of the rows, at least a pixel.

    All points in front of the camera that are in the picture lie there.
    """
    bounds = []
    for along, size in zip(points_px.T, (width, height)):
        seen = along[(depth > 0) & np.isfinite(along)]
        low, high = (seen.min(), seen.max()) if len(seen) else (0, 0)
        low, high = (int(np.clip(np.floor(end), 0, size - 1)) for end in (low, high))
        bounds += [low, high + 1]
    return bounds


def shade(vertices, faces, color, lights=STUDIO_LIGHTS, ambient=0.05):
    """Colours of a matt surface under lights that are far away.

    Args:
      vertices: (B, V, 3) metres.
      faces: (F, 3) int.
      color: (3,) RGB in 0..1, or one for each vertex, (B, V, 3).
      lights: (L, 3) or (B, L, 3) direction towards each light times its strength.
      ambient: light from everywhere, a number or (B,).

    Returns:
      (B, V, 3) RGB in 0..1.
    """
    normals = np.swapaxes(vertex_normals(vertices, faces), 1, 2)
    towards = np.matmul(np.asarray(lights, np.float32), normals)  # (B, L, V)
    light = np.maximum(towards, 0).sum(axis=1)
    light += np.reshape(np.asarray(ambient, np.float32), (-1, 1))
    return np.clip(light[..., None] * np.asarray(color, np.float32), 0, 1)


def vertex_normals(vertices, faces):
    """(B, V, 3), (F, 3) -> (B, V, 3) unit vectors out of the surface, means by face area."""
    corners = corner_ids(faces)
    at_vertices = [_sum_of_normals(points, corners) for points in np.asarray(vertices, np.float32)]
    normals = np.reshape(at_vertices, (-1, 3, np.shape(vertices)[1])).astype(np.float32)
    normals /= np.sqrt(np.maximum(np.square(normals).sum(axis=1, keepdims=True), 1e-30))
    return np.swapaxes(normals, 1, 2)


def _sum_of_normals(points, corners):
    """(V, 3), (3, F) -> (3, V) sum of the cross products of the faces at each vertex."""
    a, b, c = (np.ascontiguousarray(points.T).take(ids, axis=1) for ids in corners)
    b, c = b - a, c - a
    normals = (b[i] * c[j] - b[j] * c[i] for i, j in ((1, 2), (2, 0), (0, 1)))
    at = corners.ravel()
    return np.stack([np.bincount(at, np.tile(along, 3), len(points)) for along in normals])


def paint(fragments, faces, colors, background):
    """Draws a rasterized mesh with a colour at each vertex, (B, V, 3) in 0..1, over the background.

    `background` is (B, H, W, 3) uint8, and so is the result.
    """
    picture, colors = np.array(background, np.uint8), np.asarray(colors, np.float32)
    pixel, weights = fragments.pixel, np.ascontiguousarray(fragments.barycentric.T)
    corners = take_valid(corner_ids(faces), take_valid(fragments.face.ravel(), pixel))
    corners += pixel // fragments.face[0].size * colors.shape[1]
    flat = picture.reshape(-1)
    for channel in range(3):
        at_corners = take_valid(colors[..., channel].ravel(), corners)
        blended = (at_corners * weights).sum(axis=0) * np.float32(255)
        flat[3 * pixel + channel] = np.minimum(blended, 255).astype(np.uint8)
    return picture


def part_map(fragments, face_labels):
    """The label (F,) of the face visible at each pixel: (B, H, W) int32, 0 for no face."""
    return np.append(0, face_labels).astype(np.int32).take(fragments.face + 1)


def side_view(vertices, degrees=90.0):
    """Rotates bodies (B, V, 3) about the vertical axis through their centre.

    At 90 degrees they are seen from the left edge of the original picture: from the right of a
    person who faces the camera. Same direction as the original's `util/renderer.py:rotated`.
    """
    vertices = np.asarray(vertices, np.float32)
    cos, sin = float(np.cos(np.radians(degrees))), float(np.sin(np.radians(degrees)))
    center = vertices.mean(axis=1, keepdims=True)
    x, y, z = np.moveaxis(vertices - center, -1, 0)
    rotated = np.stack([cos * x - sin * z, y, sin * x + cos * z], axis=-1)
    return (center + rotated).astype(np.float32)

"""Meshes drawn on pictures: overlays, side views, part maps.

Everything is in HMR's camera frame: x right, y DOWN, z away from the viewer, metres. Pictures are
RGB, points in them (x, y).
"""

import numpy as np
import tensorflow as tf

from hmr_tf.body.camera import CROP_FOCAL_PX, perspective_translation, project_perspective
from hmr_tf.rendering.zbuffer import Fragments, rasterize

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
        translation,
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
      faces: (F, 3) int32.
      focal_px: focal length in pixels, a number or (B,).
      principal_px: x, y of the principal point, (2,) or (B, 2).
      size: (height, width) of the picture.
      color: (3,) RGB in 0..1, or one for each vertex, (B, V, 3).
      background: (B, H, W, 3) uint8 photographs of that size, or None for white.

    Returns:
      (B, H, W, 3) uint8 pictures and (B, H, W) bool masks of the bodies.
    """
    points = tf.convert_to_tensor(vertices, tf.float32) + translation[:, None]
    focal_px = tf.reshape(tf.cast(focal_px, tf.float32), [-1])
    principal_px = tf.reshape(tf.cast(principal_px, tf.float32), [-1, 2])
    color = tf.cast(color, tf.float32)
    color = color if color.shape.rank == 3 else color[None, None]
    if background is None:
        background = tf.fill([tf.shape(points)[0], *size, 3], tf.constant(255, tf.uint8))
    rows = max(1, STRIP_PIXELS // size[1])
    strips = [
        _draw_rows(
            points, faces, focal_px, principal_px, color, background[:, top : top + rows], top
        )
        for top in range(0, size[0], rows)
    ]
    return strips[0] if len(strips) == 1 else tuple(tf.concat(x, axis=1) for x in zip(*strips))


@tf.function(
    autograph=False,
    input_signature=[
        tf.TensorSpec([None, None, 3], tf.float32),
        tf.TensorSpec([None, 3], tf.int32),
        tf.TensorSpec([None], tf.float32),
        tf.TensorSpec([None, 2], tf.float32),
        tf.TensorSpec([None, None, 3], tf.float32),
        tf.TensorSpec([None, None, None, 3], tf.uint8),
        tf.TensorSpec([], tf.int32),
    ],
)
def _draw_rows(points, faces, focal_px, principal_px, color, background, top):
    """Picture and mask of the rows of a scene from `top` on; only the bodies' window is drawn."""
    points_px, depth = project_perspective(points, focal_px, principal_px)
    height, width = tf.shape(background)[1], tf.shape(background)[2]
    left, right, up, down = _window(
        points_px - [0.0, tf.cast(top, tf.float32)], depth, height, width
    )
    fragments = rasterize(points_px, depth, faces, down - up, right - left, (left, top + up))
    rows = background[:, up:down]
    drawn = paint(fragments, faces, shade(points, faces, color), rows[:, :, left:right])
    rows = tf.concat([rows[:, :, :left], drawn, rows[:, :, right:]], axis=2)
    picture = tf.concat([background[:, :up], rows, background[:, down:]], axis=1)
    around = [[0, 0], [up, height - down], [left, width - right]]
    return picture, tf.pad(fragments.face >= 0, around)


def _window(points_px, depth, height, width):
    """() int32 first column, end of the columns, first row and end of the rows, at least a pixel.

    All points in front of the camera that are in the picture lie there.
    """
    bounds = []
    for axis, size in enumerate((width, height)):
        along = points_px[..., axis]
        is_seen = (depth > 0.0) & tf.math.is_finite(along)
        last = tf.cast(size - 1, tf.float32)
        low = tf.floor(tf.reduce_min(tf.where(is_seen, along, np.inf)))
        high = tf.floor(tf.reduce_max(tf.where(is_seen, along, -np.inf)))
        low = tf.cast(tf.clip_by_value(low, 0.0, last), tf.int32)
        high = tf.cast(tf.clip_by_value(high, 0.0, last), tf.int32)
        bounds += [low, tf.maximum(low, high) + 1]
    return bounds


def shade(vertices, faces, color, lights=STUDIO_LIGHTS, ambient=0.05):
    """Colours of a matt surface under lights that are far away.

    Args:
      vertices: (B, V, 3) metres.
      faces: (F, 3) int32.
      color: (3,) RGB in 0..1, or one for each vertex, (B, V, 3).
      lights: (L, 3) or (B, L, 3) direction towards each light times its strength.
      ambient: light from everywhere, a number or (B,).

    Returns:
      (B, V, 3) RGB in 0..1.
    """
    lights = tf.cast(lights, tf.float32)
    lights = lights if lights.shape.rank == 3 else lights[None]
    towards = tf.matmul(vertex_normals(vertices, faces), lights, transpose_b=True)  # (B, V, L)
    light = tf.reduce_sum(tf.nn.relu(towards), axis=-1, keepdims=True)
    light += tf.reshape(tf.cast(ambient, tf.float32), [-1, 1, 1])
    return tf.clip_by_value(light * color, 0.0, 1.0)


@tf.function(
    autograph=False,
    input_signature=[
        tf.TensorSpec([None, None, 3], tf.float32),
        tf.TensorSpec([None, 3], tf.int32),
    ],
)
def vertex_normals(vertices, faces):
    """(B, V, 3), (F, 3) -> (B, V, 3) unit vectors out of the surface, means by face area."""
    batch, num_vertices = tf.shape(vertices)[0], tf.shape(vertices)[1]
    # One row for each vertex holds the whole batch, so that sums run along memory.
    rows = tf.reshape(tf.transpose(vertices, [1, 0, 2]), [num_vertices, -1])
    a, b, c = (tf.reshape(tf.gather(rows, faces[:, i]), [-1, batch, 3]) for i in range(3))
    normals = tf.reshape(tf.linalg.cross(b - a, c - a), [-1, batch * 3])
    at_vertices = sum(
        tf.math.unsorted_segment_sum(normals, faces[:, i], num_vertices) for i in range(3)
    )
    at_vertices = tf.reshape(at_vertices, [num_vertices, batch, 3])
    return tf.math.l2_normalize(tf.transpose(at_vertices, [1, 0, 2]), axis=-1, epsilon=1e-30)


def paint(fragments, faces, colors, background):
    """Draws a rasterized mesh with a colour at each vertex, (B, V, 3) in 0..1, over the background.

    `background` is (B, H, W, 3) uint8, and so is the result.
    """
    return _paint(fragments, faces, colors, background)


@tf.function(
    autograph=False,
    input_signature=[
        Fragments(
            tf.TensorSpec([None, None, None], tf.int32),
            tf.TensorSpec([None, None, None], tf.float32),
            tf.TensorSpec([None], tf.int32),
            tf.TensorSpec([None, 3], tf.float32),
        ),
        tf.TensorSpec([None, 3], tf.int32),
        tf.TensorSpec([None, None, 3], tf.float32),
        tf.TensorSpec([None, None, None, 3], tf.uint8),
    ],
)
def _paint(fragments, faces, colors, background):
    pixel, shape = fragments.pixel, tf.shape(background)
    corners = tf.gather(faces, tf.gather(tf.reshape(fragments.face, [-1]), pixel))  # (N, 3)
    image = pixel // (shape[1] * shape[2])
    at_corners = tf.gather(
        tf.reshape(colors, [-1, 3]), corners + image[:, None] * tf.shape(colors)[1]
    )
    blended = tf.reduce_sum(at_corners * fragments.barycentric[..., None], axis=1)
    blended = tf.cast(tf.minimum(blended * 255.0, 255.0), tf.uint8)
    flat = tf.reshape(background, [-1, 3])
    return tf.reshape(tf.tensor_scatter_nd_update(flat, pixel[:, None], blended), shape)


def part_map(fragments, face_labels):
    """The label (F,) of the face visible at each pixel: (B, H, W) int32, 0 for no face."""
    labels = tf.concat([[0], tf.cast(face_labels, tf.int32)], axis=0)
    return tf.gather(labels, fragments.face + 1)


def side_view(vertices, degrees=90.0):
    """Rotates bodies (B, V, 3) about the vertical axis through their centre.

    At 90 degrees they are seen from the left edge of the original picture: from the right of a
    person who faces the camera. Same direction as the original's `util/renderer.py:rotated`.
    """
    cos, sin = float(np.cos(np.radians(degrees))), float(np.sin(np.radians(degrees)))
    center = tf.reduce_mean(vertices, axis=1, keepdims=True)
    x, y, z = tf.unstack(vertices - center, axis=-1)
    return center + tf.stack([cos * x - sin * z, y, sin * x + cos * z], axis=-1)

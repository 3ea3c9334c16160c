"""Which face of a mesh each pixel sees: a z-buffer made of TensorFlow ops. No OpenGL.

Runs where TensorFlow runs, but not under `jit_compile`: the amount of work depends on the mesh.
Each triangle's box is spread out to its pixels, all boxes of the batch in one list; a pixel keeps
the nearest of the triangles that cover its centre. No gradients.
"""

from typing import NamedTuple

import tensorflow as tf

# Pixels tested at once, some 160 bytes each: the working set beside the pictures is about 200 MB
# even for triangles that each fill the picture (they only take longer).
MAX_CANDIDATES = 2**20
_NEAREST, _FARTHEST_PX = 1e-6, 1e6


class Fragments(NamedTuple):
    """What each pixel sees."""

    face: tf.Tensor  # (B, H, W) int32, -1 where there is nothing
    barycentric: tf.Tensor  # (B, H, W, 3) perspective-correct weights of the face's corners, or 0
    depth: tf.Tensor  # (B, H, W) in the unit of the input, infinite where there is nothing


class _Triangles(NamedTuple):
    corners: tf.Tensor  # (N, 6) pixels: x and y of the first corner, of the second, of the third
    inverse_depth: tf.Tensor  # (N, 3) at the corners


class _Window(NamedTuple):
    """The pixels to draw; () int32 each."""

    left: tf.Tensor
    top: tf.Tensor
    height: tf.Tensor
    width: tf.Tensor


def rasterize(points_px, depth, faces, height, width, corner_px=(0, 0)):
    """Finds the face that each pixel centre sees.

    Only the front of a face is seen: its corners run counter-clockwise in the picture, as SMPL's do
    where the outside of the body looks at the viewer. A pixel on an edge that two faces share is
    drawn once and never left out. The nearest face wins; of equally near ones the first. A face
    with a corner at or behind the camera, or over a million pixels away, is left out whole.

    Args:
      points_px: (B, V, 2) x to the right and y down, in pixels; a pixel's centre lies at +0.5.
      depth: (B, V) distance along the viewing direction, > 0 in front of the camera.
      faces: (F, 3) int32 corners.
      height, width: int, size of the picture.
      corner_px: int x, y of its first pixel: a picture may be drawn in parts.

    Returns:
      Fragments.
    """
    return _rasterize(points_px, depth, faces, _Window(*corner_px, height, width))


@tf.function(
    input_signature=[
        tf.TensorSpec([None, None, 2], tf.float32),
        tf.TensorSpec([None, None], tf.float32),
        tf.TensorSpec([None, 3], tf.int32),
        _Window(*[tf.TensorSpec([], tf.int32)] * 4),
    ]
)
def _rasterize(points_px, depth, faces, window):
    all_triangles = _Triangles(
        tf.reshape(tf.gather(points_px, faces, axis=1), [-1, 6]),
        tf.reshape(tf.gather(1.0 / depth, faces, axis=1), [-1, 3]),
    )
    number = _front_faces(all_triangles.corners)
    triangles = _Triangles(*(tf.gather(part, number) for part in all_triangles))
    seen = _draw(triangles, number, tf.shape(points_px)[0], tf.shape(faces)[0], window)
    return _fragments(all_triangles, *seen, tf.shape(faces)[0], window)


def _draw(triangles, number, num_images, num_faces, window):
    """1 / depth and face of what each pixel of the batch sees, `MAX_CANDIDATES` at a time."""
    box = _boxes(triangles, window)
    areas = tf.cast(box[:, 2] * box[:, 3], tf.int64)
    starts, num_candidates = tf.cumsum(areas, exclusive=True), tf.reduce_sum(areas)

    def draw(done):
        count = tf.cast(tf.minimum(num_candidates - done, MAX_CANDIDATES), tf.int32)
        row, x, y = _candidates(box, starts, done, count)
        row, x, y, inverse_depth = _covering(triangles, row, x, y)
        image_and_face = tf.gather(number, row)
        image, face = image_and_face // num_faces, image_and_face % num_faces
        line = image * window.height + y - window.top
        pixel = line * window.width + x - window.left
        return _nearest(pixel, face, inverse_depth, num_images * window.height * window.width)

    def draw_more(done, nearest, face):
        other_nearest, other_face = draw(done)
        is_nearer = other_nearest > nearest  # strictly: earlier faces were drawn before
        nearest = tf.where(is_nearer, other_nearest, nearest)
        return done + MAX_CANDIDATES, nearest, tf.where(is_nearer, other_face, face)

    start = tf.constant(MAX_CANDIDATES, tf.int64)
    return tf.while_loop(
        lambda done, *_: done < num_candidates, draw_more, (start, *draw(tf.zeros_like(start)))
    )[1:]


def _front_faces(corners):
    """Numbers of the triangles whose corners run counter-clockwise."""
    x0, y0, x1, y1, x2, y2 = (corners[:, i] for i in range(6))
    # y points down, so the area of such a triangle is negative. NaN fails the test.
    area = (x1 - x0) * (y2 - y0) - (y1 - y0) * (x2 - x0)
    return tf.cast(tf.where(area < 0.0)[:, 0], tf.int32)


def _boxes(triangles, window):
    """(N, 4) pixel centres in the box of each triangle: first column, first row, columns, rows.

    No columns and rows for one that is behind the camera, too far outside or between centres.
    """
    corners = tf.reshape(triangles.corners, [-1, 3, 2])
    low, high = tf.reduce_min(corners, 1), tf.reduce_max(corners, 1)
    corner = tf.cast(tf.stack([window.left, window.top]), tf.float32)
    end = corner + tf.cast(tf.stack([window.width, window.height]), tf.float32)
    first = tf.maximum(tf.math.ceil(low - 0.5), corner)
    last = tf.minimum(tf.floor(high - 0.5), end - 1.0)
    size = last - first + 1.0
    nearest = tf.reduce_max(triangles.inverse_depth, 1)
    seen = (tf.reduce_min(triangles.inverse_depth, 1) > 0.0) & (nearest < 1.0 / _NEAREST)
    seen &= (tf.reduce_min(low, 1) > -_FARTHEST_PX) & (tf.reduce_max(high, 1) < _FARTHEST_PX)
    seen &= tf.reduce_min(size, 1) >= 1.0
    box = tf.where(seen[:, None], tf.concat([first, size], 1), 0.0)
    return tf.cast(box, tf.int32)


def _candidates(box, starts, done, count):
    """`count` pixels of the boxes, from the one numbered `done` on: row of the box, x, y."""
    # A pixel belongs to the last box that starts at or before it: count those.
    begin = tf.cast(tf.clip_by_value(starts - done, 0, tf.cast(count, tf.int64)), tf.int32)
    begun = tf.math.unsorted_segment_sum(tf.ones_like(begin), begin, count + 1)
    row = tf.cumsum(begun[:count]) - 1
    shift = tf.cast(done - starts, tf.int32)  # wraps only for boxes that are not in this range
    place = tf.range(count) + tf.gather(shift, row)
    box = tf.gather(box, row)
    return row, box[:, 0] + place % box[:, 2], box[:, 1] + place // box[:, 2]


def _covering(triangles, row, x, y):
    """Keeps the candidates whose centre the triangle covers: row, x, y, 1 / depth."""
    edges = _edges(tf.gather(triangles.corners, row), x, y)
    inside = tf.where(tf.maximum(tf.maximum(edges[0], edges[1]), edges[2]) <= 0.0)[:, 0]
    row, x, y, *edges = (tf.gather(part, inside) for part in (row, x, y, *edges))
    inverse_depth = tf.gather(triangles.inverse_depth, row)
    # Three edges of zero are a triangle too thin for float32: 1 / depth = 0, never drawn.
    return row, x, y, tf.math.divide_no_nan(sum(_times(edges, inverse_depth)), sum(edges))


def _edges(corners, x, y):
    """Edge functions at pixel centres: twice the area opposite each corner, negative inside.

    Seen from the face beyond it, an edge gives exactly the negated number: no pixel is lost.
    """
    x, y = tf.cast(x, tf.float32) + 0.5, tf.cast(y, tf.float32) + 0.5
    x0, y0, x1, y1, x2, y2 = (corners[:, i] - (x, y)[i % 2] for i in range(6))
    return x1 * y2 - y1 * x2, x2 * y0 - y2 * x0, x0 * y1 - y0 * x1


def _times(edges, inverse_depth):
    return [edge * inverse_depth[:, i] for i, edge in enumerate(edges)]


def _nearest(pixel, face, inverse_depth, num_pixels):
    """1 / depth and face of what is nearest in each pixel; 1 / depth <= 0 where nothing is."""
    nearest = tf.math.unsorted_segment_max(inverse_depth, pixel, num_pixels)
    wins = tf.where(inverse_depth >= tf.gather(nearest, pixel))[:, 0]
    face, pixel = tf.gather(face, wins), tf.gather(pixel, wins)
    return nearest, tf.math.unsorted_segment_min(face, pixel, num_pixels)


def _fragments(triangles, nearest, face, num_faces, window):
    seen = nearest > 0.0
    pixel = tf.where(seen)
    place = tf.cast(pixel[:, 0], tf.int32)
    line, column = place // window.width, place % window.width
    number = line // window.height * num_faces + tf.gather(face, place)
    x, y = window.left + column, window.top + line % window.height
    edges = _edges(tf.gather(triangles.corners, number), x, y)
    weights = _times(edges, tf.gather(triangles.inverse_depth, number))
    weights = tf.stack(weights, 1) / sum(weights)[:, None]
    shape = [-1, window.height, window.width]
    return Fragments(
        tf.reshape(tf.where(seen, face, -1), shape),
        tf.reshape(tf.scatter_nd(place[:, None], weights, [tf.size(face), 3]), [*shape, 3]),
        tf.reshape(1.0 / tf.nn.relu(nearest), shape),
    )

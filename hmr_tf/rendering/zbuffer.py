"""A z-buffer in TensorFlow ops, which finds the face visible at each pixel. No OpenGL.

It runs wherever TensorFlow runs, but not under `jit_compile`: array sizes depend on the mesh. The
pixels in the bounding boxes of all triangles of the batch are listed; a pixel keeps the nearest of
the triangles that cover its centre. No gradients.
"""

from typing import NamedTuple

import tensorflow as tf

# Pixels tested at once, some 160 bytes each: the working set beside the pictures is about 200 MB
# even for triangles that each fill the picture (they only take longer).
MAX_CANDIDATES = 2**20
_NEAREST, _FARTHEST_PX = 1e-6, 1e6
_ROW_BIT = 32


class Fragments(NamedTuple):
    """The face visible at each pixel."""

    face: tf.Tensor  # (B, H, W) int32, -1 where there is no face
    depth: tf.Tensor  # (B, H, W) in the unit of the input, infinite where there is no face
    # For the N pixels covered by a face, in no order; most pixels of a picture are not covered.
    pixel: tf.Tensor  # (N,) int32, index into the flattened (B, H, W)
    barycentric: tf.Tensor  # (N, 3) perspective-correct weights of the face's corners


class _Triangles(NamedTuple):
    corners: tf.Tensor  # (N, 6) pixels: x and y of the first corner, of the second, of the third
    inverse_depth: tf.Tensor  # (N, 3) at the corners


class _Covered(NamedTuple):
    """Pairs of a triangle and a pixel that it covers."""

    pixel: tf.Tensor  # (M,) int32, counted through all pictures of the batch
    face: tf.Tensor  # (M,) int32, in its picture
    inverse_depth: tf.Tensor  # (M,)
    weights: tf.Tensor  # (M, 4) of the corners, not normalized, and their sum


class _Window(NamedTuple):
    """The pixels to draw; () int32 each."""

    left: tf.Tensor
    top: tf.Tensor
    height: tf.Tensor
    width: tf.Tensor


def rasterize(points_px, depth, faces, height, width, corner_px=(0, 0)):
    """Finds the face visible at each pixel centre.

    Only front faces are drawn: their corners run counter-clockwise in the picture, as SMPL's do
    where the outside of the body faces the viewer. A pixel on an edge that two faces share is
    drawn once and never left out. The nearest face wins, the first of equally near ones. A face
    with a corner at or behind the camera, or over a million pixels away, is not drawn.

    Args:
      points_px: (B, V, 2) x to the right and y down, in pixels; a pixel's centre lies at +0.5.
      depth: (B, V) distance along the viewing direction, > 0 in front of the camera.
      faces: (F, 3) int32 corners.
      height, width: int, size of the picture.
      corner_px: int x, y of its first pixel, to draw a picture in parts.

    Returns:
      Fragments.
    """
    return _rasterize(points_px, depth, faces, _Window(*corner_px, height, width))


@tf.function(
    autograph=False,
    input_signature=[
        tf.TensorSpec([None, None, 2], tf.float32),
        tf.TensorSpec([None, None], tf.float32),
        tf.TensorSpec([None, 3], tf.int32),
        _Window(*[tf.TensorSpec([], tf.int32)] * 4),
    ],
)
def _rasterize(points_px, depth, faces, window):
    all_triangles = _Triangles(
        tf.reshape(tf.gather(points_px, faces, axis=1), [-1, 6]),
        tf.reshape(tf.gather(1.0 / depth, faces, axis=1), [-1, 3]),
    )
    number = _front_faces(all_triangles.corners)
    triangles = _Triangles(*(tf.gather(part, number) for part in all_triangles))
    image, face = number // tf.shape(faces)[0], number % tf.shape(faces)[0]
    box = _boxes(triangles, window)
    num_pixels = tf.shape(points_px)[0] * window.height * window.width
    covered = _draw(triangles, face, _with_places(box, image, window), num_pixels, window.width)
    return _fragments(covered, num_pixels, window)


def _draw(triangles, face, box, num_pixels, width):
    """_Covered with the nearest of each pixel, and others; `MAX_CANDIDATES` are tested at a time.

    Among equally near ones the first face comes first.
    """
    areas = tf.cast(box[:, 2] * box[:, 3], tf.int64)
    starts, num_candidates = tf.cumsum(areas, exclusive=True), tf.reduce_sum(areas)

    def draw(done):
        return _covering(triangles, face, *_candidates(box, starts, areas, done), width)

    def draw_more(done, before):
        rows = _nearest(before, num_pixels)[-1]
        kept = (tf.gather(part, rows) for part in before)
        joined = _Covered(*(tf.concat(parts, 0) for parts in zip(kept, draw(done))))
        return done + MAX_CANDIDATES, joined

    shapes = tf.TensorShape([]), _Covered(*[tf.TensorShape([None])] * 3, tf.TensorShape([None, 4]))
    return tf.while_loop(
        lambda done, _: done < num_candidates,
        draw_more,
        (tf.constant(MAX_CANDIDATES, tf.int64), draw(tf.constant(0, tf.int64))),
        shape_invariants=shapes,
    )[1]


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
    is_drawn = (tf.reduce_min(triangles.inverse_depth, 1) > 0.0) & (nearest < 1.0 / _NEAREST)
    is_drawn &= (tf.reduce_min(low, 1) > -_FARTHEST_PX) & (tf.reduce_max(high, 1) < _FARTHEST_PX)
    is_drawn &= tf.reduce_min(size, 1) >= 1.0
    box = tf.where(is_drawn[:, None], tf.concat([first, size], 1), 0.0)
    return tf.cast(box, tf.int32)


def _with_places(box, image, window):
    """Boxes with a fifth number: that + y * width + x is the pixel (x, y) of their picture."""
    origin = (image * window.height - window.top) * window.width - window.left
    return tf.concat([box, origin[:, None]], axis=1)


def _candidates(box, starts, areas, done):
    """At most MAX_CANDIDATES pixels of the boxes, from the one numbered `done` on.

    Returns:
      (M,) row of the box, and (M, 5) that box; (M,) place of the pixel in it, line by line.
    """
    first = tf.clip_by_value(done - starts, 0, areas)
    end = tf.clip_by_value(done + MAX_CANDIDATES - starts, 0, areas)
    # One number holds the row, above, and the place: no other op lists so fast what is in boxes.
    row = tf.range(tf.size(areas, tf.int64)) * 2**_ROW_BIT
    numbers = tf.ragged.range(row + first, row + end).flat_values
    row = tf.bitwise.right_shift(numbers, _ROW_BIT)
    place = tf.cast(tf.bitwise.bitwise_and(numbers, 2**_ROW_BIT - 1), tf.int32)
    return row, tf.gather(box, row), place


def _covering(triangles, face, row, box, place, width):
    """_Covered of the candidates whose centre the triangle covers."""
    left, top, columns, _, origin = _columns(box)
    line = place // columns
    x, y = left + place - line * columns, top + line
    edges = _edges(tf.gather(triangles.corners, row), x, y)
    inside = tf.where(tf.maximum(tf.maximum(edges[0], edges[1]), edges[2]) <= 0.0)[:, 0]
    pixel = origin + y * width + x
    row, pixel, *edges = (tf.gather(part, inside) for part in (row, pixel, *edges))
    at_corners = _columns(tf.gather(triangles.inverse_depth, row))
    weights = [edge * inverse_depth for edge, inverse_depth in zip(edges, at_corners)]
    total = sum(weights)
    # Three edges of zero are a triangle too thin for float32: 1 / depth = 0, never drawn.
    inverse_depth = tf.math.divide_no_nan(total, sum(edges))
    return _Covered(pixel, tf.gather(face, row), inverse_depth, tf.stack([*weights, total], 1))


def _columns(table):
    """List of the columns of an (M, C) table. Its transpose once is faster than C slices of it."""
    return tf.unstack(tf.transpose(table), num=table.shape[1])


def _edges(corners, x, y):
    """Edge functions at pixel centres: twice the area opposite each corner, negative inside.

    Seen from the face beyond it, an edge gives exactly the negated number: no pixel is lost.
    """
    x, y = tf.cast(x, tf.float32) + 0.5, tf.cast(y, tf.float32) + 0.5
    x0, y0, x1, y1, x2, y2 = (c - (x, y)[i % 2] for i, c in enumerate(_columns(corners)))
    return x1 * y2 - y1 * x2, x2 * y0 - y2 * x0, x0 * y1 - y0 * x1


def _nearest(covered, num_pixels):
    """For each pixel 1 / depth, <= 0 where there is no face, and face; and rows of `covered`.

    Of equally near faces the first is in front.
    """
    pixel, face, inverse_depth, _ = covered
    nearest = tf.math.unsorted_segment_max(inverse_depth, pixel, num_pixels)
    first = tf.gather(nearest, pixel)
    rows = tf.where((inverse_depth >= first) & (first > 0.0))[:, 0]
    pixel, face = tf.gather(pixel, rows), tf.gather(face, rows)
    front_face = tf.math.unsorted_segment_min(face, pixel, num_pixels)
    return (
        nearest,
        front_face,
        tf.gather(rows, tf.where(tf.equal(face, tf.gather(front_face, pixel)))[:, 0]),
    )


def _fragments(covered, num_pixels, window):
    nearest, face, rows = _nearest(covered, num_pixels)
    weights = tf.gather(covered.weights, rows)
    shape = [-1, window.height, window.width]
    return Fragments(
        tf.reshape(tf.where(nearest > 0.0, face, -1), shape),
        tf.reshape(1.0 / tf.nn.relu(nearest), shape),
        tf.gather(covered.pixel, rows),
        weights[:, :3] / weights[:, 3:],
    )

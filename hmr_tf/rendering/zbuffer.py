"""A z-buffer in NumPy, which finds the face visible at each pixel. No OpenGL.

The pixels in the box of each triangle are cut into spans: pieces of one line, at most `SPAN` long.
The first pixels of all spans are tested together, then all second ones, and so on. A pixel keeps
the nearest of the triangles that cover its centre.
"""

from typing import NamedTuple

import numpy as np

SPAN = 16
# Spans tested at once: the working set beside the pictures is about 200 MB even for triangles that
# each fill the picture (they only take longer).
MAX_SPANS = 2**16
_NEAREST, _FARTHEST_PX = 1e-6, 1e6
_LAST_FACE = 2**31 - 1


class Fragments(NamedTuple):
    """The face visible at each pixel."""

    face: np.ndarray  # (B, H, W) int32, -1 where there is no face
    depth: np.ndarray  # (B, H, W) in the unit of the input, infinite where there is no face
    # For the N pixels covered by a face, in no order; most pixels of a picture are not covered.
    pixel: np.ndarray  # (N,) int, index into the flattened (B, H, W)
    barycentric: np.ndarray  # (N, 3) perspective-correct weights of the face's corners


class _Triangles(NamedTuple):
    face: np.ndarray  # (N,) number of the face
    x: np.ndarray  # (3, N) pixels, of the corners
    y: np.ndarray  # (3, N)
    inverse_depth: np.ndarray  # (3, N) at the corners


class _Boxes(NamedTuple):
    """Pixel centres in the boxes of the triangles, int. Boxes wider than `SPAN` come in parts."""

    triangle: np.ndarray  # (N,)
    left: np.ndarray  # (N,) first column
    top: np.ndarray  # (N,) first row
    columns: np.ndarray  # (N,) 1 to `SPAN`, in falling order
    rows: np.ndarray  # (N,)


class _Covered(NamedTuple):
    """Pairs of a triangle and a pixel that it covers."""

    pixel: np.ndarray  # (M,) int, in the window
    face: np.ndarray  # (M,) int
    inverse_depth: np.ndarray  # (M,)
    weights: np.ndarray  # (4, M) of the corners, not normalized, and their sum


class _Window(NamedTuple):
    """The pixels to draw; ints."""

    left: int
    top: int
    height: int
    width: int


@np.errstate(all="ignore")  # of faces that are not drawn
def rasterize(points_px, depth, faces, height, width, corner_px=(0, 0)):
    """Finds the face visible at each pixel centre.

    Only front faces are drawn: their corners run counter-clockwise in the picture, as SMPL's do
    where the outside of the body faces the viewer. A pixel on an edge that two faces share is
    drawn once and never left out. The nearest face wins, the first of equally near ones. A face
    with a corner at or behind the camera, or over a million pixels away, is not drawn.

    Args:
      points_px: (B, V, 2) x to the right and y down, in pixels; a pixel's centre lies at +0.5.
      depth: (B, V) distance along the viewing direction, > 0 in front of the camera.
      faces: (F, 3) int corners.
      height, width: int, size of the picture.
      corner_px: int x, y of its first pixel, to draw a picture in parts.

    Returns:
      Fragments.
    """
    points_px, depth = np.asarray(points_px, np.float32), np.asarray(depth, np.float32)
    corners = corner_ids(faces)
    window = _Window(*map(int, corner_px), int(height), int(width))
    return _fragments([_draw(*body, corners, window) for body in zip(points_px, depth)], window)


def corner_ids(faces):
    """(F, 3) faces -> (3, F) vertex ids, in the type that NumPy looks up fastest."""
    return np.ascontiguousarray(np.reshape(faces, (-1, 3)).T, dtype=np.intp)


def take_valid(values, index):
    """`values[..., index]` of indices that are valid: NumPy is quicker where it need not raise."""
    return values.take(index, axis=-1, mode="clip")


def _draw(points_px, depth, corners, window):
    """_Covered with the nearest of each pixel of one picture."""
    triangles = _front_faces(points_px, depth, corners)
    boxes = _boxes(triangles, window)
    spans_before = np.cumsum(boxes.rows) - boxes.rows
    nearest = None
    for first in range(0, max(int(boxes.rows.sum()), 1), MAX_SPANS):
        some = slice(*np.searchsorted(spans_before, (first, first + MAX_SPANS)))
        covered = _covering(triangles, _Boxes(*(part[some] for part in boxes)), window)
        if nearest is not None:
            covered = _Covered(*(np.concatenate(x, axis=-1) for x in zip(nearest, covered)))
        nearest = _nearest(covered, window.height * window.width)
    return nearest


def _front_faces(points_px, depth, corners):
    """_Triangles whose corners run counter-clockwise."""
    x, y = (np.ascontiguousarray(along).take(corners) for along in points_px.T)
    # y points down, so the area of such a triangle is negative. NaN fails the test.
    area = (x[1] - x[0]) * (y[2] - y[0]) - (y[1] - y[0]) * (x[2] - x[0])
    face = np.flatnonzero(area < 0)
    inverse_depth = take_valid(1 / depth, take_valid(corners, face))
    return _Triangles(face, take_valid(x, face), take_valid(y, face), inverse_depth)


def _boxes(triangles, window):
    """_Boxes in the window, without triangles behind the camera, too far outside or too small."""
    low_x, low_y = triangles.x.min(axis=0), triangles.y.min(axis=0)
    high_x, high_y = triangles.x.max(axis=0), triangles.y.max(axis=0)
    left = np.maximum(np.ceil(low_x - 0.5), window.left)
    top = np.maximum(np.ceil(low_y - 0.5), window.top)
    columns = np.minimum(np.floor(high_x - 0.5), window.left + window.width - 1) - left + 1
    rows = np.minimum(np.floor(high_y - 0.5), window.top + window.height - 1) - top + 1
    is_drawn = (columns >= 1) & (rows >= 1)
    is_drawn &= triangles.inverse_depth.min(axis=0) > 0
    is_drawn &= triangles.inverse_depth.max(axis=0) < 1 / _NEAREST
    is_drawn &= np.minimum(low_x, low_y) > -_FARTHEST_PX
    is_drawn &= np.maximum(high_x, high_y) < _FARTHEST_PX
    triangle = np.flatnonzero(is_drawn)
    left, top, columns, rows = (
        take_valid(along, triangle).astype(np.int64) for along in (left, top, columns, rows)
    )
    box, part = _repeated(-(-columns // SPAN))
    columns = np.minimum(take_valid(columns, box) - SPAN * part, SPAN)
    widest_first = np.argsort((SPAN - columns).astype(np.uint8), kind="stable")
    box, part = take_valid(box, widest_first), take_valid(part, widest_first)
    return _Boxes(
        take_valid(triangle, box),
        take_valid(left, box) + SPAN * part,
        take_valid(top, box),
        take_valid(columns, widest_first),
        take_valid(rows, box),
    )


def _repeated(counts):
    """(N,) -> for each of the sum of the counts its index in them, and its number there from 0."""
    index = np.repeat(np.arange(len(counts)), counts)
    return index, np.arange(len(index)) - take_valid(np.cumsum(counts) - counts, index)


def _covering(triangles, boxes, window):
    """_Covered of the pixels in boxes whose centre their triangle covers."""
    box, line = _repeated(boxes.rows)  # of each span
    triangle = take_valid(boxes.triangle, box)
    left, row = take_valid(boxes.left, box), take_valid(boxes.top, box) + line
    pixel = (row - window.top) * window.width + left - window.left
    y = take_valid(triangles.y, triangle) - (row.astype(np.float32) + np.float32(0.5))
    corners_x, x = take_valid(triangles.x, triangle), left.astype(np.float32) + np.float32(0.5)
    num_wider = np.cumsum(np.bincount(boxes.columns, boxes.rows, SPAN + 1)[::-1])[::-1].astype(int)
    spans, pixels, edges = [], [], []
    for column, number in enumerate(num_wider[1:]):  # of the spans with a pixel in this column
        if number == 0 and column > 0:
            break
        of_column = _edges(corners_x[:, :number] - (x[:number] + np.float32(column)), y[:, :number])
        inside = np.flatnonzero(of_column.max(axis=0) <= 0)
        spans.append(inside)
        pixels.append(take_valid(pixel, inside) + column)
        edges.append(take_valid(of_column, inside))
    triangle = take_valid(triangle, np.concatenate(spans))
    edges = np.concatenate(edges, axis=1)
    weights = edges * take_valid(triangles.inverse_depth, triangle)
    total, opposite = weights.sum(axis=0), edges.sum(axis=0)
    # Three edges of zero are a triangle too thin for float32: 1 / depth = 0, never drawn.
    inverse_depth = np.divide(total, opposite, out=np.zeros_like(total), where=opposite != 0)
    return _Covered(
        np.concatenate(pixels),
        take_valid(triangles.face, triangle),
        inverse_depth,
        np.concatenate([weights, total[None]]),
    )


def _edges(x, y):
    """Edge functions (3, N): twice the area opposite each corner, negative inside.

    Seen from the face beyond it, an edge gives exactly the negated number: no pixel is lost.

    Args:
      x, y: (3, N) corners as seen from the pixel's centre.
    """
    edges = np.empty_like(x)
    for corner, (after, last) in enumerate(((1, 2), (2, 0), (0, 1))):
        np.multiply(x[after], y[last], out=edges[corner])
        edges[corner] -= y[after] * x[last]
    return edges


def _nearest(covered, num_pixels):
    """_Covered with one face for each pixel: of equally near ones the first is in front."""
    # One number for both: the bits of a positive float32 rise with it.
    key = covered.inverse_depth.view(np.int32).astype(np.int64) << 32
    key |= _LAST_FACE - covered.face
    in_front = np.zeros(num_pixels, np.int64)
    np.maximum.at(in_front, covered.pixel, key)
    visible = np.flatnonzero(
        (key == take_valid(in_front, covered.pixel)) & (covered.inverse_depth > 0)
    )
    return _Covered(*(take_valid(part, visible) for part in covered))


def _fragments(visible, window):
    """Fragments of the _Covered of each picture."""
    size = window.height * window.width
    face = np.full((len(visible), size), -1, np.int32)
    depth = np.full((len(visible), size), np.inf, np.float32)
    for number, covered in enumerate(visible):
        face[number, covered.pixel] = covered.face
        depth[number, covered.pixel] = 1 / covered.inverse_depth
    empty = np.zeros(0, np.int64)
    weights = np.concatenate([np.zeros((4, 0), np.float32), *(v.weights for v in visible)], axis=1)
    shape = (len(visible), window.height, window.width)
    return Fragments(
        face.reshape(shape),
        depth.reshape(shape),
        np.concatenate([empty, *(v.pixel + size * i for i, v in enumerate(visible))]),
        (weights[:3] / weights[3]).T,
    )

"""Small closed meshes, and what is true of them."""

import numpy as np

from tools.cc0_body import decimate, makehuman


def ball(size=8, radii=(0.5, 1.0, 0.4)):
    """A cube of size x size quads a side, blown up to an ellipsoid: (V, 3) points, (Q, 4) quads."""
    steps = np.linspace(-1, 1, size + 1)
    grid = np.stack(np.meshgrid(steps, steps, indexing="ij"), -1).reshape(-1, 2)
    number = np.arange((size + 1) ** 2).reshape(size + 1, size + 1)
    quad = np.stack([number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]], -1)
    quad = quad.reshape(-1, 4)
    points, quads = [], []
    for axis in range(3):
        for side in (-1, 1):
            quads.append((quad if side > 0 else quad[:, ::-1]) + len(points) * len(grid))
            points.append(np.roll(np.insert(grid, 2, side, axis=1), axis + 1, axis=1))
    points, index = np.unique(np.round(np.concatenate(points), 9), axis=0, return_inverse=True)
    points = points / np.linalg.norm(points, axis=1, keepdims=True) * radii
    return points, index.ravel()[np.concatenate(quads)]


def volume(points, faces):
    """Volume of a closed mesh."""
    a, b, c = np.moveaxis(points[faces], 1, 0)
    return np.sum(a * np.cross(b, c)) / 6


def is_closed(faces):
    """Whether each edge has two faces, and the mesh no holes through it."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges, count = np.unique(np.sort(edges, 1), axis=0, return_counts=True)
    return (count == 2).all() and len(np.unique(faces)) - len(edges) + len(faces) == 2


def solid_ball():
    """Points, triangles and mirror map of `ball`."""
    points, quads = ball()
    mirror = makehuman.mirror_map(points)
    return points, decimate.triangulate(points, quads, mirror), mirror

"""Decimates a closed mirror-symmetric mesh by collapsing edges; it stays closed and symmetric.

Only one half of the mesh is decimated, including its seam (the vertices on x = 0), and then
reflected. The kept vertices do not move, so that weights and morph targets of the dense mesh are
valid for them. Order of collapses: Garland and Heckbert 1997, "Surface simplification using quadric
error metrics", with half-edge collapses. Plain Python numbers: the same order on every machine.
"""

import heapq

import numpy as np

_LENGTH_COST = 2.5e-3  # keeps flat regions from growing one huge triangle
_HIDDEN_FIRST = -1e3  # cost of a hidden vertex: collapsed before all visible ones
_MAX_NEIGHBOURS = 11
_MIN_NORMAL_COSINE = 0.35  # no triangle rotates by more than 70 degrees
_SLIVER = 0.12  # twice the area over the longest edge squared


def triangulate(points, quads, mirror):
    """Cuts (Q, 4) symmetric quads along the shorter diagonal -> (2 Q, 3) symmetric triangles.

    The rule is applied to the left and reflected; ValueError for a quad that crosses x = 0.
    """
    left = _one_side(points, quads)
    corners = points[left]
    first = np.linalg.norm(corners[:, 0] - corners[:, 2], axis=1)
    second = np.linalg.norm(corners[:, 1] - corners[:, 3], axis=1)
    cut_first = left[:, [0, 1, 2, 0, 2, 3]]
    cut_second = left[:, [0, 1, 3, 1, 2, 3]]
    half = np.where((first <= second)[:, None], cut_first, cut_second).reshape(-1, 3)
    return np.concatenate([half, mirror[half][:, ::-1]])


def decimate(points, faces, mirror, num_vertices, importance=None, hidden=None):
    """Removes vertices until `num_vertices` remain.

    Args:
      points: (V, 3), reflected by `mirror` in x = 0.
      faces: (F, 3) of a closed surface, symmetric.
      mirror: (V,) index of each vertex's reflection; of itself on x = 0.
      num_vertices: how many to keep.
      importance: (V,) factor on the cost of removing a vertex; None: 1.
      hidden: (V,) bool, vertices to remove before all others; None: no vertices.

    Returns:
      (num_vertices,) sorted indices of the kept vertices, and (F', 3) faces among the kept ones.

    Raises:
      ValueError: no further vertex can be removed without tearing or folding the surface.
    """
    importance = np.ones(len(points)) if importance is None else importance
    hidden = np.zeros(len(points), bool) if hidden is None else hidden
    seam = mirror == np.arange(len(points))
    mesh = _HalfMesh(points, _one_side(points, faces), seam, importance, hidden)
    mesh.collapse_edges(len(points) - num_vertices)
    half = np.array(sorted(mesh.faces.values()))
    faces = np.concatenate([half, mirror[half][:, ::-1]])
    kept = np.unique(faces)
    return kept, np.searchsorted(kept, faces)


def _one_side(points, faces):
    """The faces with x >= 0."""
    left, right = (points[:, 0] > 0)[faces].any(1), (points[:, 0] < 0)[faces].any(1)
    if (left & right).any():
        raise ValueError(f"{(left & right).sum()} faces cross the plane x = 0, none may")
    return faces[left]


class _HalfMesh:
    """The left half of the surface, whose border is the seam."""

    def __init__(self, points, faces, seam, importance, hidden):
        self.points, self.seam = points.tolist(), seam.tolist()
        self.importance, self.hidden = importance.tolist(), hidden.tolist()
        self.faces = {number: tuple(face) for number, face in enumerate(faces.tolist())}
        self.faces_of = {vertex: set() for vertex in np.unique(faces).tolist()}
        for number, face in self.faces.items():
            for vertex in face:
                self.faces_of[vertex].add(number)
        self.quadrics = _quadrics(points, faces, seam)

    def collapse_edges(self, num_removed):
        """Collapses the cheapest edges until `num_removed` vertices of both halves are removed."""
        queue, changes = [], dict.fromkeys(self.faces_of, 0)
        for vertex in self.faces_of:
            self._enqueue(queue, changes, vertex)
        while num_removed > 0:
            if not queue:
                raise ValueError(f"cannot remove {num_removed} more vertices: faces would fold")
            _, removed, kept, *stamp = heapq.heappop(queue)
            if stamp != [changes.get(removed), changes.get(kept)]:
                continue  # outdated: the vertices around it have changed, or it was removed
            # Off the seam the reflected vertex is removed too.
            removes = 1 if self.seam[removed] else 2
            if removes > num_removed or not self._may_collapse(removed, kept):
                continue
            self._collapse(removed, kept)
            num_removed -= removes
            del changes[removed]
            touched = self._neighbours(kept) | {kept}
            for vertex in touched:
                changes[vertex] += 1
            for vertex in touched:
                self._enqueue(queue, changes, vertex)

    def _enqueue(self, queue, changes, removed):
        for kept in self._neighbours(removed):
            if self.hidden[removed] or not self.hidden[kept]:
                cost = self._cost(removed, kept)
                heapq.heappush(queue, (cost, removed, kept, changes[removed], changes[kept]))

    def _cost(self, removed, kept):
        source, target = self.points[removed], self.points[kept]
        squared_length = _squared(_minus(source, target))
        if self.hidden[removed]:
            return _HIDDEN_FIRST + squared_length
        error = _quadric_at(self.quadrics[removed], target) + _quadric_at(
            self.quadrics[kept], target
        )
        return self.importance[removed] * (error + _LENGTH_COST * squared_length**2)

    def _neighbours(self, vertex):
        return {other for face in self.faces_of[vertex] for other in self.faces[face]} - {vertex}

    def _num_neighbours(self, neighbours, vertex):
        """Counted on the whole surface."""
        if not self.seam[vertex]:
            return len(neighbours)
        return sum(1 if self.seam[other] else 2 for other in neighbours)

    def _may_collapse(self, removed, kept):
        around_removed, around_kept = self._neighbours(removed), self._neighbours(kept)
        shared = around_removed & around_kept
        # The ends of an edge share two neighbours, or one along the seam; otherwise two sheets
        # would touch. No edge off the seam has only one, so the seam stays on the seam.
        if len(shared) != (1 if self.seam[removed] else 2):
            return False
        if self.seam[kept] and not self.seam[removed]:
            # An edge to another seam vertex would be mirrored onto itself.
            if any(self.seam[other] for other in around_removed - shared - {kept}):
                return False
        total = self._num_neighbours(around_removed, removed) + self._num_neighbours(
            around_kept, kept
        )
        return total - 4 <= _MAX_NEIGHBOURS and not self._folds(removed, kept)

    def _folds(self, removed, kept):
        """Whether a triangle would vanish or, unless hidden, flip or become a sliver."""
        for number in self.faces_of[removed] - self.faces_of[kept]:
            before = [self.points[vertex] for vertex in self.faces[number]]
            after = [
                self.points[kept if vertex == removed else vertex] for vertex in self.faces[number]
            ]
            old, new = _normal(*before), _normal(*after)
            old_area, new_area = _squared(old) ** 0.5, _squared(new) ** 0.5  # twice the areas
            if self.hidden[removed]:
                if new_area < 1e-12:
                    return True
                continue
            if new_area < 1e-10 or _dot(old, new) < _MIN_NORMAL_COSINE * old_area * new_area:
                return True
            longest = max(map(_squared, map(_minus, after, after[1:] + after[:1])))
            if new_area < _SLIVER * longest and new_area < old_area / 2:
                return True
        return False

    def _collapse(self, removed, kept):
        for number in self.faces_of.pop(removed):
            face = self.faces[number]
            if kept in face:
                del self.faces[number]
                for vertex in face:
                    if vertex != removed:
                        self.faces_of[vertex].discard(number)
            else:
                self.faces[number] = tuple(kept if vertex == removed else vertex for vertex in face)
                self.faces_of[kept].add(number)
        self.quadrics[kept] = [a + b for a, b in zip(self.quadrics[kept], self.quadrics[removed])]


def _quadrics(points, faces, seam):
    """Ten numbers a vertex: the sum over its faces of area * (distance to their plane)^2."""
    corners = points[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    doubled = np.maximum(np.linalg.norm(normals, axis=1), 1e-12)
    a, b, c = (normals / doubled[:, None]).T
    d = -(a * corners[:, 0, 0] + b * corners[:, 0, 1] + c * corners[:, 0, 2])
    terms = np.stack([a * a, b * b, c * c, d * d, a * b, a * c, a * d, b * c, b * d, c * d], 1)
    total = np.zeros([len(points), 10])
    for corner in range(3):
        np.add.at(total, faces[:, corner], terms * doubled[:, None] / 2)
    total[seam] *= 2  # the reflected faces, equally far from a point of the seam
    return total.tolist()


def _quadric_at(quadric, point):
    aa, bb, cc, dd, ab, ac, ad, bc, bd, cd = quadric
    x, y, z = point
    mixed = ab * x * y + ac * x * z + ad * x + bc * y * z + bd * y + cd * z
    return aa * x * x + bb * y * y + cc * z * z + dd + 2 * mixed


def _minus(a, b):
    return (a[0] - b[0], a[1] - b[1], a[2] - b[2])


def _dot(a, b):
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _squared(a):
    return _dot(a, a)


def _normal(a, b, c):
    """Normal of a triangle, as long as twice its area."""
    u, v = _minus(b, a), _minus(c, a)
    return (u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0])

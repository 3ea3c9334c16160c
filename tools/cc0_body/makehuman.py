"""MakeHuman's base person as MPFB2 stores it: mesh, joint markers, bones, weights, targets.

Lengths are decimetres, y up, facing +z; `.L` and `l-` are the person's left, which is +x.
"""

import gzip
import json
from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from tools.cc0_body import makehuman_wheel


class Bone(NamedTuple):
    parent: str  # "" for the root
    head: tuple[int, ...]  # the bone begins at the mean of these vertices


class MakeHuman(NamedTuple):
    """The base person."""

    vertices: np.ndarray  # (19158, 3) decimetres, arms hanging at 45 degrees
    quads: np.ndarray  # (Q, 4) faces of the skin
    eye_quads: np.ndarray  # (E, 4) faces of the two eyeballs
    markers: dict[str, tuple[int, ...]]  # "l-knee" -> vertices; their mean is the marker
    bones: dict[str, Bone]  # parents come before their children
    weights: np.ndarray  # (19158, bones) skin weights, rows sum to 1
    num_skin: int  # the skin's vertices come first, then eyes, helpers for clothes, markers


def read(archive):
    """Reads the base person from the opened wheel (ZipFile) -> MakeHuman."""
    vertices, faces = _read_obj(_text(archive, "3dobjs/base.obj"))
    ranges = json.loads(_text(archive, "mesh_metadata/basemesh_vertex_groups.json"))
    markers = {
        name[len("joint-") :]: _indices(spans)
        for name, spans in ranges.items()
        if name.startswith("joint-")
    }
    rig = json.loads(_text(archive, "rigs/standard/rig.default.json"))
    bones = _parents_first(
        {name: Bone(raw["parent"], _head(raw["head"], markers)) for name, raw in rig.items()}
    )
    raw_weights = json.loads(_text(archive, "rigs/standard/weights.default.json"))["weights"]
    weights = _weight_matrix(raw_weights, list(bones), len(vertices))
    eye_quads = np.concatenate([faces["helper-l-eye"], faces["helper-r-eye"]])
    num_skin = len(_indices(ranges["body"]))
    return MakeHuman(vertices, faces["body"], eye_quads, markers, bones, weights, num_skin)


def read_targets(archive, names, num_vertices):
    """Reads morph targets -> (len(names), num_vertices, 3) offsets in decimetres.

    All zero for a name without a file: it means the base person.
    """
    known = set(archive.namelist())
    offsets = np.zeros([len(names), num_vertices, 3])
    for target, name in zip(offsets, names):
        path = f"{makehuman_wheel.DATA_FOLDER}targets/{name}.target.gz"
        if path not in known:
            continue
        for line in gzip.decompress(archive.read(path)).decode().splitlines():
            values = line.split()  # vertex number, x, y, z; other lines are comments
            if len(values) == 4 and values[0].isdigit():
                target[int(values[0])] = [float(value) for value in values[1:]]
    return offsets


def mirror_map(points, tolerance=1e-6):
    """(V, 3) -> (V,) index of each point's reflection in x = 0; ValueError if one has none."""
    distance, mirror = cKDTree(points).query(points * [-1.0, 1.0, 1.0])
    if distance.max() > tolerance or (mirror[mirror] != np.arange(len(points))).any():
        raise ValueError(f"not mirror-symmetric: a point lies {distance.max()} from its reflection")
    return mirror


def _text(archive, path):
    return archive.read(makehuman_wheel.DATA_FOLDER + path).decode()


def _read_obj(text):
    """-> (V, 3) vertices and {group: (F, 4) quads}."""
    vertices, faces, group = [], {}, ""
    for line in text.splitlines():
        kind, *values = line.split() or [""]
        if kind == "v":
            vertices.append([float(value) for value in values])
        elif kind == "g":
            group = values[0]
        elif kind == "f":
            faces.setdefault(group, []).append([int(value.split("/")[0]) - 1 for value in values])
    return np.array(vertices), {name: np.array(quads) for name, quads in faces.items()}


def _indices(spans):
    """[[first, last], ...] -> all vertices between, ends included."""
    return tuple(index for first, last in spans for index in range(first, last + 1))


def _head(raw, markers):
    if raw["strategy"] == "CUBE":
        return markers[raw["cube_name"][len("joint-") :]]
    return (raw["vertex_index"],) if raw["strategy"] == "VERTEX" else tuple(raw["vertex_indices"])


def _parents_first(bones):
    ordered = {}

    def add(name):
        if name and name not in ordered:
            add(bones[name].parent)
            ordered[name] = bones[name]

    for name in bones:
        add(name)
    return ordered


def _weight_matrix(raw, bones, num_vertices):
    weights = np.zeros([num_vertices, len(bones)])
    for column, bone in enumerate(bones):
        for vertex, weight in raw.get(bone, ()):
            weights[vertex, column] += weight
    return weights / weights.sum(1, keepdims=True)

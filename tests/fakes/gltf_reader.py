"""Reads a GLB back and skins it as the glTF specification says; knows nothing of SMPL."""

import json
import struct

import numpy as np
from scipy.spatial.transform import Rotation

_DTYPES = {5126: "<f4", 5121: "u1", 5123: "<u2", 5125: "<u4"}
_COLUMNS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class Glb:
    """`document` is the JSON; `array(i)` the numbers of an accessor."""

    def __init__(self, content):
        magic, version, length = struct.unpack_from("<4sII", content)
        assert (magic, version, length) == (b"glTF", 2, len(content))
        size, kind = struct.unpack_from("<I4s", content, 12)
        assert kind == b"JSON"
        self.document = json.loads(content[20 : 20 + size])
        binary_size, kind = struct.unpack_from("<I4s", content, 20 + size)
        assert kind == b"BIN\0"
        self.binary = content[28 + size :]
        assert len(self.binary) == binary_size == self.document["buffers"][0]["byteLength"]

    def array(self, number):
        accessor = self.document["accessors"][number]
        view = self.document["bufferViews"][accessor["bufferView"]]
        count = accessor["count"] * _COLUMNS[accessor["type"]]
        values = np.frombuffer(
            self.binary, _DTYPES[accessor["componentType"]], count, view["byteOffset"]
        )
        assert values.nbytes == view["byteLength"]
        return values.reshape(accessor["count"], -1)

    def node(self, name):
        """Numbers of the nodes of that name."""
        return [i for i, node in enumerate(self.document["nodes"]) if node.get("name") == name]

    def animation_times(self):
        """Sorted times of all keyframes."""
        samplers = [s for animation in self.document["animations"] for s in animation["samplers"]]
        return sorted({t for s in samplers for t in self.array(s["input"])[:, 0].tolist()})

    def posed(self, seconds=None):
        """Nodes' properties at that time of the animation; None: as they stand in the file."""
        nodes = [dict(node) for node in self.document["nodes"]]
        for animation in self.document.get("animations", []) if seconds is not None else []:
            for channel in animation["channels"]:
                sampler = animation["samplers"][channel["sampler"]]
                times, values = self.array(sampler["input"])[:, 0], self.array(sampler["output"])
                values = values.reshape(len(times), -1)
                value = _sample(times, values, seconds, sampler["interpolation"])
                nodes[channel["target"]["node"]][channel["target"]["path"]] = value
        return nodes

    def global_transforms(self, nodes):
        """(N, 4, 4) places of the nodes."""
        parents = {c: i for i, node in enumerate(nodes) for c in node.get("children", ())}

        def place(i):
            local = np.eye(4)
            rotation = Rotation.from_quat(nodes[i].get("rotation", (0, 0, 0, 1))).as_matrix()
            local[:3, :3] = rotation * np.asarray(nodes[i].get("scale", (1, 1, 1)))
            local[:3, 3] = nodes[i].get("translation", (0, 0, 0))
            return place(parents[i]) @ local if i in parents else local

        return np.stack([place(i) for i in range(len(nodes))])

    def skinned(self, seconds=None):
        """list of (V, 3): the vertices of every mesh."""
        nodes = self.posed(seconds)
        global_transforms = self.global_transforms(nodes)
        return [self._skin(node, global_transforms) for node in nodes if "mesh" in node]

    def _skin(self, node, global_transforms):
        mesh, skin = self.document["meshes"][node["mesh"]], self.document["skins"][node["skin"]]
        (primitive,) = mesh["primitives"]
        attributes = {name: self.array(i) for name, i in primitive["attributes"].items()}
        points = attributes["POSITION"].astype(float)
        weights = node.get("weights", mesh.get("weights", []))
        for target, weight in zip(primitive.get("targets", []), weights):
            points = points + weight * self.array(target["POSITION"])
        inverse = self.array(skin["inverseBindMatrices"]).reshape(-1, 4, 4).swapaxes(1, 2)
        bones = global_transforms[skin["joints"]] @ inverse
        of_vertex = np.einsum(
            "vk,vkij->vij", attributes["WEIGHTS_0"], bones[attributes["JOINTS_0"]]
        )
        return np.einsum("vij,vj->vi", of_vertex[:, :3, :3], points) + of_vertex[:, :3, 3]


def _sample(times, values, seconds, interpolation):
    if interpolation == "STEP":
        return values[max(np.searchsorted(times, seconds + 1e-6, side="right") - 1, 0)]
    return np.array([np.interp(seconds, times, column) for column in values.T])

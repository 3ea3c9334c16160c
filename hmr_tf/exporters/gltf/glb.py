"""Writes rigged people as GLB (glTF 2.0): skin, named joints, animation with root motion, y up.

A glTF skin has no pose blend shapes, the deformation of flesh at bent joints: `pose_morphs` adds
them as morph targets. The format: https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html
"""

import numpy as np

from hmr_tf.body.body_model import rest_body, rest_joints
from hmr_tf.body.skeleton import SMPL_JOINTS
from hmr_tf.exporters.gltf import gltf_animation, morphs
from hmr_tf.exporters.gltf.gltf_buffer import INDICES, VERTICES, Buffer, container
from hmr_tf.files import atomic
from hmr_tf.rendering import render

# sRGB of the bodies, person after person.
COLORS = (render.LIGHT_BLUE, (0.90, 0.68, 0.52), (0.66, 0.82, 0.62), (0.82, 0.66, 0.84))
_PER_VERTEX = 4  # joints that influence a vertex: few programs read a second set


def write_glb(path, people, body, **options):
    """Writes the bytes of `glb` to a file."""
    atomic.write_bytes(path, glb(people, body, **options))


def glb(people, body, fps=30.0, first_frame=None, shape_morphs=False, pose_morphs=0):
    """The bytes of a GLB file with all people.

    Each person is a skinned mesh of their shape, posed as in their first frame, and a node of
    their name with 24 joints under SMPL's names. With more than one frame there is an animation
    "motion": rotations of all joints and translation of the pelvis. A person who is not in all
    frames is scaled to zero in the others.

    Args:
      people: list of `motion.Motion`.
      body: `body_model.BodyModel`.
      fps: frames a second.
      first_frame: number of the frame at time 0; None: the first one with a person.
      shape_morphs: add ten morph targets beta0..beta9 to the shape; they leave the joints in place.
      pose_morphs: add at most so many morph targets for the pose blend shapes, animated; 1 is exact
        for one frame, N for N frames.

    Raises:
      ValueError: no people, fps not positive, more than 4 GiB.
    """
    if not people or not 0 < fps < np.inf:
        raise ValueError(
            f"people must not be empty and fps must be positive; received {len(people)} people, "
            f"fps {fps}"
        )
    buffer = Buffer()
    skinning = _skinning(body, buffer)
    document = {
        "asset": {"version": "2.0", "generator": "hmr_tf"},
        "scene": 0,
        "scenes": [{"nodes": []}],
        **{kind: [] for kind in ("nodes", "meshes", "skins", "materials")},
    }
    targets = [morphs.morph_targets(person, body, shape_morphs, pose_morphs) for person in people]
    for person, target in zip(people, targets):
        _add_person(document, buffer, person, body, target, skinning)
    frames = {frame for person in people for frame in person.frames}
    start = min(frames) if first_frame is None else first_frame
    if len(frames | {start}) > 1:
        rest_pelvises = [rest_joints(body, person.betas)[0] for person in people]
        document["animations"] = [
            gltf_animation.animation(people, rest_pelvises, targets, fps, start, buffer)
        ]
    return container(document, buffer)


def _skinning(body, buffer):
    """The data that all people share: vertex attributes of the skin, and the faces."""
    weights = body.lbs_weights
    joints = np.argsort(-weights, axis=1, kind="stable")[:, :_PER_VERTEX]
    strongest = np.take_along_axis(weights, joints, axis=1)
    strongest = (strongest / strongest.sum(axis=1, keepdims=True)).astype(np.float32)
    # glTF requires an exact sum of one, and joint 0 where the weight is zero.
    strongest[:, 0] += 1 - strongest.sum(axis=1, dtype=np.float64).astype(np.float32)
    joints = np.where(strongest > 0, joints, 0).astype(np.uint8)
    # The largest number of each type is reserved.
    index_type = np.uint16 if len(weights) < 2**16 - 1 else np.uint32
    return {
        "JOINTS_0": buffer.add(joints, VERTICES),
        "WEIGHTS_0": buffer.add(strongest, VERTICES),
    }, buffer.add(body.faces.ravel().astype(index_type), INDICES)


def _add_person(document, buffer, person, body, targets, skinning):
    """Appends the person's nodes, mesh, skin and material to the document."""
    number = len(document["meshes"])
    nodes = gltf_animation.person_nodes(number)
    vertices, joints = rest_body(body, person.betas)
    document["nodes"] += _joint_nodes(person, joints, body.parents, nodes.joints[0])
    document["nodes"] += [
        {"name": person.name, "children": [nodes.joints[0]]},
        {"name": f"{person.name}_mesh", "mesh": number, "skin": number},
    ]
    document["scenes"][0]["nodes"] += [nodes.rig, nodes.mesh]
    attributes, faces = skinning
    normals = render.vertex_normals(vertices[None].astype(np.float32), body.faces)[0]
    normals[~normals.any(axis=1)] = (0, 1, 0)  # of vertices without a face
    primitive = {
        "attributes": {
            "POSITION": buffer.add(vertices.astype(np.float32), VERTICES, bounds=True),
            "NORMAL": buffer.add(normals, VERTICES),
            **attributes,
        },
        "indices": faces,
        "material": number,
    }
    mesh = {"name": person.name, "primitives": [primitive]}
    mesh["extras"] = {"betas": person.betas.tolist()}
    if targets:
        primitive["targets"] = [
            {"POSITION": buffer.add(offsets.astype(np.float32), VERTICES, bounds=True)}
            for offsets in targets.offsets
        ]
        mesh["weights"] = targets.weights[0].tolist()
        mesh["extras"]["targetNames"] = targets.names  # as Blender and three.js read them
    document["meshes"].append(mesh)
    document["skins"].append(_skin(person, joints, nodes, buffer))
    document["materials"].append(_material(number))


def _joint_nodes(person, joints, parents, first):
    """The skeleton in its first pose; node `first` + j is joint j."""
    rotations = gltf_animation.quaternions(person.rotations[:1])[0]
    nodes = []
    for joint, name in enumerate(SMPL_JOINTS):
        parent = parents[joint]
        offset = joints[joint] - joints[parent] if parent >= 0 else joints[0] + person.transl[0]
        children = [first + child for child, p in enumerate(parents) if p == joint]
        nodes.append(
            {
                "name": name,
                "translation": offset.tolist(),
                "rotation": rotations[joint].tolist(),
                **({"children": children} if children else {}),
            }
        )
    return nodes


def _skin(person, joints, nodes, buffer):
    inverse = np.tile(np.eye(4, dtype=np.float32), (len(joints), 1, 1))
    inverse[:, 3, :3] = -joints  # glTF stores columns: the last row is the translation
    return {
        "name": person.name,
        "joints": list(nodes.joints),
        "skeleton": nodes.joints[0],
        "inverseBindMatrices": buffer.add(inverse.reshape(-1, 16)),
    }


def _material(number):
    color = np.array(COLORS[number % len(COLORS)])
    return {
        "name": f"body{number}",
        "pbrMetallicRoughness": {
            "baseColorFactor": [*(color**2.2).round(4).tolist(), 1.0],  # glTF's colours are linear
            "metallicFactor": 0.0,
            "roughnessFactor": 0.7,
        },
    }

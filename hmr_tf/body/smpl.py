"""SMPL (Loper et al. 2015): pose and shape to a mesh, its joints and the 19 keypoints.

Rest shape, joints and keypoints are all linear in f = [1, betas, rotations 1-23], so each is one
matrix product; what remains is the chain of 24 joints and the skinning. Points are kept by
component, (B, 3, N), so that every step of the skinning runs along the vertices.
"""

from typing import NamedTuple, Optional

import numpy as np
import tensorflow as tf

from hmr_tf.body.rotation import matrix_from_axis_angle
from hmr_tf.body.skeleton import lsp_joints_from_keypoints


class Body(NamedTuple):
    """A posed body; B bodies, V vertices."""

    vertices: Optional[tf.Tensor]  # (B, V, 3) metres; None on the joints-only path
    smpl_joints: tf.Tensor  # (B, 24, 3) metres, posed, order of `skeleton.SMPL_JOINTS`
    joints3d: tf.Tensor  # (B, 19, 3) metres, the keypoints, order of `skeleton.KEYPOINTS`
    rotations: tf.Tensor  # (B, 24, 3, 3) each joint relative to its parent

    @property
    def lsp_joints(self):
        """(B, 14, 3) metres, the keypoints named in `skeleton.LSP_JOINTS`."""
        return lsp_joints_from_keypoints(self.joints3d)


class SMPL(tf.Module):
    """The body model as tensors. Nothing in it is trained.

    Nothing here is compiled: a SavedModel must run where there is no XLA, and a second of compiling
    for every batch size pays only after thousands of bodies. `tf.function(smpl, jit_compile=True)`
    does it for them.
    """

    def __init__(self, model, name="smpl"):
        """Args: model: `body_model.BodyModel`."""
        super().__init__(name=name)
        self.faces = model.faces
        self.topology = model.topology
        self._parents = model.parents.tolist()
        blend = _blend_matrix(model)  # (218, 3, V)
        parts = _keypoint_parts(model, blend)
        # The rest joints follow from betas alone: the template as it is, without pose blend shapes.
        shape_only = np.concatenate([model.v_template[None], np.moveaxis(model.shapedirs, -1, 0)])
        rest_joints = np.einsum("jv,fvc->fjc", model.joint_regressor, shape_only)

        def constant(array, name):
            return tf.Variable(array.astype(np.float32), trainable=False, name=name)

        def by_feature(array, name):
            return constant(array.reshape(len(array), -1), name)

        self._rest_joints = by_feature(rest_joints, "rest_joints")
        self._blend = by_feature(blend, "blend")
        self._weights = constant(model.lbs_weights.T, "weights")
        self._part_blend = by_feature(parts.blend, "part_blend")
        self._part_bones = constant(parts.bones, "part_bones")
        self._part_keypoints = constant(parts.keypoints, "part_keypoints")
        self._keypoint_weights = constant(parts.keypoint_weights, "keypoint_weights")
        self._ancestors = constant(_ancestors(self._parents), "ancestors")

    def __call__(self, pose, betas):
        """A pose and a shape -> Body.

        Args:
          pose: (B, 24, 3) axis-angle in radians, or (B, 24, 3, 3) rotation matrices.
          betas: (B, 10).
        """
        features, turns, shifts, body = self._posed(pose, betas)
        rest = tf.reshape(tf.matmul(features, self._blend), [tf.shape(features)[0], 3, -1])
        shift = _shared(shifts, self._weights)
        vertices = tf.add_n([*_turned(rest, turns, self._weights), shift])
        return body._replace(vertices=tf.transpose(vertices, [0, 2, 1]))

    @property
    def skinning_weights(self):
        """(V, 24) numpy: how much each joint moves each vertex."""
        return self._weights.numpy().T

    def joints_only(self, pose, betas):
        """As `__call__`, but never builds the mesh: what training needs."""
        return self._posed(pose, betas)[-1]

    def _posed(self, pose, betas):
        rotations = pose if pose.shape.rank == 4 else matrix_from_axis_angle(pose)
        batch = tf.shape(betas)[0]
        shape_features = tf.concat([tf.ones_like(betas[:, :1]), betas], axis=-1)
        features = tf.concat([shape_features, tf.reshape(rotations[:, 1:], [batch, -1])], axis=-1)
        rest_joints = tf.reshape(tf.matmul(shape_features, self._rest_joints), [batch, 24, 3])
        turns, joints = self._chain(rotations, rest_joints)
        # Where a point goes: turned about the rest joint, carried to the posed joint.
        shifts = joints - tf.linalg.matvec(turns, rest_joints)
        keypoints = self._keypoints(features, turns, shifts)
        return features, turns, shifts, Body(None, joints, keypoints, rotations)

    def _chain(self, rotations, rest_joints):
        """World rotation (B, 24, 3, 3) and place (B, 24, 3) of the joints."""
        bones = rest_joints[:, 1:] - tf.gather(rest_joints, self._parents[1:], axis=1)
        bones = tf.concat([rest_joints[:, :1], bones], axis=1)
        own = tf.concat([rotations, bones[..., None]], axis=-1)  # (B, 24, 3, 4)
        world = own[:, :1]
        for start, stop in _levels(self._parents):
            parent_turns = tf.gather(world[..., :3], self._parents[start:stop], axis=1)
            world = tf.concat([world, tf.matmul(parent_turns, own[:, start:stop])], axis=1)
        return world[..., :3], tf.einsum("jk,bkC->bjC", self._ancestors, world[..., 3])

    def _keypoints(self, features, turns, shifts):
        parts = tf.reshape(tf.matmul(features, self._part_blend), [tf.shape(features)[0], 3, -1])
        parts = tf.add_n(_turned(parts, turns, self._part_bones))
        keypoints = tf.tensordot(parts, self._part_keypoints, 1)
        keypoints += _shared(shifts, self._keypoint_weights)
        return tf.transpose(keypoints, [0, 2, 1])


def _shared(vectors, weights):
    """(B, 24, 3) one vector a joint, (24, N) -> (B, 3, N) each point's weighted sum of them."""
    return tf.tensordot(vectors, weights, [[1], [0]])


def _turned(points, turns, weights):
    """The three terms of every point times its blended rotation.

    A sum over x, y and z, each with the column of the rotation that it meets: a 3x4 matrix for
    every vertex is never stored whole.
    """
    # Not points[:, c, None]: OpenVINO 2026.4 reads an index beside a new axis wrongly.
    return [_shared(turns[..., c], weights) * points[:, c : c + 1] for c in range(3)]


def _levels(parents):
    """Runs of joints (start, stop), the root left out, whose parents all come before the run."""
    starts = [1]
    for joint, parent in enumerate(parents):
        if parent >= starts[-1]:
            starts.append(joint)
    return list(zip(starts, [*starts[1:], len(parents)]))


def _ancestors(parents):
    """(J, J), 1 where the second joint is the first or comes before it on the way to the root."""
    above = np.eye(len(parents))
    for joint, parent in enumerate(parents[1:], 1):
        above[joint] += above[parent]
    return above


def _blend_matrix(model):
    """(218, 3, V) rest vertices of each feature of f."""
    # posedirs count from the identity, f holds whole rotations: what is too much is taken out once.
    identity = np.tile(np.eye(3).ravel(), 23)
    template = model.v_template - model.posedirs @ identity
    return np.concatenate([template.T[None], model.shapedirs.T, model.posedirs.T])


class _KeypointParts(NamedTuple):
    """What a keypoint is made of: P parts, each carried by one bone.

    A keypoint is a weighted sum of vertices and a vertex of bones' transforms; swapping the sums
    leaves a few points to carry instead of the mesh.
    """

    blend: np.ndarray  # (218, 3, P) rest place by feature, times the part's weight
    bones: np.ndarray  # (J, P) 1 where the bone carries the part
    keypoints: np.ndarray  # (P, K) 1 where the part belongs to the keypoint
    keypoint_weights: np.ndarray  # (J, K) weight of each bone


def _keypoint_parts(model, blend):
    used = np.flatnonzero(model.keypoint_regressor.any(axis=0))
    share = np.einsum("kv,vj->kjv", model.keypoint_regressor[:, used], model.lbs_weights[used])
    keypoint, bone = np.nonzero(share.any(axis=-1))
    return _KeypointParts(
        blend=np.tensordot(blend[..., used], share[keypoint, bone], [[2], [1]]),
        bones=np.eye(share.shape[1])[:, bone],
        keypoints=np.eye(share.shape[0])[keypoint],
        keypoint_weights=share.sum(axis=-1).T,
    )

"""SMPL (Loper et al. 2015): pose and shape to a mesh, its joints and the 19 keypoints.

Rest shape, joints and keypoints are all linear in f = [1, betas, rotations 1-23], so each is one
matrix product; what remains is the chain of 24 joints and the skinning.
"""

from typing import NamedTuple, Optional

import numpy as np
import tensorflow as tf

from hmr_tf.body.rotation import matrix_from_axis_angle
from hmr_tf.errors import InputError


class Body(NamedTuple):
    """A posed body; B bodies, V vertices."""

    vertices: Optional[tf.Tensor]  # (B, V, 3) metres; None on the joints-only path
    joints: tf.Tensor  # (B, 24, 3) metres, the posed SMPL joints
    keypoints: tf.Tensor  # (B, 19, 3) metres, order of `skeleton.KEYPOINTS`
    rotations: tf.Tensor  # (B, 24, 3, 3) each joint relative to its parent


class SMPL(tf.Module):
    """The body model as tensors. Nothing in it is trained."""

    def __init__(self, model, vertex_ids=None, name="smpl"):
        """Args:
          model: `model_file.ModelData`.
          vertex_ids: SMPL's numbers of the only vertices to pose; None means the whole mesh.

        Raises:
          InputError: `vertex_ids` on a body with another topology, where they mean nothing.
        """
        super().__init__(name=name)
        if vertex_ids is not None and model.topology != "smpl":
            raise InputError(
                f"SMPL's vertex ids mean nothing on a body of topology {model.topology!r}: pass a "
                "licensed model, --smpl_model_path=FILE."
            )
        posed = slice(None) if vertex_ids is None else np.asarray(vertex_ids)
        self.faces = model.faces if vertex_ids is None else None
        self.topology = model.topology
        self._levels = _tree_levels(model.parents)
        blend = _blend_matrix(model)  # (218, V, 3)
        keypoint_mass, keypoint_blend = _keypoint_basis(model, blend)
        num_features = len(blend)
        num_shape = 1 + model.shapedirs.shape[-1]
        # The rest joints follow from betas alone: the template as it is, without pose blend shapes.
        shape_only = np.concatenate([model.v_template[None], np.moveaxis(model.shapedirs, -1, 0)])
        rest_joints = np.einsum("jv,fvc->fjc", model.joint_regressor, shape_only)

        def constant(array, name):
            return tf.Variable(array.astype(np.float32), trainable=False, name=name)

        # Component-major, so that every step of the skinning runs along the vertices.
        self._blend = constant(
            np.moveaxis(blend[:, posed], 2, 1).reshape(num_features, -1), "blend"
        )
        self._weights = constant(model.weights[posed].T, "weights")
        self._rest_joints = constant(rest_joints.reshape(num_shape, -1), "rest_joints")
        self._keypoint_blend = constant(keypoint_blend.reshape(num_features, -1), "keypoint_blend")
        self._keypoint_mass = constant(keypoint_mass, "keypoint_mass")

    def __call__(self, pose, betas):
        """(B, 24, 3) axis-angle or (B, 24, 3, 3) matrices, and (B, 10) betas -> Body."""
        features, chain, body = self._posed(pose, betas)
        rest = tf.reshape(tf.matmul(features, self._blend), [tf.shape(betas)[0], 1, 3, -1])
        skinned = tf.matmul(chain, self._weights)  # (B, 12, V): a 3x4 transform for every vertex
        skinned = tf.reshape(skinned, [tf.shape(betas)[0], 3, 4, -1])
        vertices = tf.reduce_sum(skinned[:, :, :3] * rest, axis=2) + skinned[:, :, 3]
        return body._replace(vertices=tf.transpose(vertices, [0, 2, 1]))

    @property
    def skinning_weights(self):
        """(V, 24) numpy: how much each joint moves each vertex."""
        return self._weights.numpy().T

    def joints_only(self, pose, betas):
        """As `__call__`, but never builds the mesh: what training needs."""
        return self._posed(pose, betas)[2]

    def _posed(self, pose, betas):
        rotations = pose if pose.shape.rank == 4 else matrix_from_axis_angle(pose)
        batch = tf.shape(betas)[0]
        one = tf.ones_like(betas[:, :1])
        shape_features = tf.concat([one, betas], axis=-1)
        features = tf.concat([shape_features, tf.reshape(rotations[:, 1:], [batch, -1])], axis=-1)
        rest_joints = tf.reshape(tf.matmul(shape_features, self._rest_joints), [batch, 24, 3])
        turns, joints = self._chain(rotations, rest_joints)
        # Where a point goes: turned about the rest joint, carried to the posed joint.
        shifts = joints - tf.linalg.matvec(turns, rest_joints)
        blend = tf.reshape(tf.matmul(features, self._keypoint_blend), [batch, -1, 24, 3])
        keypoints = tf.einsum("bjCc,bkjc->bkC", turns, blend)
        keypoints += tf.einsum("kj,bjC->bkC", self._keypoint_mass, shifts)
        transforms = tf.concat([turns, shifts[..., None]], axis=-1)  # (B, 24, 3, 4)
        chain = tf.transpose(tf.reshape(transforms, [batch, 24, 12]), [0, 2, 1])
        return features, chain, Body(None, joints, keypoints, rotations)

    def _chain(self, rotations, rest_joints):
        """World rotation (B, 24, 3, 3) and place (B, 24, 3) of the joints, level by level."""
        turns, joints = rotations[:, :1], rest_joints[:, :1]
        for level in self._levels:
            parent_turns = tf.gather(turns, level.parents, axis=1)
            bones = tf.gather(rest_joints, level.joints, axis=1)
            bones -= tf.gather(rest_joints, level.parent_joints, axis=1)
            own = tf.gather(rotations, level.joints, axis=1)
            places = tf.gather(joints, level.parents, axis=1) + tf.linalg.matvec(
                parent_turns, bones
            )
            turns = tf.concat([turns, tf.matmul(parent_turns, own)], axis=1)
            joints = tf.concat([joints, places], axis=1)
        order = np.argsort(np.concatenate([[0], *(level.joints for level in self._levels)]))
        return tf.gather(turns, order, axis=1), tf.gather(joints, order, axis=1)


class _Level(NamedTuple):
    joints: list  # SMPL numbers of the joints at this depth
    parent_joints: list  # SMPL numbers of their parents
    parents: list  # places of their parents among the joints done before


def _tree_levels(parents):
    depth = [0]
    for parent in parents[1:]:
        depth.append(depth[parent] + 1)
    done, levels = [0], []
    for level in range(1, max(depth) + 1):
        joints = [joint for joint, d in enumerate(depth) if d == level]
        parent_joints = [int(parents[joint]) for joint in joints]
        levels.append(_Level(joints, parent_joints, [done.index(p) for p in parent_joints]))
        done += joints
    return levels


def _blend_matrix(model):
    """(218, V, 3) rest vertices of each feature of f."""
    # posedirs count from the identity, f holds whole rotations: what is too much is taken out once.
    identity = np.tile(np.eye(3).ravel(), 23)
    template = model.v_template - model.posedirs @ identity
    return np.concatenate(
        [template[None], np.moveaxis(model.shapedirs, -1, 0), np.moveaxis(model.posedirs, -1, 0)]
    )


def _keypoint_basis(model, blend):
    """What a keypoint is made of.

    Returns:
      (K, J) share of each bone, and (218, K, J, 3) its rest point by feature, times that share.

    A keypoint is a weighted sum of vertices and a vertex of bones' transforms; swapping the sums
    leaves a few numbers per keypoint and bone instead of the mesh.
    """
    used = np.flatnonzero(model.keypoint_regressor.any(axis=0))
    share = np.einsum("kv,vj->kjv", model.keypoint_regressor[:, used], model.weights[used])
    basis = share.reshape(-1, len(used)) @ np.moveaxis(blend[:, used], 1, 0).reshape(len(used), -1)
    num_keypoints, num_joints, _ = share.shape
    basis = basis.reshape(num_keypoints, num_joints, len(blend), 3)
    return share.sum(axis=-1), np.moveaxis(basis, 2, 0)

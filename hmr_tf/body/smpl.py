"""SMPL (Loper et al. 2015): pose and shape to a mesh, its joints and the 19 keypoints.

Rest shape, rest joints and keypoints are all linear in f = [1, betas, rotations 1-23], so each is
one matrix product; what remains is the kinematic chain of 24 joints and the skinning. Points are
kept by component, (B, 3, N), so that every step of the skinning runs along the vertices.
"""

import hashlib
from typing import NamedTuple, Optional

import numpy as np
import tensorflow as tf

from hmr_tf.body.rotation import matrix_from_axis_angle
from hmr_tf.body.skeleton import lsp_joints_from_keypoints


class Body(NamedTuple):
    """Posed bodies; B bodies, V vertices."""

    vertices: Optional[tf.Tensor]  # (B, V, 3) metres; None on the joints-only path
    smpl_joints: tf.Tensor  # (B, 24, 3) metres, order of `skeleton.SMPL_JOINTS`
    joints3d: tf.Tensor  # (B, 19, 3) metres, the keypoints in 3D, order of `skeleton.KEYPOINTS`
    rotations: tf.Tensor  # (B, 24, 3, 3) each joint relative to its parent

    @property
    def lsp_joints(self):
        """(B, 14, 3) metres, the keypoints named in `skeleton.LSP_JOINTS`."""
        return lsp_joints_from_keypoints(self.joints3d)


class SMPL(tf.Module):
    """The body model as tensors. It has no trainable variables.

    Nothing here is compiled: a SavedModel must run without XLA, and a second of compiling for every
    batch size pays only after thousands of bodies. `tf.function(smpl, jit_compile=True)` compiles.
    """

    def __init__(self, body, name="smpl"):
        """Args: body: `body_model.BodyModel`."""
        super().__init__(name=name)
        self.faces = body.faces
        self.topology = body.topology
        self.keypoint_regressor = body.keypoint_regressor  # (19, V) numpy
        self._parents = body.parents.tolist()
        blend = _blend_matrix(body)  # (218, 3, V)
        parts = _keypoint_parts(body, blend)
        # The rest joints follow from betas alone: the template as it is, without pose blend shapes.
        shape_only = np.concatenate([body.v_template[None], np.moveaxis(body.shapedirs, -1, 0)])
        rest_joints = np.einsum("jv,fvc->fjc", body.joint_regressor, shape_only)

        def constant(array, name):
            return tf.Variable(array.astype(np.float32), trainable=False, name=name)

        def by_feature(array, name):
            return constant(array.reshape(len(array), -1), name)

        self._rest_joints = by_feature(rest_joints, "rest_joints")
        self._blend = by_feature(blend, "blend")
        self._weights = constant(body.lbs_weights.T, "weights")
        self._part_blend = by_feature(parts.blend, "part_blend")
        self._part_joints = constant(parts.joints, "part_joints")
        self._part_keypoints = constant(parts.keypoints, "part_keypoints")
        self._keypoint_weights = constant(parts.keypoint_weights, "keypoint_weights")
        self._ancestors = constant(_ancestors(self._parents), "ancestors")

    def __call__(self, pose, betas):
        """Pose and shape -> Body.

        Args:
          pose: (B, 24, 3) axis-angle in radians, or (B, 24, 3, 3) rotation matrices.
          betas: (B, 10).
        """
        features, global_rotations, translations, posed = self._pose_joints(pose, betas)
        rest = tf.reshape(tf.matmul(features, self._blend), [tf.shape(features)[0], 3, -1])
        translation = _blend_vectors(translations, self._weights)
        vertices = tf.add_n([*_rotation_terms(rest, global_rotations, self._weights), translation])
        return posed._replace(vertices=tf.transpose(vertices, [0, 2, 1]))

    @property
    def lbs_weights(self):
        """(V, 24) numpy skinning weights."""
        return self._weights.numpy().T

    def mesh_digest(self):
        """SHA-256 of what meshes are made from, but not of the faces."""
        sha256 = hashlib.sha256()
        for variable in (self._rest_joints, self._blend, self._weights):
            sha256.update(np.ascontiguousarray(variable.numpy()).data)
        return sha256.hexdigest()

    def joints_only(self, pose, betas):
        """As `__call__`, but never builds the mesh: all that training needs."""
        return self._pose_joints(pose, betas)[-1]

    def _pose_joints(self, pose, betas):
        """Features f, global rotations and translations of the joints, Body without vertices.

        A point that follows joint j goes from its rest place p to
        global_rotations[j] @ p + translations[j].
        """
        rotations = pose if pose.shape.rank == 4 else matrix_from_axis_angle(pose)
        batch = tf.shape(betas)[0]
        shape_features = tf.concat([tf.ones_like(betas[:, :1]), betas], axis=-1)
        features = tf.concat([shape_features, tf.reshape(rotations[:, 1:], [batch, -1])], axis=-1)
        rest_joints = tf.reshape(tf.matmul(shape_features, self._rest_joints), [batch, 24, 3])
        global_rotations, joints = self._forward_kinematics(rotations, rest_joints)
        translations = joints - tf.linalg.matvec(global_rotations, rest_joints)
        keypoints = self._keypoints(features, global_rotations, translations)
        posed = Body(None, smpl_joints=joints, joints3d=keypoints, rotations=rotations)
        return features, global_rotations, translations, posed

    def _forward_kinematics(self, rotations, rest_joints):
        """Global rotations (B, 24, 3, 3) and positions (B, 24, 3) of the joints."""
        offsets = rest_joints[:, 1:] - tf.gather(rest_joints, self._parents[1:], axis=1)
        offsets = tf.concat([rest_joints[:, :1], offsets], axis=1)
        # Columns 0-2 are a rotation, column 3 is the joint's offset from its parent.
        local_transforms = tf.concat([rotations, offsets[..., None]], axis=-1)  # (B, 24, 3, 4)
        rotated = local_transforms[:, :1]  # by the parent's global rotation
        for start, stop in _levels(self._parents):
            parents = tf.gather(rotated[..., :3], self._parents[start:stop], axis=1)
            children = tf.matmul(parents, local_transforms[:, start:stop])
            rotated = tf.concat([rotated, children], axis=1)
        positions = tf.einsum("jk,bkC->bjC", self._ancestors, rotated[..., 3])
        return rotated[..., :3], positions

    def _keypoints(self, features, global_rotations, translations):
        rest = tf.reshape(tf.matmul(features, self._part_blend), [tf.shape(features)[0], 3, -1])
        parts = tf.add_n(_rotation_terms(rest, global_rotations, self._part_joints))
        keypoints = tf.tensordot(parts, self._part_keypoints, 1)
        keypoints += _blend_vectors(translations, self._keypoint_weights)
        return tf.transpose(keypoints, [0, 2, 1])


def _blend_vectors(vectors, weights):
    """(B, 24, 3) a vector for each joint, (24, N) -> (B, 3, N) weighted sum for each point."""
    return tf.tensordot(vectors, weights, [[1], [0]])


def _rotation_terms(points, rotations, weights):
    """Three terms whose sum is each point (B, 3, N) rotated by its blend of (B, 24, 3, 3).

    One term for x, y and z, each with the column of the rotation that it meets: a 3x4 matrix for
    every vertex is never stored whole.
    """
    # Not points[:, c, None]: OpenVINO 2026.4 reads an index beside a new axis wrongly.
    return [_blend_vectors(rotations[..., c], weights) * points[:, c : c + 1] for c in range(3)]


def _levels(parents):
    """Runs of joints (start, stop), without the root, whose parents all come before the run."""
    starts = [1]
    for joint, parent in enumerate(parents):
        if parent >= starts[-1]:
            starts.append(joint)
    return list(zip(starts, [*starts[1:], len(parents)]))


def _ancestors(parents):
    """(J, J), 1 where the second joint is the first one or an ancestor of it."""
    above = np.eye(len(parents))
    for joint, parent in enumerate(parents[1:], 1):
        above[joint] += above[parent]
    return above


def _blend_matrix(body):
    """(218, 3, V) what each feature of f adds to the rest vertices."""
    # posedirs multiply (rotations - identity), f holds the rotations: subtract the identity once.
    identity = np.tile(np.eye(3).ravel(), 23)
    template = body.v_template - body.posedirs @ identity
    return np.concatenate([template.T[None], body.shapedirs.T, body.posedirs.T])


class _KeypointParts(NamedTuple):
    """The keypoints as sums of P parts that follow one joint each.

    A keypoint is a weighted sum of vertices and a vertex one of joint transforms; with the sums
    swapped, a few points are transformed instead of the mesh.
    """

    blend: np.ndarray  # (218, 3, P) rest place by feature, times the part's weight
    joints: np.ndarray  # (J, P) 1 where the part follows the joint
    keypoints: np.ndarray  # (P, K) 1 where the part belongs to the keypoint
    keypoint_weights: np.ndarray  # (J, K) weight of each joint


def _keypoint_parts(body, blend):
    used = np.flatnonzero(body.keypoint_regressor.any(axis=0))
    share = np.einsum("kv,vj->kjv", body.keypoint_regressor[:, used], body.lbs_weights[used])
    keypoint, joint = np.nonzero(share.any(axis=-1))
    return _KeypointParts(
        blend=np.tensordot(blend[..., used], share[keypoint, joint], [[2], [1]]),
        joints=np.eye(share.shape[1])[:, joint],
        keypoints=np.eye(share.shape[0])[keypoint],
        keypoint_weights=share.sum(axis=-1).T,
    )

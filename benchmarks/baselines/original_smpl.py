"""SMPL in the original's steps, slow on purpose, for the comparison of `benchmarks/smpl_speed.py`.

Every vertex has a 4x4 matrix. Source: the original's `tf_smpl/batch_smpl.py` and
`batch_lbs.py`, reimplemented for TensorFlow 2.
"""

import tensorflow as tf

from hmr_tf.body.theta import NUM_BETAS


def layer(body):
    """`body_model.BodyModel` -> function of pose (B, 24, 3) and betas (B, 10): mesh, keypoints."""
    num_vertices = len(body.v_template)

    def constant(array, *shape):
        return tf.constant(array.reshape(shape or array.shape), tf.float32)

    template, weights = constant(body.v_template), constant(body.lbs_weights)
    shapedirs = constant(body.shapedirs, -1, NUM_BETAS)
    posedirs = constant(body.posedirs, num_vertices * 3, -1)
    joint_regressor, keypoint_regressor = (
        constant(regressor.T) for regressor in (body.joint_regressor, body.keypoint_regressor)
    )

    def regress(points, regressor):
        return tf.stack([tf.matmul(points[..., axis], regressor) for axis in range(3)], axis=2)

    def pose_bodies(pose, betas):
        batch = tf.shape(betas)[0]
        shaped = tf.matmul(betas, shapedirs, transpose_b=True)
        shaped = tf.reshape(shaped, [-1, num_vertices, 3]) + template
        rest_joints = regress(shaped, joint_regressor)
        rotations = _rodrigues(tf.reshape(pose, [-1, 3]))
        rotations = tf.reshape(rotations, [-1, 24, 3, 3])
        bent = tf.reshape(rotations[:, 1:] - tf.eye(3), [batch, -1])
        posed = tf.matmul(bent, posedirs, transpose_b=True)
        posed = tf.reshape(posed, [-1, num_vertices, 3]) + shaped
        bones = tf.reshape(_bone_matrices(rotations, rest_joints, body.parents), [-1, 24, 16])
        tiled = tf.reshape(tf.tile(weights, [batch, 1]), [batch, -1, 24])
        matrices = tf.reshape(tf.matmul(tiled, bones), [batch, -1, 4, 4])
        homogeneous = tf.concat([posed, tf.ones([batch, num_vertices, 1])], axis=2)
        vertices = tf.matmul(matrices, homogeneous[..., None])[:, :, :3, 0]
        return vertices, regress(vertices, keypoint_regressor)

    return pose_bodies


def _rodrigues(axis_angle):
    """(N, 3) -> (N, 3, 3): cosine, outer product and cross-product matrix."""
    angle = tf.norm(axis_angle + 1e-8, axis=1)[:, None, None]
    axis = axis_angle[..., None] / angle
    x, y, z = tf.unstack(axis[..., 0], axis=1)
    none = tf.zeros_like(x)
    cross = tf.reshape(tf.stack([none, -z, y, z, none, -x, -y, x, none], axis=1), [-1, 3, 3])
    outer = tf.matmul(axis, axis, transpose_b=True)
    return tf.cos(angle) * tf.eye(3) + (1 - tf.cos(angle)) * outer + tf.sin(angle) * cross


def _bone_matrices(rotations, rest_joints, parents):
    """(B, 24, 4, 4) from rest to posed, joint after joint."""

    def rigid(rotation, translation):
        last = tf.concat([translation, tf.ones_like(translation[:, :1])], axis=1)[..., None]
        return tf.concat([tf.pad(rotation, [[0, 0], [0, 1], [0, 0]]), last], axis=2)

    chain = [rigid(rotations[:, 0], rest_joints[:, 0])]
    for joint, parent in list(enumerate(parents))[1:]:
        local_transform = rigid(rotations[:, joint], rest_joints[:, joint] - rest_joints[:, parent])
        chain.append(tf.matmul(chain[parent], local_transform))
    chain = tf.stack(chain, axis=1)
    start = tf.concat([rest_joints, tf.zeros_like(rest_joints[..., :1])], axis=2)[..., None]
    return chain - tf.pad(tf.matmul(chain, start), [[0, 0], [0, 0], [0, 0], [3, 0]])

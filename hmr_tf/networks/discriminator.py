"""The factorized adversarial prior (paper, section 3.3): scores how human pose and shape are.

25 outputs: one for each of the 23 joint rotations on a shared embedding, one for all rotations
together, one for the shape. No sigmoid: the loss is least squares.
"""

import tensorflow as tf
from tensorflow import keras

from hmr_tf.body.skeleton import SMPL_JOINTS
from hmr_tf.body.theta import NUM_BETAS

layers = keras.layers

# What each output scores, in the order of the original's `models.py:147-176`.
OUTPUT_NAMES = (*SMPL_JOINTS[1:], "all_joints", "betas")
_NUM_JOINTS = len(SMPL_JOINTS) - 1
_EMBEDDING = 32


class _ColumnDense(layers.Dense):
    """A dense layer on (N, D) that computes with columns, (D, N).

    The gradient of the inputs is then kernel @ upstream. Of rows it is upstream @ kernel^T, for
    which oneDNN first rearranges the transposed kernel: 3.7 ms instead of 1.2 for 24 rows.
    """

    def call(self, inputs):
        outputs = tf.matmul(self.kernel, tf.transpose(inputs), transpose_a=True)
        return self.activation(tf.nn.bias_add(tf.transpose(outputs), self.bias))


@keras.saving.register_keras_serializable("hmr_tf")
class Discriminator(keras.Model):
    """(N, 23, 3, 3) rotations without the global one, (N, 10) betas -> (N, 25), 1 = real."""

    def __init__(self, wrap=None, name="D"):
        """Args: wrap: function of each dense layer, such as spectral normalisation, that returns
        the layer to use instead; None means no change.
        """
        super().__init__(name=name)
        self._wrap = wrap

        def dense(units, name, activation="relu", layer_class=layers.Dense):
            layer = layer_class(units, activation=activation, name=name)
            return wrap(layer) if wrap else layer

        # The original's 1x1 convolutions over (23, 1, 9) are dense layers on the last axis.
        self.embedding = [dense(_EMBEDDING, "D_conv1"), dense(_EMBEDDING, "D_conv2")]
        self.pose_out = [dense(1, f"pose_out_j{j}", None) for j in range(_NUM_JOINTS)]
        self.all_joints = [
            dense(1024, "D_alljoints_fc1", layer_class=_ColumnDense),
            dense(1024, "D_alljoints_fc2", layer_class=_ColumnDense),
            dense(1, "D_alljoints_out", None),
        ]
        self.shape = [
            dense(10, "shape_fc1_1"),
            dense(5, "shape_fc1_2"),
            dense(1, "shape_final", None),
        ]
        if not wrap:  # `call` reads these kernels without calling the layers
            for out in self.pose_out:
                with tf.name_scope(f"{name}/{out.name}"):
                    out.build([None, _EMBEDDING])
        self((tf.zeros([1, _NUM_JOINTS, 3, 3]), tf.zeros([1, NUM_BETAS])))  # creates the variables

    def call(self, inputs, training=None):
        rotations, betas = inputs
        x = tf.reshape(rotations, [-1, _NUM_JOINTS, 9])
        x = _apply(self.embedding, x)
        scores = self._scores_of_joints(x)
        scores.append(_apply(self.all_joints, tf.reshape(x, [-1, _NUM_JOINTS * _EMBEDDING])))
        scores.append(_apply(self.shape, betas))
        return tf.concat(scores, axis=-1)

    def _scores_of_joints(self, x):
        """(N, 23, 32) embedded rotations -> list of (N, M) scores, 23 columns in all.

        Layers that are not wrapped are computed together: 23 products of one column each, and their
        gradients, take several times as long.
        """
        if self._wrap:
            return [out(x[:, j]) for j, out in enumerate(self.pose_out)]
        kernels = tf.transpose(tf.concat([out.kernel for out in self.pose_out], axis=1))
        biases = tf.concat([out.bias for out in self.pose_out], axis=0)
        return [tf.reduce_sum(x * kernels, axis=-1) + biases]

    def get_config(self):
        return {"wrap": self._wrap, "name": self.name}


def _apply(stack, x):
    """The output of one layer after the other."""
    for layer in stack:
        x = layer(x)
    return x

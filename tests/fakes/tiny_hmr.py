"""An HMR whose encoder is one layer, and data of the pipeline's shapes: a step in milliseconds."""

import numpy as np
import tensorflow as tf
from tensorflow import keras

from hmr_tf.body import body_model
from hmr_tf.body.smpl import SMPL
from hmr_tf.networks.discriminator import Discriminator
from hmr_tf.networks.encoder import NUM_FEATURES
from hmr_tf.networks.hmr import HMR, IterativeRegressor, mean_theta
from hmr_tf.training.trainer import Trainer, adam
from tests.fakes import tiny_body

SIZE = 16


def encoder(image_size, bn_momentum=0.99, batch_norm=True):
    """(B, S, S, 3) -> (B, 2048), with a batch norm like the real one, if not without."""
    image = keras.Input((image_size, image_size, 3))
    pooled = keras.layers.AveragePooling2D(image_size // 4)(image)
    norm = keras.layers.BatchNormalization(momentum=bn_momentum, name="norm")
    normed = norm(pooled) if batch_norm else pooled
    features = keras.layers.Dense(NUM_FEATURES, name="dense")(keras.layers.Flatten()(normed))
    return keras.Model(image, features)


def build(folder, num_stage=3):
    """HMR over the tiny body; `folder` is where its model file goes."""
    return with_body(folder, num_stage)[0]


def with_body(folder, num_stage=3):
    """As `build`, and the body's `BodyModel`."""
    body = body_model.read_model(tiny_body.write(folder / "tiny.npz"))
    hmr = HMR(encoder(SIZE), IterativeRegressor(mean_theta(), num_stage), SMPL(body))
    hmr(tf.zeros([1, SIZE, SIZE, 3]))
    return hmr, body


def trainer(folder, discriminator=True, learning_rate=1e-3, **kwargs):
    """A compiled Trainer, the same one for the same arguments."""
    keras.utils.set_random_seed(0)
    made = Trainer(build(folder), Discriminator() if discriminator else None, **kwargs)
    made.compile(adam(learning_rate), adam(learning_rate))
    return made


def numbers(logs):
    """The scalars of a training step's logs as floats."""
    return {name: float(value) for name, value in logs.items() if value.shape.rank == 0}


def data(rng, batch_size=4, num_stage=3):
    """(batch, mocap) as of `data.pipeline.training_dataset`; every second person has 3D labels."""

    def normal(*shape):
        return tf.constant(rng.normal(size=shape), tf.float32)

    has_3d = tf.constant(np.arange(batch_size) % 2 == 0)
    batch = {
        "image": normal(batch_size, SIZE, SIZE, 3),
        "keypoints2d_norm": tf.concat(
            [normal(batch_size, 19, 2), tf.ones([batch_size, 19, 1])], -1
        ),
        "lsp_joints": normal(batch_size, 14, 3),
        "rotations": normal(batch_size, 24, 3, 3),
        "betas": normal(batch_size, 10),
        "has_joints": has_3d,
        "has_smpl": has_3d,
    }
    real = num_stage * batch_size
    return batch, {"rotations": normal(real, 23, 3, 3), "betas": normal(real, 10)}

"""What a whole training step costs over the bare encoder's forward and backward pass.

    python -m benchmarks.training_step [--batch_size=8] [--repeats=7]

The bare step is ResNet-50 v2 with the gradient of its features and no optimizer. Both run in turn
in one process; the median of each and their ratio are printed. Floor: the encoder's multiply-adds,
3.5 G an image forward and twice that backward, at the rate of a 2048-square matrix product.
"""

import argparse
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
from tensorflow import keras

from hmr_tf.body import model_file
from hmr_tf.networks import build
from hmr_tf.networks.discriminator import Discriminator
from hmr_tf.training.trainer import Trainer, adam

FLOP_PER_IMAGE = 3 * 2 * 3.5e9


def random_data(batch_size, image_size, num_stage=3):
    """A batch and mocap of the pipeline's shapes."""
    normal = tf.random.normal
    batch = {
        "image": tf.random.uniform([batch_size, image_size, image_size, 3], -1, 1),
        "keypoints_norm": tf.concat(
            [normal([batch_size, 19, 2]), tf.ones([batch_size, 19, 1])], axis=-1
        ),
        "joints": normal([batch_size, 14, 3]),
        "rotations": normal([batch_size, 24, 3, 3]),
        "betas": normal([batch_size, 10]),
        "has_joints": tf.ones([batch_size], tf.bool),
        "has_smpl": tf.ones([batch_size], tf.bool),
    }
    real = num_stage * batch_size
    return batch, {"rotations": normal([real, 23, 3, 3]), "betas": normal([real, 10])}


def bare_step(encoder):
    """Forward and backward of the encoder alone."""

    @tf.function
    def step(images):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(encoder(images, training=True)))
        return tape.gradient(loss, encoder.trainable_variables)

    return step


def _update(optimizer, variables):
    """The optimizer alone, on gradients that are zero."""
    gradients = [tf.zeros_like(variable) for variable in variables]
    if hasattr(optimizer, "build"):
        optimizer.build(variables)

    @tf.function
    def step():
        optimizer.apply_gradients(zip(gradients, variables))
        return optimizer.iterations.read_value()

    return lambda: step().numpy()


def in_turn(steps, repeats):
    """Median seconds of each of `steps` (name -> callable), run `repeats` times in turn."""
    times = {name: [] for name in steps}
    for step in steps.values():
        step()
    for _ in range(repeats):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch_size", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    hmr = build.build(build.Architecture(), model_file.read_model())
    trainer = Trainer(hmr, Discriminator())
    trainer.compile(adam(1e-5), adam(1e-4))
    data = random_data(args.batch_size, 224)
    bare = bare_step(hmr.encoder)
    whole = tf.function(trainer.train_step)
    variables = hmr.encoder.trainable_variables
    updates = {
        "fused Adam, encoder": _update(adam(1e-9), variables),
        "Keras Adam, encoder": _update(keras.optimizers.Adam(1e-9), variables),
    }
    square = tf.random.normal([2048, 2048])
    product = tf.function(lambda: tf.matmul(square, square))
    seconds = in_turn(
        {
            "bare encoder": lambda: bare(data[0]["image"])[0].numpy(),
            "training step": lambda: whole(data)["encoder/total"].numpy(),
            **updates,
            "matrix product": lambda: product().numpy(),
        },
        args.repeats,
    )
    rate = 2 * 2048**3 / seconds.pop("matrix product")
    for name, value in seconds.items():
        print(f"{name:20} {1e3 * value:7.1f} ms")
    ratio = seconds["training step"] / seconds["bare encoder"]
    floor = FLOP_PER_IMAGE * args.batch_size / rate
    print(f"training step / bare encoder: {ratio:.3f}")
    print(f"floor of the encoder: {1e3 * floor:.0f} ms at {rate / 1e9:.0f} GFLOP/s")


if __name__ == "__main__":
    main()

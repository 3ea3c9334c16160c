"""The network for phones: a TensorFlow Lite file that takes one crop."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from hmr_tf.files import atomic
from hmr_tf.networks.prediction import named
from hmr_tf.serving import frozen, quiet

FILE_NAME = "hmr.tflite"


def export(hmr, folder, dtype="float32"):
    """Writes FILE_NAME into a folder; returns its path and its error.

    Args:
      hmr: `networks.hmr.HMR`.
      folder: exists.
      dtype: float32, or float16, which stores the weights so, in half the space.

    Returns:
      Path, and the largest distance of a vertex to that of `hmr` on a picture of noise, metres.
    """
    network = frozen.freeze(hmr)
    size = network.image_size
    answer = tf.function(lambda image: named(network.predict(image), size))
    image = tf.TensorSpec([1, size, size, 3], tf.float32, name="image")
    module = tf.Module()
    module.answer = answer
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [answer.get_concrete_function(image)], module
    )
    if dtype == "float16":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    path = Path(folder) / FILE_NAME
    # It names temporary files, and lists the constants of the graph as operations left over.
    with quiet.no_notes(), quiet.held_back():
        content = converter.convert()
    atomic.write_bytes(path, content)
    noise = np.random.default_rng(0).uniform(-1, 1, (1, size, size, 3)).astype(np.float32)
    expected = network.predict(noise).vertices
    return path, float(tf.reduce_max(tf.norm(run(path, noise)["vertices"] - expected, axis=-1)))


def run(path, image):
    """Answers of a file as a dict of arrays; image: (1, S, S, 3) float32."""
    runner = tf.lite.Interpreter(str(path)).get_signature_runner()
    return runner(image=image)

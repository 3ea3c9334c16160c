"""Exports the network for phones: a TensorFlow Lite file that takes one crop."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from hmr_tf.files import atomic
from hmr_tf.networks.prediction import prediction_as_dict
from hmr_tf.serving import frozen, suppress_output

FILE_NAME = "hmr.tflite"


def export(hmr, folder, dtype="float32"):
    """Writes FILE_NAME into a folder; returns its path and its numerical error.

    Args:
      hmr: `networks.hmr.HMR`.
      folder: an existing folder.
      dtype: of the stored weights: float32, or float16 in half the space.

    Returns:
      Path, and the largest distance of a vertex from that of `hmr` for a random image, metres.
    """
    network = frozen.freeze(hmr)
    size = network.image_size
    predict = tf.function(lambda image: prediction_as_dict(network.predict(image), size))
    image = tf.TensorSpec([1, size, size, 3], tf.float32, name="image")
    module = tf.Module()
    module.predict = predict
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [predict.get_concrete_function(image)], module
    )
    if dtype == "float16":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    path = Path(folder) / FILE_NAME
    # The converter prints names of temporary files and a list of the graph's constants.
    with suppress_output.hide_info_logs(), suppress_output.suppress_output_unless_failed():
        content = converter.convert()
    atomic.write_bytes(path, content)
    image = np.random.default_rng(0).uniform(-1, 1, (1, size, size, 3)).astype(np.float32)
    expected = network.predict(image).vertices
    return path, float(tf.reduce_max(tf.norm(run(path, image)["vertices"] - expected, axis=-1)))


def run(path, image):
    """Predictions of a .tflite file as a dict of arrays; image: (1, S, S, 3) float32."""
    runner = tf.lite.Interpreter(str(path)).get_signature_runner()
    return runner(image=image)

"""Run time of one image with a given box; the paper's is 0.04 s."""

import statistics
import time

import numpy as np
import tensorflow as tf

from hmr_tf.rendering import drawing, render

_WARM_UP = 2


def measure(predict, images, faces):
    """Median time from one crop to one body, one image at a time.

    Args:
      predict: of `networks.engines.Engine`.
      images: list of (S, S, 3) crops in [-1, 1].
      faces: (F, 3) of its mesh, or None.

    Returns:
      dict of milliseconds: model_ms, until theta and the mesh are in memory; rendered_ms, the same
      with the body drawn over the crop, for a model that has faces.
    """
    images = [np.asarray(image)[None] for image in images]
    functions = {"model_ms": predict}
    if faces is not None and len(faces):
        functions["rendered_ms"] = lambda image: _draw(predict(image), image, faces)
    return {name: _median_ms(function, images) for name, function in functions.items()}


def device():
    """Name of the GPU, or CPU."""
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return "CPU"
    return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")


def _draw(body, image, faces):
    picture, _ = render.render_body(
        body["vertices"],
        body["camera"],
        faces,
        image.shape[1],
        background=drawing.uint8_from_norm(image),
    )
    return picture


def _median_ms(function, images):
    for image in images[:1] * _WARM_UP:
        function(image)
    times = []
    for image in images:
        start = time.perf_counter()
        function(image)
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)

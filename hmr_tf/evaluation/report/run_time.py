"""How long one image takes, given the person's box: the paper's 0.04 s."""

import statistics
import time

import tensorflow as tf

from hmr_tf.rendering import drawing, render

_WARM_UP = 2


def measure(answer, images, faces):
    """Median time from one crop to one body, one image at a time.

    Args:
      answer: `inference.model.crop_function` of a network.
      images: list of (S, S, 3) crops in [-1, 1].
      faces: (F, 3) of its mesh, or None.

    Returns:
      dict of milliseconds: model_ms, until theta and the mesh are in memory; rendered_ms, the same
      with the body drawn over the crop, for a model that has faces.
    """
    images = [image[None] for image in images]
    times = {"model_ms": lambda image: _predict(answer, image)}
    if faces is not None and len(faces):
        times["rendered_ms"] = lambda image: _draw(_predict(answer, image), image, faces)
    return {name: _median_ms(run, images) for name, run in times.items()}


def device():
    """Where that was: the GPU's name, or CPU."""
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return "CPU"
    return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")


def _predict(answer, image):
    return {name: value.numpy() for name, value in answer(image).items()}


def _draw(body, image, faces):
    pixels = drawing.uint8_from_norm(image)
    seen = body["camera"], faces, image.shape[1]
    return render.render_body(body["vertices"], *seen, background=pixels)[0].numpy()


def _median_ms(run, images):
    for image in images[:1] * _WARM_UP:
        run(image)
    times = []
    for image in images:
        start = time.perf_counter()
        run(image)
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)

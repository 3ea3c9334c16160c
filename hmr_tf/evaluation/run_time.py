"""How long one image takes, given the person's box: the paper's 0.04 s."""

import statistics
import time

import tensorflow as tf

from hmr_tf import render

_WARM_UP, _TIMED = 2, 20


def measure(hmr, crops):
    """Median time from one crop to one body, one image at a time.

    Args:
      hmr: `networks.hmr.HMR`.
      crops: Dataset of (S, S, 3) images in [-1, 1]; as many as are needed are taken.

    Returns:
      dict of milliseconds: model_ms, to theta and the mesh in memory; rendered_ms, the same with
      the body drawn over the crop, for a model that has faces.
    """
    predict = tf.function(lambda images: _mesh(hmr, images))
    images = [image[None] for image in crops.take(_TIMED)]
    times = {"model_ms": lambda image: [part.numpy() for part in predict(image)]}
    if hmr.smpl.faces is not None and len(hmr.smpl.faces):
        times["rendered_ms"] = lambda image: _draw(hmr, image, *predict(image))
    return {name: _median_ms(run, images) for name, run in times.items()}


def device():
    """Where that was: the GPU's name, or CPU."""
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return "CPU"
    return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")


def _mesh(hmr, images):
    last = hmr.with_mesh(hmr(images, training=False)[-1])
    return last.theta, last.vertices, last.camera


def _draw(hmr, image, theta, vertices, camera):
    pixels = tf.cast(tf.clip_by_value((image + 1.0) * 127.5, 0, 255), tf.uint8)
    picture, _ = render.render_body(
        vertices, camera, hmr.smpl.faces, hmr.image_size, background=pixels
    )
    return theta.numpy(), vertices.numpy(), picture.numpy()


def _median_ms(run, images):
    for image in images[:1] * _WARM_UP:
        run(image)
    times = []
    for image in images:
        start = time.perf_counter()
        run(image)
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)

"""The trained network as a SavedModel: TF Serving and TensorFlow load it without this code."""

import contextlib
import io

import tensorflow as tf
from tensorflow import keras

from hmr_tf.body import camera


def export(hmr, path):
    """Writes a SavedModel whose `serving_default` takes crops.

    Args:
      hmr: `networks.hmr.HMR`.
      path: folder to write; TF Serving expects .../NAME/VERSION.

    Signature: `image` (B, S, S, 3) float32 RGB in [-1, 1] -> the last stage's `theta` (B, 85),
    `camera` (B, 3), `rotations` (B, 24, 3, 3), `betas` (B, 10), `vertices` (B, V, 3) m, `joints3d`
    (B, 19, 3) m, `smpl_joints` (B, 24, 3) m and `keypoints2d_px` (B, 19, 2), pixels of the crop.
    """
    image_size = hmr.image_size
    archive = keras.export.ExportArchive()
    archive.track(hmr)
    image = tf.TensorSpec([None, image_size, image_size, 3], tf.float32, name="image")
    archive.add_endpoint(
        "serving_default", lambda image: answers(hmr, image), input_signature=[image]
    )
    with contextlib.redirect_stdout(io.StringIO()):  # Keras lists every captured variable there
        archive.write_out(str(path))


def answers(hmr, image):
    """The exported signature as a function: crops -> dict of named tensors."""
    return _named(hmr, hmr(image, training=False)[-1])


def every_answer(hmr, image):
    """As `answers`, of every stage of the regressor: a list of dicts."""
    return [_named(hmr, stage) for stage in hmr(image, training=False)]


def _named(hmr, prediction):
    body = hmr.with_mesh(prediction)
    return {
        "theta": body.theta,
        "camera": body.camera,
        "rotations": body.rotations,
        "betas": body.betas,
        "vertices": body.vertices,
        "joints3d": body.joints,
        "smpl_joints": body.smpl_joints,
        "keypoints2d_px": camera.pixels_from_norm(body.keypoints_norm, hmr.image_size),
    }

"""The trained network as a SavedModel: TF Serving and TensorFlow load it without this code.

Three signatures, of any number of people each:

  serving_default      `image` (B, S, S, 3) float32 RGB in [-1, 1], people cropped already
  predict_image_bytes  `image_bytes` (M,) JPEG or PNG files and `boxes` (N, 4) float32 x, y, width,
                       height of the people: all in one photograph, M = 1, or one in each, M = N
  body                 `pose` (B, 24, 3) axis-angle and `betas` (B, 10): SMPL as a service
"""

import json
from pathlib import Path

import tensorflow as tf

from hmr_tf.body import skeleton, theta
from hmr_tf.output import frozen, signatures, warmup


def export(hmr, path, dtype="float32"):
    """Writes a SavedModel, warm-up requests, a batching configuration and the mesh's names.

    Args:
      hmr: `networks.hmr.HMR`.
      path: folder to write; TF Serving expects .../NAME/VERSION.
      dtype: of the encoder, one of `frozen.DTYPES`; everything else is float32.

    Raises:
      OSError: the folder cannot be written.
    """
    network = frozen.freeze(hmr, dtype)
    size = hmr.image_size
    image = tf.TensorSpec([None, size, size, 3], tf.float32, name="image")
    image_bytes = tf.TensorSpec([None], tf.string, name="image_bytes")
    boxes = tf.TensorSpec([None, 4], tf.float32, name="boxes")
    pose = tf.TensorSpec([None, len(skeleton.SMPL_JOINTS), 3], tf.float32, name="pose")
    betas = tf.TensorSpec([None, theta.NUM_BETAS], tf.float32, name="betas")

    def serving_default(image):
        return signatures.answers_of_crops(network, image)

    def predict_image_bytes(image_bytes, boxes):
        return signatures.answers_of_photos(network, image_bytes, boxes)

    def body(pose, betas):
        return signatures.answers_of_bodies(network, pose, betas)

    inputs = {
        serving_default: [image],
        predict_image_bytes: [image_bytes, boxes],
        body: [pose, betas],
    }
    module = tf.Module()
    for function, specs in inputs.items():
        setattr(module, function.__name__, tf.function(function, input_signature=specs))
    endpoints = {function.__name__: getattr(module, function.__name__) for function in inputs}
    tf.saved_model.save(module, str(path), signatures=endpoints)
    extra = Path(path) / "assets.extra"
    extra.mkdir(exist_ok=True)
    warmup.write(extra / warmup.FILE_NAME, size)
    (extra / "batching.config").write_text(BATCHING)
    (extra / "body.json").write_text(json.dumps(_names(hmr.smpl)))


# For --batching_parameters_file; the sizes that are allowed are all warm after eight requests.
BATCHING = """\
max_batch_size { value: 32 }
batch_timeout_micros { value: 5000 }
num_batch_threads { value: 2 }
max_enqueued_batches { value: 64 }
allowed_batch_sizes: 1
allowed_batch_sizes: 2
allowed_batch_sizes: 4
allowed_batch_sizes: 8
allowed_batch_sizes: 16
allowed_batch_sizes: 32
"""


def _names(smpl):
    """What the numbers of an answer belong to."""
    return {
        "keypoints": skeleton.KEYPOINTS,
        "smpl_joints": skeleton.SMPL_JOINTS,
        "smpl_parents": [int(parent) for parent in skeleton.SMPL_PARENTS],
        "faces": smpl.faces.tolist(),
    }


def answers(hmr, image):
    """Crops -> dict of named tensors: the last stage's of `every_answer`."""
    return signatures.named(hmr.with_mesh(hmr(image, training=False)[-1]), hmr.image_size)


def every_answer(hmr, image):
    """As `answers`, of every stage of the regressor: a list of dicts."""
    stages = hmr(image, training=False)
    return [signatures.named(hmr.with_mesh(stage), hmr.image_size) for stage in stages]

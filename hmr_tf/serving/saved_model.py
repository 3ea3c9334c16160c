"""Exports the trained network as a SavedModel, which TF Serving and TensorFlow load without us.

It has three signatures, each for any number of people:

  serving_default      `image` (B, S, S, 3) float32 RGB in [-1, 1], people cropped already
  predict_image_bytes  `image_bytes` (M,) JPEG or PNG files and `boxes` (N, 4) float32 x, y, width,
                       height of the people: all in one photograph, M = 1, or one in each, M = N
  body                 `pose` (B, 24, 3) axis-angle and `betas` (B, 10): SMPL alone
"""

import contextlib
import json
import shutil
from pathlib import Path

import tensorflow as tf

from hmr_tf.body import skeleton, theta
from hmr_tf.files import atomic
from hmr_tf.files.errors import reason_of_file_error
from hmr_tf.serving import export_folder, frozen, signatures, suppress_output, warmup

EXTRA = "assets.extra"  # TF Serving's folder of warm-up requests
# For --batching_parameters_file: batches are padded to one of a few sizes.
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


def export(hmr, path, dtype="float32"):
    """Writes a SavedModel, warm-up requests, a batching configuration and the joint names.

    The folder appears when it is complete: a server that watches its parent loads no half model.

    Args:
      hmr: `networks.hmr.HMR`.
      path: folder to write; TF Serving expects .../NAME/VERSION. A SavedModel in it is replaced.
      dtype: of the encoder, one of `frozen.DTYPES`; everything else is float32.

    Raises:
      InputError: the folder holds other files, or is a file.
      OSError: the folder cannot be written.
    """
    path = Path(path)
    export_folder.check(path)
    module = tf.Module()
    module.endpoints = _functions(frozen.freeze(hmr, dtype))
    with _new_folder(path) as folder, suppress_output.hide_info_logs():
        tf.saved_model.save(module, str(folder), signatures=dict(module.endpoints))
        extra = folder / EXTRA
        extra.mkdir()
        warmup.write(extra / warmup.FILE_NAME, hmr.image_size)
        (extra / "batching.config").write_text(BATCHING)
        (extra / "body.json").write_text(json.dumps(_names(hmr.smpl)))


def _functions(network):
    """dict: name of a signature in this module's docstring -> its tf.function."""
    size = network.image_size
    image = tf.TensorSpec([None, size, size, 3], tf.float32, name="image")
    image_bytes = tf.TensorSpec([None], tf.string, name="image_bytes")
    boxes = tf.TensorSpec([None, 4], tf.float32, name="boxes")
    pose = tf.TensorSpec([None, len(skeleton.SMPL_JOINTS), 3], tf.float32, name="pose")
    betas = tf.TensorSpec([None, theta.NUM_BETAS], tf.float32, name="betas")

    def predict_crops(image):
        return signatures.predict_crops(network, image)

    def predict_photos(image_bytes, boxes):
        return signatures.predict_photos(network, image_bytes, boxes)

    def pose_bodies(pose, betas):
        return signatures.pose_bodies(network, pose, betas)

    return {
        "serving_default": tf.function(predict_crops, input_signature=[image]),
        "predict_image_bytes": tf.function(predict_photos, input_signature=[image_bytes, boxes]),
        "body": tf.function(pose_bodies, input_signature=[pose, betas]),
    }


@contextlib.contextmanager
def _new_folder(path):
    """Yields a new folder, which replaces `path` if the block raises nothing.

    The older model waits under a hidden name while the new one takes its place. A process that is
    killed then leaves it there, and the next export puts it back.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    work, older = atomic.unfinished_path(path), path.with_name(f".{path.name}.older")
    if older.exists() and not path.exists():
        older.replace(path)
    shutil.rmtree(older, ignore_errors=True)
    new = work / "new"
    try:
        new.mkdir(parents=True)
        yield new
        if path.exists():
            path.replace(older)
        try:
            new.replace(path)
        except OSError:
            if older.exists():
                older.replace(path)
            raise
        shutil.rmtree(older, ignore_errors=True)
    except tf.errors.OpError as error:
        raise OSError(reason_of_file_error(error.message)) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _names(smpl):
    """Names of the joints and the faces of the mesh that a prediction's arrays refer to."""
    return {
        "keypoints": skeleton.KEYPOINTS,
        "smpl_joints": skeleton.SMPL_JOINTS,
        "smpl_parents": [int(parent) for parent in skeleton.SMPL_PARENTS],
        "faces": smpl.faces.tolist(),
    }

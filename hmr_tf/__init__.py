"""Human Mesh Recovery (Kanazawa et al., CVPR 2018) for TensorFlow 2 and Keras."""

import importlib.util
import os

__version__ = "1.1.0"  # of the package, and in the index of converted datasets

# Keras 3 cannot run this trainer under tf.distribute. Where it is TensorFlow's default (2.16 on),
# requirements.txt installs Keras 2 as tf_keras, and TensorFlow reads this to hand it out.
if importlib.util.find_spec("tf_keras"):
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

# TensorFlow leaves its oneDNN kernels off on CPUs without AVX-512, where they are faster too.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

# OpenCV refuses larger images before it takes memory for them (its own limit is 2**30 pixels).
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(1 << 27))

# What cannot be read is said in one line of ours.
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET


def load(model_dir, smpl_model_path=None, detector=None):
    """A trained model, ready to predict.

    Args:
      model_dir: folder of a training or of --mode=import_tf1, or a checkpoint prefix in it.
      smpl_model_path: SMPL file to use; None: the one the model was trained with.
      detector: folder that `python -m tools.movenet` made; None: people's boxes must be given.

    Returns:
      `hmr_tf.inference.model.Model`.

    Raises:
      hmr_tf.files.errors.InputError: no checkpoint, a damaged one, no such SMPL file.
    """
    from hmr_tf.inference.detector import Detector
    from hmr_tf.inference.model import Model
    from hmr_tf.networks import checkpoint

    parts = checkpoint.load_with_body(str(model_dir), str(smpl_model_path or ""))
    return Model(*parts, Detector(detector) if detector else None)

"""Human Mesh Recovery (Kanazawa et al., CVPR 2018) for TensorFlow 2 and Keras."""

import importlib.util
import os

__version__ = "1.0.0"  # goes into the index of converted datasets

# Keras 3 cannot run this trainer under tf.distribute. Where it is TensorFlow's default (2.16 on),
# requirements.txt installs Keras 2 as tf_keras, and TensorFlow reads this to hand it out.
if importlib.util.find_spec("tf_keras"):
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

# OpenCV refuses larger images before it takes memory for them (its own limit is 2**30 pixels).
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(1 << 27))

"""What the speed table and the results page of this project were measured with."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import hmr_tf  # noqa: F401  sets TensorFlow's environment before TensorFlow reads it

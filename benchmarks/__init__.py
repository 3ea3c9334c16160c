"""What the speed table and the results page of this project were measured with."""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import hmr_tf  # noqa: F401  sets TensorFlow's environment before TensorFlow reads it
from hmr_tf.errors import InputError


def run(main):
    """Calls main(); wrong input ends it with one line and exit code 2."""
    try:
        main()
    except InputError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)

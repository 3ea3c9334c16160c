"""The folder of a SavedModel: whether it may be written. Imports no TensorFlow."""

from pathlib import Path

from hmr_tf.files.checkpoint_files import refuse_pattern
from hmr_tf.files.errors import InputError

FILE = "saved_model.pb"


def check(path):
    """InputError where a folder for a SavedModel is a file, holds others or could not be loaded."""
    path = Path(path)
    refuse_pattern(path, "output_dir")
    if path.exists() and not path.is_dir():
        raise InputError(f"--output_dir={path} is a file: name a folder, as saved_model/1")
    if path.is_dir() and any(path.iterdir()) and not (path / FILE).is_file():
        raise InputError(
            f"--output_dir={path} holds other files: name a folder for this model alone, as "
            "saved_model/1"
        )

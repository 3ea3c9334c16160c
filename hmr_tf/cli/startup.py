"""Steps that several modes take: load a model, say what takes long, answer for what is written."""

import contextlib
import sys
import tempfile
import time
from pathlib import Path

from hmr_tf.files.errors import InputError


def needs(options, *names):
    for name in names:
        if not getattr(options, name):
            raise InputError(f"--mode={options.mode} needs --{name}; see --help.")


def load(options):
    """The trained model of --load_path."""
    return load_with_body(options)[0]


def load_with_body(options):
    """As `load`, and the `BodyModel` of its body."""
    load_tensorflow()
    from hmr_tf.networks import checkpoint

    with phase("Loading the model"):
        return checkpoint.load_with_body(options.load_path, options.smpl_model_path)


def load_tensorflow():
    """Imports what takes seconds to import, and says so."""
    if "tensorflow" not in sys.modules:
        with phase("Loading TensorFlow"):
            import tensorflow  # noqa: F401


@contextlib.contextmanager
def output(options):
    """The folder of --output_dir, made; InputError where it cannot be written, now or later.

    In the end it is removed again, if it was made and nothing was written.
    """
    with writing(options), made(Path(options.output_dir)) as folder:
        yield folder


@contextlib.contextmanager
def made(folder):
    """A folder to write to, made with its parents where it is missing, removed if it stays empty.

    Args:
      folder: Path.

    Yields:
      `folder`.

    Raises:
      OSError: it cannot be written, which shows before the work, not after it.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        yield folder
    finally:
        with contextlib.suppress(OSError):  # not empty, or never made
            for path in missing:
                path.rmdir()


@contextlib.contextmanager
def writing(options):
    """A folder that cannot be written, or a full disk, is the user's business."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"--output_dir={options.output_dir} cannot be written: {reason}"
        ) from error


@contextlib.contextmanager
def phase(text):
    """Says what takes long, and in the end how long it took."""
    sys.stderr.write(f"{text} ... ")
    sys.stderr.flush()
    start = time.monotonic()
    end = "\n"
    try:
        yield
        end = f"{time.monotonic() - start:.1f} s\n"
    finally:
        sys.stderr.write(end)

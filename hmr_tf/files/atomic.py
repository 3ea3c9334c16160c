"""Atomic writing: a file is complete or absent, even after a full disk or a killed process.

    with written("mesh.npz") as unfinished:
        np.savez(unfinished, ...)
    write_text("mesh.json", text)

A killed process leaves at most a hidden file whose name begins with `UNFINISHED`.
"""

import contextlib
import os
import secrets
from pathlib import Path

UNFINISHED = ".unfinished_"


@contextlib.contextmanager
def written(path):
    """Yields a temporary name to write to; the file is renamed when all of it is on the disk.

    An older file at `path` stays until then, and also if the writing fails.

    Args:
      path: the file; its folder exists.

    Yields:
      Path in the same folder and with the same ending, by which writers such as OpenCV's and
      numpy's choose the format.

    Raises:
      OSError: the file cannot be renamed, or nothing was written.
    """
    with unfinished(path) as partial:
        yield partial
        finish(partial, path)


def write_text(path, text):
    """Writes a text file, UTF-8, as `written` does."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path, content):
    """Writes a file as `written` does."""
    with written(path) as partial:
        partial.write_bytes(content)


@contextlib.contextmanager
def unfinished(path):
    """Yields the temporary name for callers that call `finish`; without it the file is deleted.

    The name is unique: a worker may outlive its killed parent by a moment, and two machines of a
    cluster may write the same file. It is short, so that files with the longest names can be
    written, too.
    """
    path = Path(path)
    partial = path.with_name(f"{UNFINISHED}{secrets.token_hex(4)}{path.suffix}")
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)


def finish(partial, path):
    """Waits until the file is safe on the disk, and renames it."""
    with open(partial, "rb") as file:
        os.fsync(file.fileno())
    os.replace(partial, path)

"""Files that are whole or not there: nobody reads half of what a full disk or a kill cut off.

    with written("mesh.npz") as unfinished:
        np.savez(unfinished, ...)
    write_text("mesh.json", text)

A process that is killed outright leaves a hidden file at most; its name begins with `UNFINISHED`.
"""

import contextlib
import os
import secrets
from pathlib import Path

UNFINISHED = ".unfinished_"


@contextlib.contextmanager
def written(path):
    """Gives another name to write to. The file gets its own when all of it is on the disk.

    What was at `path` before stays until then, and for good where the writing fails.

    Args:
      path: the file; its folder exists.

    Yields:
      Path in the same folder and with the same ending, from which writers such as OpenCV's and
      numpy's tell what to write.

    Raises:
      OSError: the file cannot be put there, or nothing was written.
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
    """The name alone, of which nothing is left in the end, for who calls `finish` themselves.

    It is nobody else's: a worker may outlive its killed parent by a moment, and on a cluster two
    may write the same file. It is short, so that a file whose own name is as long as can be is
    written too.
    """
    path = Path(path)
    partial = path.with_name(f"{UNFINISHED}{secrets.token_hex(4)}{path.suffix}")
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)


def finish(partial, path):
    """Waits until the file is on the disk, even if the power fails, and gives it its name."""
    with open(partial, "rb") as file:
        os.fsync(file.fileno())
    os.replace(partial, path)

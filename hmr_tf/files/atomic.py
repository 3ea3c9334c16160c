"""Atomic writing: a file is complete or absent, even after a full disk or a killed process.

    with atomic_write("mesh.npz") as unfinished:
        np.savez(unfinished, ...)
    write_text("mesh.json", text)

A killed process leaves at most a hidden file or folder whose name begins with `UNFINISHED`, which
`remove_left_over` of a later run removes.
"""

import contextlib
import hashlib
import os
import re
import secrets
import shutil
import socket
import time
from pathlib import Path

from hmr_tf.files.errors import InputError

UNFINISHED = ".unfinished_"
_NAME = re.compile(re.escape(UNFINISHED) + r"([0-9a-f]{4})_([0-9]+)_[0-9a-f]{8}(\..*)?")
_OTHERS_AGE_S = 24 * 3600  # of a file of another machine, before it counts as left over


def check_folder(flag, path):
    """InputError where a folder cannot be made or written; nothing is made.

    Args:
      flag: that names it.
      path: of the folder.
    """
    if not str(path):
        raise InputError(f"--{flag} is empty: name a folder; . is this one.")
    _check_writable(flag, path, Path(path))


def check_file(flag, path, extension=""):
    """InputError where a file cannot be written; nothing is made.

    Args:
      flag: that names it.
      path: of the file.
      extension: that its name must have, as ".png"; empty: any.
    """
    if not str(path) or Path(path).is_dir():
        raise InputError(f"--{flag}={path} is not a file: give its name, too.")
    if not str(path).lower().endswith(extension):
        raise InputError(f"--{flag}={path} does not end in {extension}: give it that name.")
    _check_writable(flag, path, Path(path).parent)


def _check_writable(flag, path, folder):
    existing = next(part for part in (folder, *folder.absolute().parents) if part.exists())
    if not existing.is_dir():
        reason = "File exists" if existing == folder else "Not a directory"
    elif not os.access(existing, os.W_OK | os.X_OK):
        reason = f"{existing} is read-only"
    else:
        return
    raise InputError(f"--{flag}={path} cannot be written: {reason}")


@contextlib.contextmanager
def atomic_write(path):
    """Yields a temporary name to write to; the file is renamed when all of it is on the disk.

    An older file at `path` stays until then, and also if the writing fails.

    Args:
      path: the file; its folder exists.

    Yields:
      Path in the same folder and with the same extension, by which writers such as OpenCV's and
      numpy's choose the format.

    Raises:
      OSError: the file cannot be renamed, or nothing was written.
    """
    with unfinished(path) as partial:
        yield partial
        finish(partial, path)


def write_text(path, text):
    """Writes a text file, UTF-8, as `atomic_write` does."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path, content):
    """Writes a file as `atomic_write` does."""
    with atomic_write(path) as partial:
        partial.write_bytes(content)


@contextlib.contextmanager
def unfinished(path):
    """Yields the temporary name for callers that call `finish`; without it the file is deleted.

    The name is unique: a worker may outlive its killed parent by a moment, and two machines of a
    cluster may write the same file. It is short, so that files with the longest names can be
    written, too.
    """
    partial = unfinished_path(path)
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)


def unfinished_path(path):
    """A unique temporary name beside `path`, with its extension, the machine and the process."""
    path = Path(path)
    name = f"{UNFINISHED}{_machine()}_{os.getpid()}_{secrets.token_hex(4)}"
    return path.with_name(name + path.suffix)


def remove_left_over(folder):
    """Removes the unfinished files and folders of processes that were killed.

    Of another machine, whose processes are not seen, those that are older than a day.

    Args:
      folder: an existing folder, perhaps of a disk that several machines share.
    """
    for path in Path(folder).glob(f"{UNFINISHED}*"):
        with contextlib.suppress(OSError):  # another process removed it, or may alone
            if _is_left_over(path):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _is_left_over(path):
    match = _NAME.fullmatch(path.name)
    if not match or match[1] != _machine() or os.name == "nt":
        return time.time() - path.stat().st_mtime > _OTHERS_AGE_S
    try:
        os.kill(int(match[2]), 0)  # sends nothing
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        pass
    return False


def _machine():
    """Four digits for this machine or container."""
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:4]


def finish(partial, path):
    """Waits until the file is safe on the disk, and renames it."""
    with open(partial, "rb") as file:
        os.fsync(file.fileno())
    os.replace(partial, path)

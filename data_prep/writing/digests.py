"""What a conversion was made from: a few numbers that change when the source files change."""

import hashlib
import os
from pathlib import Path

from hmr_tf.files.sha256 import file_digest


def of_files(data_dir, patterns, others=()):
    """SHA-256 of whole files, for annotations.

    Args:
      data_dir: folder, or "" for none.
      patterns: of names below it, as "annotations/*.json".
      others: paths of more files; empty ones are left out.

    Returns:
      dict: path below data_dir, or the path of `others` -> hexadecimal digits.
    """
    folder = Path(data_dir)
    found = {path for pattern in patterns if data_dir for path in folder.glob(pattern)}
    named = {path.relative_to(folder).as_posix(): path for path in sorted(found)}
    named.update({str(path): Path(path) for path in others if path})
    return {name: file_digest(path) for name, path in named.items() if path.is_file()}


class ImageDigest:
    """Of the names and sizes of images, which are too many to read twice."""

    def __init__(self, data_dir):
        self._data_dir = data_dir
        self._digest, self._last = hashlib.sha256(), None
        self.number = self.num_missing = self.num_bytes = 0

    def add(self, path):
        """Asking again for the last one changes nothing."""
        if path == self._last:
            return
        self._last = path
        try:
            size = os.stat(path).st_size
        except (OSError, ValueError):  # no file, or no name for one
            size = None
        self.number += size is not None
        self.num_missing += size is None
        self.num_bytes += size or 0
        name = os.path.relpath(path, self._data_dir) if self._data_dir else path
        self._digest.update(f"{name}\0{size}\n".encode(errors="surrogateescape"))

    def result(self):
        """As JSON takes it."""
        return {
            "number": self.number,
            "missing": self.num_missing,
            "bytes": self.num_bytes,
            "names_and_sizes_sha256": self._digest.hexdigest(),
        }

"""The index of a split: its shards, the files it was made from, the people that were skipped."""

import collections
import hashlib
import os
from pathlib import Path

from data_prep.reader_items import IndexNote, LabelledPerson, MocapPose, Skipped
from hmr_tf.files.sha256 import file_digest

MAX_LISTED_PROBLEMS = 1000


class Tally:
    """Counts of skipped people and their reasons, of one shard or of a whole split."""

    def __init__(self):
        self.skipped = collections.Counter()  # reason -> number
        self.has_3d = False  # whether any record has 3D joints or is a motion capture pose
        self.num_problems = 0  # skipped people that no rule of the dataset leaves out
        self.problems = []  # the first of them: dicts of reason and where
        self.notes = collections.Counter()  # note -> number of records

    def count_skipped(self, items):
        """Yields people, poses and records; counts what else there is."""
        for item in items:
            if isinstance(item, IndexNote):
                self.notes[item.note] += item.number
            elif isinstance(item, Skipped):
                self._skip(item)
            else:
                has_joints = isinstance(item, LabelledPerson) and item.lsp_joints is not None
                self.has_3d |= has_joints or isinstance(item, MocapPose)
                yield item

    def _skip(self, item):
        self.skipped[item.reason] += 1
        if item.is_problem:
            self.num_problems += 1
            self._list([{"reason": item.reason, "where": item.where}])

    def add(self, counts):
        """Adds the `counts` of another Tally."""
        self.skipped.update(counts["skipped"])
        self.notes.update(counts["notes"])
        self.has_3d |= counts["has_3d"]
        self.num_problems += counts["num_problems"]
        self._list(counts["problems"])

    def counts(self):
        """Everything as a JSON dict."""
        return {
            "has_3d": self.has_3d,
            "skipped": dict(sorted(self.skipped.items())),
            "num_problems": self.num_problems,
            "problems": self.problems,
            "notes": dict(sorted(self.notes.items())),
        }

    def summary(self):
        """As "3 skipped (no keypoints: 2, image missing: 1)"."""
        reasons = ", ".join(f"{reason}: {n}" for reason, n in self.skipped.most_common())
        return f"{sum(self.skipped.values())} skipped" + (f" ({reasons})" if reasons else "")

    def _list(self, problems):
        self.problems += problems[: MAX_LISTED_PROBLEMS - len(self.problems)]


def file_digests(data_dir, patterns, others=()):
    """SHA-256 of whole files, for annotations.

    Args:
      data_dir: folder, or "" for none.
      patterns: of names below it, as "annotations/*.json".
      others: paths of more files; empty ones are left out.

    Returns:
      dict: path below data_dir, or the path of `others` -> hexadecimal digits.
    """
    folder = Path(data_dir)
    matching = {path for pattern in patterns if data_dir for path in folder.glob(pattern)}
    named = {path.relative_to(folder).as_posix(): path for path in sorted(matching)}
    named.update({str(path): Path(path) for path in others if path})
    return {name: file_digest(path) for name, path in named.items() if path.is_file()}


class ImageDigest:
    """One SHA-256 of the names and sizes of all images, which are too many to read twice."""

    def __init__(self, data_dir):
        self._data_dir = data_dir
        self._digest, self._last = hashlib.sha256(), None
        self.number = self.num_missing = self.num_bytes = 0
        self.first_missing = None  # path

    def add(self, path):
        """Adding the last path again changes nothing."""
        if path == self._last:
            return
        self._last = path
        try:
            size = os.stat(path).st_size
        except (OSError, ValueError):  # no such file, or no file can have this name
            size = None
        self.number += size is not None
        self.num_missing += size is None
        if size is None and self.first_missing is None:
            self.first_missing = path
        self.num_bytes += size or 0
        name = os.path.relpath(path, self._data_dir) if self._data_dir else path
        self._digest.update(f"{name}\0{size}\n".encode(errors="surrogateescape"))

    def counts(self):
        """Everything as a JSON dict."""
        return {
            "number": self.number,
            "missing": self.num_missing,
            "bytes": self.num_bytes,
            "names_and_sizes_sha256": self._digest.hexdigest(),
        }

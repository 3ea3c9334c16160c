"""Finds the frames of MPI-INF-3DHP's training sequences: image files, or frames of the videos.

The archive has videos; there are several common layouts of extracted frames.
"""

import collections
import functools
import re
from pathlib import Path
from typing import NamedTuple

from data_prep.reader_items import IndexNote, VideoFrame
from data_prep.readers import frame_numbering
from data_prep.readers.formats import video_frames

_FOLDERS = ("S{subject}/Seq{sequence}", "train/S{subject}/Seq{sequence}")
# Below --data_dir or a sequence's folder, with the number that the first frame has as a rule.
_FRAMES = {
    "{folder}/imageFrames/video_{camera}/frame_{number:06d}.jpg": 1,
    "{folder}/imageFrames/video_{camera}/{number:06d}.jpg": 1,
    "{folder}/video_{camera}/frame_{number:06d}.jpg": 1,
    "{folder}/video_{camera}/{number:06d}.jpg": 1,
    "{folder}/imageSequence/img_{camera}_{number:06d}.jpg": 0,
    "{root}/S{subject}_Seq{sequence}_Cam{camera}_{number:06d}.jpg": 1,
    "{root}/images/S{subject}_Seq{sequence}_Cam{camera}_{number:06d}.jpg": 1,
}
_VIDEO = "{folder}/imageSequence/video_{camera}.avi"


class Sequence(NamedTuple):
    """One sequence; `folder` is the folder of its annotations, or where it should be."""

    root: Path
    subject: int
    sequence: int

    @property
    def folder(self):
        folders = [self.root / name.format(**self._asdict()) for name in _FOLDERS]
        return next((folder for folder in folders if folder.is_dir()), folders[0])


class CameraSequence:
    """One sequence from one camera, of `num_frames` frames."""

    def __init__(self, sequence, camera, num_frames):
        self._names = {**sequence._asdict(), "folder": sequence.folder, "camera": camera}
        self._num_frames = num_frames
        self._counts = collections.Counter()  # layout and its first number -> number of images

    def __str__(self):
        return "S{subject}_Seq{sequence}_cam{camera}".format(**self._names)

    def find(self, index):
        """Finds a frame by its index, from 0.

        Returns:
          Its path, its VideoFrame, or None if there is neither; the file name for the record.

        Raises:
          OSError: there is no image file, and the video is unreadable.
        """
        for pattern, first in self._first_numbers.items():
            path = self._path(pattern, index + first)
            if path.is_file():
                self._counts[pattern, first] += 1
                return str(path), path.name
        name = f"frame_{index + 1:06d}.jpg"
        return (VideoFrame(self._video, index) if index < self._num_in_video else None), name

    def notes(self):
        """IndexNote of the numbering of the image files that `find` returned."""
        return [
            IndexNote(f"images numbered from {first}: {re.sub(r'{|:06d|}', '', pattern)}", count)
            for (pattern, first), count in self._counts.items()
        ]

    def _path(self, pattern, number):
        return Path(pattern.format(number=number, **self._names))

    @functools.cached_property
    def _first_numbers(self):
        """dict: pattern -> number of its first file."""
        return {
            pattern: frame_numbering.first_number(
                lambda number, pattern=pattern: self._path(pattern, number).is_file(),
                self._num_frames,
                default,
            )
            for pattern, default in _FRAMES.items()
        }

    @property
    def _video(self):
        return _VIDEO.format(**self._names)

    @functools.cached_property
    def _num_in_video(self):
        return video_frames.count_frames(self._video) if Path(self._video).is_file() else 0

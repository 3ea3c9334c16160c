"""Finds the frames of MPI-INF-3DHP's training sequences: image files, or frames of the videos.

The archive has videos; there are several common layouts of extracted frames.
"""

import functools
from pathlib import Path
from typing import NamedTuple

from data_prep.labelled import VideoFrame
from data_prep.readers.formats import video_frames

_FOLDERS = ("S{subject}/Seq{sequence}", "train/S{subject}/Seq{sequence}")
# Below --data_dir or a sequence's folder; `index` is from 0, `number` from 1.
_FRAMES = (
    "{folder}/imageFrames/video_{camera}/frame_{number:06d}.jpg",
    "{folder}/imageFrames/video_{camera}/{number:06d}.jpg",
    "{folder}/video_{camera}/frame_{number:06d}.jpg",
    "{folder}/video_{camera}/{number:06d}.jpg",
    "{folder}/imageSequence/img_{camera}_{index:06d}.jpg",
    "{root}/S{subject}_Seq{sequence}_Cam{camera}_{number:06d}.jpg",
    "{root}/images/S{subject}_Seq{sequence}_Cam{camera}_{number:06d}.jpg",
)
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


class View:
    """One sequence from one camera."""

    def __init__(self, sequence, camera):
        self._names = {**sequence._asdict(), "folder": sequence.folder, "camera": camera}

    def __str__(self):
        return "S{subject}_Seq{sequence}_cam{camera}".format(**self._names)

    def find(self, index):
        """Finds a frame by its index, from 0.

        Returns:
          Its path, its VideoFrame, or None if there is neither; the file name for the record.

        Raises:
          OSError: there is no image file, and the video is unreadable.
        """
        for pattern in _FRAMES:
            path = Path(pattern.format(index=index, number=index + 1, **self._names))
            if path.is_file():
                return str(path), path.name
        name = f"frame_{index + 1:06d}.jpg"
        return (VideoFrame(self._video, index) if index < self._num_in_video else None), name

    @property
    def _video(self):
        return _VIDEO.format(**self._names)

    @functools.cached_property
    def _num_in_video(self):
        return video_frames.count_frames(self._video) if Path(self._video).is_file() else 0

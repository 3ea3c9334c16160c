"""Where the frames of MPI-INF-3DHP's training sequences are: image files, or still in the videos.

The archive has videos; frames are taken out by whoever needs them, each in his own layout.
"""

import functools
from pathlib import Path
from typing import NamedTuple

from data_prep.labelled import VideoFrame
from data_prep.writing import video_frames

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
    """One of the sequences; `folder` is where its annotations are, or should be."""

    root: Path
    subject: int
    sequence: int

    @property
    def folder(self):
        folders = [self.root / name.format(**self._asdict()) for name in _FOLDERS]
        return next((folder for folder in folders if folder.is_dir()), folders[0])


class View:
    """One sequence as one camera saw it."""

    def __init__(self, sequence, camera):
        self._names = {**sequence._asdict(), "folder": sequence.folder, "camera": camera}

    def __str__(self):
        return "S{subject}_Seq{sequence}_cam{camera}".format(**self._names)

    def find(self, index):
        """Looks for a frame by its number, from 0.

        Returns:
          Its path, VideoFrame, or None where there is neither; the name to store it by.

        Raises:
          OSError: the frame can only be in the video, which is unreadable.
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

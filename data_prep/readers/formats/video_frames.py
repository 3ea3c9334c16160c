"""Frames of video files as source images: videos need not be unpacked first."""

import functools

import cv2


def read_frame(frame):
    """VideoFrame -> (H, W, 3) uint8 RGB. Frames read in their order are decoded once each.

    Raises:
      OSError: no such file, not a video, or the video ends before the frame.
    """
    player = _player(frame.path)
    if frame.index < player.position:
        _player.cache_clear()
        player = _player(frame.path)
    return player.read(frame.index)


def count_frames(path):
    """Number of frames according to the header; the video may hold fewer. OSError: not a video."""
    return int(_open(path).get(cv2.CAP_PROP_FRAME_COUNT))


def _open(path):
    with open(path, "rb"):  # raises with a reason; OpenCV gives none
        pass
    capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG)
    if not capture.isOpened():
        raise OSError(f"{path} is not a readable video")
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)  # published datasets keep their pixels
    return capture


class _Player:
    """Plays a video forwards: seeking is not exact in every format."""

    def __init__(self, path):
        self._capture = _open(path)
        self._path = path
        self.position = 0

    def read(self, index):
        while self.position < index:
            self._next(self._capture.grab())
        self._next(self._capture.grab())
        is_there, image = self._capture.retrieve()
        if not is_there:
            raise OSError(f"{self._path}: frame {index} cannot be decoded")
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)

    def _next(self, is_there):
        if not is_there:
            raise OSError(f"{self._path} ends after {self.position} frames")
        self.position += 1


@functools.lru_cache(maxsize=1)
def _player(path):
    return _Player(path)

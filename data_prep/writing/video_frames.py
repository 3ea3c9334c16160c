"""Frames of video files as source images, so that nobody unpacks videos by hand."""

import functools

import cv2


def read_frame(frame):
    """`VideoFrame` -> (H, W, 3) uint8 RGB. Asking for frames in their order decodes each once.

    Raises:
      OSError: no such file, no video, or the frame lies behind its end.
    """
    player = _player(frame.path)
    if frame.index < player.position:
        _player.cache_clear()
        player = _player(frame.path)
    return player.read(frame.index)


def count_frames(path):
    """How many frames a video says it has; it may hold fewer. OSError for what is no video."""
    return int(_open(path).get(cv2.CAP_PROP_FRAME_COUNT))


def _open(path):
    with open(path, "rb"):  # says why, where OpenCV says nothing
        pass
    capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG)
    if not capture.isOpened():
        raise OSError(f"{path} is no readable video")
    return capture


class _Player:
    """A video that is played forwards: seeking is not exact in every format."""

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

"""Reads and writes video files, and reads cameras, with OpenCV."""

import contextlib
import itertools

import cv2
import numpy as np
from tqdm import tqdm

from hmr_tf.files.atomic import written
from hmr_tf.files.errors import InputError

_DEFAULT_RATE_HZ = 25.0


class Video:
    """An open video file or camera: iterating over it once yields (H, W, 3) uint8 RGB frames.

    It is a context manager that closes the file.
    """

    def __init__(self, source):
        """Args: source: path of a file, or number of a camera.

        Raises:
          InputError: it cannot be opened, or has no frames.
        """
        self.source = source
        self._capture = cv2.VideoCapture(source if isinstance(source, int) else str(source))
        _, self._next = self._capture.read() if self._capture.isOpened() else (False, None)
        if self._next is None:
            self.close()
            flag = "webcam" if isinstance(source, int) else "video_path"
            raise InputError(
                f"--{flag}={source} gives no frames: there is no such video, or it cannot be read."
            )
        stated = self._capture.get(cv2.CAP_PROP_FPS)
        is_valid = np.isfinite(stated) and 0 < stated <= 1000
        self.rate_hz = stated if is_valid else _DEFAULT_RATE_HZ  # frames a second

    def __iter__(self):
        while self._next is not None:
            yield cv2.cvtColor(self._next, cv2.COLOR_BGR2RGB)
            _, self._next = self._capture.read()  # None after the last frame

    def close(self):
        """Closes the file; there are no more frames."""
        self._capture.release()
        self._next = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def record(camera_number, path, num_frames=0):
    """Records a camera into a video until Ctrl-C, or `num_frames` if above 0; returns the path."""
    with (
        Video(camera_number) as camera,
        writer(path, camera.rate_hz) as write,
        tqdm(desc="Ctrl-C ends it", unit="frame") as bar,
    ):
        try:
            for image in itertools.islice(camera, num_frames or None):
                write(image)
                bar.update()
        except KeyboardInterrupt:
            pass  # the user's way to end the recording
    return path


@contextlib.contextmanager
def writer(path, rate_hz):
    """Yields a function that appends an RGB frame to an MP4 file, which appears when complete."""
    videos = []  # one, opened when the first frame gives its size
    num_frames = 0

    def write(image):
        nonlocal num_frames
        height, width = image.shape[:2]
        if not videos:
            code = cv2.VideoWriter_fourcc(*"mp4v")
            videos.append(cv2.VideoWriter(str(unfinished), code, rate_hz, (width, height)))
            if not videos[0].isOpened():
                raise OSError(f"{path} cannot be written")
        videos[0].write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        num_frames += 1

    with written(path) as unfinished:
        yield write
        for video in videos:
            video.release()
        if _count(unfinished) != num_frames:
            raise OSError(f"{path} was cut off: is the disk full?")


def _count(path):
    """Number of frames in a video file: OpenCV does not report a full disk."""
    video = cv2.VideoCapture(str(path))
    count = int(video.get(cv2.CAP_PROP_FRAME_COUNT)) if video.isOpened() else 0
    video.release()
    return count

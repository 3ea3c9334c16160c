"""Video files and cameras, as OpenCV reads and writes them."""

import contextlib
import itertools

import cv2
import numpy as np
from tqdm import tqdm

from hmr_tf.files.atomic import written
from hmr_tf.files.errors import InputError


def frames(source):
    """Yields the (H, W, 3) uint8 RGB frames of a video file (path) or a camera (number).

    Raises:
      InputError: it cannot be opened, or has no frames.
    """
    capture = cv2.VideoCapture(source)
    try:
        is_there, image = capture.read() if capture.isOpened() else (False, None)
        if not is_there:
            what = f"--webcam={source}" if isinstance(source, int) else f"--video_path={source}"
            raise InputError(f"{what} gives no frames: no such video, or none that can be read.")
        while is_there:
            yield cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
            is_there, image = capture.read()
    finally:
        capture.release()


def first_frame(source):
    """The first of `frames`; InputError where there is none."""
    with contextlib.closing(frames(source)) as all_frames:
        return next(all_frames)


def rate(source):
    """Frames a second; 25 where the file does not say."""
    capture = cv2.VideoCapture(source)
    stated = capture.get(cv2.CAP_PROP_FPS)
    capture.release()
    return stated if np.isfinite(stated) and 0 < stated <= 1000 else 25.0


def record(camera_number, path, num_frames=0):
    """Writes what a camera sees into a video until Ctrl-C, or so many frames; returns the path."""
    seen = frames(camera_number)
    if num_frames:
        seen = itertools.islice(seen, num_frames)
    with (
        writer(path, rate(camera_number)) as write,
        tqdm(desc="Ctrl-C ends it", unit="frame") as bar,
    ):
        try:
            for image in seen:
                write(image)
                bar.update()
        except KeyboardInterrupt:
            pass  # the way to say that it is enough
    return path


@contextlib.contextmanager
def writer(path, rate_hz):
    """A function that appends an RGB frame to an MP4; the file has its name when it is whole."""
    videos = []  # one, once the first frame has said how large it is
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
    """How many frames a video file says it has; OpenCV does not tell of a disk that is full."""
    video = cv2.VideoCapture(str(path))
    count = int(video.get(cv2.CAP_PROP_FRAME_COUNT)) if video.isOpened() else 0
    video.release()
    return count

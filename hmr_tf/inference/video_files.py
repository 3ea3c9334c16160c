"""Reads and writes video files, and reads cameras, with OpenCV."""

import contextlib
import functools
import itertools
import time
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from absl import logging
from tqdm import tqdm

from hmr_tf.files import orientation
from hmr_tf.files.atomic import atomic_write
from hmr_tf.files.errors import InputError

_DEFAULT_RATE_HZ = 25.0
_MAX_RATE_HZ = 240.0  # browsers and some cameras state 1000, the unit of their clock
# A video with long pauses is written at a lower rate, with at most so many times its frames.
_MAX_REPEATS = 10
_MAX_STRETCH = 0.05  # of a pixel's width compared with its height
_MEASURED_S = 1.0  # of a camera's first frames, whose times decide the rate of its recording
_JOIN = "join its frames, as with `ffmpeg -framerate 25 -i FOLDER/%06d.jpg video.mp4`"


class FrameTimes(NamedTuple):
    """When the frames of a video are shown, and the constant rate at which outputs show them."""

    seconds: np.ndarray  # (N,) rising from 0
    rate_hz: float  # of outputs: the video's, where it states one

    def shown_frames(self):
        """(M,) int: the number of the video's frame that an output's frame 0, 1, 2, ... shows.

        At a constant rate 0, 1, 2, ... Otherwise frames come twice or not at all, so that the
        output is as long as the video.
        """
        last = round(self.seconds[-1] * self.rate_hz)
        middles = (np.arange(last + 1) + 0.5) / self.rate_hz
        return np.searchsorted(self.seconds, middles, side="right") - 1

    @property
    def is_constant(self):
        """Whether frame n is shown at n / rate_hz, to half a frame."""
        expected = np.arange(len(self.seconds)) / self.rate_hz
        return bool(np.all(np.abs(self.seconds - expected) * self.rate_hz < 0.5))


def frame_times(stamps, stated_hz):
    """`FrameTimes` of a video; the times of its frames decide, not the rate that it states.

    Args:
      stamps: (N,) seconds, as the frames have them; those that do not rise are interpolated.
      stated_hz: frames a second; it decides where the frames have no times.
    """
    stamps = np.asarray(stamps, float)
    stamps = np.where(np.isfinite(stamps), stamps, -np.inf)
    number = np.arange(len(stamps))
    highest = np.maximum.accumulate(np.concatenate([[-np.inf], stamps[:-1]]))
    rises = stamps > highest
    if len(stamps) < 2 or 2 * rises.sum() < len(stamps) or rises.sum() < 2:
        return FrameTimes(number / stated_hz, stated_hz)
    good = number[rises]
    step = (stamps[good[-1]] - stamps[good[0]]) / (good[-1] - good[0])
    seconds = np.interp(number, good, stamps[good]) + step * np.maximum(number - good[-1], 0)
    seconds -= seconds[0]
    for rate_hz in (stated_hz, (len(stamps) - 1) / seconds[-1]):
        times = FrameTimes(seconds, float(rate_hz))
        if times.is_constant:
            return times
    usual = 1 / np.median(np.diff(seconds))
    most = _MAX_REPEATS * len(stamps) / seconds[-1]
    return FrameTimes(seconds, float(min(usual, most, _MAX_RATE_HZ)))


class Video:
    """An open video file or camera: iterating over it once yields (H, W, 3) uint8 RGB frames.

    They are upright by `files.orientation.video_orientation`.
    It is a context manager that closes the file.
    """

    def __init__(self, source):
        """Args: source: path of a file, or number of a camera.

        Raises:
          InputError: it cannot be opened, or has no frames.
        """
        self.source = source
        self._is_camera = isinstance(source, int)
        self._capture = cv2.VideoCapture(source if self._is_camera else _absolute(source))
        self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)  # builds of OpenCV differ
        clockwise_deg = self._capture.get(cv2.CAP_PROP_ORIENTATION_META)
        self._orientation = (
            orientation.UPRIGHT
            if self._is_camera
            else orientation.video_orientation(source, clockwise_deg)
        )
        self._stamps = []  # seconds, of the frames that were yielded
        self.num_still = 0  # how many of the newest frames are equal to the one before
        self._next = self._next_stamp = None
        if self._capture.isOpened():
            self._read_next()
        if self._next is None:
            self.close()
            flag = "webcam" if self._is_camera else "video_path"
            raise InputError(f"--{flag}={source} gives no frames: it is no video that can be read.")
        stated = self._capture.get(cv2.CAP_PROP_FPS)
        is_valid = np.isfinite(stated) and 0 < stated <= _MAX_RATE_HZ
        self.rate_hz = stated if is_valid else _DEFAULT_RATE_HZ  # as stated, which may be wrong

    @property
    def size(self):
        """(height, width) of the next frame; None after the last."""
        if self._next is None:
            return None
        return orientation.upright_size(*self._next.shape[:2], self._orientation)

    @property
    def stated_num_frames(self):
        """How many frames the file states, which may be wrong; 0 where it does not."""
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        return int(count) if 0 < count < 1e9 else 0

    @functools.cached_property
    def num_frames(self):
        """How many frames the file has: they are decoded once more."""
        capture = cv2.VideoCapture(_absolute(self.source))
        count = sum(1 for _ in iter(capture.grab, False))
        capture.release()
        return count

    def __iter__(self):
        while self._next is not None:
            self._stamps.append(self._next_stamp)
            image = cv2.cvtColor(self._next, cv2.COLOR_BGR2RGB)
            yield orientation.make_upright(image, self._orientation)
            before = self._next
            self._read_next()
            if self._next is not None:
                self.num_still = self.num_still + 1 if np.array_equal(before, self._next) else 0

    def _read_next(self):
        _, self._next = self._capture.read()  # None after the last frame
        if self._is_camera:  # few drivers give its frames times, and with several clocks
            self._next_stamp = time.monotonic()
        else:
            self._next_stamp = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000

    @property
    def seconds(self):
        """Time of the newest frame that was yielded, since the first."""
        return self._stamps[-1] - self._stamps[0]

    def frame_times(self):
        """`FrameTimes` of the frames that were yielded so far."""
        return frame_times(self._stamps, self.rate_hz)

    def warn_if_stretched(self):
        """Warns where pixels are not square, as in HDV; they stay, as boxes may be in them."""
        sides = cv2.CAP_PROP_SAR_NUM, cv2.CAP_PROP_SAR_DEN
        across, down = (self._capture.get(side) for side in sides)
        if across > 0 and down > 0 and abs(across / down - 1) > _MAX_STRETCH:
            logging.warning(
                "The pixels of %s are not square (%d:%d), people look stretched: convert it, "
                "`ffmpeg -i VIDEO -vf scale=iw*sar:ih,setsar=1 square.mp4`.",
                *(self.source, across, down),
            )

    def close(self):
        """Closes the file; there are no more frames."""
        self._capture.release()
        self._next = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _absolute(path):
    """Path of a video file as OpenCV takes it for one, whatever it is called.

    Raises:
      InputError: no such file.
    """
    if Path(path).is_dir():
        raise InputError(f"--video_path={path} is a folder: pass it as --img_path, or {_JOIN}")
    if not Path(path).is_file():
        name = str(path)
        remedy = "; download it first" if "://" in name else f"; {_JOIN}" if "%" in name else "."
        raise InputError(f"--video_path={path}: no such file{remedy}")
    return str(Path(path).absolute())  # a relative path with ":" would be an address


def record(camera_number, path, num_frames=0, show=lambda image: None):
    """Records a camera into a video that lasts as long as the recording.

    The camera's frames have the times of the clock: a frame is repeated until the next one comes,
    and left out where two come within one frame of the video.

    Args:
      camera_number: int.
      path: of the video.
      num_frames: of the camera; 0: until Ctrl-C.
      show: called with each frame of the camera when it comes.

    Returns:
      path.
    """
    with Video(camera_number) as camera, tqdm(desc="Ctrl-C ends it", unit="frame") as bar:
        frames = _shown(itertools.islice(camera, num_frames or None), show)
        first, is_stopped = _first_frames(camera, frames)
        rate_hz = camera.frame_times().rate_hz
        with writer(path, rate_hz) as write:
            num_written, before = 0, None
            try:
                for seconds, image in itertools.chain(
                    first, () if is_stopped else _timed(camera, frames)
                ):
                    for _ in range(round(seconds * rate_hz) - num_written):
                        write(before)
                        num_written += 1
                    before = image
                    bar.update()
            except KeyboardInterrupt:
                pass  # the user's way to end the recording
            write(before)
    return path


def _shown(frames, show):
    for image in frames:
        show(image)
        yield image


def _timed(camera, frames):
    """Yields (seconds since the first, image)."""
    for image in frames:
        yield camera.seconds, image


def _first_frames(camera, frames):
    """list of (seconds, image) of the first `_MEASURED_S`; whether Ctrl-C was pressed."""
    first = []
    try:
        for timed in _timed(camera, frames):
            first.append(timed)
            if camera.seconds >= _MEASURED_S:
                break
    except KeyboardInterrupt:
        return first, True
    return first, False


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

    path = Path(path).absolute()  # see `_absolute`
    with atomic_write(path) as unfinished:
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

"""Videos as they are shown: rotated by their rotation tag, each frame at its time."""

import re
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from hmr_tf.files import orientation
from hmr_tf.files.errors import InputError
from hmr_tf.inference import boxes, video_files
from hmr_tf.inference.video import warn_of_end
from tests.fakes import videos

PAUSE = [0, 40, 80, 120, 1120, 1160, 1200, 1240]


def still(number=0, height=32, width=48):
    image = np.full((height, width, 3), 10 * number % 256, np.uint8)
    image[:16, :16] = (255, 0, 0)
    return image


def times_of(path):
    with video_files.Video(path) as video:
        for _ in video:
            pass
        return video.frame_times()


@pytest.mark.parametrize("value", range(1, 9))
def test_video_frames_are_upright(value, tmp_path):
    """Rotated, as phones do, and mirrored, as front cameras and editors do."""
    path = videos.write_with_matrix(tmp_path / "phone.mp4", [still()] * 3, videos.MATRICES[value])
    with video_files.Video(path) as video:
        assert video.size == orientation.upright_size(32, 48, value)
        frames = list(video)
    expected = orientation.make_upright(still(), value)
    assert [frame.shape for frame in frames] == [expected.shape] * 3
    assert np.abs(frames[0].astype(int) - expected).mean() < 10


@pytest.mark.parametrize("cut", [0, 4, 30, 60, 100])
def test_video_header_that_is_damaged_is_read_or_named(cut, tmp_path):
    path = videos.write_with_matrix(tmp_path / "a.mp4", [still()] * 3, videos.MATRICES[2])
    content = path.read_bytes()
    place = content.index(b"moov") + cut
    path.write_bytes(content[:place] + b"\xff" * 40 + content[place + 40 :])
    try:
        with video_files.Video(path) as video:
            assert len(list(video)) <= 3
    except InputError as error:  # by the place that is damaged
        message = str(error)
    else:
        message = ""
    assert not message or "a.mp4" in message


@pytest.mark.parametrize("name", ["a:b.mp4", "50%02d.mp4", "[v2] *?.mp4", "-a\nb.mp4", "ü"])
def test_video_of_any_name_is_read(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = videos.write_rotated(Path("plain.mp4"), [still()] * 3, 0)
    path.rename(name)
    with video_files.Video(name) as video:
        assert len(list(video)) == video.num_frames == 3
    with video_files.writer(Path(f"out_{name}.mp4"), 10) as write:
        write(still())
    with video_files.Video(f"out_{name}.mp4") as video:
        assert len(list(video)) == 1


def test_video_path_that_is_no_file_is_refused(tmp_path):
    for path, message in (
        (tmp_path, "is a folder: pass it as --img_path, or join its frames, as with `ffmpeg -fr"),
        (tmp_path / "img_%02d.png", "no such file; join its frames, as with `ffmpeg"),
        ("rtsp://camera/1", "no such file; download it first"),
    ):
        with pytest.raises(InputError, match=message):
            video_files.Video(path)


def test_video_frames_are_counted_where_the_file_states_another_number(tmp_path):
    path = videos.write_matroska(tmp_path / "a.mkv", [still(n) for n in range(8)], PAUSE, 25)
    with video_files.Video(path) as video:
        assert video.stated_num_frames != 8
        assert video.num_frames == 8
        listed = boxes.BoxesByName({str(number): [number] for number in range(1, 9)})
        boxes_of = listed.of_frames("a", lambda: video.num_frames).of_frame
        assert [boxes_of(number) for number in range(8)] == [[n] for n in range(1, 9)]


@pytest.mark.parametrize(("across", "is_warned"), [(4, True), (3, False)])
def test_video_of_stretched_pixels_is_warned_of(across, is_warned, tmp_path, caplog):
    path = videos.write_rotated(tmp_path / "hdv.mp4", [still()] * 3, 0)
    ratio = struct.pack(">I4sII", 16, b"pasp", across, 3)  # of pixels, 3 high
    path.write_bytes(videos.with_box(path.read_bytes(), b"mp4v", ratio))
    with video_files.Video(path) as video:
        assert len(list(video)) == 3
    with video_files.Video(path) as video:
        video.warn_if_stretched()
    messages = [record.getMessage() for record in caplog.records]
    assert any("hdv.mp4 are not square (4:3)" in m for m in messages) == is_warned


def test_video_that_is_cut_off_is_warned_of(tmp_path, caplog):
    path = tmp_path / "a.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (48, 32))
    for number in range(20):
        writer.write(still(number))
    writer.release()
    content = path.read_bytes()
    middle = [match.start() for match in re.finditer(b"00dc", content)][9]
    for end, is_cut_off in ((len(content), False), (middle, True)):
        path.write_bytes(content[:end])
        caplog.clear()
        with video_files.Video(path) as video:
            assert (len(list(video)) < 20) == is_cut_off
            warn_of_end(video, video.frame_times())
        messages = [record.getMessage() for record in caplog.records]
        assert any("a.avi states 2.0 s, but its frames end" in m for m in messages) == is_cut_off


@pytest.mark.parametrize(("num_still", "is_warned"), [(20, True), (8, False)])
def test_video_that_stands_still_at_its_end_is_warned_of(num_still, is_warned, tmp_path, caplog):
    """So does one whose frames change their size: OpenCV repeats the last one it can give."""
    images = [*(still(number) for number in range(10)), *[still(10)] * num_still]
    path = videos.write_matroska(tmp_path / "a.mkv", images, range(0, 50 * len(images), 50))
    with video_files.Video(path) as video:
        assert len(list(video)) == len(images)
        warn_of_end(video, video.frame_times())
    messages = [record.getMessage() for record in caplog.records]
    assert any("a.mkv stand still" in message for message in messages) == is_warned


@pytest.mark.parametrize("stated_hz", [1000, 25, 5])
def test_video_times_of_frames_decide(stated_hz, tmp_path):
    even = videos.write_matroska(
        tmp_path / "even.mkv", [still(n) for n in range(8)], range(0, 400, 50), stated_hz
    )
    times = times_of(even)
    np.testing.assert_allclose(times.seconds, np.arange(8) * 0.05, atol=1e-6)
    assert times.rate_hz == pytest.approx(20)
    assert times.shown_frames().tolist() == list(range(8))


def test_video_with_a_pause_keeps_its_length(tmp_path):
    path = videos.write_matroska(tmp_path / "pause.mkv", [still(n) for n in range(8)], PAUSE)
    times = times_of(path)
    assert times.rate_hz == pytest.approx(25)
    shown = times.shown_frames()
    assert len(shown) / times.rate_hz == pytest.approx(1.28, abs=0.04)
    assert shown.tolist() == [0, 1, 2, *[3] * 25, 4, 5, 6, 7]


def test_video_that_opencv_wrote_has_the_rate_it_states(tmp_path):
    for name, code in (("a.avi", "MJPG"), ("a.mp4", "mp4v")):
        path = str(tmp_path / name)
        writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*code), 29.97, (48, 32))
        for number in range(40):
            writer.write(still(number))
        writer.release()
        times = times_of(path)
        assert times.rate_hz == pytest.approx(29.97, abs=0.01)
        assert times.shown_frames().tolist() == list(range(40))


@pytest.mark.parametrize(
    ("stamps", "stated_hz", "rate_hz"),
    [
        ([0, 0, 0, 0], 20, 20),  # no times
        ([0], 30, 30),
        ([np.nan, np.nan], 25, 25),
        ([5, 5.1, 5.1, 5.3, 5.4], 10, 10),  # one without
        ([5, 5.1, 5.0, 5.3, 5.4], 30, 10),  # one that goes back
        ([0, 0.1, 0.2, 0.3, 0], 10, 10),  # the last one without
        ([0, 1 / 30, 2 / 30, 4 / 30, 5 / 30, 6 / 30], 30, 25),  # one frame lost: half of one off
        ([0, 1 / 30, 2 / 30, 6 / 30, 7 / 30, 8 / 30], 30, 30),  # three lost: frames come twice
        ([*np.arange(0, 1, 0.04), 10_000], 25, 10 * 26 / 10_000),
    ],
)
def test_video_times_that_are_missing_or_wild(stamps, stated_hz, rate_hz):
    times = video_files.frame_times(stamps, stated_hz)
    assert times.rate_hz == pytest.approx(rate_hz, rel=1e-3)
    assert len(times.seconds) == len(stamps)
    assert (np.diff(times.seconds) > 0).all()
    assert len(times.shown_frames()) <= 10 * len(stamps) + 1


def test_video_at_a_slightly_other_rate_than_it_states():
    """A second too long after half a minute, at the stated rate."""
    seconds = np.arange(900) / 29
    times = video_files.frame_times(seconds, 30)
    assert times.rate_hz == pytest.approx(29)
    assert times.shown_frames().tolist() == list(range(900))


class FakeCamera:
    """A capture whose frames come at scripted times; each tells its number by its grey."""

    def __init__(self, seconds, stated_hz, clock, ctrl_c_at=None):
        self._seconds, self._stated_hz = list(seconds), stated_hz
        self._clock, self._ctrl_c_at = clock, ctrl_c_at
        self._number = 0

    def isOpened(self):
        return True

    def set(self, *_):
        return False

    def get(self, name):
        return self._stated_hz if name == cv2.CAP_PROP_FPS else 0.0

    def release(self):
        pass

    def read(self):
        if self._number == self._ctrl_c_at:
            raise KeyboardInterrupt
        if self._number == len(self._seconds):
            return False, None
        self._clock[0] = 1234.5 + self._seconds[self._number]
        self._number += 1
        return True, np.full((32, 48, 3), 15 + 5 * self._number, np.uint8)


@pytest.fixture
def camera(monkeypatch):
    """Replaces camera 0 by a FakeCamera, and the clock by the camera's."""
    clock, real = [0.0], cv2.VideoCapture

    def install(seconds, stated_hz, **more):
        fake = FakeCamera(seconds, stated_hz, clock, **more)
        monkeypatch.setattr(cv2, "VideoCapture", lambda s: fake if s == 0 else real(s))
        monkeypatch.setattr(video_files.time, "monotonic", lambda: clock[0])

    return install


SLOW = [n / 12 for n in range(30)]  # dim light: 12 frames a second, whatever is stated
GAP = [*(n / 30 for n in range(20)), *(3 + n / 30 for n in range(20))]


@pytest.mark.parametrize("stated_hz", [30.0, 0.0, 1000.0, 12.0])
@pytest.mark.parametrize("seconds", [SLOW, GAP], ids=["slow", "gap"])
def test_video_recorded_from_a_camera_lasts_as_long_as_the_recording(
    seconds, stated_hz, camera, tmp_path
):
    camera(seconds, stated_hz)
    path = video_files.record(0, tmp_path / "webcam.mp4")
    with video_files.Video(path) as video:
        greys, numbers = np.unique([round(f.mean() / 5) for f in video], return_inverse=True)
        times = video.frame_times()
    assert times.seconds[-1] == pytest.approx(seconds[-1], abs=1 / times.rate_hz)
    assert times.rate_hz == pytest.approx(12 if seconds is SLOW else 30, rel=0.05)
    for number, at in zip(numbers, times.seconds):  # each frame where the clock had it
        after = seconds[number + 1] if number + 1 < len(seconds) else np.inf
        assert seconds[number] - 1 / times.rate_hz <= at <= after + 1 / times.rate_hz
    assert len(greys) == len(seconds)  # none is lost


@pytest.mark.parametrize("ctrl_c_at", [2, 25])
def test_video_recording_ends_with_ctrl_c_and_keeps_its_frames(ctrl_c_at, camera, tmp_path):
    camera(SLOW, 30.0, ctrl_c_at=ctrl_c_at)
    path = video_files.record(0, tmp_path / "webcam.mp4")
    assert times_of(path).seconds[-1] == pytest.approx(SLOW[ctrl_c_at - 1], abs=0.1)


def test_video_recording_has_num_frames(camera, tmp_path):
    camera(SLOW, 12.0)
    path = video_files.record(0, tmp_path / "webcam.mp4", num_frames=7)
    assert len(times_of(path).seconds) == 7

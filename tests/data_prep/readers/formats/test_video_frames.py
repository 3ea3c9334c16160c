"""Frames of videos: in any order, after the end, of files that are no videos."""

import cv2
import numpy as np
import pytest

from data_prep.reader_items import LabelledPerson, Skipped, VideoFrame
from data_prep.readers.formats import video_frames
from data_prep.writing.conversion import encode
from data_prep.writing.shard_files import group_by_image

GREYS = np.arange(10, 250, 20)


@pytest.fixture
def clip(tmp_path):
    """A video whose frame n is a plain grey of GREYS[n]."""
    path = tmp_path / "video_0.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, (64, 48))
    for grey in GREYS:
        writer.write(np.full((48, 64, 3), grey, np.uint8))
    writer.release()
    return str(path)


@pytest.mark.parametrize("order", [range(len(GREYS)), (0, 5, 5, 11), (11, 3, 0)])
def test_video_frames_frames_in_any_order(clip, order):
    for index in order:
        image = video_frames.read_frame(VideoFrame(clip, index))
        assert image.shape == (48, 64, 3)
        assert abs(image.mean() - GREYS[index]) < 3


def test_video_frames_frames_are_counted(clip, tmp_path):
    assert video_frames.count_frames(clip) == len(GREYS)
    (tmp_path / "video.avi").write_bytes(b"no video")
    with pytest.raises(OSError, match="not a readable video"):
        video_frames.count_frames(str(tmp_path / "video.avi"))


def test_video_frames_colours_are_rgb(tmp_path):
    path = str(tmp_path / "red.avi")
    writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*"MJPG"), 25, (32, 32))
    writer.write(np.full((32, 32, 3), (0, 0, 250), np.uint8))
    writer.release()
    red, green, blue = video_frames.read_frame(VideoFrame(path, 0)).mean((0, 1))
    assert red > 200 > 60 > max(green, blue)


def test_video_frames_frame_after_the_end_is_skipped(clip):
    points = np.tile([20.0, 20.0], (19, 1))
    people = [
        LabelledPerson(VideoFrame(clip, i), points, np.ones(19, int), "f.jpg") for i in (11, 12)
    ]
    records = [record for group in group_by_image(people) for record in encode(group)]
    assert isinstance(records[0], bytes)
    assert records[1] == Skipped("image unreadable", str(VideoFrame(clip, 12)))


def test_video_frames_no_video(tmp_path):
    path = tmp_path / "video.avi"
    with pytest.raises(FileNotFoundError):
        video_frames.read_frame(VideoFrame(str(path), 0))
    path.write_bytes(b"no video")
    with pytest.raises(OSError, match="not a readable video"):
        video_frames.read_frame(VideoFrame(str(path), 0))

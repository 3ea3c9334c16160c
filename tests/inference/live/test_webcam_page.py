"""The webcam's page: its content and address; the recording never waits for it."""

import http.client
import threading
import time

import cv2
import numpy as np
import pytest

from hmr_tf.inference import video_files
from hmr_tf.inference.live import webcam_page
from hmr_tf.inference.live.webcam_page import WebcamPage
from hmr_tf.inference.model import Model
from tests.fakes import tiny_hmr

IMAGE = np.full((48, 64, 3), (200, 30, 30), np.uint8)


def request(page, path, host="127.0.0.1"):
    connection = http.client.HTTPConnection(*page._server.server_address, timeout=20)
    connection.request("GET", path, headers={"Host": host})
    return connection.getresponse()


def next_picture(response):
    """(H, W, 3) RGB: the next JPEG of the stream."""
    length = None
    while True:
        line = response.fp.readline().strip()
        if line.startswith(b"Content-Length"):
            length = int(line.split(b":")[1])
        elif not line and length:
            content = np.frombuffer(response.fp.read(length), np.uint8)
            return cv2.imdecode(content, cv2.IMREAD_COLOR)[..., ::-1]


def test_webcam_page_serves_the_newest_picture_and_its_lag():
    with WebcamPage(lambda image: image[:, ::-1] // 2) as page:
        assert page.url.startswith("http://127.0.0.1:")
        assert b'src="/stream"' in request(page, "/").read()
        stream = request(page, "/stream")
        assert stream.getheader("Content-Type").startswith("multipart/x-mixed-replace")
        page.show(IMAGE)
        picture = next_picture(stream)
        assert picture.shape == IMAGE.shape
        assert np.abs(picture[40:].astype(int) - (100, 15, 15)).max() < 12
        assert (picture[:30] > 200).any()  # the lag in white
        assert 0 <= page.lag_s < 20
        page.show(np.roll(IMAGE, 1, axis=2))
        assert np.abs(next_picture(stream)[40:].astype(int) - (15, 100, 15)).max() < 12
    assert stream.fp.read().strip() == b""


def test_webcam_page_is_for_this_computer_alone():
    with WebcamPage(lambda image: image) as page:
        assert page._server.server_address[0] == "127.0.0.1"
        assert request(page, "/", host="evil.example").status == 403
        assert request(page, "/stream", host="evil.example").status == 403
        assert request(page, "/etc/passwd").status == 404


def test_webcam_page_leaves_out_frames_and_never_waits():
    drawn, may_draw = [], threading.Event()

    def draw(image):
        drawn.append(int(image[0, 0, 0]))
        may_draw.wait(20)
        return image

    with WebcamPage(draw) as page:
        page.show(np.full((8, 8, 3), 0, np.uint8))
        while not drawn:
            time.sleep(0.01)
        for value in range(1, 100):
            page.show(np.full((8, 8, 3), value, np.uint8))
        may_draw.set()
        while len(drawn) < 2:
            time.sleep(0.01)
    assert drawn == [0, 99]


def test_webcam_page_shows_the_frame_where_drawing_fails():
    def draw(image):
        raise ValueError("reason")

    with WebcamPage(draw) as page:
        stream = request(page, "/stream")
        page.show(IMAGE)
        assert np.abs(next_picture(stream)[40:].astype(int) - (200, 30, 30)).max() < 12


@pytest.mark.parametrize("boxes", [None, [(10, 4, 20, 40)], [(500, 4, 20, 40)]])
def test_webcam_page_draws_the_people_of_the_model(tmp_path, boxes):
    model = Model(*tiny_hmr.with_body(tmp_path))
    draw = webcam_page.drawer(model, boxes)
    for _ in range(2):
        assert draw(IMAGE).shape == IMAGE.shape


def test_recording_shows_each_frame_of_the_camera(tmp_path, monkeypatch):
    class Camera:
        rate_hz, count = 10.0, 0

        def isOpened(self):
            return True

        def set(self, *_):
            return True

        def get(self, name):
            return 10.0 if name == cv2.CAP_PROP_FPS else 0.0

        def read(self):
            self.count += 1
            return True, np.full((24, 32, 3), self.count, np.uint8)

        def release(self):
            pass

    real, camera = cv2.VideoCapture, Camera()
    monkeypatch.setattr(cv2, "VideoCapture", lambda s: camera if s == 0 else real(s))
    shown = []
    video_files.record(0, tmp_path / "camera.mp4", 12, show=shown.append)
    assert [int(image[0, 0, 0]) for image in shown] == [*range(1, 13)]

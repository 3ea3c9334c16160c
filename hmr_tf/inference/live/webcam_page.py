"""A page on this computer that shows the webcam's people while it is recorded.

The recording never waits for it: a thread predicts and draws the newest frame, and leaves out
those that come meanwhile. The lag, from the camera to the page's picture, is written on it.
"""

import contextlib
import http.server
import threading
import time

import cv2
import numpy as np
from absl import logging

from hmr_tf.inference.boxes import usable
from hmr_tf.rendering import panels

HOST = "127.0.0.1"  # no other computer can open the page
_BOUNDARY = "picture"
_PAGE = (
    b"<!doctype html><title>hmr_tf: webcam</title>"
    b'<body style="margin:0;background:#222"><img src="/stream" style="max-width:100%">'
)


class WebcamPage:
    """Serves the newest drawn frame until it is closed; a context manager."""

    def __init__(self, draw, port=0):
        """Args: draw: function of an image, gives the picture to show; port: 0: any free one."""
        self._draw = draw
        self._changed = threading.Condition()
        self._frame = None  # newest image and when it came, until it is drawn
        self._jpeg, self._number = None, 0  # newest picture, count of pictures
        self._is_open = True
        self.lag_s = None  # of the newest picture
        self._server = http.server.ThreadingHTTPServer((HOST, port), self._handler())
        self._server.daemon_threads = True
        self._threads = [
            threading.Thread(target=target, daemon=True)
            for target in (self._server.serve_forever, self._draw_frames)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def url(self):
        return f"http://{HOST}:{self._server.server_address[1]}/"

    def show(self, image):
        """Shows an (H, W, 3) uint8 RGB frame soon, if no newer one comes before; never waits."""
        with self._changed:
            self._frame = image, time.monotonic()
            self._changed.notify_all()

    def close(self):
        with self._changed:
            self._is_open = False
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()
        for thread in self._threads:
            thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _draw_frames(self):
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._frame is not None or not self._is_open)
                if not self._is_open:
                    return
                (image, came), self._frame = self._frame, None
            try:
                picture = self._draw(image)
            except Exception as error:  # the recording goes on
                logging.warning("The page shows a frame without bodies: %s", error)
                picture = image
            lag_s = time.monotonic() - came
            jpeg = _jpeg_with_text(picture, f"lag {1000 * lag_s:.0f} ms")
            with self._changed:
                self._jpeg, self._number, self.lag_s = jpeg, self._number + 1, lag_s
                self._changed.notify_all()

    def _pictures(self):
        """Yields each newest JPEG until the page is closed."""
        number = 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda n=number: self._number > n or not self._is_open)
                if not self._is_open:
                    return
                jpeg, number = self._jpeg, self._number
            yield jpeg

    def _handler(self):
        page = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                name = self.headers.get("Host", "").rsplit(":", 1)[0]
                if name not in (HOST, "localhost"):  # a page of another site that points here
                    self.send_error(403)
                elif self.path == "/":
                    self._start("text/html; charset=utf-8")
                    self.wfile.write(_PAGE)
                elif self.path == "/stream":
                    self._start(f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
                    with contextlib.suppress(OSError):  # the browser has gone
                        for jpeg in page._pictures():
                            head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\n"
                            head += f"Content-Length: {len(jpeg)}\r\n\r\n"
                            self.wfile.write(head.encode() + jpeg + b"\r\n")
                else:
                    self.send_error(404)

            def _start(self, content_type):
                self.send_response(200)
                self.send_header("Content-Type", content_type)
                self.send_header("Cache-Control", "no-store")
                self.end_headers()

            def log_message(self, *_):
                pass

        return Handler


def drawer(model, boxes=None):
    """A function of successive frames that draws their people.

    Args:
      model: `inference.model.Model`.
      boxes: list of boxes of each frame; None: those that the model detects.
    """
    box_before = None

    def draw(image):
        nonlocal box_before
        if boxes is None:
            (of_image,) = model.detect_in_frames([image], box_before)
        else:
            of_image, _ = usable(boxes, *image.shape[:2])
        people = model.predict(image, of_image)
        box_before = people[0]["box"] if people else None
        return panels.overlay(image, people, model.faces, with_skeleton=False)

    return draw


def _jpeg_with_text(picture, text):
    bgr = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2BGR)
    for color, width in (((0, 0, 0), 4), ((255, 255, 255), 1)):
        cv2.putText(bgr, text, (8, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.6, color, width, cv2.LINE_AA)
    return cv2.imencode(".jpg", bgr)[1].tobytes()

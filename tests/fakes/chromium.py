"""A headless Chromium, driven through its DevTools protocol; needs no package of Python.

    with chromium.open_page(path, tmp_path) as page:
        page.wait_for("document.body.dataset.state == 'ready'")
        page.press("ArrowLeft")
        picture = page.screenshot()

The protocol: https://chromedevtools.github.io/devtools-protocol. Errors that the page throws or
writes to its console fail the test.
"""

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
)
SOFTWARE_WEBGL = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
NO_WEBGL = ("--disable-3d-apis",)
_PATIENCE_S = 120
# Chromium reads commands at file descriptor 3 and replies at 4.
_START = "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); "
_START += "os.execv(sys.argv[3], sys.argv[3:])"
_KEY_CODES = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Home": 36}
_SHIFT = 8


class Page:
    """A page that is open; sizes and places are CSS pixels."""

    def __init__(self, read_end, write_end):
        self._replies, self._commands = read_end, os.fdopen(write_end, "wb")
        self._number, self._session, self._unread = 0, None, b""
        self.requests, self.errors = [], []

    def open(self, url, size):
        """Opens an address in a window of that width and height."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.resize(*size)
        self.call("Page.navigate", url=url)
        self.wait_for("location.href != 'about:blank' && document.readyState == 'complete'")

    def call(self, method, **parameters):
        """Result of a command of the protocol."""
        self._number += 1
        command = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            command["sessionId"] = self._session
        self._commands.write(json.dumps(command).encode() + b"\0")
        self._commands.flush()
        while True:
            message = self._read()
            if message.get("id") == self._number:
                assert "error" not in message, (method, message)
                return message["result"]
            self._note(message)

    def _read(self):
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._replies], [], [], _PATIENCE_S)
            content = os.read(self._replies, 2**16) if ready else b""
            assert content, "Chromium ended" if ready else "Chromium does not reply"
            self._unread += content
        message, _, self._unread = self._unread.partition(b"\0")
        return json.loads(message)

    def _note(self, event):
        method, parameters = event.get("method"), event.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.errors.append(parameters["exceptionDetails"])
        elif method == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.errors.append(parameters["entry"])

    def resize(self, width, height, mobile=False):
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=mobile,
        )
        self.call("Emulation.setTouchEmulationEnabled", enabled=mobile)

    def close(self):
        """Closes the ends of the pipes; the browser ends with them."""
        os.close(self._replies)
        self._commands.close()

    def evaluate(self, script):
        """Value of JavaScript, as JSON carries it; waits for a promise."""
        reply = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in reply, (script, reply)
        return reply["result"].get("value")

    def wait_for(self, condition):
        """Waits until JavaScript is true."""
        end = time.monotonic() + _PATIENCE_S
        while not self.evaluate(condition):
            assert time.monotonic() < end, (condition, self.errors)
            time.sleep(0.02)

    def box(self, selector):
        """x, y, width and height of an element on the screen."""
        rectangle = f"document.querySelector({json.dumps(selector)}).getBoundingClientRect()"
        return self.evaluate(f"(({{x, y, width, height}}) => [x, y, width, height])({rectangle})")

    def middle(self, selector):
        """x, y of the middle of an element, which is scrolled to."""
        self.evaluate(f"document.querySelector({json.dumps(selector)}).scrollIntoViewIfNeeded()")
        x, y, width, height = self.box(selector)
        return x + width / 2, y + height / 2

    def screenshot(self, selector="html"):
        """(H, W, 3) uint8 RGB of an element, once what is due is drawn."""
        self.evaluate("new Promise((ok) => requestAnimationFrame(() => requestAnimationFrame(ok)))")
        x, y, width, height = self.box(selector)
        clip = {"x": x, "y": y, "width": width, "height": height, "scale": 1}
        content = self.call("Page.captureScreenshot", format="png", clip=clip)["data"]
        picture = np.frombuffer(base64.b64decode(content), np.uint8)
        return cv2.cvtColor(cv2.imdecode(picture, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)

    def _mouse(self, kind, x, y, **parameters):
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **parameters)

    def click(self, selector):
        x, y = self.middle(selector)
        for kind in ("mousePressed", "mouseReleased"):
            self._mouse(kind, x, y, button="left", clickCount=1)

    def drag(self, selector, right, down, button="left", shift=False):
        """Drags the mouse from the middle of an element."""
        (x, y), held = self.middle(selector), {"modifiers": _SHIFT * shift, "button": button}
        buttons = {"left": 1, "right": 2, "middle": 4}[button]
        self._mouse("mousePressed", x, y, buttons=buttons, clickCount=1, **held)
        for share in (0.5, 1):
            self._mouse("mouseMoved", x + share * right, y + share * down, buttons=buttons, **held)
        self._mouse("mouseReleased", x + right, y + down, clickCount=1, **held)

    def choose_file(self, selector, path):
        """Gives a file to an <input type=file>, as the dialog does."""
        script = f"document.querySelector({json.dumps(selector)})"
        node = self.call("Runtime.evaluate", expression=script)["result"]["objectId"]
        self.call("DOM.setFileInputFiles", files=[str(path.resolve())], objectId=node)

    def wheel(self, selector, down):
        self._mouse("mouseWheel", *self.middle(selector), deltaX=0, deltaY=down)

    def touch(self, *fingers):
        """Moves fingers, each a list of (x, y) as long as the others' lists."""
        for number, points in enumerate(zip(*fingers)):
            kind = "touchMove" if number else "touchStart"
            places = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
            self.call("Input.dispatchTouchEvent", type=kind, touchPoints=places)
        self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def press(self, key, shift=False):
        """Presses a key, by its name in JavaScript, where the focus is."""
        text = {"text": key} if len(key) == 1 else {}
        code = _KEY_CODES.get(key, ord(key.upper()[0]))
        keys = {"key": key, "windowsVirtualKeyCode": code, "modifiers": _SHIFT * shift}
        self.call("Input.dispatchKeyEvent", type="keyDown", **keys, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **keys)


def find_program():
    """Path of the browser; skips where there is none."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    return program or pytest.skip("needs Chromium: apt-get install chromium")


@contextlib.contextmanager
def open_page(address, folder, flags=SOFTWARE_WEBGL, size=(900, 600)):
    """Opens a page in a new browser; skips where there is no Chromium.

    Args:
      address: Path of the HTML file, or http address.
      folder: an empty folder, for what the browser keeps.
      flags: more of Chromium's flags.
      size: (width, height) of the window.

    Yields:
      Page.
    """
    program = find_program()
    (command_end, write_end), (read_end, reply_end) = os.pipe(), os.pipe()
    # Above 4, so that neither is closed when Chromium's are put in place.
    theirs = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (command_end, reply_end)]
    command = [sys.executable, "-c", _START, *map(str, theirs), program, *_FLAGS, *flags]
    browser = subprocess.Popen(
        [*command, f"--user-data-dir={folder}", "about:blank"],
        pass_fds=theirs,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for end in (command_end, reply_end, *theirs):
        os.close(end)
    page = Page(read_end, write_end)
    try:
        page.open(address if isinstance(address, str) else address.as_uri(), size)
        yield page
        assert page.errors == []
    finally:
        page.close()
        browser.kill()
        browser.wait()

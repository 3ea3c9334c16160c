"""An HTML page that shows people: photograph, overlay and the bodies in 3D; works offline."""

import base64
import hashlib
import html
import json
import re
from pathlib import Path

import cv2

from hmr_tf.files import atomic

_ASSETS = Path(__file__).resolve().parents[1] / "assets" / "viewer"
_SCRIPTS = ("bodies.js", "drawing.js", "viewer.js")  # they make one script, in this order
_LONGEST_PX = 1600  # of a picture in the page


def write_viewer(path, glb, photo=None, overlay=None, title="Bodies"):
    """Writes a page with everything in it, scripts too: it loads nothing.

    Args:
      path: of the file; it ends with .html.
      glb: bytes of `gltf.glb`; with an animation the page plays it.
      photo: (H, W, 3) uint8 RGB, or None for the bodies alone.
      overlay: (H, W, 3) uint8 RGB, the bodies drawn over the photograph, or None; a slider shows
        as much of it as wanted.
      title: above the pictures.
    """
    data = {"glb": base64.b64encode(glb).decode("ascii")}
    for name, picture in (("photo", photo), ("overlay", overlay)):
        if picture is not None:
            data[name] = _data_uri(picture)
    script = "\n".join((_ASSETS / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    fields = {
        "title": html.escape(title),
        # JSON may hold "<" as an escape only: what looks like a tag would end the script.
        "data": json.dumps(data).replace("<", "\\u003c"),
        "script": script,
        "script_hash": _content_security_hash(script),
    }
    page = (_ASSETS / "page.html").read_text(encoding="utf-8")
    page = re.sub(r"\{\{(\w+)\}\}", lambda field: fields[field[1]], page)
    atomic.write_text(path, page)


def _content_security_hash(script):
    """The name of a script in a Content-Security-Policy: https://www.w3.org/TR/CSP3/#grammardef-hash-source."""
    digest = hashlib.sha256(script.encode("utf-8")).digest()
    return "sha256-" + base64.b64encode(digest).decode("ascii")


def _data_uri(picture):
    height, width = picture.shape[:2]
    shrink = _LONGEST_PX / max(height, width)
    if shrink < 1:
        size = max(1, round(width * shrink)), max(1, round(height * shrink))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    done, content = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    if not done:
        raise ValueError(f"a picture of shape {picture.shape} cannot be saved as JPEG")
    return "data:image/jpeg;base64," + base64.b64encode(content).decode("ascii")

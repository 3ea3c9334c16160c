import base64
import json
import re
import shutil
import subprocess

import cv2
import numpy as np
import pytest

from hmr_tf.body import body_model
from hmr_tf.exporters import viewer
from hmr_tf.exporters.gltf import glb
from tests.fakes import tiny_body
from tests.fakes.gltf_reader import Glb
from tests.fakes.motions import walker

RED, BLUE = (200, 30, 30), (30, 30, 200)
# What a person would do with the page, once the bodies are there.
HANDS = """<script>
function set(id, value) { $(id).value = value; $(id).dispatchEvent(new Event("input")); }
const wait = setInterval(() => {
  if (status.state !== "ready") return;
  clearInterval(wait);
  set("compare", 25);
  set("time", status.duration / 2);
  $("wire").click();
  status.hands = "done";
}, 10);
</script>"""


@pytest.fixture(scope="module")
def glb_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("body")
    model = body_model.read_model(tiny_body.write(folder / "body.npz"))
    return glb.glb([walker(frames=5), walker("person_1", 5, seed=1)], model, fps=2)


def picture(color, height=40, width=60):
    return np.full((height, width, 3), color, np.uint8)


def data_of(page):
    return re.search(r'<script id="data" type="application/json">(.*?)</script>', page)[1]


def test_everything_is_in_the_page_and_nothing_comes_from_elsewhere(tmp_path, glb_file):
    path = tmp_path / "page.html"
    viewer.write_viewer(path, glb_file, picture(RED), picture(BLUE), "a</script><b>&")
    page = path.read_text(encoding="utf-8")
    assert page.count("a&lt;/script&gt;&lt;b&gt;&amp;") == 2
    assert not re.search(r"<(script|img|link)[^>]*(src|href)=", page)
    assert page.count("</script>") == 3
    assert "<" not in data_of(page)


def test_the_glb_and_the_pictures_come_out_as_they_went_in(tmp_path, glb_file):
    viewer.write_viewer(tmp_path / "page.html", glb_file, picture(RED), picture(BLUE, 4000, 1000))
    data = json.loads(data_of((tmp_path / "page.html").read_text(encoding="utf-8")))
    content = base64.b64decode(data["glb"])
    assert content == glb_file
    assert len(Glb(content).document["meshes"]) == 2

    def decoded(name):
        head, _, body = data[name].partition(",")
        assert head == "data:image/jpeg;base64"
        return cv2.imdecode(np.frombuffer(base64.b64decode(body), np.uint8), cv2.IMREAD_COLOR)

    np.testing.assert_allclose(decoded("photo"), picture(RED)[..., ::-1], atol=4)
    assert decoded("overlay").shape == (1600, 400, 3)


def test_pictures_may_be_missing(tmp_path, glb_file):
    viewer.write_viewer(tmp_path / "page.html", glb_file)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert list(json.loads(data_of(page))) == ["glb"]


def test_three_js_comes_with_its_licence():
    folder = viewer._ASSETS
    assert "The MIT License" in (folder / "three_LICENSE.txt").read_text(encoding="utf-8")
    assert "three 0.187.0" in (folder.parent / "README.txt").read_text(encoding="utf-8")
    assert (folder / "three.min.js").stat().st_size < 1.3e6


def browse(path, *flags):
    """Opens a page without a display: attributes of its body, and a picture of 900 x 400."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        pytest.skip("needs Chromium: apt-get install chromium")
    shot = path.with_suffix(".png")
    output = subprocess.run(
        [
            chromium,
            "--headless",
            "--no-sandbox",
            f"--user-data-dir={path.parent / 'profile'}",
            "--window-size=900,400",
            "--virtual-time-budget=500",
            f"--screenshot={shot}",
            "--dump-dom",
            *flags,
            path.as_uri(),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
        timeout=120,
    ).stdout.decode()
    body = re.search(r"<body([^>]*)>", output)[1]
    return dict(re.findall(r'data-(\w+)="([^"]*)"', body)), output, cv2.imread(str(shot))


def test_the_page_in_chromium(tmp_path, glb_file):
    path = tmp_path / "page.html"
    viewer.write_viewer(path, glb_file, picture(RED), picture(BLUE))
    path.write_text(path.read_text(encoding="utf-8").replace("</body>", HANDS + "</body>"))
    software = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
    status, _, shot = browse(path, *software)
    assert status["state"] == "ready"
    assert status["hands"] == "done"
    assert status["meshes"] == "2"
    assert float(status["duration"]) == pytest.approx(2)
    assert float(status["time"]) == pytest.approx(1)
    left = shot[:, :450].astype(int)
    red, blue = (np.abs(left - color[::-1]).max(axis=-1) < 12 for color in (RED, BLUE))
    assert red.sum() / blue.sum() == pytest.approx(3, rel=0.1)
    assert np.nonzero(red)[1].max() < np.nonzero(blue)[1].min()
    colored = np.ptp(shot[60:340, 460:].astype(int), axis=-1) > 20
    assert colored.sum() > 100  # the bodies; floor and frame are grey


def test_without_webgl_the_page_says_so_and_shows_the_pictures(tmp_path, glb_file):
    path = tmp_path / "page.html"
    viewer.write_viewer(path, glb_file, picture(RED), picture(BLUE))
    status, output, shot = browse(path, "--disable-3d-apis")
    assert status["state"] == "error"
    assert "The body cannot be shown in 3D here" in output
    assert (np.abs(shot.astype(int) - RED[::-1]).max(axis=-1) < 12).sum() > 1000

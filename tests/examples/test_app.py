"""The page to try hmr_tf, with a network of one layer; in Chromium if it and Gradio are there."""

import contextlib
import importlib.util
import io
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request

import cv2
import numpy as np
import pytest
from absl.testing import flagsaver

import hmr_tf
from examples import app
from hmr_tf.cli.recipes import ROOT
from hmr_tf.files.errors import InputError
from hmr_tf.inference import photo
from hmr_tf.inference.detection.detector import Detector
from hmr_tf.networks import encoder
from tests.fakes import chromium, tiny_detector, tiny_hmr, untrained_run
from tests.fakes.gltf_reader import Glb
from tests.fakes.makefile import run_make

UPLOAD = "#photograph input[type=file]"
MESSAGE = "document.querySelector('#message').innerText"
PEOPLE = [(0.1, 0.2, 0.4, 0.9, 0.9), (0.5, 0.2, 0.8, 0.9, 0.8)]
# Starts the page with the encoder of one layer.
START = """
from hmr_tf.inference import photo
from hmr_tf.inference.detection.detector import Detector
from hmr_tf.networks import encoder
from tests.fakes import tiny_hmr
encoder.ENCODERS["resnet_v2_50"] = tiny_hmr.encoder
from examples import app
app.command_line.run(app.main, app.OPTIONS)
"""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A folder with a network, a detector that finds two people, and two photographs."""
    folder, rng = tmp_path_factory.mktemp("app"), np.random.default_rng(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(encoder.ENCODERS, "resnet_v2_50", tiny_hmr.encoder)
        (folder / "run").mkdir()
        untrained_run.save(folder / "run", image_size=32)
        tiny_detector.save(folder / "detector", PEOPLE)
        for name, size in (("first.png", (300, 400)), ("second.png", (1500, 2000))):
            colors = rng.integers(0, 256, (2, 4, 3), dtype=np.uint8)
            picture = cv2.resize(colors, size[::-1], interpolation=cv2.INTER_NEAREST)
            cv2.imwrite(str(folder / name), picture)
        (folder / "letter.jpg").write_text("Dear reader")
        (folder / "letter.txt").write_text("Dear reader")
        yield folder


@pytest.fixture(autouse=True)
def flags_as_before():
    saved = flagsaver.save_flag_values(app.OPTIONS)
    yield
    flagsaver.restore_flag_values(saved, app.OPTIONS)


@pytest.fixture(scope="module")
def model(inputs):
    return hmr_tf.load(inputs / "run", detector=inputs / "detector")


def test_app_writes_the_files_of_all_people(inputs, model, tmp_path):
    bodies = app.predict_files(model, inputs / "second.png", tmp_path / "files")
    assert bodies.message.startswith("2 people in ")
    assert {os.path.basename(path) for path in bodies.files} == {
        *("second.glb", "second.obj", "second.npz"),
        *("second_person_0.bvh", "second_person_1.bvh"),
    }
    assert cv2.imread(bodies.overlay).shape == (960, 1280, 3)
    boxes = model.detect(photo.read_image(inputs / "second.png"))
    np.testing.assert_allclose(np.load(bodies.files[-1])["box"], boxes)
    assert [row[0] for row in bodies.measures] == ["person_0", "person_1"]
    assert all(100 < row[1] < 250 for row in bodies.measures)


def test_app_says_what_is_wrong_with_a_file(inputs, model, tmp_path):
    with pytest.raises(InputError, match=r"^letter\.jpg is not an image that can be read"):
        app.predict_files(model, inputs / "letter.jpg", tmp_path / "files")
    assert not (tmp_path / "files").exists()


def test_app_says_that_no_person_was_found(inputs, model, tmp_path):
    without_people = Detector(tiny_detector.save(tmp_path / "detector", []))
    with contextlib.ExitStack() as stack:
        stack.callback(setattr, model, "detector", model.detector)
        model.detector = without_people
        with pytest.raises(InputError, match="No person was detected: try a photograph"):
            app.predict_files(model, inputs / "first.png", tmp_path)


@pytest.mark.parametrize(
    ("flags", "has_gradio", "sentence"),
    [
        ([], False, r"error: The page needs Gradio: `make app`"),
        (["--load_path=nowhere"], True, r"error: .*nowhere"),
        (["--examples=nowhere/*.jpg"], True, r"error: .*nowhere/\*\.jpg matches no file"),
        (["--engine=fast"], True, r"error: --engine=fast is not one of auto, tensorflow, openvino"),
        (["--detector=nowhere"], True, r"error: --detector=nowhere holds no detector: make it"),
        (["--smpl_model_path=nowhere"], True, r"error: --smpl_model_path=nowhere: no such file"),
        (["photo.jpg"], True, r"error: 'photo\.jpg' is not a flag"),
        (["--port=-1"], True, r"error: .*port"),
    ],
)
def test_app_refuses_in_one_line(flags, has_gradio, sentence, monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: has_gradio or None)
    with pytest.raises(SystemExit) as end:
        app.command_line.run(app.main, app.OPTIONS, argv=["app", *flags])
    error = capsys.readouterr().err
    assert end.value.code == 2, error
    assert re.match(sentence, error)
    assert error.count("\n") == 1


def test_app_refuses_a_port_that_is_taken_before_the_network_is_loaded(monkeypatch, capsys):
    monkeypatch.setattr(hmr_tf, "load", None)  # never called
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: True)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(SystemExit) as end:
            app.command_line.run(app.main, app.OPTIONS, argv=["app", f"--port={port}"])
    assert end.value.code == 2
    assert capsys.readouterr().err == f"error: --port={port} is not free: give another one.\n"


def test_app_starts_by_make_with_the_network_that_is_named():
    done = run_make("--dry-run", "app", "LOAD_PATH=logs/mine", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "-r examples/requirements-app.txt" in done.stdout
    assert '-m examples.app --load_path="logs/mine"' in done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def address(inputs):
    """Address of the page in another process, which keeps its files in `inputs`/temporary."""
    if not importlib.util.find_spec("gradio"):
        pytest.skip("needs Gradio: pip install -r examples/requirements-app.txt")
    chromium.find_program()
    temporary = inputs / "temporary"
    temporary.mkdir()
    flags = [f"--load_path={inputs / 'run'}", f"--detector={inputs / 'detector'}"]
    server = subprocess.Popen(
        [sys.executable, "-c", START, *flags, f"--examples={inputs / 'first.png'}"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        lines = []
        for line in server.stdout:
            lines.append(line)
            if line.startswith("Open http"):
                break
        assert server.poll() is None, lines
        yield lines[-1].split()[1]
    finally:
        server.terminate()
        output = server.communicate(timeout=60)[0]
    assert "Traceback" not in output, output
    assert not [path for path in temporary.iterdir() if path.name.startswith("hmr_tf_app_")]


@contextlib.contextmanager
def visitor(address, folder, more_flags=()):
    """A browser that shows the page."""
    folder.mkdir()
    flags = (*chromium.SOFTWARE_WEBGL, *more_flags)
    with chromium.open_page(address, folder, flags, size=(1280, 1600)) as page:
        page.wait_for(f"!!document.querySelector({UPLOAD!r})")
        yield page


def downloads(page):
    """Name -> content of the files that the page offers."""
    links = page.evaluate("[...document.querySelectorAll('#files a')].map((link) => link.href)")
    return {link.split("/")[-1]: urllib.request.urlopen(link).read() for link in links}


def test_app_draws_the_body_of_a_photograph(address, inputs, tmp_path):
    with visitor(address, tmp_path / "browser") as page:
        page.choose_file(UPLOAD, inputs / "first.png")
        page.wait_for(f"{MESSAGE}.startsWith('2 people in')")
        page.wait_for("!!document.querySelector('#glb canvas')")
        page.wait_for("document.querySelectorAll('#files a').length == 5")
        before = shown_body(page)
        page.drag("#glb canvas", right=120, down=0)
        after = shown_body(page)
        assert (before != after).mean() > 0.01  # it rotates
        glb = Glb(downloads(page)["first.glb"])
        assert glb.node("person_0")
        assert glb.node("person_1")
        size = "(({naturalWidth, naturalHeight}) => [naturalWidth, naturalHeight])"
        assert page.evaluate(f"{size}(document.querySelector('#overlay img'))") == [400, 300]
        assert [
            url for url in page.requests if not url.startswith((address, "data:", "blob:"))
        ] == []


def shown_body(page):
    """(H, W) bool: what of the 3D view is not background, once it is drawn."""
    for _ in range(200):
        picture = page.screenshot("#glb canvas")
        body = np.ptp(picture.astype(int), axis=-1) > 20  # the page is grey, bodies are not
        if body.mean() > 0.01:
            break
    assert 0.01 < body.mean() < 0.6
    return body


def test_app_draws_the_body_of_a_webcam_picture(address, tmp_path):
    """Chromium's made-up camera, a moving pattern, whose use it permits without a question."""
    camera = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    with visitor(address, tmp_path / "browser", camera) as page:
        source = "document.querySelector('#photograph [aria-label=\"Capture from camera\"]')"
        access = "[...document.querySelectorAll('#photograph button')].find("
        access += "(button) => button.innerText.includes('Access Webcam'))"
        page.wait_for(f"({source}?.click(), !!{access})")  # a page that is loading drops clicks
        page.evaluate(f"{access}.click()")
        page.wait_for("document.querySelector('#photograph video')?.videoWidth > 0")
        page.click("#photograph [aria-label='capture photo']")
        page.wait_for(f"{MESSAGE}.startsWith('2 people in')")
        page.wait_for("document.querySelectorAll('#files a').length == 5")
        page.wait_for("document.querySelector('#overlay img')?.naturalWidth >= 320")
        assert sorted(name.split(".")[1] for name in downloads(page)) == [
            *("bvh", "bvh", "glb", "npz", "obj")
        ]


@pytest.mark.parametrize("name", ["letter.jpg", "letter.txt"])
def test_app_refuses_a_text_file_in_a_sentence(name, address, inputs, tmp_path):
    with visitor(address, tmp_path / "browser") as page:
        page.choose_file(UPLOAD, inputs / name)
        sentence = "Invalid file type" if name == "letter.txt" else f"{name} is not an image"
        page.wait_for(f"document.body.innerText.includes({sentence!r})")
        assert not page.evaluate("!!document.querySelector('#glb canvas, #files a')")
        assert "Traceback" not in page.evaluate("document.body.innerText")


def test_app_gives_two_users_their_bodies(address, inputs, model, tmp_path):
    names, predicted = ("first", "second"), []
    with contextlib.ExitStack() as stack:
        pages = [stack.enter_context(visitor(address, tmp_path / name)) for name in names]
        for page, name in zip(pages, names):
            page.choose_file(UPLOAD, inputs / f"{name}.png")
        for page, name in zip(pages, names):
            page.wait_for("document.querySelectorAll('#files a').length == 5")
            arrays = np.load(io.BytesIO(downloads(page)[f"{name}.npz"]))
            expected = model.predict(inputs / f"{name}.png")
            np.testing.assert_allclose(
                arrays["theta"], [person.theta for person in expected], atol=1e-5
            )
            predicted.append(arrays["theta"])
    assert np.abs(predicted[0] - predicted[1]).max() > 0.01


def test_app_deletes_the_files_of_a_page_that_is_closed(address, inputs, tmp_path):
    def written():
        return list((inputs / "temporary").glob("hmr_tf_app_*/*/*/first.obj"))

    with visitor(address, tmp_path / "browser") as page:
        page.choose_file(UPLOAD, inputs / "first.png")
        page.wait_for("document.querySelectorAll('#files a').length == 5")
        assert written()
    end = time.monotonic() + 60
    while written():
        assert time.monotonic() < end
        time.sleep(0.1)

"""The page to look at people; in Chromium, where it is installed, against our renderer."""

import base64
import contextlib
import hashlib
import json
import re

import cv2
import numpy as np
import pytest
import tensorflow as tf

from hmr_tf.body import body_model
from hmr_tf.body.smpl import SMPL
from hmr_tf.exporters import motion, viewer
from hmr_tf.exporters.gltf import glb
from hmr_tf.rendering import render
from tests.fakes import chromium, tiny_body
from tests.fakes.gltf_reader import Glb
from tests.fakes.motions import walker

RED, BLUE = (200, 30, 30), (30, 30, 200)
FPS = 24.0
_SUPERSAMPLING = 4
# Mean difference, in levels of 255, over all pixels that a body covers in either picture. Measured:
# 1.3 to 2.9, nearly all of it at the edges of bodies; a body without SMPL's pose blend shapes 4.3.
MOST_LEVELS = 4


@pytest.fixture(scope="module")
def glb_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("body")
    model = body_model.read_model(tiny_body.write(folder / "body.npz"))
    return glb.glb([walker(frames=5), walker("person_1", 5, seed=1)], model, fps=2)


@pytest.fixture(scope="module")
def model():
    return body_model.read_model()


@pytest.fixture(scope="module")
def two_people(model):
    """Two people; the second is there from frame 3 to frame 8 of 12."""
    people = [walker(), walker("person_1", 6, seed=1, start=3)]
    return people, glb.glb(people, model, fps=FPS)


def picture(color, height=40, width=60):
    return np.full((height, width, 3), color, np.uint8)


def data_of(page):
    return re.search(r'<script id="data" type="application/json">(.*?)</script>', page)[1]


def test_viewer_page_holds_everything_and_loads_nothing(tmp_path, glb_file):
    path = tmp_path / "page.html"
    viewer.write_viewer(path, glb_file, picture(RED), picture(BLUE), "a</script><b>&")
    page = path.read_text(encoding="utf-8")
    assert page.count("a&lt;/script&gt;&lt;b&gt;&amp;") == 2
    assert not re.search(r"<(script|img|link)[^>]*(src|href)=", page)
    assert page.count("</script>") == 2
    assert "<" not in data_of(page)


def test_viewer_glb_and_pictures_come_out_as_they_went_in(tmp_path, glb_file):
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


def test_viewer_pictures_may_be_missing(tmp_path, glb_file):
    viewer.write_viewer(tmp_path / "page.html", glb_file)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert list(json.loads(data_of(page))) == ["glb"]


def test_viewer_is_small_and_holds_no_code_of_others():
    sizes = {path.name: path.stat().st_size for path in viewer._ASSETS.iterdir()}
    assert set(sizes) == {"page.html", *viewer._SCRIPTS}
    assert sum(sizes.values()) < 66_000


def test_viewer_policy_names_the_script_that_the_page_holds(tmp_path, glb_file):
    viewer.write_viewer(tmp_path / "page.html", glb_file)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    policy = re.search(r'Content-Security-Policy" content="(.*?)"', page)[1]
    digest = hashlib.sha256(re.search(r"<script>(.*?)</script>", page, re.S)[1].encode()).digest()
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{base64.b64encode(digest).decode()}';" in policy


@contextlib.contextmanager
def opened(folder, content, *pictures, flags=chromium.SOFTWARE_WEBGL, change=lambda page: page):
    """The page of a GLB in Chromium, paused; `change` edits its text before."""
    path = folder / "page.html"
    viewer.write_viewer(path, content, *pictures)
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    with chromium.open_page(path, folder / "profile", flags, size=(900, 800)) as page:
        page.wait_for("'state' in document.body.dataset")
        page.evaluate("setPlaying(false)")
        yield page


def set_slider(page, name, value):
    page.evaluate(f"$('{name}').value = {value}; $('{name}').dispatchEvent(new Event('input'))")


def vertices_on(page, number):
    """(V, 3) of a person, as the page has posed them."""
    return np.reshape(page.evaluate(f"Array.from(scene.bodies[{number}].vertices)"), (-1, 3))


def body_picture(page):
    """The canvas without the floor."""
    page.evaluate("scene.floor = []; isStale = true")
    return page.screenshot("#canvas").astype(int)


def rendered(page, model, people, colors):
    """Our renderer's picture of bodies, (V, 3) each, by the page's camera; smooth edges.

    It is drawn larger, and the mean taken, as the page takes the mean of some points of a pixel.
    """
    view, axes = page.evaluate("view"), page.evaluate("cameraAxes(view)")
    height, width = np.multiply(page.screenshot("#canvas").shape[:2], _SUPERSAMPLING)
    to_camera = np.stack([axes["right"], np.negative(axes["up"]), np.negative(axes["back"])])
    num_vertices = len(model.v_template)
    faces = np.concatenate([model.faces + num_vertices * i for i in range(len(people))])
    picture, _ = render.render_scene(
        ((np.concatenate(people) - view["target"]) @ to_camera.T)[None].astype(np.float32),
        np.array([[0, 0, view["distance"]]], np.float32),
        faces.astype(np.int32),
        focal_px=height / 2 / np.tan(np.radians(35 / 2)),
        principal_px=(width / 2, height / 2),
        size=(height, width),
        color=np.repeat(colors, num_vertices, axis=0)[None].astype(np.float32),
    )
    small = width // _SUPERSAMPLING, height // _SUPERSAMPLING
    return cv2.resize(picture[0], small, interpolation=cv2.INTER_AREA).astype(int)


def look_at(page, people, yaw=0.0, pitch=0.0):
    """Puts the page's camera before these people, so that they fill the picture."""
    points = np.concatenate(people)
    size = np.ptp(points, axis=0).max()
    target = json.dumps(((points.min(axis=0) + points.max(axis=0)) / 2).tolist())
    view = f"{{target: {target}, yaw: {yaw}, pitch: {pitch}, distance: {1.9 * size}}}"
    page.evaluate(f"Object.assign(view, {view}); isStale = true")


def difference(page, model, people):
    """Mean levels between the page's picture and our renderer's, over where there is a body."""
    ours = rendered(page, model, people, glb.COLORS[: len(people)])
    theirs = body_picture(page)
    covered = (np.minimum(ours, theirs) < 250).any(axis=-1)
    assert covered.sum() > 2000
    return np.abs(ours - theirs)[covered].mean()


def posed(model, person, frame, pose_offsets=True):
    """(V, 3): SMPL's vertices in that row of the motion."""
    if not pose_offsets:
        model = model._replace(posedirs=np.zeros_like(model.posedirs))
    rotations, betas = (
        tf.constant(array[None], tf.float32) for array in (person.rotations[frame], person.betas)
    )
    return SMPL(model)(rotations, betas).vertices[0].numpy() + person.transl[frame]


@pytest.fixture(scope="module")
def two_people_page(tmp_path_factory, two_people):
    with opened(tmp_path_factory.mktemp("page"), two_people[1]) as page:
        yield page


@pytest.mark.parametrize("pose_morphs", [0, 1])
def test_viewer_draws_a_still_as_our_renderer(tmp_path, model, pose_morphs):
    person = walker(frames=1)
    exact, skinned = (posed(model, person, 0, pose_offsets=flag) for flag in (True, False))
    truth, other = (exact, skinned) if pose_morphs else (skinned, exact)
    content = glb.glb([person], model, pose_morphs=pose_morphs)
    with opened(tmp_path, content) as page:
        assert page.evaluate("$('player').hidden")
        for yaw, pitch in ((0, 0), (2, 0.5)):
            look_at(page, [truth], yaw, pitch)
            error = difference(page, model, [truth])
            assert error < MOST_LEVELS
            assert error < 0.8 * difference(page, model, [other])


def test_viewer_draws_two_people_in_motion_as_our_renderer(two_people_page, model, two_people):
    page, ((first, second), _) = two_people_page, two_people
    assert page.evaluate("scene.duration") == pytest.approx(11 / FPS)
    for frame in (4, 8):
        set_slider(page, "time", frame / FPS)
        people = [posed(model, first, frame, pose_offsets=False)]
        people.append(posed(model, second, frame - 3, pose_offsets=False))
        look_at(page, people, yaw=-0.8, pitch=0.3)
        assert difference(page, model, people) < MOST_LEVELS
    set_slider(page, "time", 4 / FPS)
    assert difference(page, model, people) > 10 * MOST_LEVELS


@pytest.mark.parametrize(
    ("frame", "there"), [(0, False), (2, False), (3, True), (8, True), (9, False)]
)
def test_viewer_hides_people_who_are_away(two_people_page, frame, there):
    page = two_people_page
    set_slider(page, "time", frame / FPS)
    assert page.evaluate("scene.bodies[1].isThere") == there
    page.click("#reset")
    orange = np.array(glb.COLORS[1])
    picture = page.screenshot("#canvas") / 255
    brightness = picture.max(axis=-1, keepdims=True)
    is_orange = (np.abs(picture / np.maximum(brightness, 0.1) - orange / orange.max()) < 0.08).all(
        -1
    )
    assert is_orange.sum() > 100 if there else not is_orange.any()


def test_viewer_plays_pose_morphs_as_our_renderer(tmp_path, model):
    person = walker(frames=5)
    content = glb.glb([person], model, fps=FPS, pose_morphs=5)
    with opened(tmp_path, content) as page:
        for frame in (1, 4):
            set_slider(page, "time", frame / FPS)
            expected = posed(model, person, frame)
            look_at(page, [expected], yaw=0.4)
            assert difference(page, model, [expected]) < MOST_LEVELS
            np.testing.assert_allclose(vertices_on(page, 0), expected, atol=1e-5)


def test_viewer_skins_as_the_specification_says(tmp_path, glb_file):
    with opened(tmp_path, glb_file) as page:
        for seconds in (0, 0.5, 2):
            set_slider(page, "time", seconds)
            for number, expected in enumerate(Glb(glb_file).skinned(seconds)):
                np.testing.assert_allclose(vertices_on(page, number), expected, atol=1e-5)


def test_viewer_rotates_joints_the_short_way_between_frames(tmp_path, model):
    rotations = np.zeros((2, 24, 3))
    rotations[:, 0, 1], rotations[:, 16, 2] = np.radians([(100, 200), (-60, 60)])
    person = motion.from_arrays("a", np.zeros(10), rotations, frames=[0, 3])
    between = motion.without_gaps(person)
    with opened(tmp_path, glb.glb([person], model, fps=1)) as page:
        for frame in (1, 2):
            set_slider(page, "time", frame)
            expected = posed(model, between, frame, pose_offsets=False)
            np.testing.assert_allclose(vertices_on(page, 0), expected, atol=1e-5)


def test_viewer_page_in_chromium(tmp_path, glb_file):
    with opened(tmp_path, glb_file, picture(RED), picture(BLUE)) as page:
        assert page.evaluate("document.body.dataset.state") == "ready"
        assert page.evaluate("scene.bodies.length") == 2
        set_slider(page, "compare", 25)
        set_slider(page, "time", page.evaluate("scene.duration / 2"))
        assert page.evaluate("scene.duration") == pytest.approx(2)
        assert page.evaluate("time") == pytest.approx(1)
        assert page.evaluate("$('clock').textContent") == "1.00 s"
        stage = page.screenshot("#pictures .stage").astype(int)
        red, blue = (np.abs(stage - color).max(axis=-1) < 12 for color in (RED, BLUE))
        assert red.sum() / blue.sum() == pytest.approx(3, rel=0.1)
        assert np.nonzero(red)[1].max() < np.nonzero(blue)[1].min()
        colored = np.ptp(page.screenshot("#canvas").astype(int), axis=-1) > 20
        assert colored.sum() > 100  # the bodies; the floor is grey
        addresses = [url for url in page.requests if not url.startswith("data:image/jpeg")]
        assert addresses == [(tmp_path / "page.html").as_uri()]


def test_viewer_runs_no_script_of_strangers(tmp_path, glb_file):
    stranger = "<script>document.body.dataset.stranger = 'was here'</script>"
    change = "</body>", stranger + "</body>"
    with opened(tmp_path, glb_file, change=lambda page: page.replace(*change)) as page:
        assert page.evaluate("document.body.dataset.state") == "ready"
        assert page.evaluate("'stranger' in document.body.dataset") is False
        assert "Content Security Policy" in page.errors.pop()["text"]


def test_viewer_plays_and_pauses(tmp_path, glb_file):
    with opened(tmp_path, glb_file) as page:
        before = page.evaluate("time")
        page.click("#play")
        page.wait_for(f"time !== {before}")
        page.click("#play")
        paused = page.evaluate("time")
        page.screenshot()
        assert page.evaluate("time") == paused
        page.evaluate("$('canvas').focus()")
        page.press(" ")
        page.wait_for(f"time !== {paused}")


STILL = "view.yaw === 0 && view.pitch === 0"
MOVED = f"{STILL} && view.target[0] < front.target[0] && view.target[1] > front.target[1]"
FARTHER, NEARER = (f"{STILL} && view.distance {sign} front.distance" for sign in "><")
# What a user does -> what is true of the view after it; before, it is that from the front.
GESTURES = {
    "drag": (lambda page: page.drag("#canvas", 60, 20), "view.yaw < 0 && view.pitch > 0"),
    "right_drag": (lambda page: page.drag("#canvas", 60, 20, "right"), MOVED),
    "shift_drag": (lambda page: page.drag("#canvas", 60, 20, shift=True), MOVED),
    "middle_drag": (lambda page: page.drag("#canvas", 0, 60, "middle"), FARTHER),
    "wheel": (lambda page: page.wheel("#canvas", 100), FARTHER),
    "left": (lambda page: page.press("ArrowLeft"), "view.yaw > 0 && view.pitch === 0"),
    "down": (lambda page: page.press("ArrowDown"), "view.yaw === 0 && view.pitch > 0"),
    "shift_right": (
        lambda page: page.press("ArrowRight", shift=True),
        f"{STILL} && view.target[0] < front.target[0] && view.target[1] === front.target[1]",
    ),
    "plus": (lambda page: page.press("+"), NEARER),
    "minus": (lambda page: page.press("-"), FARTHER),
}


@pytest.mark.parametrize("gesture", GESTURES)
def test_viewer_mouse_and_keys_change_the_view(two_people_page, gesture):
    act, condition = GESTURES[gesture]
    page = two_people_page

    def canvas():  # without the line that shows the focus
        return page.screenshot("#canvas")[4:-4, 4:-4]

    page.evaluate("$('canvas').focus()")
    page.press("Home")
    front = page.evaluate("window.front = {...view}")
    at_front = canvas()
    act(page)
    assert page.evaluate(condition), (front, page.evaluate("view"))
    assert (canvas() != at_front).any(axis=-1).sum() > 200
    page.click("#reset")
    assert page.evaluate("view") == front
    np.testing.assert_array_equal(canvas(), at_front)


def test_viewer_time_slider_by_keyboard_changes_the_picture(two_people_page):
    page = two_people_page
    set_slider(page, "time", 0)
    pictures = []
    page.evaluate("$('time').focus()")
    for key in ("Home", "ArrowRight", "End"):
        page.press(key)
        pictures.append(page.screenshot("#canvas").astype(int))
    assert page.evaluate("time") == pytest.approx(11 / FPS)
    assert all((np.abs(a - b) > 20).sum() > 200 for a, b in zip(pictures, pictures[1:]))


def test_viewer_wireframe_shows_what_is_behind(two_people_page):
    page = two_people_page
    solid = body_picture(page)
    page.click("#wire")
    lines = body_picture(page)
    page.click("#wire")
    assert (lines != solid).any(axis=-1).sum() > 500
    np.testing.assert_array_equal(body_picture(page), solid)


def test_viewer_rotates_by_itself_on_demand(two_people_page):
    page = two_people_page
    page.click("#reset")
    page.click("#spin")
    page.wait_for("view.yaw !== 0")
    page.click("#spin")
    yaw = page.evaluate("view.yaw")
    page.screenshot()
    assert page.evaluate("view.yaw") == yaw > 0


def test_viewer_on_a_phone_is_moved_by_fingers(tmp_path, glb_file):
    with opened(tmp_path, glb_file, picture(RED), picture(BLUE)) as page:
        page.resize(390, 844, mobile=True)
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        x, y = page.middle("#canvas")
        front = page.evaluate("({...view})")
        page.touch([(x, y), (x + 20, y), (x + 40, y)])
        rotated = page.evaluate("({...view})")
        assert rotated["yaw"] < 0 == front["yaw"]
        assert rotated["distance"] == front["distance"]
        page.touch(
            [(x - 20, y), (x - 40, y + 30), (x - 80, y + 30)],
            [(x + 20, y), (x + 40, y + 30), (x + 80, y + 30)],
        )
        pinched = page.evaluate("({...view})")
        assert pinched["distance"] == pytest.approx(front["distance"] / 4, rel=0.01)
        assert pinched["yaw"] == rotated["yaw"]
        assert pinched["target"][1] > front["target"][1]


def test_viewer_graphics_that_the_browser_took_away_come_back(two_people_page):
    page = two_people_page
    before = page.screenshot("#canvas")
    page.evaluate(
        "window.loser = $('canvas').getContext('webgl2').getExtension('WEBGL_lose_context')"
    )
    page.evaluate("loser.loseContext()")
    page.wait_for("$('canvas').getContext('webgl2').isContextLost()")
    page.evaluate("new Promise((ok) => setTimeout(ok, 50)).then(() => loser.restoreContext())")
    page.wait_for("!$('canvas').getContext('webgl2').isContextLost()")
    np.testing.assert_array_equal(page.screenshot("#canvas"), before)


def test_viewer_without_webgl_says_so_and_shows_the_pictures(tmp_path, glb_file):
    pictures = picture(RED), picture(BLUE)
    with opened(tmp_path, glb_file, *pictures, flags=chromium.NO_WEBGL) as page:
        assert page.evaluate("document.body.dataset.state") == "error"
        assert "The body cannot be shown in 3D here" in page.evaluate("document.body.innerText")
        assert (np.abs(page.screenshot().astype(int) - RED).max(axis=-1) < 12).sum() > 1000
        assert page.evaluate("$('save').href").startswith("blob:")


def test_viewer_names_what_is_wrong_with_a_file(tmp_path):
    with opened(tmp_path, b"not a GLB, but long enough for a header") as page:
        assert "this is not a GLB file" in page.evaluate("$('message').textContent")

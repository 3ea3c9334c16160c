"""The files of a photograph, read back."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from hmr_tf.body.skeleton import KEYPOINTS
from hmr_tf.exporters import photo_outputs
from hmr_tf.inference.model import Model
from tests.fakes import tiny_hmr

BOX = (40, 10, 30, 60)
FORMATS = ("overlay", "panels", "transparent", "obj", "ply", "npz")


@pytest.fixture
def picture(rng):
    return rng.integers(0, 256, size=(90, 160, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return Model(*tiny_hmr.with_body(tmp_path_factory.mktemp("body")))


def test_outputs_of_a_photograph_are_readable(tmp_path, model, picture):
    people = model.predict(picture, [BOX, (80, 5, 60, 80)])
    photograph = photo_outputs.Scene(picture, people, model.body)
    written = photo_outputs.write(tmp_path / "out", "me", photograph, FORMATS)
    paths = dict(zip(FORMATS, written))
    assert cv2.imread(str(paths["overlay"])).shape == picture.shape
    assert cv2.imread(str(paths["transparent"]), cv2.IMREAD_UNCHANGED).shape == (90, 160, 4)
    assert cv2.imread(str(paths["panels"])).shape == (2 * (90 + 24), 3 * 160, 3)
    lines = paths["obj"].read_text().splitlines()
    assert sum(line.startswith("v ") for line in lines) == 2 * len(people[0].vertices)
    assert max(int(n) for line in lines if line[0] == "f" for n in line.split()[1:]) == 120
    assert paths["ply"].read_bytes().startswith(b"ply")
    with np.load(paths["npz"]) as arrays:
        assert arrays["theta"].shape == (2, 85)
        np.testing.assert_array_equal(arrays["vertices"][1], people[1].vertices)
        assert tuple(arrays["joint_names"]) == KEYPOINTS


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["s/a.jpg", "s/b.jpg"], ["a", "b"]),
        (["s/a.jpg", "s/a.png"], ["a_jpg", "a_png"]),
        (["s/a.jpg", "t/a.jpg"], ["s_a_jpg", "t_a_jpg"]),
        (["s/UP.JPG", "s/up.png"], ["UP_JPG", "up_png"]),  # one name on macOS and Windows
        (["s/A.jpg", "s/a.jpg", "s/a_1.png"], ["A_0", "a_1_", "a_1"]),
        (["s.t/a.jpg", "s_t/a.jpg"], ["a_0", "a_1"]),
    ],
)
def test_photo_outputs_have_a_name_each(paths, names):
    paths = [Path(path) for path in paths]
    assert photo_outputs.distinct_names(paths) == dict(zip(paths, names))

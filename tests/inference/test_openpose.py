"""OpenPose's people become boxes, and the box the original's scale and centre."""

import json

import numpy as np
import pytest

from hmr_tf.data.crop import PERSON_PX
from hmr_tf.files.errors import InputError
from hmr_tf.inference import openpose
from tests.golden import compare


def write(path, *people, key="pose_keypoints_2d"):
    content = {"people": [{key: np.ravel(person).tolist()} for person in people]}
    path.write_text(json.dumps(content))
    return path


def scale_and_center(box):
    x, y, width, height = box
    return PERSON_PX / np.hypot(width, height), [x + width / 2, y + height / 2]


@pytest.mark.parametrize("key", ["pose_keypoints", "pose_keypoints_2d"])
@pytest.mark.parametrize(("threshold", "suffix"), [(0.2, ""), (0.5, "_thr05")])
def test_openpose_scale_and_centre_are_the_originals(tmp_path, key, threshold, suffix):
    golden = json.loads((compare.FOLDER / "openpose.json").read_text())
    people = [person["pose_keypoints"] for person in golden["json"]["people"]]
    found = openpose.read(write(tmp_path / "people.json", *people, key=key), threshold)
    scale, center = scale_and_center(openpose.most_confident(found).box)
    bar = compare.BARS["openpose.*"]
    np.testing.assert_allclose(scale, golden[f"scale{suffix}"], rtol=bar)
    np.testing.assert_allclose(center, golden[f"center{suffix}"], rtol=bar)


def test_openpose_leaves_out_people_without_extent(tmp_path):
    unsure = np.full((18, 3), 0.1)
    point = [[5, 5, 0.9], [5, 5, 0.8], [80, 80, 0.2]]
    person = [[10, 20, 0.5], [40, 60, 0.7], [900, 900, 0.19]]
    found = openpose.read(write(tmp_path / "people.json", unsure, point, person))
    assert found == [openpose.Detection((10, 20, 30, 40), pytest.approx(0.6))]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no such file"),
        ("", "no JSON of OpenPose"),
        ("[]", "no JSON of OpenPose"),
        ('{"people": [{"keypoints": []}]}', "no JSON of OpenPose"),
        ('{"people": [{"pose_keypoints_2d": [1, 2]}]}', "no JSON of OpenPose"),
        ('{"people": [{"pose_keypoints_2d": ["a", 2, 3]}]}', "no JSON of OpenPose"),
        ("[" * 100_000, "no JSON of OpenPose"),
        ('{"people": []}', "no person has keypoints"),
        ('{"people": [{"pose_keypoints_2d": [NaN, 1, 1, 2, 3, 0.9]}]}', "no person has keypoints"),
    ],
)
def test_openpose_refuses_other_files(tmp_path, content, said):
    path = tmp_path / "people.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=said) as error:
        openpose.read(path)
    assert "\n" not in str(error.value)

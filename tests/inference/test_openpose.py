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
    result = openpose.read(write(tmp_path / "people.json", *people, key=key), threshold)
    scale, center = scale_and_center(openpose.most_confident(result.detections).box)
    bar = compare.BARS["openpose.*"]
    np.testing.assert_allclose(scale, golden[f"scale{suffix}"], rtol=bar)
    np.testing.assert_allclose(center, golden[f"center{suffix}"], rtol=bar)


def test_openpose_leaves_out_people_without_extent(tmp_path):
    unsure = np.full((18, 3), 0.1)
    point = [[5, 5, 0.9], [5, 5, 0.8], [80, 80, 0.2]]
    person = [[10, 20, 0.5], [40, 60, 0.7], [900, 900, 0.19]]
    result = openpose.read(write(tmp_path / "people.json", unsure, point, person))
    assert result.detections == [openpose.Detection((10, 20, 30, 40), pytest.approx(0.6))]
    assert result.problems == []


GOOD = {"pose_keypoints_2d": [10, 20, 0.5, 40, 60, 0.7]}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (None, "person 0 has no body keypoints"),
        ({"face_keypoints_2d": [1, 2, 3]}, "no body keypoints"),
        ({"pose_keypoints_2d": []}, "no body keypoints"),
        ({"pose_keypoints_2d": [1, 2]}, r"has 2 numbers: 1 pairs x, y\?"),
        ({"pose_keypoints_2d": ["a", 2, 3]}, "not numbers"),
        ({"pose_keypoints_2d": {"x": 1}}, "not numbers"),
        ({"pose_keypoints": [200, 93, 209, 84, 190, 84] * 6}, r"confidence of 209 \(18 pairs"),
        ({"pose_keypoints_2d": [10, 20, 90, 40, 60, 99]}, "confidence of 90.*from 0 to 1"),
        ({"pose_keypoints_2d": [10, 20, -1, 40, 60, 0.9]}, "confidence of -1"),
        ({"pose_keypoints_2d": [0.1, 0.2, 0.9, 0.5, 0.7, 0.9]}, "between -1 and 1, not pixels"),
    ],
)
def test_openpose_names_an_unusable_person_and_goes_on(tmp_path, wrong, message):
    path = tmp_path / "people.json"
    path.write_text(json.dumps({"people": [wrong, GOOD]}))
    result = openpose.read(path)
    assert [detection.box for detection in result.detections] == [(10, 20, 30, 40)]
    with pytest.raises(InputError, match=message):
        raise InputError(*result.problems)
    path.write_text(json.dumps({"people": [wrong]}))
    with pytest.raises(InputError, match=message):
        openpose.read(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        ("", "not JSON: it breaks off or is damaged in line 1"),
        ("[]", "not a JSON of OpenPose"),
        ('{"people": 3}', "not a JSON of OpenPose"),
        ("[" * 100_000, "not a JSON"),
        ('{"people": []}', "no person has keypoints"),
        ('{"people": [{"pose_keypoints_2d": [NaN, 1, 1, 2, 3, 0.9]}]}', "no person has keypoints"),
    ],
)
def test_openpose_refuses_other_files(tmp_path, content, message):
    path = tmp_path / "people.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=message) as error:
        openpose.read(path)
    assert "\n" not in str(error.value)
    assert "Error(" not in str(error.value)

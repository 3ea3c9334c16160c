"""Which category of a file of COCO's form is people, which keypoint is which; ids of any type."""

import pytest

from hmr_tf.body import skeleton
from hmr_tf.data import coco_names
from hmr_tf.files.errors import InputError


@pytest.mark.parametrize(
    ("value", "key"),
    [(7, 7), ("7", 7), ("007", 7), (7.0, 7), ("a.jpg", "a.jpg"), (7.5, None), (None, None)],
)
def test_coco_names_ids_are_numbers_or_text(value, key):
    assert coco_names.entry_id(value) == key


@pytest.mark.parametrize(
    ("categories", "name", "ids"),
    [
        (None, "", {1, "person"}),
        (None, "0", {0}),
        ([{"id": 3}], "3", {3}),
        ([{"id": 3, "name": " Person"}, {"id": 1, "name": "dog"}], "", {3}),
        ([{"id": "p", "name": "player"}], "Player", {"p"}),
        ([{"id": 2.0, "name": "person"}, {"name": "person"}], "", {2}),
    ],
)
def test_coco_names_category_of_people(categories, name, ids):
    assert coco_names.person_category_ids(categories, name) == ids


@pytest.mark.parametrize(
    ("categories", "name", "message"),
    [
        ([{"id": 1, "name": "dog"}], "", "no category is called person; the file has: dog"),
        ([{"id": 1, "name": "person"}], "1", "no category is called 1; the file has: person"),
        ([{"id": 3}], "player", "no category is called player; the file has: none with a name"),
    ],
)
def test_coco_names_refuses_unknown_categories(categories, name, message):
    with pytest.raises(InputError, match=message):
        coco_names.person_category_ids(categories, name)


CATEGORIES = {4: {"name": " Person"}, "p": {"name": "dog"}}


@pytest.mark.parametrize(
    ("value", "entries", "key"),
    [
        ("4", CATEGORIES, 4),
        ("person", CATEGORIES, 4),
        ("DOG ", CATEGORIES, "p"),
        ("cat", CATEGORIES, "cat"),
        (None, CATEGORIES, None),
        (None, {4: {}}, 4),
        (None, {}, coco_names.PERSON_ID),
    ],
)
def test_coco_names_category_of_an_annotation(value, entries, key):
    assert coco_names.category_id({"category_id": value}, entries) == key


def test_coco_names_images_of_one_id():
    images = [{"id": 1, "file_name": "a"}, {"id": "1", "file_name": "b"}, {"id": 1}, None]
    images += [{"id": 2, "file_name": "c"}] * 2
    assert coco_names.images_by_id(images)[1] == {1: "image id 1 is a and b"}


@pytest.mark.parametrize(
    ("value", "text"),
    [("a\n\0b", "a??b"), (None, "null"), ([True], "[true]"), ("x" * 99, "x" * 80)],
)
def test_coco_names_are_shown_in_one_short_line(value, text):
    assert coco_names.shown(value) == text


@pytest.mark.parametrize(
    ("name", "keypoint"),
    [
        *(("Rknee", "right_knee"), ("lshoulder", "left_shoulder"), ("rightWrist", "right_wrist")),
        *(("leftankle", "left_ankle"), ("center hip", None), ("root", None), ("face-67", None)),
        *(("left_hand_root", None), ("right_pinky_finger4", None), ("left_thumb1", None)),
    ],
)
def test_coco_names_keypoints_of_other_datasets(name, keypoint):
    columns = coco_names.keypoint_columns(["nose", name])
    assert [skeleton.KEYPOINTS[i] for i, place in columns.items() if place] == [keypoint][
        : keypoint is not None
    ]


def test_coco_names_keypoints_of_openpose_and_mediapipe():
    names = ["Nose", "Neck", "RShoulder", "MidHip", "LBigToe", "REar", "left_eye_inner"]
    known = {skeleton.KEYPOINTS[i]: names[j] for i, j in coco_names.keypoint_columns(names).items()}
    assert known == {"nose": "Nose", "neck": "Neck", "right_shoulder": "RShoulder"} | {
        "right_ear": "REar"
    }

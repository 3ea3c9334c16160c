"""Box files of every kind, by photograph."""

import json

import pytest

from hmr_tf.files.errors import InputError
from hmr_tf.inference import boxes


def openpose(path, *places):
    people = [{"pose_keypoints_2d": [x, y, 0.9, x + 10, y + 20, 0.9]} for x, y in places]
    path.write_text(json.dumps({"people": people}))
    return path


def test_boxes_from_openpose_files_and_folders(tmp_path):
    one = openpose(tmp_path / "any.json", (5, 6), (50, 60))
    assert boxes.read(one).find("a") == [(5, 6, 10, 20), (50, 60, 10, 20)]
    folder = tmp_path / "folder"
    folder.mkdir()
    openpose(folder / "a_keypoints.json", (1, 2))
    openpose(folder / "b_keypoints.json", (3, 4))
    assert boxes.read(folder).by_name == {"a": [(1, 2, 10, 20)], "b": [(3, 4, 10, 20)]}


def test_boxes_from_coco(tmp_path):
    content = {
        "images": [{"id": 1, "file_name": "dir/a.jpg"}, {"id": 2, "file_name": "b.jpg"}],
        "annotations": [
            {"image_id": 1, "bbox": [1, 2, 3, 4]},
            {"image_id": 1, "bbox": [5, 6, 7, 8], "category_id": 1, "iscrowd": 0},
            {"image_id": 1, "bbox": [0, 0, 9, 9], "iscrowd": 1},
            {"image_id": 2, "bbox": [0, 0, 9, 9], "category_id": 18},
        ],
    }
    (tmp_path / "coco.json").write_text(json.dumps(content))
    assert boxes.read(tmp_path / "coco.json").by_name == {
        "a": [(1, 2, 3, 4), (5, 6, 7, 8)],
        "b": [],
    }


def test_boxes_of_a_photograph_by_any_of_its_names():
    named = boxes.BoxesByName({"2": [(1, 2, 3, 4)], "clip_2": [(5, 6, 7, 8)]})
    assert named.find("2", "clip_2") == [(1, 2, 3, 4)]
    assert named.find("3", "clip_2") == [(5, 6, 7, 8)]
    assert named.find("3") == []
    assert named._replace(default=[(0, 0, 1, 1)]).find("3") == [(0, 0, 1, 1)]


def test_boxes_from_csv(tmp_path):
    (tmp_path / "a.csv").write_text(
        "\ufeffimage,x,y,width,height,score\na.jpg,1,2,3,4,1\na.jpg,5,6,7,8,1\n",  # as Excel's
        encoding="utf-8",
    )
    assert boxes.read(tmp_path / "a.csv").by_name == {"a": [(1, 2, 3, 4), (5, 6, 7, 8)]}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("none.json", None, "no such file"),
        ("a.json", "{", "no JSON of OpenPose"),
        ("a.json", "[1]", "no JSON of OpenPose"),
        ("a.json", '{"images": [], "annotations": [{"image_id": 1, "bbox": [1]}]}', "no JSON"),
        ("a.csv", "image,x,y\na.jpg,1,2\n", "no CSV with the columns image, x, y"),
        ("a.csv", "image,x,y,width,height\na.jpg,1,2,3,four\n", "no CSV"),
        ("a.csv", "", "no row below the columns"),
        ("a.csv", "image,x,y,width,height\n", "no row below the columns"),
    ],
)
def test_boxes_refuse_other_files(tmp_path, name, content, said):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=said) as error:
        boxes.read(tmp_path / name)
    assert "\n" not in str(error.value)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no JSON"):
        boxes.read(tmp_path / "empty")

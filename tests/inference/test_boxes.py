"""Box files of every kind, by photograph."""

import json
from pathlib import Path

import pytest

from hmr_tf.files.errors import InputError
from hmr_tf.inference import boxes


def openpose(path, *places):
    people = [{"pose_keypoints_2d": [x, y, 0.9, x + 10, y + 20, 0.9]} for x, y in places]
    path.write_text(json.dumps({"people": people}))
    return path


def coco(path, annotations, images=("a.jpg",), **more):
    """COCO's JSON; annotations belong to the first image unless they say otherwise."""
    content = {
        "images": [{"id": number, "file_name": name} for number, name in enumerate(images, 1)],
        "annotations": [{"id": i, "image_id": 1, **one} for i, one in enumerate(annotations)],
        **more,
    }
    path.write_text(json.dumps(content))
    return path


def person(*box, **more):
    return {"bbox": list(box), "category_id": 1, **more}


def test_boxes_of_openpose_of_one_photograph_and_a_folder_of_them(tmp_path):
    one = openpose(tmp_path / "any.json", (5, 6), (50, 60))
    path = Path("a.jpg")
    assert boxes.read(one).of_photographs([path])[path] == [(5, 6, 10, 20), (50, 60, 10, 20)]
    folder = tmp_path / "folder"
    folder.mkdir()
    openpose(folder / "a_keypoints.json", (1, 2))
    openpose(folder / "b_keypoints.json", (3, 4))
    (folder / "._a_keypoints.json").write_bytes(b"\0\5\x16\7")  # macOS
    assert boxes.read(folder) == boxes.BoxesByName({"a": [(1, 2, 10, 20)], "b": [(3, 4, 10, 20)]})


def test_boxes_of_an_openpose_folder_go_on_without_unusable_files(tmp_path):
    """An empty photograph is none of them."""
    openpose(tmp_path / "a_keypoints.json", (1, 2))
    openpose(tmp_path / "b_keypoints.json")
    (tmp_path / "c_keypoints.json").write_text('{"people": [')
    (tmp_path / "d_keypoints.json").write_text('{"people": [null, {"face_keypoints_2d": []}]}')
    result = boxes.read(tmp_path)
    assert result.by_name == {"a": [(1, 2, 10, 20)], "b": [], "d": []}
    assert [text.split(":")[0] for text in result.problems[1:]] == ["d_keypoints.json"] * 2
    assert "c_keypoints.json is not JSON" in result.problems[0]


def test_boxes_of_coco(tmp_path):
    annotations = [
        {"bbox": [1, 2, 3, 4]},
        person(5, 6, 7, 8, iscrowd=0),
        person(0, 0, 9, 9, iscrowd=1),
        person(0, 0, 9, 9, image_id=2, category_id=18),
    ]
    path = coco(tmp_path / "coco.json", annotations, ["dir/a.jpg", "b.jpg"])
    expected = {"dir/a.jpg": [(1, 2, 3, 4), (5, 6, 7, 8)], "b.jpg": []}
    assert boxes.read(path) == boxes.BoxesByName(expected)


@pytest.mark.parametrize(
    ("categories", "category", "expected"),
    [
        ([{"id": 1, "name": "dog"}, {"id": 5, "name": "Person"}], "", 5),
        ([{"id": 0, "name": "person"}, {"id": 1, "name": "dog"}], "", 0),
        ([{"id": "7", "name": "player"}, {"id": 1, "name": "person"}], "player", 7),
        ([], "", 1),
    ],
)
def test_boxes_of_coco_are_those_of_the_category_by_name(tmp_path, categories, category, expected):
    every = [person(10 * n, 2, 3, 4, category_id=n) for n in (0, 1, 5, 7)]
    path = coco(tmp_path / "coco.json", every, categories=categories)
    assert boxes.read(path, category).by_name == {"a.jpg": [(10 * expected, 2, 3, 4)]}


@pytest.mark.parametrize(("category", "expected"), [("", 1), ("0", 0), ("7", 7)])
def test_boxes_of_detections_are_those_of_the_category_by_id(tmp_path, category, expected):
    ids = ((0, 0), (1, 1.0), (7, "7"))
    every = [person(10 * n, 2, 3, 4, image_id="a", category_id=key) for n, key in ids]
    (tmp_path / "a.json").write_text(json.dumps(every))
    result = boxes.read(tmp_path / "a.json", category)
    assert result.by_name == {"a": [(10 * expected, 2, 3, 4)]}
    (tmp_path / "a.json").write_text(json.dumps(every[:1]))
    if category != "0":
        with pytest.raises(InputError, match=r"is a person; it has 0; pass .*--category=ID"):
            boxes.read(tmp_path / "a.json", category)


def test_boxes_of_coco_without_people_say_which_categories_there_are(tmp_path):
    path = coco(tmp_path / "a.json", [person(1, 2, 3, 4)], categories=[{"id": 1, "name": "player"}])
    with pytest.raises(InputError, match=r"the file has: player; pass .*--category=NAME"):
        boxes.read(path)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (person(0, 0, 0, 0), r"annotation 0 \(id 0\) has an empty box 0,0,0,0"),
        ({"category_id": 1}, "has no bbox"),
        (person(1, 2, 3), "has the box 1,2,3, not four numbers"),
        (person(1, 2, 3, "x"), "not four numbers"),
        (person(1, 2, 3, float("nan")), "not finite"),
        (person(0.1, 0.2, 0.3, 0.4), "shares of the photograph, not pixels"),
        (person(1, 2, 3, 4, image_id=99), r"belongs to no image with a file_name \(image_id 99\)"),
        (person(1, 2, 3, 4, image_id=None), "belongs to no image"),
    ],
)
def test_boxes_of_coco_go_on_without_an_unusable_annotation(tmp_path, wrong, message):
    result = boxes.read(coco(tmp_path / "a.json", [wrong, person(1, 2, 3, 4)]))
    assert result.by_name == {"a.jpg": [(1, 2, 3, 4)]}
    (problem,) = result.problems
    with pytest.raises(InputError, match=message):
        raise InputError(problem)
    with pytest.raises(InputError, match=message):  # the only one
        boxes.read(coco(tmp_path / "a.json", [wrong]))


def test_boxes_of_a_list_of_detections(tmp_path):
    """COCO's results and AlphaPose's."""
    content = [
        {"image_id": "a.jpg", "category_id": 1, "box": [1, 2, 3, 4], "score": 2.9},
        {"image_id": 139, "category_id": 1, "bbox": [5, 6, 7, 8]},
        {"image_id": 139, "category_id": 18, "bbox": [5, 6, 7, 8]},
    ]
    (tmp_path / "a.json").write_text(json.dumps(content))
    result = boxes.read(tmp_path / "a.json")
    assert result.by_name == {"a.jpg": [(1, 2, 3, 4)], "139": [(5, 6, 7, 8)]}


def test_boxes_of_photographs_go_by_the_longest_tail_of_their_paths(tmp_path):
    listed = boxes.BoxesByName({"s1/a.jpg": [1], "data\\s2\\a.JPG": [2], "c": [3], "d.png": [4]})
    names = ("x/s1/a.jpg", "x/s2/a.jpg", "s3/c.tiff", "d.webp", "e.jpg")
    paths = [tmp_path / name for name in names]
    result = listed.of_photographs(paths)
    assert [result[path] for path in paths] == [[1], [2], [3], [4], []]


def test_boxes_of_photographs_that_are_ambiguous_are_refused(tmp_path):
    listed = boxes.BoxesByName({"s1/a.jpg": [1], "s2/a.jpg": [2], "b.jpg": [3]})
    paths = [tmp_path / name for name in ("a.jpg", "x/b.jpg", "y/b.jpg")]
    result = listed.of_photographs(paths)
    for path, message in zip(
        paths, ("may be s1/a.jpg or s2/a.jpg", r"b.jpg may be .*x/b.jpg or .*y/b.jpg", "may be")
    ):
        with pytest.raises(InputError, match=message):
            raise result[path]


@pytest.mark.parametrize(
    ("names", "num_frames", "first"),
    [
        (["0", "1", "2"], 3, "0"),
        (["1", "2"], 3, "none"),
        (["1", "2", "3"], 3, "1"),
        (["frame_000000.PNG", "frame_000001.PNG"], 0, "frame_000000.PNG"),
        (["img_0_000001.jpg", "img_0_000002.jpg"], 9, "img_0_000001.jpg"),
        (["clip_000000000000", "2"], 3, "clip_000000000000"),
        (["a/0.jpg"], 3, "a/0.jpg"),
    ],
)
def test_boxes_of_frames_go_by_number_from_0_or_1(names, num_frames, first):
    by_name = boxes.BoxesByName({name: [name] for name in names})
    of_frame, _ = by_name.of_frames("clip", lambda: num_frames)
    assert of_frame(0) == ([] if first == "none" else [first])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["walk.png"], "names walk.png, which is not a frame of clip"),
        (["a_1.png", "b_1.png"], "frame 1 twice: a_1.png and b_1.png"),
    ],
)
def test_boxes_of_frames_without_numbers_are_refused(names, message):
    with pytest.raises(InputError, match=message):
        boxes.BoxesByName({name: [] for name in names}).of_frames("clip")


CSV = "image,x,y,width,height,score\na.jpg,1,2,3,4,1\na.jpg,5,6,7.5,8,1\n"


@pytest.mark.parametrize(
    "content",
    [
        CSV.encode(),
        CSV.encode("utf-8-sig"),  # Excel's
        CSV.encode("utf-16"),
        CSV.replace("\n", "\r\n").encode(),
        CSV.replace(",", "\t").encode(),
        CSV.replace(",", ";").replace(".5", ",5").encode(),  # where a comma is the decimal point
        CSV.replace(",", ", ").replace("image", " Image ").encode(),
        (CSV + ",,,,,\n\n").encode(),
        ("\r\n\n" + CSV.replace(",", ";")).encode(),
    ],
)
def test_boxes_of_csv(tmp_path, content):
    (tmp_path / "a.CSV").write_bytes(content)
    assert boxes.read(tmp_path / "a.CSV").by_name == {"a.jpg": [(1, 2, 3, 4), (5, 6, 7.5, 8)]}


def test_boxes_of_csv_in_cp1252(tmp_path):
    text = "image,x,y,width,height\nMüller.jpg,1,2,3,4\n"
    (tmp_path / "a.csv").write_bytes(text.encode("cp1252"))
    assert list(boxes.read(tmp_path / "a.csv").by_name) == ["Müller.jpg"]


def test_boxes_of_csv_go_on_without_an_unusable_line(tmp_path):
    lines = ["image,x,y,width,height", "", "a.jpg,1,2,3,four", "b.jpg,1", ",1,2,3,4"]
    lines.append("c.jpg,1,2,3,4")
    (tmp_path / "a.csv").write_text("\n".join(lines))
    result = boxes.read(tmp_path / "a.csv")
    assert result.by_name["c.jpg"] == [(1, 2, 3, 4)]
    assert [text.split(" has")[0].split(" names")[0] for text in result.problems] == [
        f"line {number}" for number in (3, 4, 5)
    ]


OTHERS = {
    "none.json": (None, "no such file"),
    "none.csv": (None, "no such file"),
    "half.json": ("{", "is not JSON: it breaks off or is damaged in line 1"),
    "numbers.json": ("[1]", "annotation 0 .* is not a dictionary"),
    "text.json": ('"text"', "not a JSON of OpenPose .* or COCO"),
    "deep.json": ("[" * 100_000, "not a JSON"),
    "other.json": ('{"shapes": []}', "not a JSON of OpenPose .* or COCO .*; it has shapes"),
    "empty.json": ('{"images": [], "annotations": []}', "lists no photographs"),
    "short.csv": ("image,x,y\na.jpg,1,2\n", "its first line is image, x, y"),
    "wrong.csv": ("image,x,y,width,height\na.jpg,1,2,3,four\n", "no usable box; .*line 2"),
    "nothing.csv": ("", "no row below the columns"),
    "head.csv": ("image,x,y,width,height\n", "no row below the columns"),
    # A field beyond csv's limit of 131,072 characters.
    "wide_head.csv": ("x" * 200_000, r"not a CSV that can be read, line 1 \(field larger"),
    "wide_row.csv": (CSV + "\n" + "x" * 200_000, "not a CSV that can be read, line 5"),
    "quoted.csv": ('"image,x,y,width,height\na.jpg,1,2,3,4\n', "its first line is image,x.* a.jpg"),
    "lines.csv": ("\n\n", "no row below the columns"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_boxes_refuse_other_files_in_plain_words(tmp_path, name):
    content, message = OTHERS[name]
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message) as error:
        boxes.read(tmp_path / name)
    assert "\n" not in str(error.value)
    assert "Error(" not in str(error.value)


def test_boxes_refuse_a_folder_without_json(tmp_path):
    with pytest.raises(InputError, match="holds no JSON"):
        boxes.read(tmp_path)

"""Box files of every kind, by photograph."""

import json
from pathlib import Path

import numpy as np
import pytest

from hmr_tf.files.errors import InputError
from hmr_tf.files.listed_paths import trailing_number
from hmr_tf.inference import boxes


def openpose(path, *places):
    people = [{"pose_keypoints_2d": [x, y, 0.9, x + 10, y + 20, 0.9]} for x, y in places]
    path.write_text(json.dumps({"people": people}))
    return path


def coco(path, annotations, images=("a.jpg",), **more):
    """COCO's JSON; annotations belong to the first image unless they say otherwise."""
    content = {
        "images": [
            name if isinstance(name, dict) else {"id": number, "file_name": name}
            for number, name in enumerate(images, 1)
        ],
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
    openpose(folder / "b_keypoints.JSON", (3, 4))
    (folder / "._a_keypoints.json").write_bytes(b"\0\5\x16\7")  # macOS
    assert boxes.read(folder) == boxes.BoxesByName({"a": [(1, 2, 10, 20)], "b": [(3, 4, 10, 20)]})


def test_boxes_of_an_openpose_folder_go_on_without_unusable_files(tmp_path):
    """An empty photograph is none of them."""
    openpose(tmp_path / "a_keypoints.json", (1, 2))
    openpose(tmp_path / "b_keypoints.json")
    openpose(tmp_path / "a.json", (5, 6))
    (tmp_path / "c_keypoints.json").write_text('{"people": [')
    (tmp_path / "d_keypoints.json").write_text('{"people": [null, {"face_keypoints_2d": []}]}')
    result = boxes.read(tmp_path)
    assert result.by_name == {"a": [(5, 6, 10, 20)], "b": [], "d": []}
    assert [text.split(":")[0] for text in result.problems[2:]] == ["d_keypoints.json"] * 2
    assert "a_keypoints.json and a.json are of one photograph" in result.problems[0]
    assert "c_keypoints.json is not JSON" in result.problems[1]


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
        (person(1, 2, 3, 4, image_id=None), r"belongs to no image .*\(image_id null\)"),
        ({"bbox": "1234"}, "has the box 1234, not four numbers"),
        ({"bbox": {"x": 1}}, 'has the box {"x": 1}, not four numbers'),
        ({"bbox": [[1, 2, 3, 4]]}, r"has the box \[1, 2, 3, 4\], not four numbers"),
        (person(1, 2, 30, 40, bbox_mode=0), "has a box of bbox_mode 0, corners x1, y1, x2, y2"),
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


def test_boxes_of_coco_that_are_corners_are_refused(tmp_path):
    """By the areas, or because they reach beyond their images."""
    corners = [person(20, 30, 60, 90, area=40 * 60), person(1, 2, 31, 42, area=1200.0)]
    with pytest.raises(InputError, match="boxes such as 20,30,60,90, which are corners"):
        boxes.read(coco(tmp_path / "a.json", corners))
    corners[1]["area"] = 31 * 42  # not all
    assert len(boxes.read(coco(tmp_path / "a.json", corners)).by_name["a.jpg"]) == 2
    corners = [person(220, 60, 370, 550), person(210, 40, 390, 590), person(9, 9, 99, 99)]
    image = {"id": 1, "file_name": "a.jpg", "width": 400, "height": 600}
    with pytest.raises(InputError, match=r"such as 220,60,370,550, which are corners.* an area"):
        boxes.read(coco(tmp_path / "a.json", corners, images=[image]))
    for box in corners:  # people who are mostly out of the image
        box["area"] = box["bbox"][2] * box["bbox"][3]
    assert len(boxes.read(coco(tmp_path / "a.json", corners, images=[image])).by_name["a.jpg"]) == 3
    people = [person(220, 60, 150, 490), person(9, 9, 99, 99)]
    assert boxes.read(coco(tmp_path / "a.json", people, images=[image])).problems == ()


def test_boxes_of_coco_images_of_one_id_are_not_mixed_up(tmp_path):
    images = [{"id": n, "file_name": name} for n, name in ((1, "a"), ("1", "b"), (2, "c"))]
    people = [person(1, 2, 3, 4), person(5, 6, 7, 8, image_id=2)]
    result = boxes.read(coco(tmp_path / "a.json", people, images=images))
    assert result.by_name == {"b": [], "c": [(5, 6, 7, 8)]}
    assert result.problems == (
        "annotation 0 (id 0) belongs to several images: image id 1 is a and b",
    )


def test_boxes_of_coco_without_named_categories_say_which_ids_there_are(tmp_path):
    path = coco(tmp_path / "a.json", [person(1, 2, 3, 4, category_id=0)], categories=[])
    with pytest.raises(InputError, match=r"is a person; it has 0; pass .*--category=ID"):
        boxes.read(path)
    assert boxes.read(path, "0").by_name == {"a.jpg": [(1, 2, 3, 4)]}
    named = [{"id": 1, "name": "person"}, {"id": 2, "name": "dog"}]
    dogs = [person(1, 2, 3, 4, category_id=2), {"bbox": [1, 2, 3, 4]}]
    assert boxes.read(coco(tmp_path / "a.json", dogs[:1], categories=named)).by_name == {
        "a.jpg": []
    }
    with pytest.raises(InputError, match="has no category_id"):
        boxes.read(coco(tmp_path / "a.json", dogs, categories=named))


KEYPOINTS = [10, 20, 0.9, 40, 80, 0.8, 0, 0, 0]


def test_boxes_of_detections_without_a_box_are_those_of_their_keypoints(tmp_path):
    """COCO's results of keypoints, and older versions of AlphaPose."""
    content = [{"image_id": "a.jpg", "category_id": 1, "keypoints": KEYPOINTS, "score": 1}]
    content.append({"image_id": "a.jpg", "keypoints": [x / 100 for x in KEYPOINTS]})
    (tmp_path / "a.json").write_text(json.dumps(content))
    result = boxes.read(tmp_path / "a.json")
    assert result.by_name == {"a.jpg": [(10, 20, 30, 60)]}
    assert len(result.problems) == 1


@pytest.mark.parametrize("key", ["joints", "pose_keypoints_2d"])
def test_boxes_of_alphapose_by_photograph(key, tmp_path):
    people = "bodies" if key == "joints" else "people"
    content = {
        "a.jpg": {"version": "AlphaPose v0.3", people: [{key: KEYPOINTS}, {key: KEYPOINTS[:2]}]},
        "b.jpg": {people: []},
    }
    (tmp_path / "a.json").write_text(json.dumps(content))
    result = boxes.read(tmp_path / "a.json")
    assert result.by_name == {"a.jpg": [(10, 20, 30, 60)], "b.jpg": []}
    (problem,) = result.problems
    assert problem.startswith("a.jpg: person 1 has 2 numbers")


def test_boxes_of_results_go_by_the_number_of_the_photograph(tmp_path):
    """COCO's results name images by their ids."""
    listed = boxes.BoxesByName({"139": [1], "7": [2]})
    paths = [tmp_path / f"COCO_val2014_{n:012d}.jpg" for n in (139, 7, 8)]
    assert list(listed.of_photographs(paths).values()) == [[1], [2], []]
    twice = listed.of_photographs([tmp_path / "a/7.jpg", tmp_path / "b/7.jpg"])
    assert all(isinstance(value, InputError) for value in twice.values())
    twice = listed.of_photographs([tmp_path / "a_7.jpg", tmp_path / "b_7.jpg"])
    assert ["a_7.jpg or" in str(value) for value in twice.values()] == [True, True]


def test_boxes_that_are_of_no_photograph_say_whose_they_are(tmp_path):
    listed = boxes.BoxesByName({name: [1] for name in ("a.jpg", "b.jpg", "c.jpg", "d.jpg")})
    path = tmp_path / "e.jpg"
    with pytest.raises(InputError, match=r"no box for it; it names a.jpg, b.jpg, c.jpg, \.\.\."):
        raise listed.of_photographs([path])[path]


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
def test_boxes_of_frames_go_by_number_from_0_or_1(names, num_frames, first, monkeypatch):
    said = []
    monkeypatch.setattr(boxes.logging, "log_first_n", lambda *args: said.append(args[1] % args[3]))
    listed = boxes.BoxesByName({name: [name] for name in names})
    of_frame = listed.of_frames("clip", lambda: num_frames).of_frame
    assert of_frame(0) == ([] if first == "none" else [first])
    counted_from = int(trailing_number(first) or 0) if first != "none" else 0
    has_0 = any(trailing_number(name) == 0 for name in names)
    expected = f"--boxes names no frame 0: its frames count from {counted_from}."
    assert said == ([] if has_0 else [expected])


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


def test_boxes_of_frames_go_on_without_a_name_that_has_no_number():
    listed = boxes.BoxesByName({"cover.png": [5], "0": [1], "1": [2]}).of_frames("clip", lambda: 2)
    assert [listed.of_frame(0), listed.of_frame(1)] == [[1], [2]]
    (problem,) = listed.problems
    assert problem.startswith("--boxes names cover.png, which is not a frame of clip")


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ((600, 400), [(40, 60, 20, 30)]),
        ((300, 200), [(80, 120, 40, 60)]),  # the photograph was made larger since
        ((400, 600), None),  # the other way: labelled without the orientation
        ((500, 500), None),
        ((None, 400), [(40, 60, 20, 30)]),
        ((0, 400), [(40, 60, 20, 30)]),
    ],
)
def test_boxes_are_compared_with_the_size_that_their_file_states(tmp_path, stated, expected):
    coco = {
        "images": [{"id": 1, "file_name": "a.jpg", "height": stated[0], "width": stated[1]}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [40, 60, 20, 30]}],
        "categories": [{"id": 1, "name": "person"}],
    }
    (tmp_path / "boxes.json").write_text(json.dumps(coco))
    listed = boxes.read(tmp_path / "boxes.json").of_photographs([Path("a.jpg")])
    good, problems = boxes.usable(listed[Path("a.jpg")], 600, 400)
    if expected is None:
        assert not good
        assert problems[0].startswith("It has 400 x 600 pixels, but the file of boxes states ")
    else:
        assert not problems
        np.testing.assert_allclose(good, expected, atol=0.1)


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
        ("sep=;\r\n" + CSV.replace(",", ";")).encode(),  # Excel's
        CSV.replace("\n", "\r").encode(),  # old Macs'
        CSV.encode("utf-16-le"),
        CSV.encode("utf-16-be"),
        CSV.replace(",", "\t").replace(".5", ",5").encode(),
    ],
)
def test_boxes_of_csv(tmp_path, content):
    for name in ("a.CSV", "a.tsv", "a.txt", "a"):
        (tmp_path / name).write_bytes(content)
        assert boxes.read(tmp_path / name).by_name == {"a.jpg": [(1, 2, 3, 4), (5, 6, 7.5, 8)]}


def test_boxes_of_json_with_another_extension(tmp_path):
    path = coco(tmp_path / "coco.txt", [person(1, 2, 3, 4)])
    path.write_bytes(b"\xef\xbb\xbf\n" + path.read_bytes())
    assert boxes.read(path).by_name == {"a.jpg": [(1, 2, 3, 4)]}


def test_boxes_of_csv_in_cp1252(tmp_path):
    text = "image,x,y,width,height\nMüller.jpg,1,2,3,4\n"
    (tmp_path / "a.csv").write_bytes(text.encode("cp1252"))
    assert list(boxes.read(tmp_path / "a.csv").by_name) == ["Müller.jpg"]


def test_boxes_of_csv_go_on_without_an_unusable_line(tmp_path):
    lines = ["image,x,y,width,height", "", "a.jpg,1,2,3,four", "b.jpg,1", ",1,2,3,4"]
    lines += ["d.jpg,1,5,2,3,4", "e.jpg,1_0,2,3,4", "c.jpg,1,2,3,4,"]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    result = boxes.read(tmp_path / "a.csv")
    assert result.by_name["c.jpg"] == [(1, 2, 3, 4)]
    assert [text.split(" has")[0].split(" names")[0] for text in result.problems] == [
        f"line {number}" for number in (3, 4, 5, 6, 7)
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
    "mot.txt": ("1,1,80,60,240,490,1,-1,-1,-1\n", "its first line is 1, 1, 80, 60, 240"),
    "yolo.txt": ("0 0.5 0.5 0.2 0.9\n", "its first line is 0 0.5 0.5 0.2 0.9"),
    "corners.csv": ("image,x1,y1,x2,y2\na.jpg,1,2,3,4\n", "its first line is image, x1, y1"),
    "twice.csv": ("image,x,y,width,height,x\na.jpg,1,2,3,4,5\n", "height, each once"),
    "mmpose.json": (
        '[{"keypoints": [], "bbox": []}]',
        "image_id .*; the first has keypoints, bbox",
    ),
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


def test_boxes_of_low_scores_are_warned_of_and_read(tmp_path, caplog):
    """A detector's results for COCO list everything with a score over 0.001."""
    entry = {"image_id": "a.jpg", "category_id": 1, "bbox": [1, 2, 3, 4]}
    path = tmp_path / "detections.json"
    for scores, text in (
        ((0.9, 2.9), None),
        ((0.9, 0.05, 0.001), "2 of 3 detections have a score"),
    ):
        path.write_text(json.dumps([{**entry, "score": score} for score in scores]))
        assert boxes.read(path).by_name == {"a.jpg": [(1, 2, 3, 4)] * len(scores)}
        assert [text in message for message in caplog.messages] == [True] * (text is not None)
    caplog.clear()
    dog = {**entry, "category_id": 18, "score": 0.01}
    path.write_text(json.dumps([{**entry, "score": 0.9}, dog]))
    assert boxes.read(path).by_name == {"a.jpg": [(1, 2, 3, 4)]}
    assert not caplog.messages

"""COCO: which people, how large, from which folder; other annotations; the original's records."""

import json

import numpy as np
import pytest

from data_prep.reader_items import IndexNote, LabelledPerson, Skipped
from data_prep.readers import coco
from hmr_tf.body import skeleton
from hmr_tf.files.errors import InputError
from tests.fakes.dataset_fakes import STANDING, annotation, assert_as_original, convert, write_coco


def unlabelled(*names, flag=0):
    """STANDING without these points."""
    points = STANDING.copy()
    points[list(skeleton.indices(names, skeleton.COCO_KEYPOINTS)), 2] = flag
    return points


def both(*parts):
    return [f"{side}_{part}" for side in ("left", "right") for part in parts]


def read_one(folder, **entries):
    (person,) = coco.read(write_coco(folder, [annotation(1, **entries)]), "train")
    return person


def test_coco_points_have_their_places(tmp_path):
    person = read_one(tmp_path)
    for name, point in zip(skeleton.COCO_KEYPOINTS, STANDING):
        i = skeleton.KEYPOINTS.index(name)
        assert person.keypoints_px[i].tolist() == point[:2].tolist()
        assert person.labelled[i] == 2
    for name in ("neck", "head_top"):
        assert person.labelled[skeleton.KEYPOINTS.index(name)] == 0
    assert person.has_face


BODY = both("elbow", "wrist", "hip", "knee", "ankle")
DIAGONAL = np.hypot(66 - 34, 160 - 18)
TORSO = np.hypot(3, 50)


@pytest.mark.parametrize(
    ("missing", "scale"),
    [
        ([], 150 / DIAGONAL),
        (["left_ankle"], 150 / DIAGONAL),
        (both("ankle"), 75 / TORSO),
        ([*both("ankle"), "right_hip"], 75 / TORSO),
        ([*both("ankle", "hip", "knee")], 50 / np.hypot(66 - 34, 88 - 18)),
    ],
)
def test_coco_scale_by_what_is_visible(missing, scale, tmp_path):
    assert read_one(tmp_path, points=unlabelled(*missing)).scale == pytest.approx(scale)


def test_coco_occluded_points_count_for_the_scale(tmp_path):
    points = unlabelled(*both("ankle"), flag=1)
    person = read_one(tmp_path, points=points)
    assert person.scale == pytest.approx(150 / DIAGONAL)
    assert person.labelled[skeleton.KEYPOINTS.index("left_ankle")] == 1


def box(height, width=40):
    return (30, 10, 30 + width, 10, 30 + width, 10 + height, 30, 10 + height)


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ({"iscrowd": 1}, "a crowd"),
        ({"keypoints": None, "num_keypoints": None}, "no keypoints"),
        ({"points": STANDING * [1, 1, 0]}, "no keypoints"),
        (
            {"points": unlabelled(*BODY, "nose", "left_eye", flag=1)},
            "fewer than 6 visible keypoints",
        ),
        ({"points": unlabelled(*BODY)}, "only face and shoulders"),
        ({"polygon": box(61)}, "mask at most 60 px high"),
        ({"polygon": box(40, width=90)}, "mask at most 60 px high"),
        ({"segmentation": None, "bbox": [1, 1, 90, 60]}, "mask at most 60 px high"),
    ],
)
def test_coco_people_skipped_by_the_rules(entries, reason, tmp_path):
    skipped = read_one(tmp_path, **entries)
    assert skipped == Skipped(reason, "COCO_train2014_000000000007.jpg, annotation 1", False)


@pytest.mark.parametrize(
    "entries",
    [
        {"points": unlabelled(*BODY[:5], flag=1)},
        {"polygon": box(62)},
        {"segmentation": None, "bbox": [1, 1, 9, 61]},
        {"segmentation": None},
        {"segmentation": []},
        {"segmentation": {"counts": [180 * 120 + 10, 62, 180 * 120 - 72], "size": [180, 240]}},
        {"segmentation": {"counts": "0PVZ1", "size": [180, 240]}},  # all of the image
        {"iscrowd": None},
        {"num_keypoints": None},
    ],
)
def test_coco_people_kept_by_the_rules(entries, tmp_path):
    assert isinstance(read_one(tmp_path, **entries), LabelledPerson)


VISIBILITY = "keypoints are not 17 times x, y, v, with v of 0, 1 or 2"


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ({"keypoints": [1, 2, 2]}, "keypoints are not 17 times x, y, v"),
        ({"keypoints": ["a"] * 51}, "keypoints are not 17 times x, y, v"),
        ({"points": STANDING + np.array([0, 0, 1])}, VISIBILITY),
        ({"points": STANDING - np.array([0, 0, 0.2])}, VISIBILITY),  # a confidence
        ({"keypoints": STANDING[:, :2].ravel().tolist()}, "keypoints are not 17 times x, y, v"),
        ({"keypoints": [10**400, 1, 2] * 17}, "keypoints are not 17 times x, y, v"),
        ({"points": STANDING / [240, 180, 1]}, "keypoints between -1 and 1, not pixels"),
        ({"keypoints": [float("nan"), 1, 2] * 17}, "keypoints are not numbers"),
        ({"points": STANDING * [0, 0, 1]}, "keypoints all in one place"),
        ({"polygon": (-50, -50, -10, -50, -10, -10)}, "mask empty"),
        ({"segmentation": ["no polygon"]}, "mask unreadable"),
        ({"segmentation": {"counts": "#", "size": [1]}}, "mask unreadable"),
        ({"segmentation": {"counts": [9, -9], "size": [180, 240]}}, "mask unreadable"),
        ({"segmentation": {"counts": "ooooo", "size": [180, 240]}}, "mask unreadable"),
        ({"segmentation": {"counts": [0], "size": [0, 0]}}, "mask unreadable"),
        ({"polygon": (30, 10, 9e58, 10, 70, 170)}, "mask unreadable"),
        ({"polygon": (30, 10, float("nan"), 10, 70, 170)}, "mask unreadable"),
        ({"segmentation": None, "bbox": [0, 0, 10, "8o"]}, "box unreadable"),
        ({"segmentation": None, "bbox": [0, 0, 10, None]}, "box unreadable"),
        ({"segmentation": None, "bbox": [0, 0, 10, [80]]}, "box unreadable"),
        ({"segmentation": None, "bbox": [0, 0, 10, float("nan")]}, "box unreadable"),
        ({"segmentation": None, "bbox": [0, 0, 10, 10**400]}, "box unreadable"),
        ({"segmentation": None, "bbox": [1, 2]}, "box unreadable"),
        ({"segmentation": None, "bbox": 80}, "box unreadable"),
        ({"segmentation": None, "bbox": "1234"}, "box unreadable"),
        ({"segmentation": None, "bbox": [0.1, 0.1, 0.3, 0.9]}, "box unreadable"),
    ],
)
def test_coco_broken_annotations_are_problems(entries, reason, tmp_path):
    problem = read_one(tmp_path, **entries)
    assert (problem.reason, problem.is_problem) == (reason, True)


def test_coco_people_come_by_image_then_as_in_the_file(tmp_path):
    annotations = [annotation(9, 7), annotation(5, 3), annotation(8, 7), annotation(6, 3)]
    annotations.append(annotation(4, 3, category_id=2))
    annotations[0]["iscrowd"] = 1
    dog, *people = coco.read(write_coco(tmp_path, annotations), "train")
    assert (dog.reason, dog.is_problem) == ("of another category", False)
    files = [getattr(p, "filename", None) or p.where for p in people]
    assert [name[26:] for name in files] == ["3.jpg", "3.jpg", "7.jpg, annotation 9", "7.jpg"]


LAYOUTS = [
    {"images": "images/{}{}/"},
    {"images": "{}{}/"},
    {"year": "2017"},
    {"year": "2017", "images": "{}{}/"},
    {"year": "2017", "prefix": "COCO_train2014_", "images": "images/{}2014/"},
    {"prefix": "", "images": "images/{}2017/"},
    {"images": "images/val2014/"},
]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_coco_images_are_read_from_the_usual_folders(layout, tmp_path):
    folder = write_coco(tmp_path, [annotation(1)], **layout)
    records, tally = convert(coco.read(folder, "train"))
    assert len(records) == 1
    assert not tally.skipped


def test_coco_annotations_and_images_of_different_years_meet(tmp_path):
    folder = write_coco(tmp_path, [annotation(1)], prefix="")
    path = folder / "annotations" / "person_keypoints_train2014.json"
    path.write_text(path.read_text().replace('"0000', '"COCO_train2014_0000'))
    (record,), _ = convert(coco.read(folder, "train"))
    assert record["image/filename"] == [b"COCO_train2014_000000000007.jpg"]


def test_coco_val_is_read_as_train_is(tmp_path):
    folder = write_coco(tmp_path, [annotation(1)], split="val")
    assert len(list(coco.read(folder, "val"))) == 1


def test_coco_crop_holds_the_person(tmp_path):
    (record,), _ = convert(coco.read(write_coco(tmp_path, [annotation(1)]), "train"))
    assert record["image/height"] == [185]  # 180 x 1.03
    assert record["image/width"] == [247]
    is_visible = np.array(record["image/visibility"]) > 0
    for key, low, high in (("x", 34, 66), ("y", 18, 160)):
        values = np.array([*np.array(record[f"image/{key}"])[is_visible], *face(record, key)])
        scale = {"x": 247 / 240, "y": 185 / 180}[key]
        np.testing.assert_allclose(
            [values.min(), values.max()], [low * scale, high * scale], rtol=1e-6
        )


def face(record, key):
    return np.reshape(record["image/face_pts"], (3, 5))["xy".index(key)]


def test_coco_missing_and_broken_images_are_counted(tmp_path):
    folder = write_coco(tmp_path, [annotation(1), annotation(2), annotation(3, 3)])
    images = folder / "images" / "train2014"
    (images / "COCO_train2014_000000000003.jpg").write_bytes(b"")
    (images / "COCO_train2014_000000000007.jpg").unlink()
    records, tally = convert(coco.read(folder, "train"))
    assert not records
    assert tally.skipped == {"image unreadable": 1, "image missing": 2}
    assert "000000000003" in tally.problems[0]["where"]


UNREADABLE = {
    "empty": ("", "is not a JSON file, or truncated"),
    "cut": ('{"images": [', "is not a JSON file"),
    "binary": ("\x00\x01", "is not a JSON file"),
    "a number": ("3", "is a number"),
    "null": ("null", "is a null"),
    "detections": ("[]", "but is a list"),
    "very deep": ("[" * 100_000, "is not a JSON file"),
    "no images": ('{"annotations": [{"id": 1}]}', "but is a dictionary of annotations"),
    "no lists": ('{"images": {}, "annotations": 1}', "no lists images and annotations"),
}


@pytest.mark.parametrize("fault", UNREADABLE)
def test_coco_unreadable_annotation_file_is_refused(fault, tmp_path):
    folder = write_coco(tmp_path, [])
    content, message = UNREADABLE[fault]
    (folder / "annotations" / "person_keypoints_train2014.json").write_text(content)
    with pytest.raises(InputError, match=rf"train2014\.json .*{message}"):
        list(coco.read(folder, "train"))


def test_coco_missing_files_are_named(tmp_path):
    with pytest.raises(InputError, match="coco has no split test"):
        list(coco.read(tmp_path, "test"))
    with pytest.raises(InputError, match=r"person_keypoints_val2014\.json or"):
        list(coco.read(tmp_path, "val"))
    folder = write_coco(tmp_path, [], images="elsewhere/")
    with pytest.raises(InputError, match="no images"):
        list(coco.read(folder, "train"))


def test_coco_records_are_the_originals(shared):
    """Up to 1.2 px: the original scales x by y's factor and y by x's, which is mended here."""
    samples = shared / "data_samples"
    expected = json.loads((samples / "expected" / "coco.json").read_text())
    records, tally = convert(coco.read(samples / "coco", "train"))
    assert_as_original(records, expected, tolerance_px=1.2)
    for i, record in enumerate(records):
        np.testing.assert_allclose(record["image/face_pts"], expected["face_pts"][i], atol=1.2)
    assert not tally.problems


def edit(folder, change):
    """Changes the content of the annotation file in place."""
    path = folder / "annotations" / "person_keypoints_train2014.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


POSETRACK = (
    *("nose", "head_bottom", "head_top", "left_ear", "right_ear"),
    *skeleton.COCO_KEYPOINTS[5:],
)


def test_coco_keypoints_are_mapped_by_their_names(tmp_path):
    folder = write_coco(tmp_path, [annotation(1)])
    edit(folder, lambda content: content["categories"][0].update(keypoints=POSETRACK))
    (person,) = coco.read(folder, "train")
    for name, point in zip(POSETRACK, STANDING):
        i = skeleton.KEYPOINTS.index({"head_bottom": "neck"}.get(name, name))
        assert person.keypoints_px[i].tolist() == point[:2].tolist()
        assert person.labelled[i] == 2
    for name in ("left_eye", "right_eye"):
        assert person.labelled[skeleton.KEYPOINTS.index(name)] == 0


def test_coco_keypoints_in_another_order_give_the_same_person(tmp_path, rng):
    order = rng.permutation(17)
    (expected,) = coco.read(write_coco(tmp_path / "a", [annotation(1)]), "train")
    folder = write_coco(tmp_path / "b", [annotation(1, points=STANDING[order])])
    names = [skeleton.COCO_KEYPOINTS[i].replace("_", " ").title() for i in order]
    edit(folder, lambda content: content["categories"][0].update(keypoints=names))
    (person,) = coco.read(folder, "train")
    np.testing.assert_array_equal(person.keypoints_px, expected.keypoints_px)
    np.testing.assert_array_equal(person.labelled, expected.labelled)
    assert person.scale == expected.scale


def test_coco_more_keypoints_than_cocos_are_passed_over(tmp_path):
    points = np.concatenate([STANDING, [[9, 9, 2], [9, 9, 2]]])
    folder = write_coco(tmp_path, [annotation(1, points=points)])
    names = [*skeleton.COCO_KEYPOINTS, "left_big_toe", "pelvis"]
    edit(folder, lambda content: content["categories"][0].update(keypoints=names))
    (person,) = coco.read(folder, "train")
    assert (person.keypoints_px[person.labelled > 0] != 9).all()
    assert (person.labelled > 0).sum() == 17


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["nose", "tail"], r"person_keypoints_train2014\.json: unknown keypoints: tail; known are"),
        (["nose", "Nose"], "two keypoints are called nose"),
        (["pelvis"], "no keypoint is one of right_ankle"),
        ([None, "nose", {"id": 1}], r'unknown keypoints: null, {"id": 1}; known are'),
        (17, "keypoints are 17, not a list of names"),
        ({"0": "nose"}, r'keypoints are {"0": "nose"}, not a list'),
    ],
)
def test_coco_unknown_keypoints_are_refused(names, message, tmp_path):
    folder = write_coco(tmp_path, [annotation(1)])
    edit(folder, lambda content: content["categories"][0].update(keypoints=names))
    with pytest.raises(InputError, match=message):
        list(coco.read(folder, "train"))


DOG_AND_PERSON = [{"id": 1, "name": "dog"}, {"id": 5, "name": "Person"}]


@pytest.mark.parametrize(
    ("categories", "category_id", "category"),
    [
        (DOG_AND_PERSON, 5, ""),
        ([{"id": 0, "name": "person"}], 0, ""),
        ([{"id": 2, "name": "player"}], 2, "player"),
        (None, 1, ""),
        ([], 1, ""),
        ([None, {"id": 1}], 1, ""),
        ([{"id": "5", "name": "person"}], 5, ""),
        ([{"id": "p1", "name": "person"}], "p1", ""),
    ],
)
def test_coco_people_go_by_the_name_of_their_category(categories, category_id, category, tmp_path):
    people = [annotation(1, category_id=category_id), annotation(2, category_id=77)]
    folder = write_coco(tmp_path, people)
    edit(folder, lambda content: content.update(categories=categories))
    other, person = coco.read(folder, "train", category=category)
    assert other.reason == "of another category"
    assert isinstance(person, LabelledPerson)


@pytest.mark.parametrize("category", ["", "goalkeeper"])
def test_coco_unknown_category_names_those_of_the_file(category, tmp_path):
    folder = write_coco(tmp_path, [annotation(1)])
    names = [{"id": 1, "name": "player"}, {"id": 2, "name": "ball"}]
    edit(folder, lambda content: content.update(categories=names))
    message = f"no category is called {category or 'person'}; the file has: ball, player; pass"
    with pytest.raises(InputError, match=message):
        list(coco.read(folder, "train", category=category))


def test_coco_category_may_be_a_name_or_missing_if_there_is_one(tmp_path):
    people = [annotation(1, category_id="Person"), annotation(2, category_id=None), annotation(3)]
    folder = write_coco(tmp_path, people)
    kinds = [getattr(item, "reason", "person") for item in coco.read(folder, "train")]
    assert kinds == ["annotation without category_id", "person", "person"]
    edit(folder, lambda content: content["categories"].pop())
    assert sum(isinstance(item, LabelledPerson) for item in coco.read(folder, "train")) == 3


def test_coco_of_other_categories_only_says_which(tmp_path):
    folder = write_coco(tmp_path, [annotation(1, category_id=0), annotation(2, category_id=7)])
    edit(folder, lambda content: content.update(categories=[]))
    with pytest.raises(InputError, match=r"category_id 1 or person, .* it has 0, 7; pass"):
        list(coco.read(folder, "train"))


def test_coco_category_with_the_id_of_another_is_refused(tmp_path):
    folder = write_coco(tmp_path, [annotation(1)])
    edit(folder, lambda content: content["categories"][1].update(id="1"))
    with pytest.raises(InputError, match="two categories have the id 1: person and dog"):
        list(coco.read(folder, "train"))


def test_coco_images_of_one_id_are_not_mixed_up(tmp_path):
    """Files that were put together count from 1 twice."""
    folder = write_coco(tmp_path, [annotation(1, 7), annotation(2, 3)])
    edit(folder, lambda content: content["images"].append({"id": 7.0, "file_name": "b.jpg"}))
    skipped, person = coco.read(folder, "train")
    assert (skipped.reason, skipped.is_problem) == ("several images of one id", True)
    assert "id 7 is COCO_train2014_000000000007.jpg and b.jpg" in skipped.where
    assert person.image.endswith("_000000000003.jpg")


@pytest.mark.parametrize("name", ["", " ", ".", "..", "/", "a\0.jpg"])
def test_coco_file_names_of_no_file_are_problems(name, tmp_path):
    folder = write_coco(tmp_path, [annotation(1, 7), annotation(2, 3)])
    edit(folder, lambda content: content["images"][0].update(file_name=name))
    reasons = [getattr(item, "reason", "person") for item in coco.read(folder, "train")]
    assert reasons == ["image without id or file_name", "annotation of no listed image", "person"]


def test_coco_json_of_windows(tmp_path):
    folder = write_coco(tmp_path, [annotation(1)])
    (path,) = (folder / "annotations").iterdir()
    content = json.loads(path.read_text())
    content["images"][0]["file_name"] = "Müller.jpg"
    for code in ("cp1252", "utf-16", "utf-8-sig"):
        path.write_bytes(json.dumps(content, ensure_ascii=False).encode(code))
        (person,) = coco.read(folder, "train")
        assert person.filename == "Müller.jpg"


def test_coco_ids_may_be_text(tmp_path):
    folder = write_coco(tmp_path, [annotation(1, "7"), annotation(2, 3)])
    edit(folder, lambda content: content["images"][1].update(id="000003"))
    assert [type(person) for person in coco.read(folder, "train")] == [LabelledPerson] * 2


def test_coco_unusable_entries_are_counted_and_the_others_read(tmp_path):
    people = [annotation(1), annotation(2, 99), annotation(3, image_id=None), annotation(4)]
    folder = write_coco(tmp_path, people)

    def spoil(content):
        content["images"] += [None, {"id": 8}, {"id": 9, "file_name": 3}, {"file_name": "x.jpg"}]
        content["annotations"] += [None, 5, annotation(5, 8), annotation(6, 7, bbox=[0, 0, 0, 0])]
        del content["annotations"][-1]["segmentation"]

    edit(folder, spoil)
    records, tally = convert(coco.read(folder, "train"))
    assert len(records) == 2
    assert tally.skipped == {
        "image without id or file_name": 4,
        "annotation of no listed image": 5,
        "box empty": 1,
    }
    assert tally.num_problems == 10
    name = "person_keypoints_train2014.json"
    assert {"reason": "image without id or file_name", "where": f"{name}, images[2]"} in (
        tally.problems
    )


@pytest.mark.parametrize(("other", "is_binary"), [(1, True), (2, False)])
def test_coco_visibilities_of_0_and_1_mean_labelled(other, is_binary, tmp_path):
    points = np.column_stack([STANDING[:, :2], np.ones(17, int)])
    points[0, 2] = 0
    last = np.column_stack([STANDING[:, :2], np.full(17, other)])
    folder = write_coco(tmp_path, [annotation(1, points=points), annotation(2, points=last)])
    (path,) = (folder / "annotations").iterdir()
    items = list(coco.read(folder / "images/train2014", "train", annotations=path))
    people = [item for item in items if isinstance(item, LabelledPerson)]
    assert len(people) == (2 if is_binary else 1)
    assert items.count(IndexNote(coco.BINARY, 2)) == is_binary
    assert set(people[0].labelled) == {0, 2}
    official = list(coco.read(folder, "train"))  # COCO's file: occluded points do not count
    assert sum(isinstance(item, LabelledPerson) for item in official) == (not is_binary)


def test_coco_photographs_of_one_name_are_not_mixed_up(tmp_path):
    annotations = [annotation(1, 7), annotation(2, 3)]
    folder = write_coco(tmp_path, annotations, images="s1/", prefix="")
    (folder / "s2").mkdir()
    path = edit(
        folder,
        lambda content: [
            image.update(file_name=f"C:\\me\\s{place}\\a.jpg")
            for place, image in enumerate(content["images"], start=1)
        ],
    )
    for place, number in ((1, 7), (2, 3)):
        (folder / "s1" / f"{number:012d}.jpg").rename(folder / f"s{place}" / "a.jpg")
    people = list(coco.read(folder, "train", annotations=path))
    assert [person.image[-8:] for person in people] == ["s2/a.jpg", "s1/a.jpg"]
    (folder / "s1" / "a.jpg").rename(folder / "a.jpg")
    (folder / "s2" / "a.jpg").unlink()
    people = list(coco.read(folder, "train", annotations=path))
    assert [item.reason for item in people] == ["several images of one name"] * 2

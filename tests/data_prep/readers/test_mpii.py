"""MPII: which people, how large, in all forms of the structs; the original's records."""

import json

import numpy as np
import pytest
import scipy.io

from data_prep.reader_items import CropRule, LabelledPerson, Skipped
from data_prep.readers import mpii
from hmr_tf.body import skeleton
from hmr_tf.files.errors import InputError
from tests.fakes.dataset_fakes import assert_as_original, convert
from tests.fakes.mpi_fakes import mpii_person, structs, write_mpii

# By id: x, y, 1-based.
STANDING = {
    **{0: (55, 160), 1: (56, 125), 2: (57, 90), 3: (70, 90), 4: (71, 125), 5: (72, 160)},
    **{6: (64, 90), 7: (64, 45), 8: (64, 40), 9: (62, 15)},
    **{10: (40, 95), 11: (42, 70), 12: (50, 45), 13: (78, 44), 14: (86, 70), 15: (90, 95)},
}
ANKLES, HIPS, HEAD = {0, 5}, {2, 3}, {9}


def points(without=(), **more):
    """STANDING as the structs of a rectangle's points."""
    places = {i: place for i, place in STANDING.items() if i not in without}
    return [{"x": float(x), "y": float(y), "id": float(i), **more} for i, (x, y) in places.items()]


def image(*people, name="a.jpg", alone=(1,), **more):
    return {"name": name, "people": [mpii_person(p) for p in people], "alone": alone, **more}


def read_all(folder, *images):
    return list(mpii.read(write_mpii(folder, images), "train"))


def read_one(folder, **choice):
    (person,) = read_all(folder, image(points(**choice)))
    return person


def test_mpii_points_have_their_places(tmp_path):
    person = read_one(tmp_path)
    names = {i: name for i, name in enumerate(mpii.MPII_JOINTS) if name in skeleton.KEYPOINTS}
    assert len(names) == 14
    assert (names[8], names[9], names[12]) == ("neck", "head_top", "right_shoulder")
    for i, name in names.items():
        assert tuple(person.keypoints_px[skeleton.KEYPOINTS.index(name)]) == STANDING[i]
    assert person.labelled.tolist() == [1] * 14 + [0] * 5
    assert not person.has_face
    assert person.crop_rule == CropRule(window_px=600)


def test_mpii_missing_points_are_zero_and_not_labelled(tmp_path):
    person = read_one(tmp_path, without={10, 8})
    for name in ("right_wrist", "neck"):
        i = skeleton.KEYPOINTS.index(name)
        assert (person.labelled[i], *person.keypoints_px[i]) == (0, 0, 0)
    assert person.labelled.sum() == 12


DIAGONAL = np.hypot(90 - 40, 160 - 15)
HEAD_TO_HIPS = [np.hypot(5, 75), np.hypot(8, 75)]  # right, left
TORSO = [np.hypot(7, 45), np.hypot(8, 46)]


@pytest.mark.parametrize(
    ("without", "scale"),
    [
        ((), 150 / DIAGONAL),
        ({0}, 150 / np.hypot(90 - 40, 160 - 15)),
        (ANKLES, 75 / np.mean(HEAD_TO_HIPS)),
        (ANKLES | {2}, 75 / HEAD_TO_HIPS[1]),
        (ANKLES | HEAD, 56 / np.mean(TORSO)),
        (ANKLES | HEAD | {13}, 56 / TORSO[0]),
        (ANKLES | HEAD | {2}, 56 / TORSO[1]),
    ],
)
def test_mpii_scale_by_what_is_visible(without, scale, tmp_path):
    assert read_one(tmp_path, without=without).scale == pytest.approx(scale)


@pytest.mark.parametrize(
    "without", [ANKLES | HIPS, ANKLES | HEAD | {2, 13}, set(range(16)) - {6, 7}]
)
def test_mpii_people_too_close_are_skipped(without, tmp_path):
    assert read_one(tmp_path, without=without) == Skipped("too close", "a.jpg, person 1", False)


@pytest.mark.parametrize("flag", ["1", "0", 1, 0, np.empty((0, 0)), np.uint8([[1]]), "x"])
def test_mpii_is_visible_does_not_matter(flag, tmp_path):
    with_flag, without = read_one(tmp_path / "a", is_visible=flag), read_one(tmp_path / "b")
    np.testing.assert_array_equal(with_flag.keypoints_px, without.keypoints_px)
    np.testing.assert_array_equal(with_flag.labelled, without.labelled)
    assert with_flag.scale == without.scale


def test_mpii_only_people_of_training_images_who_stand_alone(tmp_path):
    moved = [{**point, "x": point["x"] + 50} for point in points()]
    people = read_all(
        tmp_path,
        image(points(), name="test.jpg", is_train=0),
        image(points(), points(), name="crowd.jpg", alone=()),
        image(points(), moved, points(), name="b.jpg", alone=(3, 2)),
        image(name="empty.jpg", alone=()),
        image(points(), name="a.jpg"),
    )
    read = [(person.image[-5:], person.keypoints_px[0, 0]) for person in people]
    assert read == [("b.jpg", 55), ("b.jpg", 105), ("a.jpg", 55)]


@pytest.mark.parametrize(
    ("people", "alone", "reason", "is_problem"),
    [
        ([None], (1,), "fewer than 2 keypoints", False),
        ([points()[:1]], (1,), "fewer than 2 keypoints", False),
        ([points()], (2,), "no such person in the image", True),
        ([points()], (0,), "no such person in the image", True),
        ([points()], (1.5,), "no such person in the image", True),
        ([points()], (np.nan,), "no such person in the image", True),
        ([], (1,), "no such person in the image", True),
        ([[*points(), {**points()[0], "x": np.nan}]], (1,), "keypoints are not numbers", True),
        ([[*points(), {**points()[0], "y": "a"}]], (1,), "keypoints are not numbers", True),
        (
            [[*points(), {**points()[0], "y": np.zeros((1, 2))}]],
            (1,),
            "keypoints are not numbers",
            True,
        ),
        ([[points()[0], points()[6]]], (1,), "keypoints all in one place", True),
    ],
)
def test_mpii_skipped_people(people, alone, reason, is_problem, tmp_path):
    (skipped,) = read_all(tmp_path, image(*people, alone=alone))
    assert (skipped.reason, skipped.is_problem) == (reason, is_problem)
    assert skipped.where.startswith("a.jpg, person ")


def test_mpii_person_without_points_beside_one_with_points(tmp_path):
    empty = {**mpii_person(points()), "annopoints": np.empty((0, 0))}
    images = [{"name": "a.jpg", "people": [empty, mpii_person(points())], "alone": (1, 2)}]
    missing, person = mpii.read(write_mpii(tmp_path, images), "train")
    assert missing.reason == "fewer than 2 keypoints"
    assert isinstance(person, LabelledPerson)


@pytest.mark.parametrize(
    "file",
    ["mpii_human_pose_v1_u12_2/mpii_human_pose_v1_u12_1.mat", "mpii_human_pose_v1_u12_1.mat"],
)
def test_mpii_folder_of_the_archive_is_read(file, tmp_path):
    folder = write_mpii(tmp_path, [image(points())], file=file)
    assert len(list(mpii.read(folder, "train"))) == 1


def test_mpii_no_image_is_read_from_elsewhere(tmp_path):
    folder = write_mpii(tmp_path / "mpii", [image(points(), name="../../a.jpg")])
    (person,) = mpii.read(folder, "train")
    assert person.image == str(folder / "images" / "a.jpg")


def test_mpii_crop_holds_the_person(tmp_path):
    (record,), _ = convert(read_all(tmp_path, image(points())))
    scale = 150 / DIAGONAL
    size = int(180 * scale), int(240 * scale)
    assert (record["image/height"], record["image/width"]) == ([size[0]], [size[1]])
    xs = [55, 56, 57, 70, 71, 72, 40, 42, 50, 78, 86, 90, 64, 62]
    np.testing.assert_allclose(record["image/x"], np.array(xs) * size[1] / 240, rtol=1e-6)
    assert record["image/center"] == [int(65 * size[1] / 240), int(87.5 * size[0] / 180)]


def test_mpii_missing_and_broken_images_are_counted(tmp_path):
    folder = write_mpii(tmp_path, [image(points(), name=f"{x}.jpg") for x in "abc"])
    (folder / "images" / "a.jpg").unlink()
    (folder / "images" / "b.jpg").write_bytes(b"")
    records, tally = convert(mpii.read(folder, "train"))
    assert [record["image/filename"] for record in records] == [[b"c.jpg"]]
    assert tally.skipped == {"image missing": 1, "image unreadable": 1}


RELEASES = {
    "a number": 3,
    "no images": structs([{"annolist": np.empty((0, 0)), "img_train": 1, "single_person": 1}]),
    "no flags": structs([{"annolist": structs([{"image": 1}])}]),
}


@pytest.mark.parametrize(
    "content", [b"", b"MATLAB 5.0", *RELEASES, {"joints": np.zeros((14, 3, 2))}]
)
def test_mpii_unreadable_release_is_refused(content, tmp_path):
    path = tmp_path / "annotations" / mpii.ANNOTATIONS
    path.parent.mkdir()
    (tmp_path / "images").mkdir()
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        content = {"RELEASE": RELEASES[content]} if isinstance(content, str) else content
        scipy.io.savemat(path, content)
    with pytest.raises(
        InputError, match=r"not a readable|not MPII's release|holds no RELEASE"
    ) as error:
        list(mpii.read(tmp_path, "train"))
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_mpii_release_cut_off_is_refused(tmp_path):
    folder = write_mpii(tmp_path, [image(points())])
    path = folder / "annotations" / mpii.ANNOTATIONS
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match="truncated"):
        list(mpii.read(folder, "train"))


def test_mpii_missing_files_are_named(tmp_path):
    with pytest.raises(InputError, match=r"mpii has no split test: .* no annotations"):
        list(mpii.read(tmp_path, "test"))
    with pytest.raises(InputError, match=r"no annotations/mpii_human_pose_v1_u12_1\.mat in "):
        list(mpii.read(tmp_path, "train"))
    write_mpii(tmp_path, [image(points())])
    (tmp_path / "images").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"there is no .*images: unpack"):
        list(mpii.read(tmp_path, "train"))


def test_mpii_records_are_the_originals(shared):
    """Up to 1.2 px: the original scales x by y's factor and y by x's, which is mended here."""
    samples = shared / "data_samples"
    expected = json.loads((samples / "expected" / "mpii.json").read_text())
    records, tally = convert(mpii.read(samples / "mpii", "train"))
    assert_as_original(records, expected, tolerance_px=1.2)
    assert not tally.problems

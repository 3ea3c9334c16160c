"""LabelledPerson -> record: what moves into the crop, what stays, which people are skipped."""

import dataclasses

import cv2
import numpy as np
import pytest
import tensorflow as tf

from data_prep.reader_items import CropRule, LabelledPerson, MocapPose, Skipped
from data_prep.writing import shard_files
from data_prep.writing.split_index import Tally
from hmr_tf.data import crop
from tests.fakes.dataset_fakes import convert, write_image


@pytest.fixture
def image(rng):
    return rng.integers(0, 256, (240, 320, 3), np.uint8)


def person(image, rng, **more):
    values = {"keypoints_px": rng.uniform(40, 200, (19, 2)), "filename": "a.jpg", **more}
    return LabelledPerson(image, labelled=np.ones(19, int), **values)


def around(center_px):
    """(19, 2) points whose box has this centre."""
    return center_px + np.outer(np.linspace(-30, 30, 19), [1.0, 1.0])


def test_conversion_everything_moves_into_the_crop(image, rng):
    joints, pose, betas = rng.normal(size=(14, 3)), rng.normal(size=(24, 3)), rng.normal(size=10)
    labels = {"lsp_joints": joints, "pose": pose, "betas": betas, "camera": [900.0, 160.0, 120.0]}
    cut = {"scale": 0.61, "crop_rule": CropRule(window_px=100)}
    wanted = person(image, rng, has_face=True, **labels, **cut)
    (record,), tally = convert([wanted])
    middle = np.mean(crop.box_of_labelled(wanted.keypoints_px, wanted.labelled), axis=0)
    pixels, where = crop.crop_inside(image, 0.61, middle, 100)
    points = crop.to_crop(wanted.keypoints_px, where)
    x, y, _ = np.reshape(record["image/face_pts"], (3, 5))
    np.testing.assert_allclose([*record["image/x"], *x], points[:, 0], rtol=1e-5)
    np.testing.assert_allclose([*record["image/y"], *y], points[:, 1], rtol=1e-5)
    assert record["image/center"] == crop.to_crop(middle, where).astype(int).tolist()
    assert (record["image/height"], record["image/width"]) == ([pixels.shape[0]], [pixels.shape[1]])
    focal, *principal = record["image/cam"]
    assert focal == pytest.approx(900 * 0.61)
    np.testing.assert_allclose(principal, crop.to_crop([160, 120], where), rtol=1e-5)
    np.testing.assert_allclose(record["mosh/gt3d"], joints.ravel(), rtol=1e-5)
    np.testing.assert_allclose(record["mosh/pose"], pose.ravel(), rtol=1e-5)
    np.testing.assert_allclose(record["mosh/shape"], betas, rtol=1e-5)
    np.testing.assert_allclose(record["meta/scale_factors"], where.scale_xy[::-1], rtol=1e-6)
    assert record["meta/crop_pt"] == where.corner_px.tolist()
    assert record["meta/has_3d"] == [1]
    assert tally.has_3d


def test_conversion_array_is_stored_whole(image, rng):
    image[:] = cv2.resize(image[:8, :8], (320, 240))
    wanted = person(image, rng, keypoints_px=around([100.6, 90.2]))
    (record,), tally = convert([wanted])
    (jpeg,) = record["image/encoded"]
    pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.abs(pixels.astype(int) - image).mean() < 3
    assert record["image/center"] == [100, 90]
    np.testing.assert_allclose(record["image/x"], wanted.keypoints_px[:14, 0], rtol=1e-6)
    assert not tally.has_3d


def test_conversion_png_is_stored_as_jpeg(tmp_path, rng):
    write_image(tmp_path / "a.png", 40, 50)
    (record,), _ = convert([person(str(tmp_path / "a.png"), rng, filename="")])
    assert record["image/encoded"][0][:2] == b"\xff\xd8"
    assert record["image/filename"] == [b"a.png"]
    assert record["image/width"] == [50]


def test_conversion_grey_image_gets_three_channels(tmp_path, rng):
    assert cv2.imwrite(str(tmp_path / "a.jpg"), np.full((30, 40), 100, np.uint8))
    (record,), _ = convert(
        [person(str(tmp_path / "a.jpg"), rng, crop_rule=CropRule(window_px=400))]
    )
    pixels = cv2.imdecode(np.frombuffer(record["image/encoded"][0], np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels.shape[2] == 3


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"labelled": np.zeros(19)}, "no labelled keypoint"),
        ({"keypoints_px": np.full((19, 2), np.nan)}, "keypoints are not numbers"),
        ({"keypoints_px": np.full((19, 2), 1e300)}, "keypoints are not numbers"),
        ({"keypoints_px": np.full((19, 2), -900.0)}, "the person lies outside the image"),
        ({"scale": 1e5}, "the person is too small"),
        ({"lsp_joints": np.full((14, 3), np.nan)}, "joints are not numbers"),
        ({"image": "nowhere.jpg"}, "image missing"),
        ({"image": __file__}, "image unreadable"),
    ],
)
def test_conversion_skipped_people(more, reason, image, rng):
    labels = {"keypoints_px": np.full((19, 2), 9.0), "labelled": np.ones(19), "image": image}
    wanted = LabelledPerson(
        **{"filename": "a.jpg", "crop_rule": CropRule(window_px=400), **labels, **more}
    )
    records, tally = convert([wanted])
    assert not records
    assert tally.skipped == {reason: 1}
    assert tally.summary() == f"1 skipped ({reason}: 1)"
    assert [problem["reason"] for problem in tally.problems] == [reason]


def inside(image, rng, count):
    """A person with `count` labelled points on the corners, and all others just outside."""
    height, width = image.shape[:2]
    corners = [[0, 0], [width - 1e-3, height - 1e-3]]
    outside = [[-1e-3, 5], [5, -1e-3], [width, 5], [5, height], [-5, -5]]
    keypoints_px = np.resize(np.float64(outside), (19, 2))
    keypoints_px[:count] = np.resize(np.float64(corners), (count, 2))
    return person(image, rng, keypoints_px=keypoints_px, crop_rule=CropRule(min_inside=8))


def test_conversion_crop_rule_may_ask_for_points_inside(image, rng):
    few, enough = inside(image, rng, 7), inside(image, rng, 8)
    (record,), tally = convert([few, enough])
    assert tally.skipped == {"fewer than 8 keypoints inside the image": 1}
    assert not tally.problems
    np.testing.assert_allclose(record["image/x"], enough.keypoints_px[:14, 0], rtol=1e-6)


def test_conversion_unlabelled_points_are_not_inside(image, rng):
    wanted = inside(image, rng, 8)
    wanted.labelled[0] = 0
    assert convert([wanted])[0] == []


def test_conversion_centre_may_be_rounded(image, rng):
    """0.5 x 163.2 = 81.6 becomes 82, and the window starts on a whole pixel."""
    cut = {"scale": 0.5, "keypoints_px": around([163.2, 101.0])}
    (record,), _ = convert([person(image, rng, crop_rule=CropRule(window_px=40), **cut)])
    rule = CropRule(window_px=40, center_on_pixel=True)
    wanted = person(image, rng, lsp_joints=np.zeros((14, 3)), crop_rule=rule, **cut)
    (rounded,), _ = convert([wanted])
    assert record["image/center"] == [20, 20]  # 81.6 - 61, 50.5 - 30, cut
    assert rounded["meta/crop_pt"] == [62, 30]
    assert rounded["image/center"] == [20, 20]
    assert rounded["image/width"] == [40]
    assert rounded["image/x"][3] == pytest.approx(wanted.keypoints_px[3, 0] / 2 - 62, abs=1e-4)


def test_conversion_image_may_go_through_a_jpeg_first(image, rng):
    wanted = person(image, rng, crop_rule=CropRule(reencode_quality=20))
    (whole,), _ = convert([wanted])
    rule = CropRule(window_px=1000, reencode_quality=20)
    (cut,), _ = convert([dataclasses.replace(wanted, crop_rule=rule)])
    jpeg = tf.io.encode_jpeg(image, quality=20)
    assert whole["image/encoded"] == [jpeg.numpy()]
    pixels = tf.io.decode_jpeg(jpeg)
    assert cut["image/width"] == [320]
    assert cut["image/encoded"] == [tf.io.encode_jpeg(pixels, quality=95).numpy()]


def test_conversion_people_of_one_file_are_one_group(image, rng):
    people = [person(name, rng) for name in ("a", "a", "b", "a")]
    people += [person(image, rng), person(image, rng), MocapPose(np.zeros(72), np.zeros(10))]
    assert [len(group) for group in shard_files.group_by_image(people)] == [2, 1, 1, 1, 1, 1]


def test_conversion_rules_are_counted_but_no_problems():
    tally = Tally()
    items = [Skipped("a crowd", "x", False), Skipped("image missing", "y"), "a person"]
    assert list(tally.count_skipped(items)) == ["a person"]
    assert tally.counts() == {
        "has_3d": False,
        "skipped": {"a crowd": 1, "image missing": 1},
        "num_problems": 1,
        "problems": [{"reason": "image missing", "where": "y"}],
        "notes": {},
    }


@pytest.mark.parametrize(("num_outside", "is_kept"), [(9, True), (10, False), (19, False)])
def test_conversion_own_labels_lie_in_their_image(num_outside, is_kept, image, rng):
    """x and y exchanged, or labels of a larger picture: mostly outside. Published ones are kept."""
    points = rng.uniform(1, 239, (19, 2))
    points[:num_outside, 1] += 240.0
    records, tally = convert([person(image, rng, keypoints_px=points, make_upright=True)])
    assert len(records) == is_kept
    assert tally.skipped == ({} if is_kept else {"most keypoints lie outside the image": 1})
    assert tally.num_problems == (not is_kept)
    assert len(convert([person(image, rng, keypoints_px=points)])[0]) == 1

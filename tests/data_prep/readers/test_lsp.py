"""LSP and LSP-extended: flags the right way round, splits, image files, the original's records."""

import json

import numpy as np
import pytest
import scipy.io

from data_prep.reader_items import IndexNote, LabelledPerson, Skipped
from data_prep.readers import lsp
from hmr_tf.files.errors import InputError
from tests.fakes.dataset_fakes import assert_as_original, convert, write_lsp


@pytest.fixture
def joints(rng):
    """(14, 3, 4): LSP-extended of four people; flag 1 = annotated."""
    joints = rng.uniform(1, 30, (14, 3, 4))
    joints[:, 2] = rng.uniform(size=(14, 4)) > 0.3
    return joints


def test_lsp_extended_flags_mean_annotated(tmp_path, joints):
    people = list(lsp.read_extended(write_lsp(tmp_path, joints, digits=5), "train"))
    assert [person.image[-11:] for person in people] == [f"im0000{i}.jpg" for i in (1, 2, 3, 4)]
    for i, person in enumerate(people):
        np.testing.assert_array_equal(person.labelled[:14], joints[:, 2, i])
        np.testing.assert_array_equal(person.keypoints_px[:14], joints[:, :2, i])
        assert not person.labelled[14:].any()
        assert not person.has_face


def test_lsp_flags_mean_hidden(tmp_path, joints):
    people = list(lsp.read(write_lsp(tmp_path, joints.transpose(1, 0, 2)), "train"))
    for i, person in enumerate(people):
        np.testing.assert_array_equal(person.labelled[:14], 1 - joints[:, 2, i])
        np.testing.assert_array_equal(person.keypoints_px[:14], joints[:, :2, i])


def test_lsp_every_image_of_lsp_is_in_one_split(tmp_path, joints, monkeypatch):
    monkeypatch.setattr(lsp, "NUM_TRAIN", 3)
    folder = write_lsp(tmp_path, joints.transpose(1, 0, 2))
    names = [[p.image[-10:] for p in lsp.read(folder, split)] for split in ("train", "test")]
    assert names == [["im0001.jpg", "im0002.jpg", "im0003.jpg"], ["im0004.jpg"]]


def test_lsp_stored_image_is_the_source_file(tmp_path, joints):
    folder = write_lsp(tmp_path, joints, digits=5)
    records, _ = convert(lsp.read_extended(folder, "train"))
    for i, record in enumerate(records):
        path = folder / "images" / f"im{i + 1:05d}.jpg"
        assert record["image/encoded"] == [path.read_bytes()]
        assert (record["image/height"], record["image/width"]) == ([40], [30])
        labelled = joints[joints[:, 2, i] > 0, :2, i]
        middle = (labelled.min(axis=0) + labelled.max(axis=0)) / 2
        assert record["image/center"] == middle.astype(int).tolist()


def test_lsp_missing_image_leaves_the_others_with_their_labels(tmp_path, joints):
    folder = write_lsp(tmp_path, joints, digits=5, numbers=[1, 2, 4])
    note, *people = lsp.read_extended(folder, "train")
    assert note == IndexNote("images numbered from 1", 3)
    assert people[2] == Skipped("image missing", f"{folder}/images, image 3")
    np.testing.assert_array_equal(people[3].keypoints_px[:14], joints[:, :2, 3])
    assert people[3].image.endswith("im00004.jpg")


def test_lsp_nan_of_hidden_joints_becomes_zero(tmp_path, joints):
    joints[2, :, 0] = np.nan, np.nan, 0
    (record, *_), _ = convert(lsp.read_extended(write_lsp(tmp_path, joints, digits=5), "train"))
    assert record["image/x"][2] == record["image/y"][2] == 0
    assert np.isfinite(record["image/x"]).all()


def test_lsp_unusable_people_are_counted(tmp_path, joints):
    joints[:, 2, 0] = 0
    joints[3, :, 1] = np.nan, 5, 1
    folder = write_lsp(tmp_path, joints, digits=5)
    (folder / "images" / "im00003.jpg").write_bytes(b"\xff\xd8 no image")
    records, tally = convert(lsp.read_extended(folder, "train"))
    assert [record["image/filename"] for record in records] == [[b"im00004.jpg"]]
    assert tally.skipped == {
        "no labelled keypoint": 1,
        "keypoints are not numbers": 1,
        "image unreadable": 1,
    }
    assert [problem["reason"] for problem in tally.problems] == list(tally.skipped)


@pytest.mark.parametrize(
    ("read", "shape", "hint"),
    [
        (lsp.read, (14, 3, 2), "use --dataset=lsp_ext"),
        (lsp.read_extended, (3, 14, 2), "use --dataset=lsp$"),
        (lsp.read_extended, (14, 4, 2), "14 x 3 x images, at most 100000$"),
        (lsp.read_extended, (14, 3, 100_001), "14 x 3 x 100001 numbers"),
        (lsp.read_extended, (5000, 5000), "5000 x 5000 numbers"),
        (lsp.read, (3, 15), "3 x 14 x images, at most 100000$"),
    ],
)
def test_lsp_other_datasets_matrix_is_refused(read, shape, hint, tmp_path):
    (tmp_path / "images").mkdir()
    content = {"joints": np.zeros(shape, np.int8)}
    scipy.io.savemat(tmp_path / "joints.mat", content, do_compression=True)
    with pytest.raises(InputError, match=hint):
        list(read(tmp_path, "train"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a readable"),
        (b"no mat file at all", "is not a readable"),
        ({"other": 1}, "holds no joints"),
        ({"joints": np.full((14, 3, 2), "a", object)}, "holds joints that are not numbers"),
    ],
)
def test_lsp_unreadable_matrix_is_refused(content, message, tmp_path):
    if isinstance(content, dict):
        scipy.io.savemat(tmp_path / "joints.mat", content)
    else:
        (tmp_path / "joints.mat").write_bytes(content)
    with pytest.raises(InputError, match=rf"joints\.mat {message}"):
        list(lsp.read_extended(tmp_path, "train"))


def test_lsp_missing_files_are_named(tmp_path, joints):
    with pytest.raises(InputError, match=r"no .*joints\.mat"):
        list(lsp.read_extended(tmp_path, "train"))
    with pytest.raises(InputError, match="lsp_ext has no split val"):
        list(lsp.read_extended(tmp_path, "val"))
    with pytest.raises(InputError, match="lsp has no split val"):
        list(lsp.read(tmp_path, "val"))
    scipy.io.savemat(tmp_path / "joints.mat", {"joints": joints})
    with pytest.raises(InputError, match="no images"):
        list(lsp.read_extended(tmp_path, "train"))


def test_lsp_images_of_another_dataset_are_refused(tmp_path, joints):
    folder = write_lsp(tmp_path, joints, digits=5, numbers=[1, 2, 9])
    with pytest.raises(InputError, match="im00009"):
        list(lsp.read_extended(folder, "train"))


@pytest.mark.parametrize(("name", "read"), [("lsp", lsp.read), ("lsp_ext", lsp.read_extended)])
def test_lsp_records_are_the_originals(name, read, shared):
    samples = shared / "data_samples"
    expected = json.loads((samples / "expected" / f"{name}.json").read_text())
    records, tally = convert(read(samples / name, "train"))
    assert_as_original(records, expected)
    assert not tally.skipped


def test_lsp_images_may_be_numbered_from_0(tmp_path, joints):
    folder = write_lsp(tmp_path, joints, digits=5, numbers=[1, 2])
    (folder / "images" / "im00002.jpg").rename(folder / "images" / "im00000.jpg")
    note, *items = lsp.read_extended(folder, "train")
    assert note == IndexNote("images numbered from 0", 2)
    people = [item for item in items if isinstance(item, LabelledPerson)]
    assert [person.image[-11:] for person in people] == ["im00000.jpg", "im00001.jpg"]
    np.testing.assert_array_equal(people[1].keypoints_px[:14], joints[:, :2, 1])


def test_lsp_hidden_files_of_macos_are_counted_and_the_images_read(tmp_path, joints):
    folder = write_lsp(tmp_path, joints, digits=5)
    (folder / "images" / "._im00001.jpg").write_bytes(b"\0\5\x16\7")
    (folder / "images" / "im00002.jpg").rename(folder / "images" / "im00002.JPG")
    records, tally = convert(lsp.read_extended(folder, "train"))
    assert len(records) == 4
    assert tally.problems == [
        {"reason": "hidden file", "where": str(folder / "images" / "._im00001.jpg")}
    ]


def test_lsp_of_one_image_has_no_third_axis(tmp_path, joints):
    """MATLAB leaves out axes of length 1 at the end."""
    folder = write_lsp(tmp_path, joints[..., :1], digits=5)
    scipy.io.savemat(folder / "joints.mat", {"joints": joints[..., 0]})
    (person,) = lsp.read_extended(folder, "train")
    np.testing.assert_array_equal(person.keypoints_px[:14], joints[:, :2, 0])


def test_lsp_shares_of_the_image_are_refused(tmp_path, joints):
    joints[:, :2] /= 30
    with pytest.raises(InputError, match="places between -1 and 1, not pixels"):
        list(lsp.read_extended(write_lsp(tmp_path / "a", joints), "train"))
    with pytest.raises(InputError, match="places between -1 and 1, not pixels"):
        list(lsp.read(write_lsp(tmp_path / "b", joints.transpose(1, 0, 2)), "train"))

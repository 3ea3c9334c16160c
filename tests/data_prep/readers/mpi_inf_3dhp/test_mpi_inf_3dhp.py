"""MPI-INF-3DHP, training: which frames, from where, what is skipped; the original's records."""

import json

import numpy as np
import pytest
import scipy.io
import tensorflow as tf

from data_prep.reader_items import LabelledPerson, Skipped, VideoFrame
from data_prep.readers.mpi_inf_3dhp import mpi_inf_3dhp_train
from hmr_tf.body import skeleton
from hmr_tf.files.errors import InputError
from tests.fakes.dataset_fakes import assert_3d_as_original, assert_as_original, convert
from tests.fakes.mpi_fakes import (
    calibration,
    cells,
    grey,
    standing_3dhp,
    write_frame,
    write_sequence,
    write_video,
)

FRAME = "imageFrames/video_{}/frame_{:06d}.jpg"


def moving(num_frames, rng):
    """A person who moves so much that every frame is taken."""
    points, joints = standing_3dhp(num_frames, rng)
    return points, joints + 250 * np.arange(num_frames)[:, None, None]


def write_frames(folder, num_frames, pattern=FRAME, cameras=(0,), first=1):
    for camera in cameras:
        for index in range(num_frames):
            write_frame(folder / pattern.format(camera, index + first), index)


@pytest.fixture
def dataset(tmp_path, rng):
    """S1/Seq1 with two frames of camera 0."""
    write_sequence(tmp_path / "S1" / "Seq1", *moving(2, rng))
    write_frames(tmp_path / "S1" / "Seq1", 2)
    return tmp_path


def people(items):
    return [item for item in items if isinstance(item, LabelledPerson)]


def reasons(items):
    """Of those left out, but for the sequences and frames that no fake has."""
    return {
        item.reason
        for item in items
        if isinstance(item, Skipped) and item.reason not in ("annot.mat missing", "frame missing")
    }


def test_mpi_inf_3dhp_joints_have_their_places(dataset, rng):
    points, joints = moving(2, np.random.default_rng(0))
    person = people(mpi_inf_3dhp_train.read(dataset, "train"))[1]
    raw = [25, 24, 23, 18, 19, 20, 16, 15, 14, 9, 10, 11, 5, 7]  # read_mpi_inf_3dhp.py:60-77
    np.testing.assert_allclose(person.keypoints_px[:14], points[1, raw])
    np.testing.assert_allclose(person.lsp_joints, joints[1, raw] / 1000)
    assert person.labelled.tolist() == [1] * 14 + [0] * 5
    assert person.pose is person.betas is None
    assert person.camera.tolist() == [101, 50, 60.5]
    assert person.sequence == "S1_Seq1_cam0"
    low, high = points[1, raw].min(0), points[1, raw].max(0)
    assert person.scale == pytest.approx(150 / np.hypot(*(high - low)))


def test_mpi_inf_3dhp_frames_come_by_subject_sequence_camera_and_time(tmp_path, rng):
    for name in ("S2/Seq1", "S1/Seq2", "S1/Seq1"):
        write_sequence(tmp_path / name, *moving(2, rng))
        write_frames(tmp_path / name, 2, cameras=(8, 3, 1))
    labelled = people(mpi_inf_3dhp_train.read(tmp_path, "train"))
    sequences = ["S1_Seq1_cam1", "S1_Seq1_cam8", "S1_Seq2_cam1", "S1_Seq2_cam8"]
    sequences += ["S2_Seq1_cam1", "S2_Seq1_cam8"]
    assert [p.sequence for p in labelled] == [name for name in sequences for _ in range(2)]
    assert [p.image[-10:] for p in labelled] == ["000001.jpg", "000002.jpg"] * 6
    assert {p.sequence[-1]: p.camera[0] for p in labelled} == {"1": 102, "8": 109}


def test_mpi_inf_3dhp_eighth_subject_is_in_trainval_only(dataset, rng):
    write_sequence(dataset / "S8" / "Seq2", *moving(1, rng))
    write_frames(dataset / "S8" / "Seq2", 1)
    of_split = {
        split: people(mpi_inf_3dhp_train.read(dataset, split)) for split in ("train", "trainval")
    }
    assert [p.sequence for p in of_split["train"]] == ["S1_Seq1_cam0"] * 2
    assert [p.sequence for p in of_split["trainval"]] == ["S1_Seq1_cam0"] * 2 + ["S8_Seq2_cam0"]


def test_mpi_inf_3dhp_cameras_are_told_by_their_numbers(tmp_path, rng):
    points, joints = moving(1, rng)
    order = np.arange(14.0)[None, ::-1]
    write_sequence(tmp_path / "S1" / "Seq1", points, joints, cameras=order)
    write_frames(tmp_path / "S1" / "Seq1", 1, cameras=(4,))
    (person,) = people(mpi_inf_3dhp_train.read(tmp_path, "train"))
    np.testing.assert_allclose(person.keypoints_px[12], points[0, 5] + 9)  # the tenth cell


def path_of(*steps_mm):
    """(N, 14, 3): one joint walks along x, the others stand."""
    joints = np.zeros((len(steps_mm) + 1, 14, 3))
    joints[1:, 6, 0] = np.cumsum(steps_mm)
    return joints


@pytest.mark.parametrize(
    ("joints", "taken"),
    [
        (path_of(0, 0), [0]),
        (path_of(199.9, 0.1, 100), [0, 2]),
        (path_of(150, 150, 150, 150), [0, 2, 4]),
        (path_of(100, -50, 100, 50), [0, 4]),
        (path_of(200, 199, 1), [0, 1, 3]),
        (path_of(), [0]),
        (path_of()[:0], []),
        (path_of(0, np.nan, 0), [0, 2, 3]),
        (path_of(np.nan) * np.nan, [0, 1]),
        (path_of(1e300), [0, 1]),
    ],
)
def test_mpi_inf_3dhp_frames_are_taken_when_a_joint_has_moved(joints, taken):
    assert list(mpi_inf_3dhp_train.moved_frames(joints)) == taken


def test_mpi_inf_3dhp_joints_that_are_not_used_may_move(tmp_path, rng):
    points, joints = standing_3dhp(2, rng)
    used = skeleton.indices(skeleton.LSP_JOINTS, mpi_inf_3dhp_train.JOINTS)
    joints[1, np.setdiff1d(np.arange(28), used)] += 900
    write_sequence(tmp_path / "S1" / "Seq1", points, joints)
    write_frames(tmp_path / "S1" / "Seq1", 2)
    assert len(people(mpi_inf_3dhp_train.read(tmp_path, "train"))) == 1


LAYOUTS = [
    *[
        ("S1/Seq1", f"S1/Seq1/{folder}video_{{}}/{prefix}{{:06d}}.jpg", 1)
        for folder in ("imageFrames/", "")
        for prefix in ("frame_", "")
    ],
    ("S1/Seq1", "S1/Seq1/imageSequence/img_{}_{:06d}.jpg", 0),
    ("S1/Seq1", "S1_Seq1_Cam{}_{:06d}.jpg", 1),
    ("train/S1/Seq1", "images/S1_Seq1_Cam{}_{:06d}.jpg", 1),
]


@pytest.mark.parametrize(("folder", "pattern", "first"), LAYOUTS)
def test_mpi_inf_3dhp_finds_frames_in_all_layouts(folder, pattern, first, tmp_path, rng):
    write_sequence(tmp_path / folder, *moving(3, rng))
    write_frames(tmp_path, 3, pattern, cameras=(5,), first=first)
    records, tally = convert(mpi_inf_3dhp_train.read(tmp_path, "train"))
    assert [brightness(record) for record in records] == [grey(i)[0, 0, 0] for i in range(3)]
    assert records[0]["image/filename"] == [pattern.format(5, first).split("/")[-1].encode()]
    assert not any("frame" in problem["reason"] for problem in tally.problems)


def pixels(record):
    return tf.io.decode_jpeg(record["image/encoded"][0]).numpy()


def brightness(record):
    return round(float(pixels(record).mean()))


def test_mpi_inf_3dhp_frames_come_out_of_the_videos_as_distributed(tmp_path, rng):
    folder = write_sequence(tmp_path / "S1" / "Seq1", *moving(4, rng))
    write_video(folder / "imageSequence" / "video_2.avi", 3)  # some end early
    items = list(mpi_inf_3dhp_train.read(tmp_path, "train"))
    assert Skipped("frame missing", "S1_Seq1_cam2, frame_000004.jpg", False) in items
    path = str(folder / "imageSequence" / "video_2.avi")
    assert [p.image for p in people(items)] == [VideoFrame(path, i) for i in range(3)]
    records, _ = convert(items)
    for i, record in enumerate(records):
        assert abs(brightness(record) - grey(i)[0, 0, 0]) < 3
        assert record["image/filename"] == [b"frame_%06d.jpg" % (i + 1)]


def test_mpi_inf_3dhp_frames_that_were_taken_out_are_preferred(dataset):
    write_video(dataset / "S1" / "Seq1" / "imageSequence" / "video_0.avi", 2)
    (dataset / "S1" / "Seq1" / FRAME.format(0, 2)).unlink()
    first, second = people(mpi_inf_3dhp_train.read(dataset, "train"))
    assert first.image.endswith("frame_000001.jpg")
    assert second.image.index == 1
    # as if it were a PNG, common.py:25-27
    assert (first.crop_rule.reencode_quality, second.crop_rule.reencode_quality) == (100, None)


def test_mpi_inf_3dhp_broken_video_is_one_problem(dataset):
    video = dataset / "S1" / "Seq1" / "imageSequence" / "video_1.avi"
    video.parent.mkdir()
    video.write_bytes(b"no video")
    items = list(mpi_inf_3dhp_train.read(dataset, "train"))
    (problem,) = [item for item in items if item.__class__ is Skipped and "video" in item.reason]
    assert (problem.reason, problem.is_problem) == ("video unreadable", True)
    assert str(video) in problem.where
    assert len(people(items)) == 2


def test_mpi_inf_3dhp_at_least_eight_joints_lie_inside_and_all_are_labelled(tmp_path, rng):
    points, joints = moving(2, rng)
    raw = list(skeleton.indices(skeleton.LSP_JOINTS, mpi_inf_3dhp_train.JOINTS))
    points[0, raw[:6]] *= -1
    points[1, raw[:7]] *= -1
    write_sequence(tmp_path / "S1" / "Seq1", points, joints)
    write_frames(tmp_path / "S1" / "Seq1", 2)
    (record,), tally = convert(mpi_inf_3dhp_train.read(tmp_path, "train"))
    assert record["image/visibility"] == [1] * 14
    assert min(record["image/x"]) < 0
    assert record["meta/has_3d"] == [0]
    assert tally.skipped["fewer than 8 keypoints inside the image"] == 1


def test_mpi_inf_3dhp_nan_labels_are_counted(tmp_path, rng):
    points, joints = moving(4, rng)
    points[0, 5], joints[1, 5], points[2] = np.nan, np.nan, points[2, :1]
    write_sequence(tmp_path / "S1" / "Seq1", points, joints)
    write_frames(tmp_path / "S1" / "Seq1", 4)
    items = [item for item in mpi_inf_3dhp_train.read(tmp_path, "train") if not is_absent(item)]
    records, tally = convert(items)
    assert [record["image/filename"] for record in records] == [[b"frame_000004.jpg"]]
    assert tally.skipped == {
        "keypoints are not numbers": 1,
        "joints are not numbers": 1,
        "keypoints all in one place": 1,
    }
    assert all(problem["where"] for problem in tally.problems)


def is_absent(item):
    return getattr(item, "reason", "") in ("annot.mat missing", "frame missing")


def test_mpi_inf_3dhp_folder_without_annotations_is_a_problem_and_the_others_are_read(dataset):
    (dataset / "S2" / "Seq1").mkdir(parents=True)  # the other sequences were not downloaded
    items = list(mpi_inf_3dhp_train.read(dataset, "train"))
    missing = [item for item in items if getattr(item, "reason", "") == "annot.mat missing"]
    assert len(missing) == 13
    path = dataset / "S2" / "Seq1" / "annot.mat"
    assert [item for item in missing if item.is_problem] == [
        Skipped("annot.mat missing", str(path))
    ]
    assert len(people(items)) == 2


BROKEN = {
    "another dataset": {"joints": np.zeros((14, 3, 2))},
    "other frames": {"frames": np.arange(3.0)},
    "no frames": {"frames": np.array([-1.0, 0])},
    "half a frame": {"frames": np.array([0.5, 1])},
    "no cells": {"annot2": np.zeros((2, 56))},
    "other cameras": {"cameras": np.arange(14.0)[None] + 20},
    "other joints": {"annot3": cells([np.zeros((2, 51))] * 14)},
    "text": {"annot2": cells(["text"] * 14)},
}


@pytest.mark.parametrize("fault", [b"", b"MATLAB 5.0 MAT-file", "cut off", *BROKEN])
def test_mpi_inf_3dhp_broken_annotations_are_a_problem(fault, dataset, rng):
    folder = write_sequence(dataset / "S2" / "Seq1", *moving(2, rng))
    path = folder / "annot.mat"
    if isinstance(fault, bytes):
        path.write_bytes(fault)
    elif fault == "cut off":
        path.write_bytes(path.read_bytes()[:-9])
    elif fault == "another dataset":
        scipy.io.savemat(path, BROKEN[fault])
    else:
        write_sequence(folder, *moving(2, rng), **BROKEN[fault])
    items = list(mpi_inf_3dhp_train.read(dataset, "train"))
    assert reasons(items) == {"annot.mat unreadable"}
    (problem,) = [item for item in items if getattr(item, "reason", "") == "annot.mat unreadable"]
    assert str(path) in problem.where
    assert problem.is_problem
    assert len(people(items)) == 2


def test_mpi_inf_3dhp_annotations_of_matlab_7_3_are_the_same(dataset):
    wanted = people(mpi_inf_3dhp_train.read(dataset, "train"))
    content = moving(2, np.random.default_rng(0))
    write_sequence(dataset / "S1" / "Seq1", *content, is_hdf5=True)
    labelled = people(mpi_inf_3dhp_train.read(dataset, "train"))
    for one, other in zip(labelled, wanted):
        np.testing.assert_array_equal(one.keypoints_px, other.keypoints_px)
        np.testing.assert_array_equal(one.lsp_joints, other.lsp_joints)
    assert len(labelled) == len(wanted) == 2


def test_mpi_inf_3dhp_calibration_of_any_sequence_serves(dataset, rng):
    write_sequence(dataset / "S3" / "Seq2", *moving(1, rng))
    (dataset / "S1" / "Seq1" / "camera.calibration").unlink()
    assert people(mpi_inf_3dhp_train.read(dataset, "train"))[0].camera.tolist() == [101, 50, 60.5]
    (dataset / "S3" / "Seq2" / "camera.calibration").unlink()
    with pytest.raises(InputError, match=r"no camera\.calibration beside annot\.mat"):
        list(mpi_inf_3dhp_train.read(dataset, "train"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name          4\n", ""),
        ("intrinsic   100", "intrinsic   x"),
        (" 60.5", ""),
        ("100 ", "nan "),
    ],
)
def test_mpi_inf_3dhp_broken_calibration_is_refused(old, new, dataset):
    path = dataset / "S1" / "Seq1" / "camera.calibration"
    text = calibration()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(InputError, match=r"S1/Seq1/camera\.calibration is not a calibration"):
        list(mpi_inf_3dhp_train.read(dataset, "train"))


@pytest.mark.parametrize("content", [b"", b"\x00\xff" * 50])
def test_mpi_inf_3dhp_other_file_as_calibration_is_refused(content, dataset):
    (dataset / "S1" / "Seq1" / "camera.calibration").write_bytes(content)
    with pytest.raises(InputError, match="is not a calibration"):
        list(mpi_inf_3dhp_train.read(dataset, "train"))


def test_mpi_inf_3dhp_missing_files_are_named(dataset):
    with pytest.raises(InputError, match="mpi_inf_3dhp has no split val"):
        list(mpi_inf_3dhp_train.read(dataset, "val"))
    with pytest.raises(InputError, match=r"no S1/Seq1/annot\.mat in .*nowhere"):
        list(mpi_inf_3dhp_train.read(dataset / "nowhere", "train"))
    (dataset / "S1" / "Seq1" / "imageFrames").rename(dataset / "frames")
    message = (
        r"no usable frame in .* \(frame missing: 16, annot\.mat missing: 13\).*video_0\.avi, or"
    )
    with pytest.raises(InputError, match=message):
        list(mpi_inf_3dhp_train.read(dataset, "train"))


def test_mpi_inf_3dhp_order_is_shuffled_by_the_seed(dataset):
    items = list(mpi_inf_3dhp_train.read(dataset, "train"))
    once, again, other = (mpi_inf_3dhp_train.shuffled(items, seed) for seed in (0, 0, 1))
    assert [id(item) for item in once] == [id(item) for item in again]
    assert {id(item) for item in once} == {id(item) for item in items}
    orders = [[id(item) for item in order] for order in (items, once, other)]
    assert orders[0] != orders[1] != orders[2]


def test_mpi_inf_3dhp_frames_in_videos_are_not_shuffled(tmp_path, rng):
    folder = write_sequence(tmp_path / "S1" / "Seq1", *moving(3, rng))
    write_video(folder / "imageSequence" / "video_0.avi", 3)
    items = list(mpi_inf_3dhp_train.read(tmp_path, "train"))
    assert mpi_inf_3dhp_train.shuffled(items, 0) == items


def in_order(records, expected):
    """The original shuffles; its records are listed by file name and crop, which can be equal."""
    left = list(records)
    for filename, start, mean in zip(
        expected["filename"], expected["meta_crop_pt"], expected["image_mean"]
    ):
        candidates = [r for r in left if r["image/filename"] == [filename.encode()]]
        candidates = [r for r in candidates if r["meta/crop_pt"] == start]
        best = min(candidates, key=lambda r: np.abs(pixels(r).mean((0, 1)) - mean).max())
        left.remove(best)
        yield best
    assert not left


@pytest.mark.parametrize("split", ["train", "trainval"])
def test_mpi_inf_3dhp_records_are_the_originals(split, shared):
    samples = shared / "data_samples"
    expected = json.loads((samples / "expected" / f"mpi_inf_3dhp_{split}.json").read_text())
    records, tally = convert(mpi_inf_3dhp_train.read(samples / "mpi_inf_3dhp", split))
    records = list(in_order(records, expected))
    assert_as_original(records, expected)
    assert_3d_as_original(records, expected)
    assert not tally.problems


@pytest.mark.parametrize("actual_first", [0, 1])
@pytest.mark.parametrize(("folder", "pattern", "first"), LAYOUTS)
def test_mpi_inf_3dhp_frames_are_numbered_from_0_or_1(
    folder, pattern, first, actual_first, tmp_path, rng
):
    write_sequence(tmp_path / folder, *moving(3, rng))
    write_frames(tmp_path, 3, pattern, cameras=(5,), first=actual_first)
    records, tally = convert(mpi_inf_3dhp_train.read(tmp_path, "train"))
    assert [brightness(record) for record in records] == [grey(i)[0, 0, 0] for i in range(3)]
    ((note, number),) = tally.notes.items()
    assert note.startswith(f"images numbered from {actual_first}: ")
    assert number == 3


def test_mpi_inf_3dhp_annotations_may_count_frames_from_1(tmp_path, rng):
    frames = np.arange(1.0, 4)[:, None]
    write_sequence(tmp_path / "S1" / "Seq1", *moving(3, rng), frames=frames)
    write_frames(tmp_path / "S1" / "Seq1", 3)
    records, _ = convert(mpi_inf_3dhp_train.read(tmp_path, "train"))
    assert [brightness(record) for record in records] == [grey(i)[0, 0, 0] for i in range(3)]


def test_mpi_inf_3dhp_joints_of_metres_are_problems(tmp_path, rng):
    points, joints = standing_3dhp(1, rng)
    folder = tmp_path / "S1" / "Seq1"
    write_sequence(folder, points, joints / 1000)
    write_frame(folder / "imageFrames/video_0/frame_000001.jpg", 0)
    with pytest.raises(InputError, match=r"no usable frame .*joints in another unit than the data"):
        list(mpi_inf_3dhp_train.read(tmp_path, "train"))

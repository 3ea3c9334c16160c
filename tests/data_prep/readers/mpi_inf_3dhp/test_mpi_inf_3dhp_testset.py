"""MPI-INF-3DHP, test: the valid frames, and what evaluation needs of them."""

import numpy as np
import pytest
import scipy.io

from data_prep.reader_items import IndexNote, LabelledPerson, Skipped
from data_prep.readers.mpi_inf_3dhp import mpi_inf_3dhp_testset
from hmr_tf.files.errors import InputError
from tests.fakes.dataset_fakes import convert
from tests.fakes.mpi_fakes import FRAME_PX, write_testset_sequence


@pytest.fixture
def labels(rng):
    """(3, 17, 2) pixels and (3, 17, 3) millimetres."""
    return rng.uniform(20, FRAME_PX - 20, (3, 17, 2)), rng.uniform(-900, 900, (3, 17, 3))


def read(folder):
    return list(mpi_inf_3dhp_testset.read(folder, "test"))


def people(items):
    return [item for item in items if isinstance(item, LabelledPerson)]


def left_out(items):
    """But for the sequences that no fake has."""
    skipped = [item for item in items if isinstance(item, Skipped)]
    return [item for item in skipped if item.reason != "annot_data.mat missing"]


def test_mpi_inf_3dhp_testset_valid_frames_are_taken(tmp_path, labels):
    folder = write_testset_sequence(tmp_path / "TS2", *labels, valid=[1, 0, 1])
    items = read(tmp_path)
    assert [p.image[-14:] for p in people(items)] == ["img_000001.jpg", "img_000003.jpg"]
    assert {p.sequence for p in people(items)} == {"TS2"}
    assert left_out(items) == [
        Skipped("not a valid frame", f"{folder.name}, img_000002.jpg", False)
    ]


def test_mpi_inf_3dhp_testset_joints_have_their_places(tmp_path, labels):
    points, joints = labels
    write_testset_sequence(tmp_path / "TS1", points, joints, valid=[0, 1, 0])
    (person,) = people(read(tmp_path))
    lsp = [10, 9, 8, 11, 12, 13, 4, 3, 2, 5, 6, 7, 1, 0]  # test_idx2lsp of the original
    np.testing.assert_allclose(person.keypoints_px[:14], points[1, lsp])
    np.testing.assert_allclose(person.lsp_joints, joints[1, lsp] / 1000)
    np.testing.assert_allclose(person.reference.joints, joints[1] / 1000)
    np.testing.assert_allclose(person.reference.universal_joints, joints[1] / 2000)
    assert person.reference.activity == 2


def test_mpi_inf_3dhp_testset_reference_is_in_the_record(tmp_path, labels):
    points, joints = labels
    points[0] *= -1  # a frame with no joint inside is evaluated too
    points[0, 0] = 50
    write_testset_sequence(tmp_path / "TS1", points, joints, valid=[1, 1, 1])
    records, tally = convert(read(tmp_path))
    assert len(records) == 3
    for i, record in enumerate(records):
        np.testing.assert_allclose(
            record["mpi_inf_3dhp/annot3"], joints[i].ravel() / 1e3, rtol=1e-6
        )
        universal = joints[i].ravel() / 2e3
        np.testing.assert_allclose(record["mpi_inf_3dhp/univ_annot3"], universal, rtol=1e-6)
        assert record["mpi_inf_3dhp/activity"] == [i + 1]
        assert record["image/visibility"] == [1] * 14
        assert record["meta/has_3d"] == [0]
    assert tally.skipped == {"annot_data.mat missing": 5}


def test_mpi_inf_3dhp_testset_activity_may_be_missing(tmp_path, labels):
    write_testset_sequence(tmp_path / "TS1", *labels, valid=[1, 1, 1], activity_annotation=None)
    assert [p.reference.activity for p in people(read(tmp_path))] == [0, 0, 0]


def test_mpi_inf_3dhp_testset_unknown_activity_is_0(tmp_path, labels):
    activity = np.array([[7.0], [np.nan], [9.0]])
    write_testset_sequence(tmp_path / "TS1", *labels, valid=[1, 1, 1], activity_annotation=activity)
    assert [p.reference.activity for p in people(read(tmp_path))] == [7, 0, 0]


@pytest.mark.parametrize(
    "folder", ["mpi_inf_3dhp_test_set", "mpi_inf_3dhp_test_set/mpi_inf_3dhp_test_set", "test", "."]
)
def test_mpi_inf_3dhp_testset_sequences_are_read_from_the_usual_folders(folder, tmp_path, labels):
    for sequence in ("TS6", "TS3"):
        write_testset_sequence(tmp_path / folder / sequence, *labels, valid=[1, 1, 1])
    assert [p.sequence for p in people(read(tmp_path))] == ["TS3"] * 3 + ["TS6"] * 3


def test_mpi_inf_3dhp_testset_nan_labels_are_counted(tmp_path, labels):
    points, joints = labels
    points[0, 3], joints[1, 14] = np.nan, np.nan  # the pelvis is not among the 14
    write_testset_sequence(tmp_path / "TS1", points, joints, valid=[1, 1, 1])
    records, tally = convert(left_out(read(tmp_path)) + people(read(tmp_path)))
    assert [record["image/filename"] for record in records] == [[b"img_000003.jpg"]]
    assert tally.skipped == {"keypoints are not numbers": 1, "joints are not numbers": 1}
    assert [problem["where"][-14:] for problem in tally.problems] == [
        "img_000001.jpg",
        "img_000002.jpg",
    ]


def test_mpi_inf_3dhp_testset_missing_image_is_a_problem(tmp_path, labels):
    folder = write_testset_sequence(tmp_path / "TS1", *labels, valid=[1, 1, 1])
    (folder / "imageSequence" / "img_000002.jpg").unlink()
    records, tally = convert(people(read(tmp_path)))
    assert len(records) == 2
    assert [problem["reason"] for problem in tally.problems] == ["image missing"]


BROKEN = {
    "16 joints": {"annot2": np.zeros((3, 1, 16, 2))},
    "other frames": {"annot3": np.zeros((4, 1, 17, 3))},
    "other activities": {"activity_annotation": np.zeros((2, 1))},
    "no universal joints": {"univ_annot3": None},
    "no flags": {"valid_frame": np.zeros((0, 1))},
}


@pytest.mark.parametrize(
    "fault", [b"", b"\x89HDF\r\n\x1a\n", "another dataset", "cut off", *BROKEN]
)
def test_mpi_inf_3dhp_testset_broken_annotations_are_a_problem(fault, tmp_path, labels):
    write_testset_sequence(tmp_path / "TS1", *labels, valid=[1, 1, 1])
    folder = write_testset_sequence(
        tmp_path / "TS2", *labels, **{"valid": [1, 1, 1], **BROKEN.get(fault, {})}
    )
    path = folder / "annot_data.mat"
    if isinstance(fault, bytes):
        path.write_bytes(fault)
    elif fault == "another dataset":
        scipy.io.savemat(path, {"joints": np.zeros((14, 3, 2))})
    elif fault == "cut off":
        path.write_bytes(path.read_bytes()[:-900])
    items = read(tmp_path)
    (problem,) = left_out(items)
    assert (problem.reason, problem.is_problem) == ("annot_data.mat unreadable", True)
    assert str(path) in problem.where
    assert len(people(items)) == 3


def test_mpi_inf_3dhp_testset_missing_files_are_named(tmp_path):
    with pytest.raises(InputError, match=r"no mpi_inf_3dhp_test_set/TS1/annot_data\.mat in "):
        read(tmp_path)
    with pytest.raises(InputError, match="no split train"):
        list(mpi_inf_3dhp_testset.read(tmp_path, "train"))


def test_mpi_inf_3dhp_testset_samples_are_read(shared):
    folder = shared / "data_samples" / "mpi_inf_3dhp"
    items = read(folder)
    records, _ = convert(items)
    assert len(records) == len(people(items)) > 0
    for person, record in zip(people(items), records):
        assert record["image/filename"] == [person.image.split("/")[-1].encode()]
        # the annotations are of one camera: 3D joints divided by their depth fit the 2D points
        x, y = np.reshape(record["image/x"], -1), np.reshape(record["image/y"], -1)
        joints = np.reshape(record["mosh/gt3d"], (14, 3))
        for pixels, across in ((x, joints[:, 0]), (y, joints[:, 1])):
            line = np.polyfit(across / joints[:, 2], pixels, 1)
            assert np.abs(np.polyval(line, across / joints[:, 2]) - pixels).max() < 1
            assert line[0] > 0


def test_mpi_inf_3dhp_testset_images_may_be_numbered_from_0(tmp_path, labels):
    folder = write_testset_sequence(tmp_path / "TS1", *labels, valid=[1, 1, 1])
    for number in (1, 2, 3):
        name = folder / "imageSequence" / f"img_{number:06d}.jpg"
        name.rename(name.with_name(f"img_{number - 1:06d}.jpg"))
    items = read(tmp_path)
    assert [p.image[-10:] for p in people(items)] == ["000000.jpg", "000001.jpg", "000002.jpg"]
    assert IndexNote("images numbered from 0", 3) in items


def test_mpi_inf_3dhp_testset_of_one_frame_has_fewer_axes(tmp_path, labels):
    """MATLAB leaves out axes of length 1 at the end."""
    points, joints = (array[:1] for array in labels)
    more = {"annot2": points[0], "annot3": joints[0], "univ_annot3": joints[0]}
    write_testset_sequence(tmp_path / "TS1", points, joints, valid=[1], **more)
    (person,) = people(read(tmp_path))
    np.testing.assert_allclose(person.reference.joints, joints[0] / 1000)

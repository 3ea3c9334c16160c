"""AMASS: which joints, frames and betas; collections; broken files."""

import numpy as np
import pytest

from data_prep.reader_items import IndexNote, MocapPose, Skipped
from data_prep.readers import amass
from hmr_tf.body import skeleton
from hmr_tf.files.errors import InputError
from tests.fakes.dataset_fakes import convert

UNIT = 2.0**-14  # radians; exact in float32


def write(path, num_frames=24, rate=120.0, **more):
    """A pose's numbers tell frame and place: 1000 * frame + 3 * joint + axis, times UNIT."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {
        "poses": UNIT * (1000.0 * np.arange(num_frames)[:, None] + np.arange(156)),
        "betas": np.arange(16.0),
        "gender": np.array("male"),
        "mocap_framerate": np.array(rate),
        "trans": np.zeros((num_frames, 3)),
        **more,
    }
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


@pytest.fixture
def folder(tmp_path):
    for path in ("CMU/01/01_01_poses.npz", "CMU/02/02_01_poses.npz", "KIT/3/deep/er/x_poses.npz"):
        write(tmp_path / path)
    for path in ("CMU/01/shape.npz", "KIT/3/male_stagei.npz"):
        np.savez(tmp_path / path, betas=np.zeros(16), gender=np.array("male"))
    (tmp_path / "LICENSE.txt").write_text("")
    return tmp_path


def poses(items):
    """Of the MocapPoses among the items, in units of UNIT."""
    return np.array([item.pose / UNIT for item in items if isinstance(item, MocapPose)])


def test_amass_collections_are_the_top_folders(folder):
    read = {name: list(items) for name, items in amass.read(folder, 0).items()}
    assert list(read) == ["neutrSMPL_CMU", "neutrSMPL_KIT"]
    assert [len(poses(items)) for items in read.values()] == [10, 5]
    assert not any(isinstance(item, Skipped) for items in read.values() for item in items)
    assert list(amass.read(folder / "CMU", 0)) == ["neutrSMPL_CMU"]


def test_amass_body_joints_hands_and_the_first_ten_betas(folder):
    items = amass.read(folder, 0)["neutrSMPL_KIT"]
    first = min((i for i in items if isinstance(i, MocapPose)), key=lambda item: item.pose[0])
    joints = first.pose.reshape(24, 3)[:, 0] / UNIT / 3
    np.testing.assert_array_equal(joints[:22], range(22))
    hands = dict(zip(skeleton.SMPL_JOINTS, joints))
    assert (hands["left_hand"], hands["right_hand"]) == (22, 37)
    np.testing.assert_array_equal(first.betas, range(10))


@pytest.mark.parametrize(
    ("rate", "name", "frames"),
    [
        (120.0, "mocap_framerate", [0, 5, 10, 14, 19]),  # every 4.8th
        (100, "mocap_frame_rate", [0, 4, 8, 12, 16, 20]),
        ([25.0], "mocap_framerate", list(range(24))),
        (10.0, "mocap_framerate", list(range(24))),
        (1.0, "mocap_framerate", list(range(24))),
    ],
)
def test_amass_25_hz(rate, name, frames, tmp_path):
    rates = {"mocap_framerate": None, name: np.array(rate)}
    write(tmp_path / "CMU" / "01" / "x.npz", **rates)
    all_poses = poses(amass.read(tmp_path, 0)["neutrSMPL_CMU"])
    assert sorted(all_poses[:, 0] // 1000) == frames


def test_amass_file_without_frames_is_read(tmp_path):
    path = write(tmp_path / "CMU" / "01" / "x.npz", poses=np.zeros((0, 156)))
    assert [len(array) for array in amass.read_file(path)[:2]] == [0, 10]


def test_amass_order_is_shuffled_by_the_seed(folder):
    first, again, other = (poses(amass.read(folder, s)["neutrSMPL_CMU"]) for s in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    np.testing.assert_array_equal(np.sort(first, axis=0), np.sort(other, axis=0))


def test_amass_genders_are_noted(folder):
    write(folder / "CMU" / "03" / "x.npz", num_frames=1, gender=np.array(b"Female"))
    write(folder / "CMU" / "04" / "x.npz", num_frames=1, gender=None)
    items = list(amass.read(folder, 0)["neutrSMPL_CMU"])
    assert [item for item in items if isinstance(item, IndexNote)] == [
        IndexNote("poses of female bodies", 1),
        IndexNote("poses of male bodies", 10),
        IndexNote("poses of unknown bodies", 1),
    ]
    records, tally = convert(items)
    assert len(records) == 12
    assert tally.counts()["notes"]["poses of male bodies"] == 10
    assert not tally.skipped


BROKEN = {
    "no poses": {"poses": None},
    "no betas": {"betas": None},
    "no rate": {"mocap_framerate": None},
    "a rate of 0": {"mocap_framerate": np.array(0.0)},
    "the time of a frame for its rate": {"mocap_framerate": np.array(1 / 120)},
    "degrees": {"poses": np.degrees(np.random.default_rng(0).normal(size=(4, 156)))},
    "a rate that is not a number": {"mocap_framerate": np.array(np.nan)},
    "several rates": {"mocap_framerate": np.array([120.0, 60.0])},
    "SMPL": {"poses": np.zeros((4, 72))},
    "flat": {"poses": np.zeros(156)},
    "few betas": {"betas": np.zeros(8)},
    "NaN": {"poses": np.full((4, 156), np.nan)},
    "too large": {"poses": np.full((4, 156), 1e300)},
    "text": {"poses": np.full((4, 156), "text")},
    "objects": {"poses": np.array([{}])},
}


@pytest.mark.parametrize("fault", ["empty", "cut", *BROKEN])
def test_amass_broken_file_is_counted_and_the_others_read(fault, folder):
    path = write(folder / "CMU" / "02" / "bad_poses.npz", **BROKEN.get(fault, {}))
    if fault == "empty":
        path.write_bytes(b"")
    elif fault == "cut":
        path.write_bytes(path.read_bytes()[:700])
    items = list(amass.read(folder, 0)["neutrSMPL_CMU"])
    assert len(poses(items)) == 10
    (skipped,) = (item for item in items if isinstance(item, Skipped))
    assert skipped.reason == "npz unreadable"
    assert skipped.is_problem
    assert "bad_poses.npz" in skipped.where


def test_amass_folder_without_files_is_refused(tmp_path):
    (tmp_path / "CMU" / "01").mkdir(parents=True)
    np.savez(tmp_path / "CMU" / "01" / "shape.npz", betas=np.zeros(16))
    with pytest.raises(InputError, match="no <collection>/<subject>"):
        amass.read(tmp_path, 0)


def test_amass_sample(shared):
    items = list(amass.read(shared / "data_samples" / "amass", 0)["neutrSMPL_CMU"])
    assert items[-1] == IndexNote("poses of male bodies", 5)
    records, _ = convert(items)
    file = np.load(shared / "data_samples" / "amass" / "CMU" / "01" / "01_01_poses.npz")
    theirs = file["poses"].reshape(-1, 52, 3)[[0, 5, 10, 14, 19]][:, [*range(23), 37]]
    all_poses = sorted(record["pose"] for record in records)
    np.testing.assert_allclose(all_poses, sorted(theirs.reshape(-1, 72).tolist()), atol=1e-6)
    np.testing.assert_allclose(records[0]["shape"], file["betas"][:10], atol=1e-6)


def test_amass_files_of_another_body_model_are_named(tmp_path):
    for numbers, model in ((165, "SMPL-X"), (72, "SMPL"), (11, "another body model")):
        path = write(tmp_path / "CMU" / "01" / "a.npz", poses=np.zeros((4, numbers)))
        with pytest.raises(InputError, match=rf"poses are of {model} \(4 x {numbers} .*SMPL\+H G"):
            amass.read_file(path)


def test_amass_extensions_in_capitals_and_hidden_files(folder):
    file = next((folder / "CMU").rglob("*_poses.npz"))
    file.rename(file.with_name(file.name.upper()))
    (file.parent / f"._{file.name}").write_bytes(b"\0")
    hidden, *items = amass.read(folder, 0)["neutrSMPL_CMU"]
    assert hidden == Skipped("hidden file", str(file.parent / f"._{file.name}"))
    assert len(poses(items)) == 10


def test_amass_collections_without_folders_of_subjects(tmp_path):
    for name in ("CMU/a_poses.npz", "KIT/b_poses.npz"):
        write(tmp_path / name, num_frames=1)
    assert list(amass.read(tmp_path, 0)) == ["neutrSMPL_CMU", "neutrSMPL_KIT"]


def test_amass_gender_of_objects_is_unknown(tmp_path):
    write(tmp_path / "x.npz", num_frames=1, gender=np.array(["male"], object))
    assert amass.read_file(tmp_path / "x.npz")[2] == "unknown"

"""Human3.6M in three layouts: which frames, under which names, with which numbers; bad input."""

import json

import h5py
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from data_prep.reader_items import IndexNote, LabelledPerson, Skipped, VideoFrame
from data_prep.readers.h36m import h36m_layouts, h36m_recordings
from hmr_tf.files.errors import InputError
from tests.fakes import h36m_fakes
from tests.fakes.dataset_fakes import convert, write_mosh

LAYOUTS = ("official", "fetch", "npz", "npz deeper", "npz of 17 joints")


def write(folder, layout, subject="S1", stem="Directions 1", take="Directions-1"):
    """Frames 0 and 5 of camera 0, and in the official layout frame 10."""
    if layout == "official":
        h36m_fakes.write_official(folder, subject, stem)
    elif layout == "fetch":
        h36m_fakes.write_fetch(folder, subject, take, frames=(1, 6))
    else:
        name = f"{subject}_{stem.replace(' ', '_')}.54138969_"
        names = [f"{name}000001.jpg", f"{name}000006.jpg"]
        num_joints = 17 if "17" in layout else 24
        h36m_fakes.write_npz(folder, names, num_joints, deeper="deeper" in layout)


def read(folder, split):
    """What the reader yields, without its notes."""
    items = h36m_layouts.read(folder, split)
    return [item for item in items if not isinstance(item, IndexNote)]


def people(items):
    return [item for item in items if isinstance(item, LabelledPerson)]


def skipped(items):
    return [item for item in items if isinstance(item, Skipped)]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_h36m_every_layout_gives_the_same_people(layout, tmp_path):
    write(tmp_path, layout)
    items = list(read(tmp_path, "train"))
    assert [item.filename for item in items[:2]] == [
        "S1_Directions_1.54138969_000001.jpg",
        "S1_Directions_1.54138969_000006.jpg",
    ]
    assert {item.sequence for item in items} == {"S1_Directions_0_cam0"}
    np.testing.assert_allclose(items[0].lsp_joints, h36m_fakes.LSP_METRES, atol=1e-6)
    pixels = h36m_fakes.pixels(h36m_fakes.LSP_METRES)
    np.testing.assert_allclose(items[0].keypoints_px[:14], pixels, atol=1e-4)
    np.testing.assert_array_equal(items[0].labelled, [1] * 14 + [0] * 5)
    np.testing.assert_allclose(items[0].camera, [1144.41525, 512.5415, 515.45148], atol=1e-4)
    assert items[0].pose is None
    records, tally = convert(items)
    assert len(records) == len(items)
    assert not tally.skipped
    assert records[0]["meta/has_3d"] == [0]
    extent = np.ptp([records[0]["image/x"], records[0]["image/y"]], axis=1)
    np.testing.assert_allclose(np.linalg.norm(extent), 150, rtol=0.01)


def test_h36m_ten_frames_a_second_of_the_video(tmp_path):
    write(tmp_path, "official")
    items = list(read(tmp_path, "train"))
    assert [item.image.index for item in items] == [0, 5, 10]
    np.testing.assert_allclose(
        items[2].lsp_joints[:, 0] - items[0].lsp_joints[:, 0], 0.1, atol=1e-6
    )
    records, _ = convert(items)
    assert len(records) == 3


def test_h36m_fetch_layout_takes_all_frames(tmp_path):
    h36m_fakes.write_fetch(tmp_path, "S9", "Directions-1", frames=(1, 65, 129))
    items = list(read(tmp_path, "test"))
    assert [item.filename[-10:-4] for item in items] == ["000001", "000065", "000129"]


def test_h36m_take_in_two_folders_comes_once(tmp_path):
    for take in ("WalkDog-1", "WalkingDog-1"):
        h36m_fakes.write_fetch(tmp_path, "S9", take)
    fault, *items = read(tmp_path, "test")
    assert fault.reason == "second folder of the same take"
    assert [item.sequence for item in items] == ["S9_WakingDog_0_cam0"] * 2


def test_h36m_originals_names_for_sequences(tmp_path):
    for subject, stem, camera_id in (
        ("S11", "Phoning 2", "60457274"),
        ("S11", "Photo", "54138969"),
        ("S9", "WalkDog 1", "58860488"),
        ("S9", "SittingDown", "55011271"),
        ("S9", "WalkTogether", "54138969"),
    ):
        h36m_fakes.write_official(tmp_path, subject, stem, 1, camera_id)
    assert [item.sequence for item in read(tmp_path, "test")] == [
        "S9_SittingDown_0_cam1",
        "S9_WakingDog_0_cam2",
        "S9_WalkTogether_1_cam0",
        "S11_Phoning_1_cam3",
        "S11_TakingPhoto_1_cam0",
    ]


def test_h36m_sequences_stay_together_in_a_fixed_order(tmp_path):
    names = [
        f"S{subject}_{stem}.{camera_id}_{frame:06d}.jpg"
        for frame in (6, 1)
        for camera_id in ("55011271", "54138969")
        for subject, stem in ((8, "Eating"), (1, "Walking_1"), (8, "Eating_1"))
    ]
    h36m_fakes.write_npz(tmp_path, names)
    items = list(read(tmp_path, "train"))
    assert [(item.sequence, item.filename[-10:-4]) for item in items] == [
        (f"{take}_cam{camera}", f"{frame:06d}")
        for take in ("S1_Walking_0", "S8_Eating_0", "S8_Eating_1")
        for camera in (0, 1)
        for frame in (1, 6)
    ]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_h36m_broken_video_is_left_out(layout, tmp_path):
    write(tmp_path, layout, "S11", "Directions", "Directions-2")
    items = list(read(tmp_path, "test"))
    assert items == [Skipped("its video is broken", "S11_Directions_1_cam0", is_problem=False)]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_h36m_splits_go_by_subject(layout, tmp_path):
    write(tmp_path, layout, "S9")
    assert not list(read(tmp_path, "train"))
    assert {item.sequence for item in read(tmp_path, "test")} == {"S9_Directions_0_cam0"}


def test_h36m_metadata_names_takes_and_cameras(tmp_path):
    h36m_fakes.write_official(tmp_path, "S1", "Walking 7", 1, "60457274")
    h36m_fakes.write_metadata(tmp_path, [(14, 2, "Walking 7", "x")])
    (item,) = read(tmp_path, "train")
    assert item.sequence == "S1_Walking_1_cam3"
    np.testing.assert_allclose(item.camera, [1005, 500, 505])


def test_h36m_unknown_takes_are_counted_but_not_the_sum_of_all(tmp_path):
    for stem in ("Walking 7", "_ALL", "_ALL 1"):
        h36m_fakes.write_official(tmp_path, "S1", stem, 1)
    (item,) = read(tmp_path, "train")
    assert item.reason == "take not in metadata.xml"
    assert "Walking 7" in item.where


@pytest.mark.parametrize("place", [".", "neutrMosh", "../neutrMosh"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_h36m_mosh_is_joined_rotated_by_180_degrees(layout, place, tmp_path, rng):
    data_dir = tmp_path / "h36m"
    data_dir.mkdir()
    write(data_dir, layout)
    poses, betas = rng.normal(size=(2, 72)), rng.normal(size=10)
    fits = data_dir / place / "neutrSMPL_H3.6" / "S1"
    write_mosh(fits / "Directions 1_cam0_aligned.pkl", poses, betas, key="new_poses")
    items = list(read(data_dir, "train"))
    for item, pose in zip(items, poses):
        np.testing.assert_allclose(np.ravel(item.pose)[3:], pose[3:])
        rotated = Rotation.from_rotvec(pose[:3]).as_matrix() @ np.diag([1, -1, -1])
        np.testing.assert_allclose(Rotation.from_rotvec(item.pose[0]).as_matrix(), rotated)
        np.testing.assert_allclose(item.betas, betas)
    if layout == "official":
        assert items[2].pose is None  # MoSh ends before the video: joints only
    records, _ = convert(items[:2])
    assert [record["meta/has_3d"] for record in records] == [[1], [1]]


def test_h36m_mosh_of_test_subjects_is_not_read(tmp_path):
    write(tmp_path, "official", "S9")
    fits = tmp_path / "neutrSMPL_H3.6" / "S9"
    write_mosh(fits / "Directions 1_cam0_aligned.pkl", np.ones((3, 72)), key="new_poses")
    assert all(item.pose is None for item in read(tmp_path, "test"))


def test_h36m_broken_fit_leaves_the_joints(tmp_path):
    write(tmp_path, "official")
    fits = tmp_path / "neutrSMPL_H3.6" / "S1"
    write_mosh(fits / "Directions 1_cam0_aligned.pkl", np.full((3, 72), np.nan), key="new_poses")
    fault, *items = read(tmp_path, "train")
    assert fault.reason == "SMPL parameters unreadable, joints only"
    assert len(items) == 3
    assert all(item.pose is None for item in items)


def test_h36m_npz_has_smpl_parameters(tmp_path, rng):
    pose, shape = rng.normal(size=(1, 72)), rng.normal(size=(1, 10))
    h36m_fakes.write_npz(tmp_path, ["S1_Eating.54138969_000001.jpg"], pose=pose, shape=shape)
    (item,) = read(tmp_path, "train")
    np.testing.assert_array_equal(np.ravel(item.pose), pose[0])
    np.testing.assert_array_equal(item.betas, shape[0])
    h36m_fakes.write_npz(tmp_path, ["S1_Eating.54138969_000001.jpg"], pose=pose * 1e9, shape=shape)
    (item,) = read(tmp_path, "train")
    assert item.reason == "SMPL parameters are not numbers"


def test_h36m_image_of_two_files_comes_once(tmp_path):
    names = [f"S9_Eating.{camera_id}_000001.jpg" for camera_id in ("54138969", "60457274")]
    h36m_fakes.write_npz(tmp_path, names, file="h36m_valid_protocol1.npz")
    h36m_fakes.write_npz(tmp_path, names[1:], file="h36m_valid_protocol2.npz")
    sequences = [item.sequence for item in read(tmp_path, "test")]
    assert sequences == ["S9_Eating_1_cam0", "S9_Eating_1_cam3"]


def damage(path, kind):
    content = path.read_bytes()
    if kind == "missing":
        path.unlink()
    else:
        path.write_bytes(
            {"empty": b"", "cut": content[: len(content) // 2], "other": b"x" * 900}[kind]
        )


DAMAGES = ("missing", "empty", "cut", "other")


@pytest.mark.parametrize("kind", DAMAGES)
@pytest.mark.parametrize(
    "file", ["MyPoseFeatures/D2_Positions/Eating.54138969.cdf", "Videos/Eating.54138969.mp4"]
)
def test_h36m_damaged_recording_is_counted_and_the_others_read(file, kind, tmp_path):
    for stem in ("Eating", "Walking"):
        h36m_fakes.write_official(tmp_path, "S1", stem, 6)
    damage(tmp_path / "S1" / file.format("Eating.54138969"), kind)
    records, tally = convert(read(tmp_path, "train"))
    names = [record["image/filename"][0][:10] for record in records]
    assert names == [b"S1_Walking"] * 2
    (reason,) = tally.skipped
    thing = "positions" if "cdf" in file else "video" if kind == "missing" else "image"
    assert reason == f"{thing} {'missing' if kind == 'missing' else 'unreadable'}"
    assert "Eating" in tally.problems[0]["where"]


def test_h36m_hidden_files_are_counted(tmp_path):
    h36m_fakes.write_official(tmp_path, "S1", "Eating", 6)
    hidden = tmp_path / "S1/MyPoseFeatures/D3_Positions_mono/._Eating.54138969.cdf"
    hidden.write_bytes(b"\0\5\x16\7")
    _, tally = convert(read(tmp_path, "train"))
    assert tally.problems == [{"reason": "hidden file", "where": str(hidden)}]


def test_h36m_nan_positions_are_counted(tmp_path):
    h36m_fakes.write_official(tmp_path, "S1", "Eating", 11)
    folder = tmp_path / "S1" / "MyPoseFeatures"
    joints, points = h36m_fakes.joints_mm(11), h36m_fakes.pixels(h36m_fakes.joints_mm(11))
    joints[0], points[5] = np.nan, np.nan
    h36m_fakes.write_cdf(folder / "D3_Positions_mono" / "Eating.54138969.cdf", joints)
    h36m_fakes.write_cdf(folder / "D2_Positions" / "Eating.54138969.cdf", points)
    records, tally = convert(read(tmp_path, "train"))
    assert len(records) == 1
    assert tally.skipped == {"joints are not numbers": 1, "keypoints are not numbers": 1}
    h36m_fakes.write_cdf(folder / "D2_Positions" / "Eating.54138969.cdf", points[:6])
    (item,) = read(tmp_path, "train")
    assert item.reason == "2D and 3D positions of unequal length"


@pytest.mark.parametrize("kind", DAMAGES[1:])
def test_h36m_damaged_annot_h5_is_counted_and_the_others_read(kind, tmp_path):
    for take in ("Eating-1", "Walking-1", "Flying-1", "Walking"):
        h36m_fakes.write_fetch(tmp_path, "S1", take)
    damage(tmp_path / "S1" / "Eating-1" / "annot.h5", kind)
    items = list(read(tmp_path, "train"))
    assert [item.sequence for item in people(items)] == ["S1_Walking_0_cam0"] * 2
    assert sorted(item.reason for item in skipped(items)) == [
        "annot.h5 unreadable",
        "folder of an unknown take",
        "folder of an unknown take",
    ]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("frame", [-1, 5]),
        ("frame", [1, np.inf]),
        ("frame", [1, np.nan]),
        ("camera", [54138969]),
        ("pose/2d", np.zeros((2, 17, 2))),
        ("pose/3d", np.zeros((2, 32, 3), "S4")),
    ],
)
def test_h36m_annot_h5_of_another_form_is_counted(name, values, tmp_path):
    path = h36m_fakes.write_fetch(tmp_path, "S1", "Eating-1") / "annot.h5"
    with h5py.File(path, "a") as file:
        del file[name]
        file[name] = values
    (item,) = read(tmp_path, "train")
    assert item.reason == "annot.h5 unreadable"
    assert str(path) in item.where


def test_h36m_missing_images_and_keypoints_of_an_npz_are_counted(tmp_path):
    names = ["S1_Eating.54138969_000001.jpg", "S1_Eating.54138969_000006.jpg", "S1_x.jpg"]
    path = h36m_fakes.write_npz(tmp_path, names)
    (tmp_path / "images" / names[0]).unlink()
    part = np.load(path)["part"]
    part[1, 0, 2] = 0
    np.savez(path, **dict(np.load(path), part=part))
    records, tally = convert(read(tmp_path, "train"))
    assert not records
    assert tally.skipped == {
        "image missing": 1,
        "keypoints missing": 1,
        "image of an unknown take": 1,
    }


BROKEN_NPZ = {
    "no part": {"part": None},
    "objects": {"part": np.array([{}], object)},
    "too few rows": {"S": np.zeros((2, 24, 4))},
    "no axis": {"S": np.zeros(1)},
    "49 joints": {"S": np.zeros((1, 49, 4)), "part": np.zeros((1, 49, 3))},
    "names that are numbers": {"imgname": np.zeros(1)},
    "a pose of SMPL-H": {"pose": np.zeros((1, 156))},
}


@pytest.mark.parametrize("fault", BROKEN_NPZ)
def test_h36m_npz_of_another_form_is_refused(fault, tmp_path):
    h36m_fakes.write_npz(tmp_path, ["S1_Eating.54138969_000001.jpg"], **BROKEN_NPZ[fault])
    with pytest.raises(InputError, match=r"h36m_train\.npz"):
        list(read(tmp_path, "train"))


@pytest.mark.parametrize("kind", DAMAGES[1:])
def test_h36m_damaged_npz_or_metadata_is_refused(kind, tmp_path):
    path = h36m_fakes.write_npz(tmp_path, ["S1_Eating.54138969_000001.jpg"])
    damage(path, kind)
    with pytest.raises(InputError, match=r"h36m_train\.npz is damaged"):
        list(read(tmp_path, "train"))
    damage(h36m_fakes.write_metadata(tmp_path, [(14, 2, "Walking 7", "x")]), kind)
    with pytest.raises(InputError, match=r"metadata\.xml is not a readable"):
        list(read(tmp_path, "train"))


@pytest.mark.parametrize(
    "text",
    [
        "<a/>",
        "<a><mapping/><w0>[1 2]</w0></a>",
        '<!DOCTYPE a [<!ENTITY b "bb">]><a><mapping/><w0>&b;</w0></a>',
    ],
)
def test_h36m_another_metadata_xml_is_refused(text, tmp_path):
    (tmp_path / "metadata.xml").write_text(text)
    with pytest.raises(InputError, match=r"not a readable metadata\.xml"):
        h36m_recordings.read_metadata(tmp_path)


def test_h36m_wrong_folder_and_split(tmp_path):
    with pytest.raises(InputError, match=r"no Human3\.6M in .*S1/MyPoseFeatures"):
        list(read(tmp_path, "train"))
    with pytest.raises(InputError, match="no split val"):
        list(read(tmp_path, "val"))


def test_h36m_tables_agree_with_metadata_xml(shared):
    known = h36m_recordings.read_metadata(shared)
    sample = h36m_recordings.read_metadata(shared / "data_samples" / "h36m_official")
    subjects = {subject for subject, _ in known.takes}
    ours = {key: take for key, take in sample.takes.items() if key[0] in subjects}
    assert len(known.takes) == 7 * 15 * 2
    assert ours.items() <= known.takes.items()
    assert len(ours) >= 7 * 8
    np.testing.assert_allclose(sample.intrinsics, known.intrinsics, atol=1e-9)


@pytest.mark.parametrize("layout", ["official", "fetch", "npz"])
def test_h36m_records_are_the_references(layout, shared):
    samples = shared / "data_samples"
    expected = json.loads((samples / "expected" / "h36m_ref.json").read_text())
    items = list(read(samples / f"h36m_{layout}", "train"))
    assert all(isinstance(item.image, VideoFrame) == (layout == "official") for item in items)
    records, tally = convert(items)
    assert not tally.skipped
    by_name = {record["image/filename"][0].decode(): record for record in records}
    for i, name in enumerate(expected["filename"]):
        # But in the .npz, frame 396 of S7 is the first one.
        record = by_name[name if layout == "npz" else name.replace("000396", "000001")]
        assert sorted(record) == expected["keys"]
        integers = ("center", "height", "width", "visibility")
        for key, name in [(f"image/{key}", key) for key in integers] + [
            ("meta/crop_pt", "meta_crop_pt"),
            ("meta/has_3d", "meta_has_3d"),
        ]:
            np.testing.assert_array_equal(record[key], np.ravel(expected[name][i]))
        for key in ("mosh/pose", "mosh/shape", "mosh/gt3d", "meta/scale_factors"):
            theirs = np.ravel(expected[key.replace("/", "_")][i])
            np.testing.assert_allclose(record[key], theirs, atol=1e-4)
        assert_points_as_expected(record, expected, i)


def assert_points_as_expected(record, expected, i):
    """The original scales x by y's factor and y by x's; so undone, its points are ours."""
    scale_y, scale_x = record["meta/scale_factors"]
    start_x, start_y = record["meta/crop_pt"]
    for ours, theirs in (
        ((record["image/x"], record["image/y"]), (expected["x"][i], expected["y"][i])),
        (record["image/cam"][1:], expected["cam"][i][1:]),
    ):
        x, y = (np.add(theirs[0], start_x), np.add(theirs[1], start_y))
        np.testing.assert_allclose(ours[0], x / scale_y * scale_x - start_x, atol=1e-3)
        np.testing.assert_allclose(ours[1], y / scale_x * scale_y - start_y, atol=1e-3)
        np.testing.assert_allclose(ours, theirs, atol=1.1)
    np.testing.assert_allclose(record["image/cam"][0], expected["cam"][i][0], atol=1e-3)


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("first_image", [0, 1])
def test_h36m_fetch_frames_and_images_are_counted_from_0_or_1(first, first_image, tmp_path):
    folder = h36m_fakes.write_fetch(tmp_path, "S1", "Eating-1", frames=(1, 2, 3))
    with h5py.File(folder / "annot.h5", "a") as file:
        file["frame"][...] = np.arange(3) + first
    images = folder / "imageSequence" / "54138969"
    for number in (1, 2, 3):
        name = images / f"img_{number:06d}.jpg"
        name.rename(images / f"img_{number + first_image - 1:06d}.jpg")
    note, *labelled = h36m_layouts.read(tmp_path, "train")
    assert note.note == f"frames counted from {first}, images numbered from {first_image}"
    assert [p.image[-10:-4] for p in labelled] == [f"{first_image + i:06d}" for i in range(3)]
    assert [p.filename[-10:-4] for p in labelled] == ["000001", "000002", "000003"]


def test_h36m_npz_images_may_be_numbered_from_0(tmp_path):
    names = [f"S1_Eating.54138969_{number:06d}.jpg" for number in (0, 5)]
    h36m_fakes.write_npz(tmp_path, names)
    note, *labelled = h36m_layouts.read(tmp_path, "train")
    assert note == IndexNote("images numbered from 0 in h36m_train.npz", 2)
    assert [p.image[-10:-4] for p in labelled] == ["000000", "000005"]
    assert [p.filename[-10:-4] for p in labelled] == ["000001", "000006"]


def test_h36m_npz_of_millimetres_is_a_problem(tmp_path):
    """SPIN's and mmpose's files hold metres."""
    name = "S1_Eating.54138969_000001.jpg"
    path = h36m_fakes.write_npz(tmp_path, [name])
    joints = np.load(path)["S"] * [1000, 1000, 1000, 1]
    h36m_fakes.write_npz(tmp_path, [name], S=joints)
    (skipped,) = (x for x in h36m_layouts.read(tmp_path, "train") if isinstance(x, Skipped))
    assert skipped.reason == "joints in another unit than the dataset's"
    assert skipped.is_problem

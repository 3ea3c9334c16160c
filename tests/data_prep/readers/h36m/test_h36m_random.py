"""Valid Human3.6Ms in three layouts and many forms: frame numbers, names, orders, SMPL files."""

import pickle

import h5py
import numpy as np

from data_prep.reader_items import LabelledPerson, VideoFrame
from data_prep.readers.formats import cdf
from data_prep.readers.h36m import h36m_frames, h36m_layouts, h36m_recordings
from hmr_tf.body import skeleton
from tests.fakes import h36m_fakes
from tests.fakes.random_cases import chance, check_cases, choose, touch

NUM_CASES = 1000  # of each layout
TRAIN, TEST = (h36m_recordings.SUBJECTS[split] for split in ("train", "test"))
ALIASES = {
    "TakingPhoto": ("TakingPhoto", "Photo"),
    "WakingDog": ("WakingDog", "WalkDog", "WalkingDog"),
    "WalkTogether": ("WalkTogether", "WalkingTogether"),
}
METADATA = h36m_recordings.read_metadata("no/such/folder")
TAKES = sorted(METADATA.takes.items())  # ((subject, stem), (action, trial))
MOVE_PX, MOVE_MM = 3.0, 40.0  # of all points, from frame to frame


def random_take(rng):
    """Recording of a random camera; not the one with a broken video."""
    while True:
        (subject, stem), (action, trial) = choose(rng, *TAKES)
        camera = int(rng.integers(4))
        recording = h36m_recordings.Recording(subject, action, trial, camera, stem)
        if h36m_recordings.skip_if_corrupt(recording) is None:
            return recording


def points_of(frames, num_joints=32):
    """(N, J, 2) pixels and (N, J, 3) mm that tell frame and joint."""
    frames = np.asarray(frames, float)[:, None]
    joint = np.arange(num_joints, dtype=float)
    x = 10 + 7 * joint + MOVE_PX * frames
    y = 200 - 5 * joint + 0 * frames
    joints = np.stack([100 * joint + MOVE_MM * frames, 50 * joint + 0 * frames, 4000 + x], axis=-1)
    return np.stack([x, y], axis=-1), joints


def write_smpl(rng, folder, recording, num_frames):
    """MoSh's file of a recording, or none; returns row -> the body pose's first number, or None."""
    if recording.subject not in TRAIN or chance(rng, 0.5):
        return lambda frame: None
    place = choose(rng, ".", "neutrMosh")
    name = f"{recording.stem}_cam{recording.camera}_aligned.pkl"
    path = folder / place / "neutrSMPL_H3.6" / recording.subject / name
    path.parent.mkdir(parents=True)
    rows = num_frames // h36m_frames.FRAME_STEP + 1
    poses = np.zeros((rows, 72), choose(rng, float, np.float32))
    poses[:, 3] = np.arange(rows) + 1
    betas = np.arange(10.0).reshape(choose(rng, (10,), (1, 10)))
    path.write_bytes(pickle.dumps({"new_poses": poses, "betas": betas}, 2))
    return lambda frame: frame // h36m_frames.FRAME_STEP + 1


def check_people(items, recording, expected, pose_number):
    """`expected`: [(frame, image)], in order of the frames."""
    people = [item for item in items if isinstance(item, LabelledPerson)]
    assert [person.image for person in people] == [image for _, image in expected]
    for person, (frame, _) in zip(people, expected):
        points, joints = (h36m_frames.lsp_joints(x)[0] for x in points_of([frame]))
        np.testing.assert_allclose(person.keypoints_px[:14], points, atol=1e-3)
        np.testing.assert_allclose(person.lsp_joints, joints / 1000, atol=1e-5)
        assert person.sequence == recording.sequence
        assert person.filename.endswith(f"_{frame + 1:06d}.jpg")
        number = pose_number(frame)
        assert (person.pose is None) == (number is None)
        if number is not None:
            assert person.pose[1, 0] == number
            np.testing.assert_array_equal(person.betas, np.arange(10))


def split_of(recording):
    return "train" if recording.subject in TRAIN else "test"


def check_fetch(rng, folder):
    """h36m-fetch: rows of all cameras in any order; frames and images from 0 or from 1."""
    recording = random_take(rng)
    action = choose(rng, *ALIASES.get(recording.action, (recording.action,)))
    root = folder / recording.subject / f"{action}-{recording.trial + 1}"
    num_frames = int(rng.integers(1, 12))
    frames = np.sort(rng.permutation(num_frames)[: rng.integers(1, num_frames + 1)])
    frames[0] = 0  # the numbers begin with the first frame
    first, first_image = choose(rng, 0, 1), choose(rng, 0, 1)
    cameras = rng.permutation(4)[: rng.integers(1, 5)]
    cameras[0] = recording.camera
    cameras = np.unique(cameras)
    rows = [(frame, camera) for camera in cameras for frame in frames]
    rows = [rows[i] for i in rng.permutation(len(rows))] if chance(rng) else rows
    of_rows = np.array(rows)
    points, joints = points_of(of_rows[:, 0])
    kind = choose(rng, np.int64, np.int32, np.uint16)
    root.mkdir(parents=True)
    with h5py.File(root / "annot.h5", "w") as file:
        file["frame"] = (of_rows[:, 0] + first).astype(kind)
        file["camera"] = np.array([int(h36m_recordings.CAMERA_IDS[c]) for c in of_rows[:, 1]])
        file["pose/2d"] = points.astype(choose(rng, np.float64, np.float32))
        file["pose/3d"] = joints.astype(choose(rng, np.float64, np.float32))
        if chance(rng):
            file["pose/3d-univ"] = joints
        if chance(rng):
            file["intrinsics/54138969"] = np.zeros(4)
    images = root / "imageSequence" / recording.file_stem.rpartition(".")[2]
    for frame in frames:
        touch(images / f"img_{frame + first_image:06d}.jpg")
    if first_image and chance(rng):  # the images may be complete, the labels not
        touch(images / f"img_{frames.max() + 2:06d}.jpg")
    pose_number = write_smpl(rng, folder, recording, num_frames)
    items = list(h36m_layouts.read(folder, split_of(recording)))
    items = [item for item in items if getattr(item, "sequence", None) == recording.sequence]
    in_order = [f for f, camera in rows if camera == recording.camera]
    expected = [(f, str(images / f"img_{f + first_image:06d}.jpg")) for f in in_order]
    check_people(items, recording, expected, pose_number)


def check_npz(rng, folder):
    """SPIN's and mmpose's: names in all their forms, 24 or 17 joints, with SMPL or without."""
    recording = random_take(rng)
    num_frames = int(rng.integers(1, 8))
    frames = np.arange(num_frames) * choose(rng, 1, 5)
    first = choose(rng, 0, 1)
    other = choose(rng, *ALIASES.get(recording.action, (recording.action,)))
    number = recording.stem.partition(" ")[2]
    stem = f"{recording.subject}_{f'{other} {number}'.strip()}.{recording.file_stem[-8:]}"
    stem = stem.replace(" ", "_")
    extension = choose(rng, "jpg", "png")
    names = [f"{stem}_{frame + first:06d}.{extension}" for frame in frames]
    is_deep = chance(rng)
    below = f"{recording.subject}/{stem}/" if is_deep else ""
    before = choose(rng, "", "images/", "S1/x/", "C:\\data\\images\\", "/home/me/h36m/")
    for name in names:
        touch(folder / "images" / below / name)
    num_joints = choose(rng, 24, 17)
    order = h36m_frames.SPIN_JOINTS if num_joints == 24 else skeleton.H36M_JOINTS
    places = list(skeleton.indices(skeleton.LSP_JOINTS, order))
    points, joints = (h36m_frames.lsp_joints(x) for x in points_of(frames))
    part, joints3d = np.zeros((num_frames, num_joints, 3)), np.zeros((num_frames, num_joints, 4))
    part[:, places, :2], part[:, places, 2] = points, 1
    joints3d[:, places, :3], joints3d[:, places, 3] = joints / 1000, 1
    arrays = {"part": part, "S": joints3d.astype(choose(rng, np.float64, np.float32))}
    text = [before + name for name in names]
    arrays["imgname"] = np.array(text, "S") if chance(rng) else np.array(text)
    has_smpl = chance(rng)
    if has_smpl:
        arrays["pose"], arrays["shape"] = np.zeros((num_frames, 72)), np.tile(np.arange(10.0), 1)
        arrays["pose"][:, 3] = 100 + frames
        arrays["shape"] = np.tile(np.arange(10.0), (num_frames, 1))
    for name in ("center", "scale"):
        if chance(rng):
            arrays[name] = np.zeros((num_frames, 2))
    rows = rng.permutation(num_frames)
    arrays = {name: array[rows] for name, array in arrays.items()}
    path = folder / choose(rng, "h36m_train.npz", "annotation_body3d/fps10/h36m_train.npz")
    path.parent.mkdir(parents=True, exist_ok=True)
    choose(rng, np.savez, np.savez_compressed)(path, **arrays)
    pose_number = write_smpl(rng, folder, recording, frames.max() + 1)
    expected = [(f, str(folder / "images" / below / name)) for f, name in zip(frames, names)]
    items = list(h36m_layouts.read(folder, split_of(recording)))
    from_arrays = (lambda frame: 100 + frame) if has_smpl else pose_number
    check_people(items, recording, expected, from_arrays)


def test_h36m_fetch_meaning_is_the_same_in_every_form(tmp_path):
    check_cases(check_fetch, tmp_path, NUM_CASES)


def test_h36m_npz_meaning_is_the_same_in_every_form(tmp_path):
    check_cases(check_npz, tmp_path, NUM_CASES)


def test_h36m_official_meaning_is_the_same_in_every_form(tmp_path, monkeypatch):
    """The CDF library takes 20 ms a file: its arrays are handed over, the rest is as on disk."""
    contents = {}

    def read_pose(path, num_coordinates):
        poses = contents[path]
        assert poses.shape[1] == num_coordinates
        return poses

    def check_official(rng, folder):
        recording = random_take(rng)
        if chance(rng, 0.3):
            row = (2, recording.trial + 1, recording.stem)
            h36m_fakes.write_metadata(folder, [row], subjects=(recording.subject,))
        num_frames = int(rng.integers(1, 23))
        points, joints = points_of(np.arange(num_frames))
        poses = folder / recording.subject / "MyPoseFeatures"
        for name, array in (("D2_Positions", points), ("D3_Positions_mono", joints)):
            path = touch(poses / name / f"{recording.file_stem}.cdf")
            contents[path] = array.reshape(num_frames, -1)
        for name in ("_ALL.54138969.cdf", "notes.txt"):
            if chance(rng):
                touch(poses / "D3_Positions_mono" / name)
        video = touch(folder / recording.subject / "Videos" / f"{recording.file_stem}.mp4")
        pose_number = write_smpl(rng, folder, recording, num_frames)
        items = list(h36m_layouts.read(folder, split_of(recording)))
        assert not any(getattr(item, "is_problem", False) for item in items)
        frames = range(0, num_frames, h36m_frames.FRAME_STEP)
        expected = [(frame, VideoFrame(str(video), frame)) for frame in frames]
        check_people(items, recording, expected, pose_number)

    monkeypatch.setattr(cdf, "read_pose", read_pose)
    check_cases(check_official, tmp_path, NUM_CASES)

"""Valid MPI-INF-3DHPs in many forms: frames from 0 or 1, folders of frames, orders of cameras."""

import h5py
import numpy as np
import scipy.io

from data_prep.reader_items import LabelledPerson
from data_prep.readers.mpi_inf_3dhp import mpi_inf_3dhp_testset, mpi_inf_3dhp_train
from hmr_tf.body import skeleton
from tests.fakes import mpi_fakes
from tests.fakes.random_cases import chance, check_cases, choose, touch

NUM_CASES = 300  # files, of 8 cameras each: 2,400 views
LAYOUTS = (
    "{folder}/imageFrames/video_{camera}/frame_{number:06d}.jpg",
    "{folder}/imageFrames/video_{camera}/{number:06d}.jpg",
    "{folder}/video_{camera}/frame_{number:06d}.jpg",
    "{folder}/imageSequence/img_{camera}_{number:06d}.jpg",
    "{root}/S{subject}_Seq{sequence}_Cam{camera}_{number:06d}.jpg",
    "{root}/images/S{subject}_Seq{sequence}_Cam{camera}_{number:06d}.jpg",
)
LSP_OF_TRAIN = list(skeleton.indices(skeleton.LSP_JOINTS, mpi_inf_3dhp_train.JOINTS))
LSP_OF_TEST = list(skeleton.indices(skeleton.LSP_JOINTS, mpi_inf_3dhp_testset.JOINTS))


def labels(num_frames, num_joints, camera=0):
    """(N, J, 2) pixels and (N, J, 3) mm that tell frame, joint and camera; all have moved."""
    frame, joint = np.arange(num_frames)[:, None], np.arange(num_joints)[None]
    points = np.stack([10 + 5 * joint + frame, 300 - 4 * joint + camera + 0 * frame], axis=-1)
    x = 10 * joint + mpi_inf_3dhp_train.MOVED_MM * frame
    joints = np.stack([x, 5 * joint + camera + 0 * frame, 3000 + joint + 0 * frame], axis=-1)
    return points, joints


def write_annotations(rng, folder, num_frames, first):
    """annot.mat whose cells are in any order of the cameras."""
    cameras = rng.permutation(14)
    made = [labels(num_frames, 28, camera) for camera in cameras]
    kind = choose(rng, np.float64, np.float32)
    content = {
        "annot2": [points.reshape(num_frames, -1).astype(kind) for points, _ in made],
        "annot3": [joints.reshape(num_frames, -1).astype(kind) for _, joints in made],
        "cameras": cameras[None].astype(float),
        "frames": np.arange(first, first + num_frames)[:, None].astype(float),
        "univ_annot3": [joints.reshape(num_frames, -1).astype(kind) for _, joints in made],
    }
    if chance(rng):
        del content["univ_annot3"]
    mpi_fakes.write_sequence(folder, *labels(1, 28), is_hdf5=chance(rng, 0.3), **content)


def check_train(rng, folder):
    subject, sequence = int(rng.integers(1, 9)), int(rng.integers(1, 3))
    place = folder / choose(rng, "", "train") / f"S{subject}" / f"Seq{sequence}"
    num_frames, first_image = int(rng.integers(1, 5)), choose(rng, 0, 1)
    write_annotations(rng, place, num_frames, first=choose(rng, 0, 1))
    layout, expected = choose(rng, *LAYOUTS), {}
    names = {"folder": place, "root": folder, "subject": subject, "sequence": sequence}
    lost = num_frames > 2 and chance(rng, 0.3)  # one in the middle: the ends tell the numbers
    for camera in range(9):
        for frame in range(num_frames):
            path = layout.format(camera=camera, number=frame + first_image, **names)
            if not (lost and frame == 1):
                expected[camera, frame] = str(touch(folder / path))
    items = list(mpi_inf_3dhp_train.read(folder, "trainval"))
    people = [item for item in items if isinstance(item, LabelledPerson)]
    cameras = mpi_inf_3dhp_train.CAMERAS
    keys = [key for key in sorted(expected) if key[0] in cameras]
    assert [person.image for person in people] == [expected[key] for key in keys]
    for person, (camera, frame) in zip(people, keys):
        points, joints = (x[frame, LSP_OF_TRAIN] for x in labels(num_frames, 28, camera))
        np.testing.assert_array_equal(person.keypoints_px[:14], points)
        np.testing.assert_allclose(person.lsp_joints, joints / 1000, atol=1e-5)
        np.testing.assert_allclose(person.camera, [101 + camera, 50 + camera, 60.5])
        assert person.sequence == f"S{subject}_Seq{sequence}_cam{camera}"
    assert not any(getattr(item, "is_problem", False) for item in items)


def write_testset(rng, folder, valid, num_frames):
    points, joints = labels(num_frames, 17)
    content = {  # (N, 1, 17, axes), as HDF5 has MATLAB's (axes, 17, 1, N)
        "annot2": points[:, None].astype(float),
        "annot3": joints[:, None].astype(choose(rng, np.float64, np.float32)),
        "univ_annot3": joints[:, None] / 2.0,
        "valid_frame": np.array(valid)[:, None].astype(choose(rng, float, np.uint8)),
    }
    if chance(rng):
        content["activity_annotation"] = 1.0 + np.arange(num_frames)[:, None] % 9
    if chance(rng):
        content["valid_frame"] = content["valid_frame"].T
    folder.mkdir(parents=True)
    path = folder / mpi_inf_3dhp_testset.ANNOTATIONS
    if chance(rng):
        with h5py.File(path, "w") as file:
            for name, array in content.items():
                file[name] = array
    else:
        scipy.io.savemat(path, {name: array.T for name, array in content.items()})
    return "activity_annotation" in content


def check_testset(rng, folder):
    sequence = choose(rng, *mpi_inf_3dhp_testset.SEQUENCES)
    below = choose(rng, "mpi_inf_3dhp_test_set", "mpi_inf_3dhp_test_set/mpi_inf_3dhp_test_set")
    place = folder / choose(rng, below, "test", ".") / sequence
    num_frames, first = int(rng.integers(1, 12)), choose(rng, 0, 1)
    valid = (rng.random(num_frames) < 0.7).tolist()
    has_activities = write_testset(rng, place, valid, num_frames)
    images = [
        str(touch(place / "imageSequence" / f"img_{frame + first:06d}.jpg"))
        for frame in range(num_frames)
    ]
    items = list(mpi_inf_3dhp_testset.read(folder, "test"))
    people = [item for item in items if isinstance(item, LabelledPerson)]
    frames = [frame for frame in range(num_frames) if valid[frame]]
    assert [person.image for person in people] == [images[frame] for frame in frames]
    points, joints = labels(num_frames, 17)
    for person, frame in zip(people, frames):
        np.testing.assert_array_equal(person.keypoints_px[:14], points[frame, LSP_OF_TEST])
        of_frame = joints[frame] / 1000
        np.testing.assert_allclose(person.lsp_joints, of_frame[LSP_OF_TEST], atol=1e-5)
        np.testing.assert_allclose(person.reference.universal_joints, of_frame / 2, atol=1e-5)
        activity = 1 + frame % 9
        assert person.reference.activity == (activity if has_activities and activity < 8 else 0)


def test_mpi_inf_3dhp_meaning_is_the_same_in_every_form(tmp_path):
    check_cases(check_train, tmp_path, NUM_CASES)


def test_mpi_inf_3dhp_testset_meaning_is_the_same_in_every_form(tmp_path):
    check_cases(check_testset, tmp_path)

"""Mean parameters of motion capture: the mean of rotations, the original's file, wrong input."""

import h5py
import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial.transform import Rotation

from data_prep import mean_params
from hmr_tf.data import record
from hmr_tf.files.errors import InputError
from hmr_tf.networks import build
from tests.fakes.commands import run_command


def write_records(folder, dataset, poses, betas):
    path = folder / "mocap_neutrMosh" / f"neutrSMPL_{dataset}_000.tfrecord"
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for pose, shape in zip(poses, betas):
            writer.write(record.encode_mocap(pose, shape))
    return path


def mean_of(*axis_angles):
    """Mean of rotations of the left hip, (3,)."""
    poses = np.zeros((len(axis_angles), 24, 3))
    poses[:, 1] = axis_angles
    pose, _, number = mean_params.mean_of_batches([(poses, np.zeros((len(poses), 10)))])
    assert number == len(axis_angles)
    assert not np.delete(pose.reshape(24, 3), 1, axis=0).any()
    return pose.reshape(24, 3)[1]


def test_mean_params_mean_of_rotations_about_one_axis():
    np.testing.assert_allclose(mean_of([0.2, 0, 0], [0.4, 0, 0]), [0.3, 0, 0], atol=1e-12)
    np.testing.assert_allclose(mean_of([0, 0.5, 0], [0, -0.5, 0], [0, 0, 0]), 0, atol=1e-12)


def test_mean_params_mean_of_rotations_near_180_degrees_is_180_degrees():
    """The mean of these axis-angles would be no rotation."""
    near = np.pi - 0.1
    by_180_degrees = Rotation.from_rotvec(mean_of([0, near, 0], [0, -near, 0])).as_matrix()
    np.testing.assert_allclose(by_180_degrees, np.diag([-1, 1, -1]), atol=1e-12)


def test_mean_params_mean_rotates_with_the_rotations(rng):
    rotations = Rotation.from_rotvec(rng.normal(size=(20, 3)))
    rotation = Rotation.from_rotvec([1.0, 2.0, -0.5])
    mean = Rotation.from_rotvec(mean_of(*rotations.as_rotvec()))
    other_mean = Rotation.from_rotvec(mean_of(*(rotation * rotations).as_rotvec()))
    np.testing.assert_allclose(other_mean.as_matrix(), (rotation * mean).as_matrix(), atol=1e-9)


@pytest.fixture
def run(tmp_path):
    def run(**options):
        options = {"data_dir": tmp_path, "output": tmp_path / "new" / "mean.h5", **options}
        return run_command(mean_params, **options)

    return run


def test_mean_params_command_writes_what_training_reads(run, tmp_path, rng, capsys):
    poses = rng.normal(size=(5, 24, 3)) * 0.01  # so small that rotations are as numbers
    poses[:, 0] = [np.pi, 0, 0]
    betas = rng.normal(size=(5, 10))
    write_records(tmp_path, "CMU", poses[:3], betas[:3])
    write_records(tmp_path, "H3.6", poses[3:], betas[3:])
    write_records(tmp_path, "jointLim", np.ones((4, 72)), np.ones((4, 10)))
    assert run(mocap_datasets="CMU,H3.6") == 0
    path = tmp_path / "new" / "mean.h5"
    assert f"{path}: the mean of 5 poses in 2 files\n" in capsys.readouterr().out
    pose, shape = build.read_mean_params(path)
    np.testing.assert_array_equal(pose[:3], 0)
    np.testing.assert_allclose(pose.reshape(24, 3)[1:], poses[:, 1:].mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(shape, betas.mean(axis=0), atol=1e-6)
    assert [file.name for file in path.parent.iterdir()] == ["mean.h5"]


def test_mean_params_file_has_the_originals_form(tmp_path):
    """The original reads it with deepdish: arrays of doubles `pose` and `shape` in a version 11."""
    path = tmp_path / "mean.h5"
    mean_params.write(path, np.arange(72), np.arange(10))
    with h5py.File(path) as file:
        assert file.attrs["DEEPDISH_IO_VERSION"] == 11
        arrays = {name: dataset[()] for name, dataset in file.items()}
        classes = {name: dataset.attrs["CLASS"] for name, dataset in file.items()}
    assert classes == {"pose": b"ARRAY", "shape": b"ARRAY"}  # deepdish's word for numpy arrays
    assert {name: array.dtype for name, array in arrays.items()} == dict.fromkeys(arrays, "<f8")
    np.testing.assert_array_equal(arrays["pose"], np.arange(72))
    np.testing.assert_array_equal(arrays["shape"], np.arange(10))


def test_mean_params_existing_file_is_replaced_or_kept(tmp_path):
    path = tmp_path / "mean.h5"
    for value in (1, 2):
        mean_params.write(path, np.full(72, value), np.full(10, value))
    assert build.read_mean_params(path)[1][0] == 2
    with pytest.raises(TypeError):
        mean_params.write(path, np.full(72, 3), {})
    assert build.read_mean_params(path)[1][0] == 2
    assert [file.name for file in tmp_path.iterdir()] == ["mean.h5"]
    with pytest.raises(InputError, match="cannot write --output="):
        mean_params.write(path / "below" / "a.h5", np.zeros(72), np.zeros(10))
    with pytest.raises(InputError, match="cannot write --output="):
        mean_params.write(tmp_path, np.zeros(72), np.zeros(10))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"data_dir": ""}, "--data_dir is missing"),
        ({"mocap_datasets": "KIT"}, "neutrSMPL_KIT_"),
        ({"mocap_datasets": "CMU"}, "neutrSMPL_CMU_000.tfrecord: record 2 is corrupt"),
        ({"mocap_datasets": "NaN"}, "have no mean: convert them again"),
        ({"mocap_datasets": "empty"}, "neutrSMPL_empty_000.tfrecord is empty: copy it again"),
    ],
)
def test_mean_params_wrong_input_is_one_line_and_exit_2(options, message, run, tmp_path, capsys):
    path = write_records(tmp_path, "CMU", np.zeros((2, 72)), np.zeros((2, 10)))
    path.write_bytes(path.read_bytes()[:-20])
    write_records(tmp_path, "NaN", np.full((2, 72), np.nan), np.zeros((2, 10)))
    write_records(tmp_path, "empty", [], [])
    assert run(**options) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert message in error
    assert not (tmp_path / "new").exists()

"""The .cdf files of Human3.6M: read whole, or refused without a crash or an endless loop."""

import time

import cdflib
import numpy as np
import pytest

from data_prep.readers.formats import cdf
from hmr_tf.files.errors import InputError
from tests.fakes.h36m_fakes import write_cdf

POINTS = np.arange(6 * 32 * 2, dtype=float).reshape(6, 32, 2)


@pytest.mark.parametrize("more", [{}, {"Compress": 6}, {"Data_Type": 45}])
def test_cdf_poses_come_back(more, tmp_path):
    path = write_cdf(tmp_path / "Eating 1.54138969.cdf", POINTS, **more)
    np.testing.assert_array_equal(cdf.read_pose(path, 64), POINTS.reshape(6, 64))


def test_cdf_missing_file_is_no_damaged_one(tmp_path):
    with pytest.raises(FileNotFoundError):
        cdf.read_pose(tmp_path / "none.cdf", 64)


def test_cdf_another_number_of_coordinates_is_refused(tmp_path):
    path = write_cdf(tmp_path / "a.cdf", POINTS)
    with pytest.raises(InputError, match=r"a\.cdf .*Pose is CDF_FLOAT of \(1, 6, 64\)"):
        cdf.read_pose(path, 96)


@pytest.mark.parametrize("size", [0, 4, 100, 600, -1])
def test_cdf_file_that_is_cut_off_is_refused(size, tmp_path):
    """The library would read zeros."""
    path = write_cdf(tmp_path / "a.cdf", POINTS)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(InputError, match="not a readable CDF file of poses"):
        cdf.read_pose(path, 64)


def test_cdf_what_unpacks_to_too_much_is_refused(tmp_path):
    path = write_cdf(tmp_path / "a.cdf", np.zeros((150_000, 32, 2)), Compress=9)
    assert path.stat().st_size < 10**6
    with pytest.raises(InputError, match="unpacks to too much"):
        cdf.read_pose(path, 64)


def test_cdf_file_compressed_as_a_whole_is_refused(tmp_path):
    path = tmp_path / "a.cdf"
    with cdflib.cdfwrite.CDF(path, cdf_spec={"Compressed": 6}) as file:
        about = {"Variable": "Pose", "Data_Type": 44, "Num_Elements": 1, "Rec_Vary": True}
        file.write_var({**about, "Dim_Sizes": [6, 64]}, var_data=POINTS.reshape(1, 6, 64))
    with pytest.raises(InputError, match="not an uncompressed CDF file"):
        cdf.read_pose(path, 64)


def error_of(path):
    """The message about the file, or None if its poses are read."""
    try:
        poses = cdf.read_pose(path, 64)
    except InputError as error:
        return str(error)
    assert poses.shape == (6, 64)
    return None


def test_cdf_damaged_files_neither_crash_nor_hang(tmp_path, rng):
    path = write_cdf(tmp_path / "a.cdf", POINTS)
    content = path.read_bytes()
    header = len(content) - POINTS.astype("float32").nbytes
    seconds, num_refused = [], 0
    for _ in range(300):
        mutant = bytearray(content)
        for position in rng.integers(0, header, rng.integers(1, 4)):
            mutant[position] = rng.choice([0, 1, 127, 255, mutant[position] ^ 16])
        path.write_bytes(mutant)
        start = time.time()
        refusal = error_of(path)
        seconds.append(time.time() - start)
        num_refused += refusal is not None
        assert refusal is None or refusal.startswith(
            f"{path} is not a readable CDF file of poses ("
        )
    assert num_refused > 50
    assert max(seconds) < 5

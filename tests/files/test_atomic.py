"""Files are whole or not there."""

import os

import pytest

from hmr_tf.files import atomic


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_atomic_file_appears_when_it_is_whole(tmp_path):
    with atomic.written(tmp_path / "a.png") as unfinished:
        assert (unfinished.parent, unfinished.suffix) == (tmp_path, ".png")
        unfinished.write_text("whole")
        assert names(tmp_path) == [unfinished.name]
        assert unfinished.name.startswith(atomic.UNFINISHED)
    assert names(tmp_path) == ["a.png"]
    assert (tmp_path / "a.png").read_text() == "whole"


@pytest.mark.parametrize("fault", [ValueError, OSError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("before", [None, "the last one"])
def test_atomic_write_that_fails_leaves_the_old_file(tmp_path, fault, before):
    path = tmp_path / "a.obj"
    if before:
        path.write_text(before)

    def write():
        with atomic.written(path) as unfinished:
            unfinished.write_text("ha")
            raise fault

    with pytest.raises(fault):
        write()
    assert names(tmp_path) == (["a.obj"] if before else [])
    assert not before or path.read_text() == before


def test_atomic_write_to_a_wrong_place_is_an_error(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(IsADirectoryError), atomic.written(tmp_path / "a") as unfinished:
        unfinished.write_text("whole")
    with pytest.raises(FileNotFoundError), atomic.written(tmp_path / "b.npz"):
        pass  # nothing was written
    assert names(tmp_path) == ["a"]


def test_atomic_write_takes_the_longest_name_and_keeps_permissions(tmp_path):
    umask = os.umask(0o022)
    try:
        with atomic.written(tmp_path / ("a" * 251 + ".txt")) as unfinished:
            unfinished.write_text("whole")
    finally:
        os.umask(umask)
    (path,) = tmp_path.iterdir()
    assert len(path.name) == 255
    assert path.stat().st_mode & 0o777 == 0o644

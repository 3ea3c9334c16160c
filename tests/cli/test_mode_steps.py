"""The output folder of a mode."""

import errno
import types

import pytest

from hmr_tf.cli import mode_steps
from hmr_tf.files.errors import InputError


def output(path):
    return mode_steps.output_folder(types.SimpleNamespace(output_dir=str(path)))


def fail(error):
    raise error


def test_output_folder_is_made_before_the_work_and_kept_with_its_files(tmp_path):
    with output(tmp_path / "a" / "b") as folder:
        assert folder == tmp_path / "a" / "b"
        assert not list(folder.iterdir())
        (folder / "me.obj").touch()
    assert [path.name for path in folder.iterdir()] == ["me.obj"]


@pytest.mark.parametrize("error", [None, InputError("no such box"), KeyboardInterrupt()])
def test_output_folder_is_removed_if_it_stays_empty(tmp_path, error):
    (tmp_path / "mine").mkdir()

    def work():
        with output(tmp_path / "mine" / "a" / "b"):
            if error:
                raise error

    if error:
        with pytest.raises(type(error)):
            work()
    else:
        work()
    assert [path.name for path in tmp_path.rglob("*")] == ["mine"]


def test_output_folder_that_existed_is_kept(tmp_path):
    with output(tmp_path):
        pass
    assert tmp_path.is_dir()
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "mine.txt").touch()
    with output(tmp_path / "made" / "a"):
        pass
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["mine.txt"]


def test_output_folder_that_cannot_be_written_is_refused_before_the_work(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    reached = []
    for place, reason in (("file", "File exists"), ("file/deeper", "Not a directory")):
        with (
            pytest.raises(InputError, match=rf"--output_dir=.*{place} cannot be written: {reason}"),
            output(tmp_path / place),
        ):
            reached.append(place)
    read_only = OSError(errno.EROFS, "Read-only file system")
    monkeypatch.setattr(mode_steps.tempfile, "TemporaryFile", lambda dir: fail(read_only))
    for place in ("new", "."):
        with (
            pytest.raises(InputError, match="cannot be written: Read-only file system"),
            output(tmp_path / place),
        ):
            reached.append(place)
    assert not reached
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_output_folder_on_a_full_disk_is_one_line(tmp_path):
    with (
        pytest.raises(InputError, match=r"--output_dir=.*a cannot be written: No space left"),
        output(tmp_path / "a"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert not list(tmp_path.iterdir())

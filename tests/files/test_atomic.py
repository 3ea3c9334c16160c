"""Files are whole or not there."""

import os
import signal
import time

import pytest

from hmr_tf.files import atomic
from hmr_tf.files.errors import InputError


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_atomic_file_appears_when_it_is_whole(tmp_path):
    with atomic.atomic_write(tmp_path / "a.png") as unfinished:
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
        with atomic.atomic_write(path) as unfinished:
            unfinished.write_text("ha")
            raise fault

    with pytest.raises(fault):
        write()
    assert names(tmp_path) == (["a.obj"] if before else [])
    assert not before or path.read_text() == before


def test_atomic_write_to_a_wrong_place_is_an_error(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(IsADirectoryError), atomic.atomic_write(tmp_path / "a") as unfinished:
        unfinished.write_text("whole")
    with pytest.raises(FileNotFoundError), atomic.atomic_write(tmp_path / "b.npz"):
        pass  # nothing was written
    assert names(tmp_path) == ["a"]


def test_atomic_write_takes_the_longest_name_and_keeps_permissions(tmp_path):
    umask = os.umask(0o022)
    try:
        with atomic.atomic_write(tmp_path / ("a" * 251 + ".txt")) as unfinished:
            unfinished.write_text("whole")
    finally:
        os.umask(umask)
    (path,) = tmp_path.iterdir()
    assert len(path.name) == 255
    assert path.stat().st_mode & 0o777 == 0o644


def killed_at(event, write):
    """Runs `write` in a child that is killed before its call of os.`event`; "" : in its end."""
    child = os.fork()
    if not child:

        def die(*_):
            os.kill(os.getpid(), signal.SIGKILL)

        if event:
            setattr(os, event, die)
        write()
        die()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("event", ["open", "fsync", "replace", ""])
def test_atomic_write_that_is_killed_leaves_a_whole_file_and_is_cleaned_up(event, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write():
        with atomic.atomic_write(path) as unfinished:
            unfinished.write_text("ne")
            if event == "open":
                os.open(unfinished, os.O_RDONLY)
            unfinished.write_text("new")

    assert killed_at(event, write) == -signal.SIGKILL
    assert path.read_text() == ("old" if event else "new")
    assert len(names(tmp_path)) == (2 if event else 1)
    atomic.remove_left_over(tmp_path)
    assert names(tmp_path) == ["a.txt"]


def test_atomic_clean_up_removes_folders_and_leaves_what_is_being_written(tmp_path):
    old = time.time() - 2 * 24 * 3600
    ours = atomic.unfinished_path(tmp_path / "a.npz")
    dead = tmp_path / ours.name.replace(f"_{os.getpid()}_", "_4194999_")  # above Linux's largest
    elsewhere = tmp_path / f"{atomic.UNFINISHED}zzzz_1_00000000.npz"
    elsewhere_old = tmp_path / f"{atomic.UNFINISHED}0123abcd.mp4"  # as older versions named them
    for path in (ours, elsewhere, elsewhere_old, tmp_path / "mine.txt"):
        path.write_text("")
    dead.mkdir()
    (dead / "saved_model.pb").write_text("half")
    os.utime(elsewhere_old, (old, old))
    atomic.remove_left_over(tmp_path)
    assert names(tmp_path) == sorted([ours.name, elsewhere.name, "mine.txt"])


@pytest.mark.parametrize(
    ("check", "path", "message"),
    [
        (atomic.check_folder, "", "--out is empty: name a folder"),
        (atomic.check_folder, "a.txt", "--out=a.txt cannot be written: File exists"),
        (atomic.check_folder, "a.txt/b", "--out=a.txt/b cannot be written: Not a directory"),
        (atomic.check_file, "", "--out= is not a file: give its name, too"),
        (atomic.check_file, "folder", "--out=folder is not a file: give its name, too"),
        (atomic.check_file, "a.txt/b.png", "--out=a.txt/b.png cannot be written: File exists"),
    ],
)
def test_atomic_check_names_what_cannot_be_written(check, path, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "a.txt").touch()
    with pytest.raises(InputError, match=message):
        check("out", path)
    atomic.check_folder("out", "new/folder")
    atomic.check_file("out", "new/a.PNG", ".png")
    with pytest.raises(InputError, match=r"--out=a\.docx does not end in \.png"):
        atomic.check_file("out", "a.docx", ".png")
    assert names(tmp_path) == ["a.txt", "folder"]

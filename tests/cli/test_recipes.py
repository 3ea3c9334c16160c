"""Recipes go by name in any folder; a file of the user comes first."""

from pathlib import Path

import pytest

from hmr_tf.cli import quickstart, recipes
from hmr_tf.files.errors import InputError

NAMES = [path.name for path in (recipes.ROOT / "flags").glob("*.flags")]


@pytest.mark.parametrize("name", NAMES)
def test_recipes_go_by_name_in_another_folder(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in (name, f"flags/{name}"):
        assert recipes.find(path) == str(recipes.ROOT / "flags" / name)


def test_recipes_of_the_user_come_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("paper.flags").write_text("")
    assert recipes.find("paper.flags") == "paper.flags"


@pytest.mark.parametrize("path", ["none.flags", "mine/paper.flags", "/paper.flags", ""])
def test_recipes_leave_other_paths_alone(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert recipes.find(path) == path


def test_recipes_replace_the_argument_of_flagfile(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ["hmr", "--mode=train", "--flagfile=flags/paper.flags", "paper.flags"]
    recipe = str(recipes.ROOT / "flags" / "paper.flags")
    assert recipes.resolve(arguments) == [*arguments[:2], f"--flagfile={recipe}", "paper.flags"]


def test_recipes_refuse_a_file_that_cannot_be_read(tmp_path, monkeypatch):
    def read_text(path, encoding):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", read_text)
    (tmp_path / "mine.flags").touch()
    with pytest.raises(InputError, match=r"mine\.flags cannot be read: Permission denied"):
        recipes.resolve(["hmr", f"--flagfile={tmp_path / 'mine.flags'}"])


def test_recipes_refuse_a_byte_order_mark(tmp_path):
    (tmp_path / "notepad.flags").write_text("--mode=predict\r\n", encoding="utf-8-sig")
    with pytest.raises(InputError, match=r"notepad\.flags begins with a byte order mark: save it"):
        recipes.resolve([f"--flagfile={tmp_path / 'notepad.flags'}"])


def test_recipes_and_converter_of_the_quickstart_are_there():
    assert Path(recipes.find(quickstart.FLAGFILE)).is_file()
    assert (recipes.ROOT / quickstart.CONVERTER).is_file()

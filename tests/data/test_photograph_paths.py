"""Photographs matched by names of other machines; names that cannot be told apart."""

import pytest

from hmr_tf.data import photograph_paths


@pytest.fixture
def folder(tmp_path):
    for name in (
        "a.jpg",
        "s1/a.jpg",
        "s1/b.jpg",
        "s2/b.jpg",
        "c.jpg",
        "back\\slash.jpg",
        "s1/my photo.jpg",
        "S3/Fr\u00e4ulein.JPG",
        "twice.jpg",
        "Twice.jpg",
    ):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / name).write_bytes(b"")
    return tmp_path / "photos"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a.jpg", "a.jpg"),
        ("s1/a.jpg", "s1/a.jpg"),
        ("s1\\a.jpg", "s1/a.jpg"),
        ("C:\\me\\photos\\s2\\b.jpg", "s2/b.jpg"),
        ("/home/me/s1/b.jpg", "s1/b.jpg"),
        ("/home/me/c.jpg", "c.jpg"),
        ("back\\slash.jpg", "back\\slash.jpg"),
        ("none/b.jpg", "none/b.jpg"),
        ("..\\..\\media\\upload\\4\\c.jpg", "c.jpg"),  # Label Studio's
        ("http://localhost:8080/data/s1/my%20photo.jpg", "s1/my photo.jpg"),
        ("http://localhost:8080/data/s1/my%20photo.jpg?sign=a%2Fb#x", "s1/my photo.jpg"),
        ("s3/fra\u0308ulein.jpg", "S3/Fr\u00e4ulein.JPG"),  # macOS's accents, Windows' upper case
        ("C:\\me\\S1\\A.JPG", "s1/a.jpg"),
        (" a.jpg", "a.jpg"),
        ("TWICE.jpg", "TWICE.jpg"),  # two files: neither
        ("", ""),
    ],
)
def test_photograph_paths_of_other_machines_are_matched(name, path, folder):
    paths, ambiguous = photograph_paths.find(folder, {5: name})
    assert paths == {5: str(folder / path) + ("" if path else "/")}
    assert ambiguous == {}


def test_photograph_paths_that_exist_are_taken_as_they_are(folder, tmp_path):
    (tmp_path / "other.jpg").write_bytes(b"")
    paths, _ = photograph_paths.find(folder, {1: str(tmp_path / "other.jpg")})
    assert paths == {1: str(tmp_path / "other.jpg")}


def test_photograph_paths_with_one_tail_are_told(folder):
    names = {1: "x/c.jpg", 2: "y/c.jpg", 3: "a.jpg", 4: "z/a.jpg", 5: "s1/b.jpg"}
    _, ambiguous = photograph_paths.find(folder, names)
    assert ambiguous == {
        1: f"{folder / 'c.jpg'} may be x/c.jpg or y/c.jpg",
        2: f"{folder / 'c.jpg'} may be x/c.jpg or y/c.jpg",
        4: f"{folder / 'a.jpg'} may be a.jpg or z/a.jpg",
    }

"""Digests of source files, by which a conversion is recognized."""

import hashlib

import pytest

from data_prep.writing import split_index


@pytest.fixture
def folder(tmp_path):
    for name in ("a/S1/annot.mat", "a/S2/annot.mat", "a/other.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path / "a"


def test_split_index_whole_files_by_pattern_and_by_name(folder, tmp_path):
    mine = tmp_path / "mine.json"
    mine.write_text("mine")
    digests = split_index.file_digests(
        folder, ("S*/annot.mat", "none*"), [str(mine), "", "/nowhere"]
    )
    contents = {
        "S1/annot.mat": b"a/S1/annot.mat",
        "S2/annot.mat": b"a/S2/annot.mat",
        str(mine): b"mine",
    }
    assert digests == {name: hashlib.sha256(text).hexdigest() for name, text in contents.items()}
    assert split_index.file_digests("", ("*",)) == {}


def image_digest(folder, names):
    images = split_index.ImageDigest(folder)
    for name in names:
        images.add(str(folder / name))
    return images.counts()


def test_split_index_images_count_once_wherever_they_are(folder, tmp_path):
    (tmp_path / "b").mkdir()
    for name in ("1.jpg", "2.jpg"):
        (folder / name).write_text(name)
        (tmp_path / "b" / name).write_text(name)
    digests = image_digest(folder, ["1.jpg", "1.jpg", "2.jpg", "3.jpg"])
    assert (digests["number"], digests["missing"], digests["bytes"]) == (2, 1, 10)
    assert digests == image_digest(tmp_path / "b", ["1.jpg", "2.jpg", "3.jpg"])


@pytest.mark.parametrize("change", ["size", "order", "gone"])
def test_split_index_another_size_or_order_is_another_digest(change, folder):
    names = ["1.jpg", "2.jpg"]
    for name in names:
        (folder / name).write_text(name)
    before = image_digest(folder, names)
    if change == "size":
        (folder / "2.jpg").write_text("longer than before")
    elif change == "gone":
        (folder / "2.jpg").unlink()
    after = image_digest(folder, names[::-1] if change == "order" else names)
    assert after["names_and_sizes_sha256"] != before["names_and_sizes_sha256"]


def test_split_index_impossible_file_name_is_missing(folder):
    assert image_digest(folder, ["a\0b.jpg"])["missing"] == 1

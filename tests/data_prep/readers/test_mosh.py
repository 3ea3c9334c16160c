"""MoSh: collections, both keys, test subjects left out, a seeded order; the original's rows."""

import json
import pickle

import numpy as np
import pytest

from data_prep.reader_items import MocapPose, Skipped
from data_prep.readers import mosh
from hmr_tf.files.errors import InputError
from tests.fakes.dataset_fakes import convert, write_mosh


@pytest.fixture
def folder(tmp_path, rng):
    parent = tmp_path / "S9" / "neutrMosh"  # the original would look for S9 here too
    write_mosh(parent / "neutrSMPL_CMU" / "01" / "01_01.pkl", rng.normal(size=(4, 72)), np.ones(10))
    write_mosh(
        parent / "neutrSMPL_CMU" / "S110" / "x.pkl", rng.normal(size=(3, 72)), key="new_poses"
    )
    for subject in ("S1", "S9", "S11"):
        path = parent / "neutrSMPL_H3.6" / subject / "Walking S11_cam0_aligned.pkl"
        write_mosh(path, rng.normal(size=(2, 72)))
    return parent


def poses(items):
    return np.array([item.pose for item in items if isinstance(item, MocapPose)])


def test_mosh_all_poses_of_a_collection_come_out_once(folder):
    read = {name: list(items) for name, items in mosh.read(folder, seed=0).items()}
    assert list(read) == ["neutrSMPL_CMU", "neutrSMPL_H3.6"]
    assert len(poses(read["neutrSMPL_CMU"])) == 7
    assert len(np.unique(poses(read["neutrSMPL_CMU"]), axis=0)) == 7
    assert sorted(item.betas[0] for item in read["neutrSMPL_CMU"]) == [0] * 3 + [1] * 4


def test_mosh_test_subjects_are_left_out_by_their_folder(folder):
    items = list(mosh.read(folder, seed=0)["neutrSMPL_H3.6"])
    skipped = [item for item in items if isinstance(item, Skipped)]
    assert len(poses(items)) == 2
    assert len(skipped) == 2
    assert not any(item.is_problem for item in skipped)


def test_mosh_order_is_shuffled_by_the_seed(folder):
    read = [poses(mosh.read(folder, seed)["neutrSMPL_CMU"]) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(read[0], read[1])
    assert not np.array_equal(read[0], read[2])


def test_mosh_one_collection_can_be_given(folder, monkeypatch):
    assert list(mosh.read(folder / "neutrSMPL_CMU", 0)) == ["neutrSMPL_CMU"]
    monkeypatch.chdir(folder / "neutrSMPL_CMU")
    assert list(mosh.read(".", 0)) == ["neutrSMPL_CMU"]


BROKEN = {
    "a list": [1, 2],
    "no poses": {"betas": np.zeros(10)},
    "no betas": {"poses": np.zeros((2, 72))},
    "SMPL-H": {"poses": np.zeros((2, 156)), "betas": np.zeros(16)},
    "no numbers": {"poses": np.full((2, 72), np.nan), "betas": np.zeros(10)},
    "too large": {"poses": np.full((2, 72), 1e300), "betas": np.zeros(10)},
    "text": {"poses": "text", "betas": np.zeros(10)},
}


@pytest.mark.parametrize("fault", ["no pickle", *BROKEN])
def test_mosh_broken_file_is_counted_and_the_others_read(fault, folder):
    content = pickle.dumps(BROKEN[fault]) if fault in BROKEN else b"no pickle"
    (folder / "neutrSMPL_CMU" / "01" / "01_02.pkl").write_bytes(content)
    items = list(mosh.read(folder, 0)["neutrSMPL_CMU"])
    assert len(poses(items)) == 7
    (skipped,) = (item for item in items if isinstance(item, Skipped))
    assert skipped.reason == "pickle unreadable"
    assert "01_02.pkl" in skipped.where


def test_mosh_folder_without_pickles_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no neutrSMPL_\*"):
        mosh.read(tmp_path, 0)


@pytest.mark.parametrize("name", ["neutrSMPL_CMU", "neutrSMPL_H3.6", "neutrSMPL_jointLim"])
def test_mosh_records_are_the_originals(name, shared):
    samples = shared / "data_samples"
    expected = json.loads((samples / "expected" / f"{name}.json").read_text())
    records, _ = convert(mosh.read(samples / "neutrMosh", 0)[name])
    rows = sorted(np.round([*record["pose"], *record["shape"]], 5).tolist() for record in records)
    theirs = np.column_stack([expected["pose"], expected["shape"]])
    np.testing.assert_allclose(rows, sorted(theirs.tolist()), atol=1e-4)


def test_mosh_extensions_in_capitals_and_hidden_files(tmp_path, rng):
    folder = tmp_path / "neutrSMPL_CMU" / "01"
    write_mosh(folder / "a.PKL", rng.normal(size=(2, 72)))
    (folder / "._a.pkl").write_bytes(b"\0\5\x16\7")
    hidden, *poses = mosh.read(tmp_path, 0)["neutrSMPL_CMU"]
    assert hidden == Skipped("hidden file", str(folder / "._a.pkl"))
    assert len(poses) == 2


def test_mosh_collection_without_folders_of_subjects(tmp_path, rng):
    write_mosh(tmp_path / "neutrSMPL_CMU" / "a.pkl", rng.normal(size=(4, 72)))
    write_mosh(tmp_path / "neutrSMPL_jointLim" / "01" / "a.pkl", rng.normal(size=(2, 72)))
    counts = {name: len(list(items)) for name, items in mosh.read(tmp_path, 0).items()}
    assert counts == {"neutrSMPL_CMU": 4, "neutrSMPL_jointLim": 2}

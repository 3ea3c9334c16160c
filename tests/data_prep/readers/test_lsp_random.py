"""Valid LSP and LSP-extended in many forms: types, file versions, names, numbers, lost images."""

import h5py
import numpy as np
import scipy.io

from data_prep.reader_items import LabelledPerson, Skipped
from data_prep.readers import lsp
from tests.fakes.random_cases import chance, check_cases, choose, touch

NUM_TRAIN = 3  # in place of 1000


def write_joints(rng, folder, joints):
    """joints.mat of version 5 or 7.3, with other variables beside the joints or without."""
    variables = {"joints": joints}
    if chance(rng):
        variables["about"] = np.arange(4.0)[None]
    if chance(rng, 0.3):
        with h5py.File(folder / "joints.mat", "w", userblock_size=512) as file:
            for name, array in variables.items():
                file[name] = array.T
    else:
        scipy.io.savemat(folder / "joints.mat", variables, do_compression=chance(rng))


def write_images(rng, folder, number):
    """Images of some of the people; returns dict: column -> path."""
    first = choose(rng, 0, 1)
    digits, extension = choose(rng, 1, 4, 5), choose(rng, "jpg", "jpg", "JPG")
    lost = rng.permutation(np.arange(1, number))[: choose(rng, 0, 0, 1, 2)]
    # From 1, the last one's number tells it; from 0, the first one's.
    lost = [column for column in lost if column != number - 1]
    paths = {}
    for column in rng.permutation(number):
        if column not in lost:
            name = f"im{column + first:0{digits}d}.{extension}"
            paths[int(column)] = touch(folder / "images" / name)
    for name in ("._im0001.jpg", "Thumbs.db", "notes.txt"):
        if chance(rng, 0.2):
            touch(folder / "images" / name)
    return paths


def check_lsp(rng, folder):
    number, is_extended = int(rng.integers(3, 13)), chance(rng)
    kind = choose(rng, float, np.float32, np.int32, np.uint16)
    points = rng.integers(1, 200, (number, 14, 2))
    labelled = rng.random((number, 14)) < 0.7
    flags = labelled if is_extended else ~labelled
    joints = np.concatenate([points, flags[..., None]], axis=2).astype(kind)
    order = (1, 2, 0) if is_extended else (2, 1, 0)
    write_joints(rng, folder, joints.transpose(order))
    paths = write_images(rng, folder, number)
    if is_extended:
        items, columns = list(lsp.read_extended(folder, "train")), range(number)
    else:
        split = choose(rng, "train", "test")
        items = list(lsp.read(folder, split))
        columns = range(number)[:NUM_TRAIN] if split == "train" else range(number)[NUM_TRAIN:]
    people = [item for item in items if isinstance(item, LabelledPerson)]
    missing = [item for item in items if getattr(item, "reason", "") == "image missing"]
    there = [column for column in columns if column in paths]
    assert [person.image for person in people] == [str(paths[column]) for column in there]
    assert len(missing) == len(columns) - len(there)
    for column, person in zip(there, people):
        np.testing.assert_array_equal(person.keypoints_px[:14], points[column])
        np.testing.assert_array_equal(person.labelled[:14] > 0, labelled[column])
        assert not person.labelled[14:].any()
    hidden = [item for item in items if isinstance(item, Skipped) and item not in missing]
    assert len(hidden) == (folder / "images" / "._im0001.jpg").exists()


def test_lsp_meaning_is_the_same_in_every_form(tmp_path, monkeypatch):
    monkeypatch.setattr(lsp, "NUM_TRAIN", NUM_TRAIN)
    check_cases(check_lsp, tmp_path)

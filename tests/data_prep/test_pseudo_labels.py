"""The command that writes pseudo-labels: where labels and landmarks agree, and what it refuses."""

import json

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import flagsaver

from data_prep import pseudo_labelling, pseudo_labels
from hmr_tf.body import body_model
from hmr_tf.body.smpl import SMPL
from hmr_tf.data import record, shards
from hmr_tf.files.errors import InputError
from tests.fakes import landmark_fakes

STEPS = 40


def run(**values):
    saved = flagsaver.save_flag_values(pseudo_labels.OPTIONS)
    arguments = [f"--{name}={value}" for name, value in values.items()]
    pseudo_labels.OPTIONS(["pseudo_labels", *arguments])
    try:
        pseudo_labels.main(["pseudo_labels"])
    finally:
        flagsaver.restore_flag_values(saved, pseudo_labels.OPTIONS)


@pytest.fixture(scope="module")
def made():
    """Four people; the landmarks are those of another person in the place of the second."""
    people = landmark_fakes.people(SMPL(body_model.read_model()), 4)
    other = people.landmarks[1]
    people.landmarks[1] = other._replace(keypoints_px=other.keypoints_px[:, [1, 0, 2]])
    return people


@pytest.fixture
def folder(made, tmp_path):
    names = landmark_fakes.write_records(tmp_path / "records", made)
    landmark_fakes.write_landmarks(tmp_path / "landmarks.npz", made, names)
    return tmp_path


def values(folder, **changes):
    return {
        "data_dir": folder / "records",
        "datasets": "coco",
        "output_dir": folder / "out",
        "landmarks": folder / "landmarks.npz",
        "steps": STEPS,
        **changes,
    }


def read(folder):
    paths = [str(path) for path in shards.find(folder, "coco")]
    return [record.decode(one) for one in tf.data.TFRecordDataset(paths)]


def test_pseudo_labels_are_written_where_landmarks_agree(folder, made):
    run(**values(folder, steps=150))
    before, after = read(folder / "records"), read(folder / "out")
    assert [bool(sample["has_smpl"]) for sample in after] == [True, False, True, True]
    for old, new in zip(before, after):
        np.testing.assert_array_equal(old["keypoints_px"], new["keypoints_px"])
        np.testing.assert_array_equal(old["image"], new["image"])
    index = json.loads((folder / "out" / "coco" / pseudo_labelling.INDEX).read_text())
    assert index["reasons"] == {"fitted": 3, "landmarks differ from labels": 1}
    assert (index["records"], index["fitted"], index["has_3d"]) == (4, 3, True)
    files = shards.find(folder / "out", "coco")
    assert shards.count_records(files) == 4
    assert shards.has_3d_in_index(files)
    picture = tf.io.decode_png((folder / "out" / "coco" / pseudo_labelling.SHEET).read_bytes())
    assert picture.shape[0] == 192
    names = {path.name for path in (folder / "out" / "coco").iterdir()}
    assert names == {"train_000.tfrecord", "train_001.tfrecord", "pseudo_index.json", "fits.png"}


def test_pseudo_labels_are_the_same_bytes_after_a_stop(folder, monkeypatch):
    run(**values(folder, people=0))
    whole = folder / "out" / "coco"
    real, calls = pseudo_labelling._write_pseudo_shard, []

    def stops_in_the_second(path, *arguments):
        calls.append(path.name)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(path, *arguments)

    monkeypatch.setattr(pseudo_labelling, "_write_pseudo_shard", stops_in_the_second)
    with pytest.raises(KeyboardInterrupt):
        run(**values(folder, people=0, output_dir=folder / "again"))
    run(**values(folder, people=0, output_dir=folder / "again"))
    assert calls == ["train_000.tfrecord", "train_001.tfrecord", "train_001.tfrecord"]
    for path in whole.iterdir():
        assert (folder / "again" / "coco" / path.name).read_bytes() == path.read_bytes(), path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"filename": np.array(["a.jpg"] * 4)},
            r"does not match the records: its row 0 is of a\.jpg",
        ),
        ({"joints3d": np.zeros((3, 19, 3))}, r"joints3d has shape \(3, 19, 3\).*other records"),
        ({"presence": np.full(4, np.nan)}, "presence holds numbers that are not finite"),
        ({"keypoints_px": None}, "lacks keypoints_px"),
    ],
)
def test_pseudo_labels_refuse_landmarks_of_other_people(folder, made, changes, message):
    names = [f"im{number:03}.jpg" for number in range(4)]
    landmark_fakes.write_landmarks(folder / "landmarks.npz", made, names, **changes)
    with pytest.raises(InputError, match=message) as error:
        run(**values(folder))
    assert "\n" not in str(error.value)
    assert not list((folder / "out").rglob("*.tfrecord"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"landmarks": "none.npz"}, "there is no file"),
        ({"landmarks": "records"}, r"there is no file records/coco\.npz"),
        ({"output_dir": "landmarks.npz"}, "cannot be written: File exists"),
        ({"landmarks": ""}, r"No BlazePose: make it once, `python -m tools\.blazepose"),
        ({"teacher": "models/blazepose"}, "pass one"),
        ({"datasets": ""}, "--datasets is missing"),
        ({"datasets": "mpii"}, "mpii"),
    ],
)
def test_pseudo_labels_refuse_wrong_input_and_write_nothing(folder, monkeypatch, changes, message):
    monkeypatch.chdir(folder)
    with pytest.raises(InputError, match=message) as error:
        run(**values(folder, **changes))
    assert "\n" not in str(error.value)
    assert not (folder / "out").exists()


def test_pseudo_labels_announce_their_work(folder, capsys):
    np.savez(folder / "other.npz", numbers=np.zeros(3))
    with pytest.raises(InputError, match=r"other\.npz lacks filename, keypoints_px"):
        run(**values(folder, landmarks=str(folder / "other.npz")))
    assert capsys.readouterr().err.splitlines()[0] == (
        f"Fits SMPL to 4 people (coco; train) of {folder / 'records'} and the landmarks of "
        f"{folder / 'other.npz'} in 1 process. Output: {folder / 'out'}."
    )


def test_pseudo_labels_are_not_written_over_their_source(folder):
    with pytest.raises(InputError, match="name another folder"):
        run(**values(folder, output_dir=folder / "records"))

"""SSP-3D: labels.npz as it is stored, photographs of 512 pixels, faults with a name."""

import numpy as np
import pytest
import tensorflow as tf

from data_prep import to_tfrecords
from data_prep.reader_items import Skipped
from data_prep.readers.smpl_truth import ssp3d
from hmr_tf.body import skeleton
from hmr_tf.data import record, smpl_truth
from hmr_tf.files.errors import InputError
from tests.fakes import truth_fakes
from tests.fakes.commands import run_command
from tests.fakes.dataset_fakes import write_image


def test_ssp3d_people_are_those_of_the_labels(rng, tmp_path):
    content = truth_fakes.content_ssp3d(rng, 3)
    truth_fakes.write_ssp3d(tmp_path, content)
    people = list(ssp3d.read(tmp_path, "test"))
    assert len(people) == 3
    for row, person in enumerate(people):
        truth = person.reference
        np.testing.assert_array_equal(truth.pose.ravel(), content["poses"][row])
        np.testing.assert_array_equal(truth.betas, content["shapes"][row])
        np.testing.assert_array_equal(truth.transl, content["cam_trans"][row])
        assert truth.gender == ["male", "female", "male"][row]
        assert truth.camera.tolist() == [5000, 5000, 256, 256]
        assert truth.frame == smpl_truth.PHOTOGRAPH
        assert np.isnan(truth.smpl_joints).all()
        assert person.image == str(tmp_path / "images" / content["fnames"][row])
        points = skeleton.convert(
            content["joints2D"][row, :, :2], skeleton.COCO_KEYPOINTS, skeleton.KEYPOINTS
        )
        is_known = np.isfinite(points[:, 0])
        np.testing.assert_array_equal(person.labelled > 0, is_known)
        np.testing.assert_array_equal(person.keypoints_px[is_known], points[is_known])
        size = np.linalg.norm(np.ptp(points[is_known], axis=0))
        assert person.scale == pytest.approx(150 / size)


def test_ssp3d_becomes_shards(rng, tmp_path):
    content = truth_fakes.content_ssp3d(rng, 4)
    truth_fakes.write_ssp3d(tmp_path / "ssp_3d", content)
    write_image(tmp_path / "ssp_3d/images/athlete_1.png", 480, 640)
    (tmp_path / "ssp_3d/images/athlete_2.png").unlink()
    out = tmp_path / "out"
    assert run_command(to_tfrecords, dataset="ssp3d", split="test", data_dir=tmp_path,
                       output_dir=out) == 1  # fmt: skip
    (file,) = (out / "ssp3d/test").glob("*.tfrecord")
    assert file.name == "test_000.tfrecord"
    serialized = list(tf.data.TFRecordDataset(str(file)))
    names = [record.decode(one)["filename"].numpy().decode() for one in serialized]
    assert names == ["athlete_0.png", "athlete_3.png"]
    truth = smpl_truth.decode_smpl_truth(serialized[1])
    np.testing.assert_allclose(truth["truth_betas"], content["shapes"][3], rtol=1e-6)


def test_ssp3d_one_wrong_photograph_leaves_the_others(rng, tmp_path):
    names = np.array(["../../secret.png", "athlete_1.png", "athlete_2.png"])
    genders = np.array(["m", "neutral", "f"])
    content = truth_fakes.content_ssp3d(rng, 3, genders=genders)
    truth_fakes.write_ssp3d(tmp_path, content)
    np.savez(tmp_path / "labels.npz", **{**content, "fnames": names})
    first, second, person = ssp3d.read(tmp_path, "test")
    assert first == Skipped("file name with a folder", "'../../secret.png'")
    assert second == Skipped("gender not m or f", "athlete_1.png")
    assert person.reference.gender == "female"


FAULTS = {
    "no shapes": ({"shapes": None}, "it has no shapes"),
    "fewer genders": ({"genders": np.array(["m"])}, "genders are of 1 people, not 2"),
    "24 joints": ({"joints2D": np.zeros((2, 24, 3))}, "joints2D hold 2 x 24 x 3 numbers, not 2 x"),
    "texts": ({"poses": np.array(["a", "b"])}, "poses are not an array of numbers"),
    "numbers": ({"fnames": np.zeros(2)}, "fnames are not a list of texts"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_ssp3d_broken_labels_are_refused(fault, rng, tmp_path):
    changes, message = FAULTS[fault]
    truth_fakes.write_ssp3d(tmp_path, truth_fakes.content_ssp3d(rng, 2))
    np.savez(tmp_path / "labels.npz", **truth_fakes.content_ssp3d(rng, 2, **changes))
    with pytest.raises(InputError, match=message) as error:
        list(ssp3d.read(tmp_path, "test"))
    assert str(tmp_path / "labels.npz") in str(error.value)


def test_ssp3d_refuses_another_folder_or_split(rng, tmp_path):
    with pytest.raises(InputError, match=r"there is no labels\.npz"):
        list(ssp3d.read(tmp_path, "test"))
    with pytest.raises(InputError, match="pass --split=test"):
        list(ssp3d.read(tmp_path, "train"))

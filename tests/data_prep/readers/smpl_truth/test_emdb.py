"""EMDB: bodies in camera coordinates from world coordinates and projected joints; faults named."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

from data_prep import to_tfrecords
from data_prep.reader_items import IndexNote, LabelledPerson, Skipped
from data_prep.readers.smpl_truth import emdb
from hmr_tf.body import skeleton
from hmr_tf.data import record
from hmr_tf.data.smpl_truth import decode_smpl_truth
from hmr_tf.files.errors import InputError
from tests.fakes import python2_pickle, truth_fakes
from tests.fakes.commands import run_command
from tests.fakes.dataset_fakes import write_image


@pytest.fixture
def scene(rng):
    return truth_fakes.scene(rng, 4)


def read(folder, split="test"):
    return list(emdb.read(folder, split))


def people_of(items):
    return [item for item in items if isinstance(item, LabelledPerson)]


def test_emdb_bodies_are_in_camera_coordinates(scene, tmp_path):
    truth_fakes.write_emdb(tmp_path, truth_fakes.content_emdb(scene))
    people = read(tmp_path)
    assert len(people) == 4
    for frame, person in enumerate(people):
        truth = person.reference
        posed = truth_fakes.posed_joints(truth.pose[None], truth.betas)[0] + truth.transl
        np.testing.assert_allclose(posed, scene.camera_joints[frame], atol=1e-6)
        assert truth.camera.tolist() == truth_fakes.CAMERA
        assert (truth.frame, truth.gender) == (frame, "female")
        assert np.isnan(truth.smpl_joints).all()
        assert not person.has_face
        assert person.sequence == "P1_14_outdoor_climb_p0"
        assert person.image.endswith(f"P1/14_outdoor_climb/images/{frame:05d}.jpg")
        for index, name in enumerate(skeleton.KEYPOINTS):
            is_known = name in skeleton.SMPL_JOINTS
            assert (person.labelled[index] > 0) == is_known, name
            if is_known:
                expected = scene.joints_px[frame, skeleton.SMPL_JOINTS.index(name)]
                np.testing.assert_array_equal(person.keypoints_px[index], expected)


def test_emdb_images_that_are_numbered_from_1_are_found(scene, tmp_path):
    truth_fakes.write_emdb(tmp_path, truth_fakes.content_emdb(scene))
    images = tmp_path / "P1/14_outdoor_climb/images"
    for number in (3, 2, 1, 0):
        (images / f"{number:05d}.jpg").rename(images / f"{number + 1:05d}.jpg")
    items = read(tmp_path)
    names = [person.image[-9:] for person in people_of(items)]
    assert names == ["00001.jpg", "00002.jpg", "00003.jpg", "00004.jpg"]
    assert IndexNote("images numbered from 1", 4) in items


def test_emdb_keypoints_that_do_not_fit_are_noted(scene, tmp_path):
    content = truth_fakes.content_emdb(scene)
    content["kp2d"] = scene.joints_px + np.array([[[0, 0]], [[0, 0]], [[40, 0]], [[0, 30]]])
    truth_fakes.write_emdb(tmp_path, content)
    note = read(tmp_path)[-1]
    assert isinstance(note, IndexNote)
    assert note.note == emdb.MISFIT
    assert note.number >= 2


def test_emdb_frames_that_are_not_good_are_left_out(scene, tmp_path):
    content = truth_fakes.content_emdb(scene, good_frames_mask=np.array([1, 0, 1, 0], bool))
    content["kp2d"] = scene.joints_px.copy()
    content["kp2d"][1] = np.nan
    truth_fakes.write_emdb(tmp_path, content)
    items = read(tmp_path)
    assert [person.reference.frame for person in people_of(items)] == [0, 2]
    skipped = [item for item in items if isinstance(item, Skipped)]
    assert [item.reason for item in skipped] == ["not in good_frames_mask"] * 2
    assert not any(item.is_problem for item in skipped)


def test_emdb_invalid_boxes_are_those_of_the_joints(scene, tmp_path):
    content = truth_fakes.content_emdb(scene)
    boxes = content["bboxes"]["bboxes"].copy()
    boxes[1], boxes[2] = 0, np.nan
    content["bboxes"] = {"bboxes": boxes}
    truth_fakes.write_emdb(tmp_path, content)
    people = read(tmp_path)
    np.testing.assert_array_equal(people[0].box_px, boxes[0])
    for frame in (1, 2):
        joints = scene.joints_px[frame]
        expected = [*joints.min(axis=0), *joints.max(axis=0)]
        np.testing.assert_array_equal(people[frame].box_px, expected)
        size = np.linalg.norm(np.ptp(joints, axis=0))
        assert people[frame].scale == pytest.approx(150 / size)


def test_emdb_splits_are_its_flags(scene, tmp_path):
    for sequence, flags in {"1_a": (1, 0), "2_b": (1, 1), "3_c": (0, 1), "4_d": (0, 0)}.items():
        content = truth_fakes.content_emdb(
            scene, emdb1=np.bool_(flags[0]), emdb2=np.bool_(flags[1])
        )
        truth_fakes.write_emdb(tmp_path, content, sequence=sequence)
    for split, expected in {"test": ["1_a", "2_b"], "emdb2": ["2_b", "3_c"]}.items():
        items = read(tmp_path, split)
        sequences = {person.sequence for person in people_of(items)}
        assert sequences == {f"P1_{name}_p0" for name in expected}
        others = [item for item in items if isinstance(item, Skipped)]
        assert len(others) == 2
        assert not any(item.is_problem for item in others)
    with pytest.raises(InputError, match="pass --split=test"):
        read(tmp_path, "train")
    with pytest.raises(InputError, match="pass EMDB's folder"):
        read(tmp_path / "P1")


def test_emdb_becomes_a_file_for_each_sequence(scene, tmp_path):
    truth_fakes.write_emdb(tmp_path, truth_fakes.content_emdb(scene))
    (tmp_path / "P1/14_outdoor_climb/images/00001.jpg").unlink()
    out = tmp_path / "out"
    assert run_command(to_tfrecords, dataset="emdb", split="test", data_dir=tmp_path,
                       output_dir=out) == 1  # fmt: skip
    (file,) = (out / "emdb/test").glob("*.tfrecord")
    assert file.name == "P1_14_outdoor_climb_p0.tfrecord"
    serialized = list(tf.data.TFRecordDataset(str(file)))
    truths = [decode_smpl_truth(one) for one in serialized]
    assert [int(truth["truth_frame"]) for truth in truths] == [0, 2, 3]
    assert truths[0]["truth_gender"] == b"female"
    sample, truth = record.decode(serialized[1]), truths[1]
    box = truth_fakes.content_emdb(scene)["bboxes"]["bboxes"][2]
    middle = (box[:2] + box[2:]) / 2 * truth["truth_scale_xy"] - np.float32(
        truth["truth_corner_px"]
    )
    np.testing.assert_allclose(sample["center_px"], middle, atol=1)


def test_emdb_smaller_images_have_scaled_labels_and_camera(scene, tmp_path):
    path = truth_fakes.write_emdb(tmp_path, truth_fakes.content_emdb(scene))
    height, width = truth_fakes.FRAME_PX
    write_image(path.parent / "images/00002.jpg", height // 2, width // 2)
    out = tmp_path / "out"
    assert run_command(to_tfrecords, dataset="emdb", split="test", data_dir=tmp_path,
                       output_dir=out) == 0  # fmt: skip
    (file,) = (out / "emdb/test").glob("*.tfrecord")
    whole, smaller = list(tf.data.TFRecordDataset(str(file)))[1:3]
    cameras = [decode_smpl_truth(one)["truth_camera"].numpy() for one in (whole, smaller)]
    np.testing.assert_allclose(cameras[1], cameras[0] / 2)
    truth, sample = decode_smpl_truth(smaller), record.decode(smaller)
    left_knee = scene.joints_px[2, skeleton.SMPL_JOINTS.index("left_knee")] / 2
    stored = left_knee * truth["truth_scale_xy"] - np.float32(truth["truth_corner_px"])
    knee = sample["keypoints_px"][skeleton.KEYPOINTS.index("left_knee"), :2]
    np.testing.assert_allclose(stored, knee, atol=1e-3)


def _put(part, key, value):
    def change(content):
        content[part] = {**content[part], key: value}

    return change


FAULTS = {
    "no SMPL": (lambda content: content.pop("smpl"), "it has no smpl"),
    "no poses": (lambda content: content["smpl"].pop("poses_body"), "smpl has no poses_body"),
    "SMPL a list": (lambda content: content.update(smpl=[1]), "smpl holds no named arrays"),
    "gender": (lambda content: content.update(gender="x"), "gender is not one of female"),
    "flag": (lambda content: content.update(emdb1="yes"), "emdb1 are not an array of numbers"),
    "hand poses": (_put("smpl", "poses_body", np.zeros((4, 63))), "poses_body hold 4 x 63"),
    "300 betas": (_put("smpl", "betas", np.zeros(300)), "betas hold 300 numbers, not 10"),
    "NaN betas": (_put("smpl", "betas", np.full(10, np.nan)), "betas are not all finite"),
    "cameras": (_put("camera", "extrinsics", np.zeros((3, 4, 4))), "extrinsics hold 3 x 4 x 4"),
    "no size": (_put("camera", "height", np.nan), "height are not all finite"),
    "boxes": (_put("bboxes", "bboxes", np.zeros((4, 5))), "bboxes hold 4 x 5 numbers, not 4 x 4"),
    "mask": (lambda content: content.update(good_frames_mask=[True]), "good_frames_mask hold 1 "),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_emdb_broken_sequence_is_named_and_the_others_are_read(fault, scene, tmp_path):
    change, message = FAULTS[fault]
    truth_fakes.write_emdb(tmp_path, truth_fakes.content_emdb(scene), subject="P2")
    content = truth_fakes.content_emdb(scene)
    path = truth_fakes.write_emdb(tmp_path, content)
    change(content)
    python2_pickle.write(path, content)
    skipped, *people = read(tmp_path)
    assert skipped.reason == "sequence file unreadable"
    assert skipped.where.startswith(f"{path}: ")
    assert message in skipped.where
    assert len(people_of(people)) == 4


def test_emdb_copies_of_a_sequence_are_problems(scene, tmp_path):
    path = truth_fakes.write_emdb(tmp_path, truth_fakes.content_emdb(scene))
    shutil.copytree(path.parent, path.parent.with_name("copy"))
    shutil.copy(path, path.with_name("P1_backup_data.pkl"))
    out = tmp_path / "out"
    assert run_command(to_tfrecords, dataset="emdb", split="test", data_dir=tmp_path,
                       output_dir=out) == 1  # fmt: skip
    assert len(list((out / "emdb/test").glob("*.tfrecord"))) == 1
    skipped = [item.where for item in read(tmp_path) if isinstance(item, Skipped)]
    backup = path.with_name("P1_backup_data.pkl")
    assert sorted(skipped) == sorted([str(path.parent.with_name("copy") / path.name), str(backup)])


def test_emdb_truncated_pickle_is_named(scene, tmp_path):
    path = truth_fakes.write_emdb(tmp_path, truth_fakes.content_emdb(scene))
    path.write_bytes(path.read_bytes()[:-40])
    (skipped,) = read(tmp_path)
    assert "not a readable pickle" in skipped.where


def test_emdb_malicious_pickle_is_not_run(scene, tmp_path):
    touched = tmp_path / "touched"
    name = python2_pickle.Runs(open, str(touched), "w")
    truth_fakes.write_emdb(tmp_path, truth_fakes.content_emdb(scene, name=name))
    (skipped,) = read(tmp_path)
    assert "nothing of it was run" in skipped.where
    assert not touched.exists()


def test_emdb_missing_folder_of_images_is_one_problem(scene, tmp_path):
    path = truth_fakes.write_emdb(tmp_path, truth_fakes.content_emdb(scene))
    (path.parent / "images").rename(path.parent / "frames")
    (skipped,) = read(tmp_path)
    assert skipped == Skipped("folder of images missing", str(path.parent / "images"))

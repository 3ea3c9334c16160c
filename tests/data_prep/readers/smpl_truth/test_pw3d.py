"""3DPW: bodies in camera coordinates, frames and people in order, faults with a name."""

import json

import numpy as np
import pytest
import tensorflow as tf

from data_prep import to_tfrecords
from data_prep.reader_items import IndexNote, LabelledPerson, Skipped
from data_prep.readers.smpl_truth import pw3d
from data_prep.sources import SOURCES
from hmr_tf.body import body_model, skeleton
from hmr_tf.body.smpl import SMPL
from hmr_tf.data import record
from hmr_tf.data.smpl_truth import decode_smpl_truth
from hmr_tf.files.errors import InputError
from tests.fakes import python2_pickle, tiny_body, truth_fakes
from tests.fakes.commands import run_command


@pytest.fixture
def scenes(rng):
    """Two people before one camera, three frames."""
    first = truth_fakes.scene(rng, 3)
    return [first, truth_fakes.scene(rng, 3, extrinsics=first.extrinsics)]


def read(folder, split="test"):
    return list(pw3d.read(folder, split))


def people_of(items):
    return [item for item in items if isinstance(item, LabelledPerson)]


def test_3dpw_joints_are_in_camera_coordinates(scenes, tmp_path):
    truth_fakes.write_3dpw(tmp_path, truth_fakes.content_3dpw(scenes))
    people = read(tmp_path)
    assert [person.sequence for person in people] == ["street_00_p0"] * 3 + ["street_00_p1"] * 3
    for number, person in enumerate(people):
        scene, frame = scenes[number // 3], number % 3
        truth = person.reference
        expected = scene.camera_joints[frame]
        np.testing.assert_allclose(truth.smpl_joints, expected, atol=1e-9)
        posed = truth_fakes.posed_joints(truth.pose[None], truth.betas)[0] + truth.transl
        np.testing.assert_allclose(posed, expected, atol=1e-9)
        np.testing.assert_array_equal(truth.betas, scene.betas)
        assert truth.camera.tolist() == truth_fakes.CAMERA
        assert (truth.frame, truth.gender) == (frame, ["male", "female"][number // 3])
        assert person.lsp_joints is None


def test_3dpw_images_that_are_numbered_from_1_are_found(scenes, tmp_path):
    truth_fakes.write_3dpw(tmp_path, truth_fakes.content_3dpw(scenes))
    images = tmp_path / "imageFiles/street_00"
    for number in (2, 1, 0):
        (images / f"image_{number:05d}.jpg").rename(images / f"image_{number + 1:05d}.jpg")
    items = read(tmp_path)
    names = [person.image[-15:] for person in people_of(items)]
    assert names == ["image_00001.jpg", "image_00002.jpg", "image_00003.jpg"] * 2
    assert IndexNote("images numbered from 1", 3) in items


def test_3dpw_vertices_of_smpl_are_in_camera_coordinates(scenes, tmp_path):
    truth_fakes.write_3dpw(tmp_path, truth_fakes.content_3dpw(scenes))
    smpl = SMPL(body_model.read_model(tiny_body.write(tmp_path / "body.npz")))
    scene, truths = scenes[0], [person.reference for person in read(tmp_path)[:3]]
    betas = tf.constant(np.tile(scene.betas, (3, 1)), tf.float32)
    in_world = smpl(tf.constant(scene.pose, tf.float32), betas).vertices.numpy()
    in_world = in_world + scene.transl[:, None]
    pose = tf.constant([truth.pose for truth in truths], tf.float32)
    in_camera = smpl(pose, betas).vertices.numpy() + [[truth.transl] for truth in truths]
    expected = in_world @ scene.extrinsics[:, :3, :3].swapaxes(1, 2)
    expected += scene.extrinsics[:, None, :3, 3]
    np.testing.assert_allclose(in_camera, expected, atol=5e-6)


def test_3dpw_keypoints_are_matched_by_name(scenes, tmp_path):
    points = truth_fakes.standing_openpose(3)
    points[:, 2, pw3d.OPENPOSE_18.index("left_knee")] = 0.2  # detected with a low confidence
    points[:, :, pw3d.OPENPOSE_18.index("right_eye")] = 0
    content = truth_fakes.content_3dpw(scenes[:1], poses2d=[points])
    truth_fakes.write_3dpw(tmp_path, content)
    person = read(tmp_path)[1]
    assert person.has_face
    for index, name in enumerate(skeleton.KEYPOINTS):
        label = {"head_top": 0, "right_eye": 0, "left_knee": 1}.get(name, 2)
        assert person.labelled[index] == label, name
        if label:
            column = points[1, :2, pw3d.OPENPOSE_18.index(name)]
            assert person.keypoints_px[index].tolist() == column.tolist(), name
    used = points[1, :2][:, points[1, 2] > 0]
    assert person.scale == pytest.approx(150 / np.linalg.norm(np.ptp(used, axis=1)))


def test_3dpw_openpose_order_is_cocos():
    assert pw3d.OPENPOSE_18 == (
        *("nose", "neck", "right_shoulder", "right_elbow", "right_wrist"),
        *("left_shoulder", "left_elbow", "left_wrist", "right_hip", "right_knee", "right_ankle"),
        *("left_hip", "left_knee", "left_ankle"),
        *("right_eye", "left_eye", "right_ear", "left_ear"),
    )


def test_3dpw_frames_without_camera_or_keypoints_are_left_out(scenes, tmp_path):
    valid = [np.array([0, 1, 1]), np.array([True, True, True])]
    points = [truth_fakes.standing_openpose(3) for _ in scenes]
    points[1][2] = 0
    extrinsics = scenes[0].extrinsics.copy()
    content = truth_fakes.content_3dpw(scenes, campose_valid=valid, poses2d=points)
    truth_fakes.write_3dpw(tmp_path, {**content, "cam_poses": extrinsics})
    items = read(tmp_path)
    assert [person.reference.frame for person in people_of(items)] == [1, 2, 0, 1]
    skipped = [item for item in items if isinstance(item, Skipped)]
    assert [item.reason for item in skipped] == ["camera pose invalid", "no 2D keypoints"]
    assert not any(item.is_problem for item in skipped)
    assert "street_00_p0" in skipped[0].where
    assert "image_00000.jpg" in skipped[0].where


def test_3dpw_unused_camera_poses_may_be_anything(scenes, tmp_path):
    extrinsics = scenes[0].extrinsics.copy()
    extrinsics[0] = 0
    content = truth_fakes.content_3dpw(
        scenes[:1], cam_poses=extrinsics, campose_valid=[np.array([0, 1, 1])]
    )
    truth_fakes.write_3dpw(tmp_path, content)
    (first, *others) = people_of(read(tmp_path))
    assert len(others) == 1
    np.testing.assert_allclose(first.reference.smpl_joints, scenes[0].camera_joints[1], atol=1e-9)


@pytest.mark.parametrize("key", ["cam_poses", "poses", "trans", "jointPositions"])
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e200])
def test_3dpw_frames_with_impossible_numbers_are_problems(key, value, scenes, tmp_path):
    content = truth_fakes.content_3dpw(scenes[:1])
    array = content[key] if key == "cam_poses" else content[key][0]
    array[1].flat[2] = value
    truth_fakes.write_3dpw(tmp_path, content)
    code = run_command(to_tfrecords, dataset="3dpw", split="test", data_dir=tmp_path,
                       output_dir=tmp_path / "out")  # fmt: skip
    assert code == 1
    index = json.loads((tmp_path / "out/3dpw/test/test_index.json").read_text())
    assert index["records"] == 2
    assert index["num_problems"] == 1


def test_3dpw_mirrored_camera_is_a_problem(scenes, tmp_path):
    content = truth_fakes.content_3dpw(scenes[:1])
    content["cam_poses"][1, 0, :3] *= -1
    truth_fakes.write_3dpw(tmp_path, content)
    reasons = [item.reason for item in read(tmp_path) if isinstance(item, Skipped)]
    assert reasons == ["SMPL parameters or camera pose not usable"]


def test_3dpw_joints_that_do_not_fit_are_noted(scenes, tmp_path):
    content = truth_fakes.content_3dpw(scenes[:1])
    content["trans"][0] = content["trans"][0] + [[0, 0, 0], [0.02, 0, 0], [0, 0, 0]]
    truth_fakes.write_3dpw(tmp_path, content)
    items = read(tmp_path)
    assert items[-1] == IndexNote(pw3d.MISFIT, 1)
    people = people_of(items)
    # The median keeps the pelvis of the two frames that agree.
    posed = truth_fakes.posed_joints(people[0].reference.pose[None], scenes[0].betas)[0]
    expected = scenes[0].camera_joints[0]
    np.testing.assert_allclose(posed + people[0].reference.transl, expected, atol=1e-9)


def test_3dpw_splits_are_the_datasets_folders(scenes, tmp_path):
    content = truth_fakes.content_3dpw(scenes[:1])
    for split, folder in pw3d.FOLDERS.items():
        truth_fakes.write_3dpw(tmp_path, content, sequence=f"{folder}_00", split=folder)
        assert people_of(read(tmp_path, split))[0].sequence == f"{folder}_00_p0"
    with pytest.raises(InputError, match="no split trainval: pass --split=train, val or test"):
        read(tmp_path, "trainval")
    with pytest.raises(InputError, match="pass 3DPW's folder"):
        read(tmp_path / "sequenceFiles")


@pytest.mark.parametrize("split", ["val", "validation"])
def test_3dpw_validation_has_two_names_and_one_folder(split, scenes, tmp_path):
    truth_fakes.write_3dpw(tmp_path, truth_fakes.content_3dpw(scenes[:1]), split="validation")
    out = tmp_path / "out"
    assert run_command(to_tfrecords, dataset="3dpw", split=split, data_dir=tmp_path,
                       output_dir=out) == 0  # fmt: skip
    assert [path.name for path in (out / "3dpw").iterdir()] == ["val"]


def test_3dpw_becomes_a_file_for_each_person(scenes, tmp_path, capsys):
    truth_fakes.write_3dpw(tmp_path, truth_fakes.content_3dpw(scenes))
    out = tmp_path / "out"
    options = dict(dataset="3dpw", split="test", data_dir=tmp_path)
    assert run_command(to_tfrecords, **options, dry_run=True) == 0
    assert "6 people for 2 files" in capsys.readouterr().out
    (tmp_path / "imageFiles/street_00/image_00001.jpg").unlink()
    assert run_command(to_tfrecords, **options, output_dir=out, strict=True) == 2
    assert not out.exists()
    assert run_command(to_tfrecords, **options, output_dir=out) == 1
    assert "image missing" in capsys.readouterr().err
    folder = out / "3dpw" / "test"
    files = sorted(folder.glob("*.tfrecord"))
    assert [file.name for file in files] == ["street_00_p0.tfrecord", "street_00_p1.tfrecord"]
    for scene, file in zip(scenes, files):
        serialized = list(tf.data.TFRecordDataset(str(file)))
        assert len(serialized) == 2
        for frame, one in zip([0, 2], serialized):
            truth = decode_smpl_truth(one)
            assert truth["truth_frame"] == frame
            expected = scene.camera_joints[frame]
            np.testing.assert_allclose(truth["truth_smpl_joints"], expected, atol=1e-6)
            assert_projects_to_the_stored_image(truth, record.decode(one))
    index = json.loads((folder / "test_index.json").read_text())
    assert index["has_3d"] is False
    assert list(index["sources"]["annotations"]) == ["sequenceFiles/test/street_00.pkl"]


def assert_projects_to_the_stored_image(truth, sample):
    """The crop's scale and corner lead from the source's pixels to the stored ones."""
    source_px = truth_fakes.standing_openpose(1)[0, :2, pw3d.OPENPOSE_18.index("left_knee")]
    stored_px = source_px * truth["truth_scale_xy"] - np.float32(truth["truth_corner_px"])
    knee = sample["keypoints_px"][skeleton.KEYPOINTS.index("left_knee")]
    np.testing.assert_allclose(stored_px, knee[:2], atol=1e-4)
    assert sample["image"].shape[0] > 0


def _without(key):
    return lambda content: content.pop(key)


def _put(key, value, number=None):
    def change(content):
        if number is None:
            content[key] = value
        else:
            content[key][number] = value

    return change


FAULTS = {
    "no poses": (_without("poses"), "it has no poses"),
    "no camera": (_without("cam_intrinsics"), "it has no cam_intrinsics"),
    "another camera": (_put("cam_intrinsics", np.eye(4)), "cam_intrinsics hold 4 x 4 numbers"),
    "NaN camera": (_put("cam_intrinsics", np.eye(3) * np.nan), "not all finite"),
    "3 x 4 extrinsics": (_put("cam_poses", np.zeros((3, 3, 4))), "not N x 4 x 4"),
    "poses of SMPL-X": (_put("poses", np.zeros((3, 165)), 1), "poses hold 3 x 165 numbers"),
    "fewer translations": (_put("trans", np.zeros((2, 3)), 0), "trans hold 2 x 3 numbers, not 3"),
    "fewer people": (_put("betas", [np.zeros(10)]), "betas are of 1 people, not 2"),
    "few betas": (_put("betas", np.zeros(4), 0), "betas hold 4 numbers, not 10"),
    "25 points": (_put("poses2d", np.zeros((3, 3, 25)), 0), "poses2d hold 3 x 3 x 25 numbers"),
    "gender": (_put("genders", ["m", "x"]), "genders are not m, f or neutral"),
    "texts": (_put("trans", [["a"] * 3] * 3, 0), "trans are not an array of numbers"),
    "ragged": (_put("trans", [[1, 2, 3], [1]], 0), "trans are not an array of numbers"),
    "a number": (_put("poses", 7), "poses are not a list of people"),
    "a crowd": (_put("poses", [np.zeros((3, 72))] * 17), "it has 17 people; 1 to 16 are read"),
    "hours": (_put("cam_poses", np.zeros((20_001, 4, 4))), "20,001 frames; at most 20,000"),
    "no person": (_put("poses", []), "it has 0 people"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_3dpw_broken_sequence_is_named_and_the_others_are_read(fault, scenes, tmp_path):
    change, message = FAULTS[fault]
    content = truth_fakes.content_3dpw(scenes)
    truth_fakes.write_3dpw(tmp_path, content, sequence="whole_00")
    change(content)
    write_pickle = tmp_path / "sequenceFiles/test/broken_00.pkl"
    (tmp_path / "imageFiles/broken_00").mkdir()
    python2_pickle.write(write_pickle, content)
    skipped, *people = read(tmp_path)
    assert skipped.reason == "sequence file unreadable"
    assert skipped.where.startswith(f"{write_pickle}: ")
    assert message in skipped.where
    assert len(people_of(people)) == 6


def test_3dpw_truncated_pickle_is_named(scenes, tmp_path):
    path = truth_fakes.write_3dpw(tmp_path, truth_fakes.content_3dpw(scenes))
    path.write_bytes(path.read_bytes()[:-400])
    (skipped,) = read(tmp_path)
    assert "not a readable pickle" in skipped.where


def test_3dpw_malicious_pickle_is_not_run(scenes, tmp_path):
    content = truth_fakes.content_3dpw(scenes)
    touched = tmp_path / "touched"
    content["sequence"] = python2_pickle.Runs(open, str(touched), "w")
    truth_fakes.write_3dpw(tmp_path, content)
    (skipped,) = read(tmp_path)
    assert "nothing of it was run" in skipped.where
    assert not touched.exists()


def test_3dpw_pickle_of_repeated_lists_takes_no_memory(scenes, tmp_path):
    numbers = [0.0] * 2000
    for _ in range(3):
        numbers = [numbers] * 2000
    content = truth_fakes.content_3dpw(scenes, cam_intrinsics=numbers)
    truth_fakes.write_3dpw(tmp_path, content)
    (skipped,) = read(tmp_path)
    assert "cam_intrinsics are more than 67,108,864 numbers" in skipped.where


def test_3dpw_missing_folder_of_images_is_one_problem(scenes, tmp_path):
    truth_fakes.write_3dpw(tmp_path, truth_fakes.content_3dpw(scenes))
    (tmp_path / "imageFiles/street_00").rename(tmp_path / "imageFiles/street_01")
    (skipped,) = read(tmp_path)
    assert skipped == Skipped("folder of images missing", str(tmp_path / "imageFiles/street_00"))


def test_3dpw_name_in_the_pickle_leads_nowhere_else(scenes, tmp_path):
    content = truth_fakes.content_3dpw(scenes[:1], sequence="../../elsewhere")
    truth_fakes.write_3dpw(tmp_path, content)
    assert [person.sequence for person in read(tmp_path)] == ["street_00_p0"] * 3
    assert SOURCES["3dpw"].sequence_splits == tuple(pw3d.FOLDERS)

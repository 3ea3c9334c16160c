"""Synthetic people: labels agree with each other and with the picture; seeds and splits."""

import cv2
import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial.transform import Rotation

from data_prep.reader_items import Skipped
from data_prep.synthesis import appearance, synthetic
from hmr_tf.body import body_model, skeleton
from hmr_tf.body import camera as body_camera
from hmr_tf.body.smpl import SMPL
from hmr_tf.files.errors import InputError
from hmr_tf.rendering import render

COUNT = 48


@pytest.fixture(scope="module")
def people():
    return list(synthetic.read("", "train", COUNT, 0, ""))


@pytest.fixture(scope="module")
def body(people):
    """The bodies that SMPL makes of the labels."""
    pose, betas = (np.stack([getattr(p, name) for p in people]) for name in ("pose", "betas"))
    return SMPL(body_model.read_model())(tf.constant(pose), tf.constant(betas))


def stack(people, name):
    return np.stack([getattr(person, name) for person in people])


def of(points, name):
    """(B, 2 or 3) one keypoint of all people."""
    return points[:, skeleton.KEYPOINTS.index(name)]


def test_synthetic_people_carry_every_label(people):
    assert len(people) == COUNT
    for person in people:
        assert person.image.shape == (256, 256, 3)
        assert person.image.dtype == np.uint8
        assert person.keypoints_px.shape == (19, 2)
        assert person.labelled.tolist() == [1] * 19
        assert person.has_face
        assert (person.lsp_joints.shape, person.pose.shape) == ((14, 3), (24, 3))
        assert (person.betas.shape, person.camera.shape) == ((10,), (3,))
    assert len({person.filename for person in people}) == COUNT


def test_synthetic_joints_are_those_of_the_labelled_body(people, body):
    joints = stack(people, "lsp_joints")
    model_joints = body.joints3d.numpy()[:, : len(skeleton.LSP_JOINTS)]
    translation = (joints - model_joints).mean(axis=1, keepdims=True)
    np.testing.assert_allclose(
        joints, model_joints + translation, atol=2e-5
    )  # 2 m of float32 at 40 m


def test_synthetic_keypoints_are_the_joints_projected_by_the_camera(people):
    joints, camera = stack(people, "lsp_joints"), stack(people, "camera")
    pixels = camera[:, None, :1] * joints[..., :2] / joints[..., 2:] + camera[:, None, 1:]
    np.testing.assert_allclose(stack(people, "keypoints_px")[:, :14], pixels, atol=0.02)


def test_synthetic_weak_perspective_camera_explains_the_keypoints(people, body):
    """2D loss and 3D labels do not contradict each other: some camera (s, t) satisfies both."""
    target = 2 * stack(people, "keypoints_px") / synthetic.IMAGE_SIZE - 1
    cameras = []
    for points, norm in zip(body.joints3d.numpy(), target):
        # Least squares of s * xy + s * t = norm, in s and s * t.
        x, y = points[:, :1], points[:, 1:2]
        one, zero = np.ones_like(x), np.zeros_like(x)
        equations = np.block([[x, one, zero], [y, zero, one]])
        (scale, *translation), *_ = np.linalg.lstsq(equations, norm.T.reshape(-1), rcond=None)
        cameras.append([scale, *(np.array(translation) / scale)])
    cameras = np.float32(cameras)
    assert (cameras[:, 0] > 0.4).all()
    projected = body_camera.project(body.joints3d, tf.constant(cameras)).numpy()
    error_px = np.linalg.norm(projected - target, axis=-1) * synthetic.IMAGE_SIZE / 2
    assert error_px.mean() < 0.7
    assert error_px.max() < 5.0


def test_synthetic_people_are_as_large_and_as_central_as_in_the_records_of_real_datasets(people):
    keypoints = stack(people, "keypoints_px")
    low, high = keypoints.min(axis=1), keypoints.max(axis=1)
    diagonal = np.linalg.norm(high - low, axis=1)
    assert 130 < diagonal.min() < diagonal.mean() < diagonal.max() < 175
    assert abs(diagonal.mean() - 150) < 6
    assert np.abs((low + high) / 2 - 128).max() < 32
    assert keypoints.min() > 0
    assert keypoints.max() < 256


def test_synthetic_left_is_the_persons_left(people):
    keypoints = stack(people, "keypoints_px")
    facing = Rotation.from_rotvec(stack(people, "pose")[:, 0]).apply([0.0, 0.0, 1.0])
    across = of(keypoints, "left_hip")[:, 0] - of(keypoints, "right_hip")[:, 0]
    front, back = facing[:, 2] < -0.5, facing[:, 2] > 0.5
    assert front.sum() > 10
    assert back.sum() > 1
    assert (across[front] > 0).mean() > 0.9  # a few hang upside down
    assert (across[back] < 0).mean() > 0.6


def test_synthetic_most_people_are_upright_and_face_the_viewer(people):
    keypoints, pose = stack(people, "keypoints_px"), stack(people, "pose")
    feet = (of(keypoints, "left_ankle") + of(keypoints, "right_ankle")) / 2
    assert (of(keypoints, "neck")[:, 1] < feet[:, 1] - 20).mean() > 0.8
    facing = Rotation.from_rotvec(pose[:, 0]).apply([0.0, 0.0, 1.0])
    assert 0.5 < (facing[:, 2] < -0.3).mean() < 0.95


def test_synthetic_person_is_where_the_labels_say(people, body):
    """Drawn again from the labels alone, over what is in the picture beside the body."""
    faces = body_model.read_model().faces
    joints = stack(people, "lsp_joints")
    translation = (joints - body.joints3d.numpy()[:, :14]).mean(axis=1)
    camera = stack(people, "camera")
    _, mask = render.render_scene(
        body.vertices, translation, faces, camera[:, 0], camera[:, 1:], (256, 256)
    )
    inside = [
        mask[i, int(y), int(x)]
        for i, person in enumerate(people)
        for x, y in person.keypoints_px[list(range(12))]
    ]
    assert np.mean(inside) > 0.93  # limbs' joints lie in the limbs
    # The outline of the mask is an edge of the picture: colours change more than beside it.
    stronger = 0
    for person, one in zip(people, mask):
        gradient = np.abs(cv2.Laplacian(person.image.mean(axis=2), cv2.CV_64F))
        outline = cv2.dilate(one.astype(np.uint8), np.ones((3, 3))) - one
        around = cv2.dilate(one.astype(np.uint8), np.ones((15, 15))) - one - outline
        stronger += gradient[outline > 0].mean() > gradient[around > 0].mean()
    assert stronger / COUNT > 0.9


def test_synthetic_pictures_vary(people):
    images = stack(people, "image").astype(float)
    assert images.std(axis=(1, 2, 3)).min() > 8
    assert images.std(axis=0).mean() > 30
    assert np.std([person.betas[0] for person in people]) > 0.6


def test_synthetic_seed_gives_the_same_people_and_a_larger_limit_only_adds(people):
    again = list(synthetic.read("", "train", 20, 0, ""))
    assert len(again) == 20
    for one, same in zip(people, again):
        assert one.filename == same.filename
        for name in ("image", "keypoints_px", "lsp_joints", "pose", "betas", "camera"):
            np.testing.assert_array_equal(getattr(one, name), getattr(same, name))


def test_synthetic_splits_and_seeds_are_different_people(people):
    for split, seed in (("test", 0), ("train", 1)):
        other = next(iter(synthetic.read("", split, 1, seed, "")))
        assert min(np.abs(other.pose - person.pose).max() for person in people) > 0.01
        assert other.filename not in {person.filename for person in people}


def test_synthetic_photographs_as_backgrounds(tmp_path):
    for name, color in (("a.jpg", (0, 0, 255)), ("b.png", (0, 0, 255))):  # OpenCV: red
        cv2.imwrite(str(tmp_path / name), np.full((90, 120, 3), color, np.uint8))
    person = next(iter(synthetic.read(str(tmp_path), "train", 1, 0, "")))
    red, green, blue = person.image[:40].reshape(-1, 3).mean(axis=0)
    assert red > green + 100
    assert red > blue + 100


def test_synthetic_unreadable_backgrounds_are_named_and_others_taken(tmp_path):
    cv2.imwrite(str(tmp_path / "good.png"), np.full((90, 120, 3), (0, 0, 255), np.uint8))
    for name in ("empty.jpg", "text.jpg", "._good.png"):
        (tmp_path / name).write_bytes(b"" if name == "empty.jpg" else b"no picture")
    items = list(synthetic.read(str(tmp_path), "train", 3, 0, ""))
    problems = [item for item in items if isinstance(item, Skipped)]
    assert sorted(problems) == [
        Skipped("hidden file", str(tmp_path / "._good.png")),
        Skipped("image unreadable", str(tmp_path / "empty.jpg")),
        Skipped("image unreadable", str(tmp_path / "text.jpg")),
    ]
    assert len(items) - len(problems) == 3
    red, green, _ = items[-1].image[:40].reshape(-1, 3).mean(axis=0)
    assert red > green + 100


def test_synthetic_refuses_bad_input(tmp_path):
    with pytest.raises(InputError, match="train and test"):
        next(iter(synthetic.read("", "val", 1, 0, "")))
    with pytest.raises(InputError, match="train and test"):
        next(iter(synthetic.read_mocap("val", 1, 0)))
    with pytest.raises(InputError, match="no photographs"):
        next(iter(synthetic.read(str(tmp_path), "train", 1, 0, "")))
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"none of the 1 photographs .*broken\.jpg"):
        next(iter(synthetic.read(str(tmp_path), "train", 1, 0, "")))
    with pytest.raises(InputError, match="SMPL model not found"):
        next(iter(synthetic.read("", "train", 1, 0, "noregions.pkl")))


def test_synthetic_mocap_poses():
    poses = list(synthetic.read_mocap("train", 1500, 0))
    assert len(poses) == 1500
    assert {(p.pose.shape, p.betas.shape) for p in poses} == {((72,), (10,))}
    assert not np.stack([p.pose for p in poses])[:, :3].any()
    assert len({p.pose.tobytes() for p in poses}) == 1500
    again, test = (next(iter(synthetic.read_mocap(split, 1, 0))) for split in ("train", "test"))
    np.testing.assert_array_equal(again.pose, poses[0].pose)
    assert np.abs(test.pose - poses[0].pose).max() > 0.01


def test_synthetic_clothes_lie_where_they_belong(rng):
    model = body_model.read_model()
    regions = appearance.body_regions(model)
    x, y, _ = model.v_template.T
    assert regions.arm[x.argmax()] > 1  # finger tips are beyond the wrist
    assert regions.leg[y.argmin()] > 1  # soles are below the ankle
    assert regions.is_foot[y.argmin()]
    assert regions.head[y.argmax()] == 1
    assert 0.03 < regions.is_neck.mean() < 0.5
    colors = appearance.clothes(rng, regions, 64)
    assert colors.shape == (64, len(y), 3)
    assert colors.min() >= 0
    assert colors.max() <= 1
    # Hands stay bare under nearly every sleeve: the colour of both hands is the same skin.
    hands = colors[:, x.argmax()] - colors[:, x.argmin()]
    assert np.abs(hands).mean() < 0.06

"""The moving picture for animators: a walk is drawn, predicted by the command, and shown."""

import cv2
import numpy as np
import pytest

from hmr_tf.body import body_model, skeleton
from hmr_tf.body.smpl import SMPL
from tests.fakes.commands import run_command
from tools import walking_picture


@pytest.fixture(scope="module")
def smpl():
    return SMPL(body_model.read_model())


def test_walking_picture_poses_repeat_and_mirror_after_half_a_cycle():
    cycle = walking_picture.FRAMES_PER_CYCLE
    poses = walking_picture.walk_poses(cycle + 1)
    np.testing.assert_allclose(poses[0], poses[cycle], atol=1e-6)
    mirror = list(skeleton.mirror(skeleton.SMPL_JOINTS))
    mirrored = poses[cycle // 2][mirror] * [1, -1, -1]
    np.testing.assert_allclose(poses[0], mirrored, atol=1e-6)
    assert np.abs(poses[0] - poses[cycle // 2]).max() > 0.3  # radians


def test_walking_picture_body_walks_on_the_floor_towards_the_camera(smpl):
    points = walking_picture.walking_points(smpl, num_frames=12)
    np.testing.assert_allclose(points[..., 1].max(axis=1), walking_picture.CAMERA_HEIGHT, atol=1e-5)
    step = np.diff(points.mean(axis=1), axis=0).mean(axis=0)
    assert np.linalg.norm(step) == pytest.approx(
        walking_picture.SPEED / walking_picture.RATE_HZ, rel=0.2
    )
    yaw = np.radians(walking_picture.YAW_DEG)
    np.testing.assert_allclose(
        step / np.linalg.norm(step), [np.sin(yaw), 0, -np.cos(yaw)], atol=0.1
    )


def test_walking_picture_shows_video_overlay_and_predicted_body(smpl, tmp_path, rng):
    frames = [rng.integers(0, 256, (96, 96, 3), dtype=np.uint8) for _ in range(6)]
    videos = [tmp_path / "walk.mp4", tmp_path / "walk_overlay.mp4"]
    for video in videos:
        with walking_picture.video_files.writer(video, 24) as write:
            for frame in frames:
                write(frame)
    predicted = {
        "frame": np.arange(5),  # the sixth frame has no person
        "person": np.zeros(5, int),
        "rotations": np.tile(np.eye(3, dtype=np.float32), (5, 24, 1, 1)),
        "betas": np.zeros((5, 10), np.float32),
        "faces": body_model.read_model().faces,
    }
    shown = list(walking_picture.panels(*videos, predicted, smpl))
    height = walking_picture.HEIGHT
    assert [picture.shape for picture in shown] == [(height, 3 * height, 3)] * 3
    assert (shown[0][:, 2 * height :] < 250).any(axis=-1).mean() > 0.03  # a body on white
    walking_picture.write_picture(tmp_path / "new" / "walking.webp", shown)
    _, animation = cv2.imreadanimation(str(tmp_path / "new" / "walking.webp"))
    assert len(animation.frames) == 3


def test_walking_picture_without_a_detector_is_refused(tmp_path, capsys):
    options = {"detector": tmp_path / "none", "folder": tmp_path / "a"}
    assert run_command(walking_picture, **options) == 2
    assert "make it, `python -m tools.movenet" in capsys.readouterr().err
    assert not (tmp_path / "a").exists()

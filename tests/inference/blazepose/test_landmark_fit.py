"""Bodies fitted to labels and landmarks where the two agree."""

import numpy as np
import pytest

from hmr_tf.body import body_model
from hmr_tf.body.skeleton import KEYPOINTS
from hmr_tf.body.smpl import SMPL
from hmr_tf.files import optional_models
from hmr_tf.inference.blazepose import landmark_fit, landmarks
from tests.fakes import landmark_fakes

ANKLE = KEYPOINTS.index("right_ankle")  # not labelled


@pytest.fixture(scope="module")
def smpl():
    return SMPL(body_model.read_model())


@pytest.fixture(scope="module")
def made(smpl):
    return landmark_fakes.people(smpl, 4)


def test_landmark_fit_finds_the_body_in_3d(smpl, made):
    given = landmark_fit.targets(made.keypoints_px, made.landmarks)
    result = landmark_fit.LandmarkFitter(smpl)(given, num_steps=200)
    assert result.is_good.all()
    assert result.reasons == [""] * 4
    wanted = made.joints3d[:, :14] - made.joints3d[:, 2:4].mean(axis=1, keepdims=True)
    fitted = result.lsp_joints - result.lsp_joints[:, 2:4].mean(axis=1, keepdims=True)
    assert np.linalg.norm(fitted - wanted, axis=-1).mean() < 0.06


def test_landmark_targets_take_hidden_joints_from_blazepose(made):
    given = landmark_fit.targets(made.keypoints_px, made.landmarks)
    in_px = given.keypoints2d_norm[..., :2] * given.half_sides_px[:, None, None]
    in_px += given.centers_px[:, None]
    np.testing.assert_allclose(in_px, made.keypoints_px[..., :2], atol=1e-3)
    assert given.is_consistent.all()
    weights = given.keypoints2d_norm[..., 2]
    np.testing.assert_allclose(weights[:, ANKLE], 0.9 * landmark_fit.HIDDEN_WEIGHT, rtol=1e-5)
    assert (weights[:, 1:14] == 1).all()
    assert (given.directions[..., 3] > 0.9).all()


def moved(detected, joints, by_px):
    keypoints = detected.keypoints_px.copy()
    keypoints[joints, 0] += by_px
    return detected._replace(keypoints_px=keypoints)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda labels, detected: (labels, moved(detected, slice(2, 9), 90)),
            "landmarks differ from labels",
        ),
        (
            lambda labels, detected: (labels, detected._replace(presence=0.2)),
            "no person detected",
        ),
        (lambda labels, detected: (labels * ([[1]] * 4 + [[0]] * 15), detected), "few keypoints"),
    ],
)
def test_landmark_targets_name_the_reason_of_a_rejection(smpl, made, change, reason):
    labels, detected = change(made.keypoints_px[0], made.landmarks[0])
    given = landmark_fit.targets(labels[None], [detected])
    assert given.reasons == [reason]
    assert not given.directions[..., 3].any()
    assert given.keypoints2d_norm[0, ANKLE, 2] == 0
    result = landmark_fit.LandmarkFitter(smpl)(given, num_steps=5)
    assert (result.is_good.tolist(), result.reasons) == ([False], [reason])


def test_landmark_targets_leave_out_single_joints_that_disagree(made):
    detected = moved(made.landmarks[0], [KEYPOINTS.index("left_wrist")], 90)
    given = landmark_fit.targets(made.keypoints_px[:1], [detected])
    assert given.is_consistent.all()
    ends = [names[0] for names in landmark_fit.fitting.DIRECTIONS]
    weights = dict(zip(ends[:8], given.directions[0, :8, 3]))
    assert weights["left_wrist"] == 0
    assert weights["left_elbow"] > 0.9


@pytest.mark.parametrize("degrees", [0, 90, 200])
def test_landmark_window_makes_the_torso_upright(degrees):
    points = np.zeros((19, 3), np.float32)
    upright = {"right_hip": (-1, 1), "left_hip": (1, 1), "neck": (0, -2)}
    upright.update({"right_shoulder": (-1, -1.5), "left_shoulder": (1, -1.5), "left_wrist": (3, 0)})
    rotation = landmarks._rotation2d(np.radians(degrees))
    for name, point in upright.items():
        points[KEYPOINTS.index(name)] = (*(rotation @ point * 20 + 100), 1)
    window = landmarks.window_of(points)
    back = np.linalg.inv(landmarks._rotation2d(window.angle))
    neck = back @ (points[KEYPOINTS.index("neck"), :2] - window.center_px)
    np.testing.assert_allclose(neck, (0, -60), atol=1e-3)
    reach = np.linalg.norm(points[points[:, 2] > 0, :2] - window.center_px, axis=1).max()
    assert window.radius_px >= reach


def test_landmark_window_without_a_torso_holds_all_keypoints():
    points = np.zeros((19, 3), np.float32)
    points[[7, 8]] = [(10, 10, 1), (50, 40, 1)]
    window = landmarks.window_of(points)
    np.testing.assert_allclose(window.center_px, (30, 25))
    assert (window.radius_px, window.angle) == (pytest.approx(37.5), 0)


def test_landmarks_without_blazepose_name_the_command(tmp_path):
    with pytest.raises(landmarks.InputError, match=r"python -m tools\.blazepose"):
        landmarks.BlazePose(tmp_path)
    (tmp_path / optional_models.BLAZEPOSE_FILE).write_bytes(b"no model")
    with pytest.raises(landmarks.InputError, match="damaged or of another version"):
        landmarks.BlazePose(tmp_path)

"""Groups of people by box size, truncation and heading, from labels made for each case."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from hmr_tf.body.rotation import matrix_from_axis_angle
from hmr_tf.body.skeleton import KEYPOINTS, LSP_JOINTS
from hmr_tf.evaluation import evaluation_set, person_groups

# A person who faces the camera: x to the right of the picture, y down, z away.
FACING = {
    **{"right_shoulder": (-0.2, -0.5, 0), "left_shoulder": (0.2, -0.5, 0)},
    **{"right_hip": (-0.1, 0, 0), "left_hip": (0.1, 0, 0)},
}


def joints_of(rotation, names):
    joints = np.zeros((len(names), 3))
    for name, point in FACING.items():
        joints[names.index(name)] = rotation @ np.array(point)
    return joints


def rotation_about(axis, degrees):
    axis_angle = np.radians(degrees) * np.array(axis, np.float32)
    return matrix_from_axis_angle(axis_angle[None].astype(np.float32)).numpy()[0]


def people_of(predicted, **truth):
    count = len(predicted)
    joints3d = np.stack([joints_of(rotation, KEYPOINTS) for rotation in predicted])
    return evaluation_set.EvaluationSet(
        (Path("x/test_000.tfrecord"),),
        np.zeros(count, int),
        np.arange(count),
        truth,
        {"joints3d": joints3d},
    )


# Rotated about the vertical: seen from above clockwise, so that the right side comes nearer.
HEADINGS = (
    ((0, 1, 0), 0, person_groups.FRONT),
    ((0, 1, 0), -90, person_groups.RIGHT),
    ((0, 1, 0), 90, person_groups.LEFT),
    ((0, 1, 0), 170, person_groups.BACK),
    ((0, 0, 1), 90, person_groups.LYING),
    ((0, 0, 1), 180, person_groups.LYING),
    ((1, 0, 0), 30, person_groups.FRONT),
)


def test_headings_of_predictions_and_of_labels():
    expected = [name for _, _, name in HEADINGS]
    rotations = [rotation_about(axis, degrees) for axis, degrees, _ in HEADINGS]
    # The right side is nearer where its z is smaller.
    assert (rotations[1] @ FACING["right_hip"])[2] < 0
    assert person_groups.attributes(people_of(rotations))["heading"].tolist() == expected
    wrong = [np.eye(3)] * len(rotations)
    joints = np.stack([joints_of(rotation, LSP_JOINTS) for rotation in rotations])
    people = people_of(wrong, lsp_joints=joints, has_joints=np.arange(len(rotations)) > 0)
    assert person_groups.attributes(people)["heading"].tolist() == expected
    # SMPL's rest pose faces +z with y up: half a rotation about x faces the camera.
    upright = rotation_about((1, 0, 0), 180)
    poses = np.zeros((len(rotations), 24, 3))
    poses[:, 0] = [
        cv2.Rodrigues((rotation @ upright).astype(float))[0][:, 0] for rotation in rotations
    ]
    poses[0] = np.nan
    people = people_of(wrong, truth_pose=poses.astype(np.float32))
    assert person_groups.attributes(people)["heading"].tolist() == expected


def test_truncations_are_of_labels_inside_the_picture():
    keypoints = np.ones((5, len(KEYPOINTS), 3), np.float32) * 50
    ankle, knee = (KEYPOINTS.index(f"left_{part}") for part in ("ankle", "knee"))
    keypoints[1, ankle, 0] = 100  # the first pixel outside
    keypoints[2, ankle, 2] = 0
    legs = [k for k, name in enumerate(KEYPOINTS) if "ankle" in name or "knee" in name]
    keypoints[3, legs, 2] = 0
    keypoints[4, :, 2] = 0
    people = people_of([np.eye(3)] * 5, keypoints_px=keypoints, size=np.full((5, 2), 100))
    groups = person_groups.attributes(people)
    assert groups["truncation"].tolist() == [
        person_groups.WHOLE,
        person_groups.PARTLY,
        person_groups.PARTLY,
        person_groups.CUT_OFF,
        "no label",
    ]
    assert knee in legs
    assert "box size" not in groups  # the scale of the records is not known
    tables = person_groups.tables(groups, {"keypoints_px": np.array([1.0, 2, 4, np.nan, np.nan])})
    rows = tables["truncation"]
    assert list(rows)[:2] == [person_groups.WHOLE, person_groups.PARTLY]
    assert rows[person_groups.PARTLY] == {"frames": 2, "keypoints_px": pytest.approx(3)}
    assert np.isnan(rows[person_groups.CUT_OFF]["keypoints_px"])


def test_box_sizes_are_in_pixels_of_the_source():
    keypoints = np.ones((4, len(KEYPOINTS), 3), np.float32) * 10
    keypoints[:, 0, 1] = 110  # 100 px high in the record
    scale = np.array([(0.5, 0.5), (2.0, 2.0), (0.1, 0.1), (np.nan, np.nan)])
    people = people_of(
        [np.eye(3)] * 4,
        keypoints_px=keypoints,
        size=np.full((4, 2), 200),
        source_scale_xy=scale,
    )
    groups = person_groups.attributes(people)["box size"].tolist()
    assert groups == ["128 to 256 px", "0 to 64 px", "from 512 px", "not known"]

"""PoseTrack's JSON from the converter to PCKh: COCO's form with a head and without eyes."""

import cv2
import numpy as np
import pytest

from data_prep import to_tfrecords
from hmr_tf.body.skeleton import COCO_KEYPOINTS, KEYPOINTS
from hmr_tf.evaluation import evaluate_protocol, evaluation_set
from hmr_tf.evaluation.protocols import keypoints2d
from tests.fakes import coco_files
from tests.fakes.commands import run_command

NAMES = ("nose", "head_bottom", "head_top", "left_ear", "right_ear", *COCO_KEYPOINTS[5:])
HEAD_PX = 40.0


def test_posetrack_people_get_pckh_of_the_joints_that_both_have(tmp_path, rng):
    points = np.c_[rng.uniform(60, 240, (17, 2)).round(), np.ones(17)]
    points[NAMES.index("head_top"), :2] = 100, 50
    points[NAMES.index("head_bottom"), :2] = 100, 50 + HEAD_PX
    points[3:5] = 0  # PoseTrack 2018 labels no ears
    image = rng.integers(0, 256, (300, 300, 3), np.uint8)
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "000000.jpg"), image)
    path = coco_files.write(
        tmp_path / "posetrack.json",
        {10000: ("images/000000.jpg", 300, 300)},
        [coco_files.annotation(10000, points)],
        [{"id": 1, "name": "person", "keypoints": list(NAMES)}],
    )
    options = {"dataset": "coco", "split": "val", "annotations": path}
    output = tmp_path / "tfrecords"
    assert run_command(to_tfrecords, data_dir=tmp_path, output_dir=output, **options) == 0
    plan = evaluate_protocol.plan(
        "keypoints2d", output, {"datasets": ["coco"], "split": "val"}, allow_missing=False
    )
    labels = plan.frames.truth["keypoints_px"]
    has_label = labels[0, :, 2] > 0
    assert {name for name, known in zip(KEYPOINTS, has_label) if known} == {
        *("nose", "neck", "head_top"),
        *COCO_KEYPOINTS[5:],
    }
    head = labels[0, [KEYPOINTS.index("neck"), KEYPOINTS.index("head_top")], :2]
    head_px = np.linalg.norm(head[0] - head[1])
    moved = labels[..., :2].copy()
    moved[:, KEYPOINTS.index("left_knee"), 0] += 0.49 * head_px
    moved[:, KEYPOINTS.index("right_knee"), 0] += 0.51 * head_px
    place = {"scale_xy": np.ones((1, 2)), "corner_px": np.zeros((1, 2))}
    people = evaluation_set.with_predictions(
        plan.frames, [{"keypoints_px": moved, **place}], np.ones(1, bool)
    )
    measured = keypoints2d.score(people, plan.options)
    assert measured.metrics["pck_head_percent"] == pytest.approx(100 * 14 / 15)
    assert measured.tables["joint"]["right_knee"]["pck_head_percent"] == 0
    assert "left_eye" not in measured.tables["joint"]

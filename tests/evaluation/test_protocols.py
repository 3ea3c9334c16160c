"""The protocols from flags to files, with a model that predicts the truth or known errors."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from absl import flags
from absl.testing import flagsaver

from data_prep import to_tfrecords
from hmr_tf import main
from hmr_tf.body.skeleton import KEYPOINTS, LSP_HIPS, LSP_JOINTS, MPI_INF_3DHP_JOINTS
from hmr_tf.data import h36m_names, record
from hmr_tf.evaluation import cached_predictions, evaluate_protocol, evaluation_set
from hmr_tf.evaluation.protocols import (
    body_errors,
    keypoints2d,
    perspective_correction,
    protocol_registry,
)
from hmr_tf.evaluation.report import comparison, results
from hmr_tf.files.errors import InputError
from hmr_tf.networks import engines
from tests.fakes import evaluation_fakes as fakes
from tests.fakes import tiny_body
from tests.fakes.commands import run_command
from tests.fakes.image_records import write

P2_FEW = {"S9_Directions_0_cam3": (0, 1, 2), "S11_Eating_0_cam3": (3,), "S9_Eating_0_cam3": (4, 5)}
TS = {"TS1": (0, 1), "TS2": (2,), "TS3": (3,), "TS4": (4, 5), "TS5": (6,), "TS6": (7, 8)}


@pytest.fixture(scope="module")
def smpl(tmp_path_factory):
    return fakes.smpl(tiny_body.write(tmp_path_factory.mktemp("body") / "tiny.npz"))


@pytest.fixture(scope="module")
def truth(smpl):
    return fakes.truth_of(fakes.Oracle(fakes.thetas(), smpl))


@pytest.fixture
def evaluate(smpl, tmp_path, monkeypatch):
    """Runs --mode=evaluate on `tmp_path/data`; gives results.json and the model."""
    if not flags.FLAGS.is_parsed():
        flags.FLAGS(["test"])
    monkeypatch.setattr(evaluate_protocol, "TIMED_IMAGES", 2)

    def evaluate_(protocol, changes=None, **values):
        oracle = fakes.Oracle(fakes.thetas(), smpl, **(changes or {}))
        monkeypatch.setattr("hmr_tf.cli.evaluate.load", lambda options: oracle)
        output = tmp_path / values.pop("output", "output")
        options = {
            "mode": "evaluate",
            "protocol": protocol,
            "load_path": fakes.load_path(tmp_path / "run"),
            "data_dir": str(tmp_path / "data"),
            "output_dir": str(output),
            "batch_size": 4,
            "allow_missing": True,
            **values,
        }
        with flagsaver.flagsaver(**options):
            main.main(["main"])
        return json.loads((output / "results.json").read_text()), oracle

    return evaluate_


@pytest.fixture
def score(tmp_path, truth):
    """Scores of the oracle's predictions, changed by `move`, without running it."""

    def score_(protocol, move=lambda joints: joints, **given):
        plan = evaluate_protocol.plan(protocol, tmp_path / "data", given, allow_missing=True)
        files = [np.flatnonzero(plan.frames.file == k) for k in range(len(plan.frames.paths))]
        people_numbers = [int(name[4:10]) for name in plan.frames.truth["filename"].astype(str)]
        predicted = {
            "joints3d": move(truth["joints3d"][people_numbers]),
            "smpl_joints": truth["smpl_joints"][people_numbers],
        }
        predicted = [{k: v[rows] for k, v in predicted.items()} for rows in files]
        people = evaluation_set.with_predictions(plan.frames, predicted, plan.is_evaluated)
        return protocol_registry.PROTOCOLS[protocol].score(people, plan.options, None)

    return score_


def translated(joints):
    return joints + np.float32([0.0, 0.03, 0.0])


def about_the_hips(factor):
    """Scales bodies about the middle of their hips."""

    def scale(joints):
        hips = sum(joints[:, k] for k in LSP_HIPS)[:, None] / 2
        return hips + factor * (joints - hips)

    return scale


def test_h36m_sequences_are_the_originals():
    assert len(h36m_names.sequences_to_test((0, 1), (0, 1, 2, 3))) == 239
    assert len(h36m_names.sequences_to_test((0,), (3,))) == 30
    assert h36m_names.CORRUPT not in h36m_names.sequences_to_test((0, 1), (0,))
    assert h36m_names.sequences_to_test((0,), (3,))[:2] == [
        "S9_Directions_0_cam3",
        "S11_Directions_0_cam3",
    ]


def test_h36m_errors_of_the_truth_are_zero_on_the_complete_set(evaluate, tmp_path, truth, capsys):
    names = h36m_names.sequences_to_test((0, 1), h36m_names.CAMERAS)
    people = {name: (number % fakes.NUM_PEOPLE,) for number, name in enumerate(names)}
    fakes.write_h36m(tmp_path / "data", people, truth)
    content, _ = evaluate("h36m_p1", allow_missing=False)
    assert content["counts"] == {"sequences": len(names), "frames": len(names)}
    assert content["missing"] == []
    errors = {key: value for key, value in content["metrics"].items() if key.endswith("_mm")}
    assert len(errors) == 6
    assert errors == pytest.approx(dict.fromkeys(errors, 0.0), abs=1e-3)
    assert list(content["tables"]["action"]) == list(h36m_names.ACTIONS)
    printed = capsys.readouterr().out
    assert "--root=hips --trials=0,1 --joints=14\n" in printed
    assert "WakingDog" in printed


def test_protocols_measure_a_translation_by_30_mm_from_the_root(score, tmp_path, truth):
    """All 14 joints move and the pelvis does not: with it as root each is 30 mm off."""
    hips = truth["joints3d"][:, list(LSP_HIPS)].mean(1, keepdims=True)
    pelvis = truth["smpl_joints"][:, :1] - hips
    fakes.write_3dhp(tmp_path / "data", TS, truth)
    measured = score("mpi_inf_3dhp", translated, root="pelvis").metrics
    assert measured["mpjpe_mm"] == pytest.approx(30, abs=1e-3)
    assert measured["pa_mpjpe_mm"] == pytest.approx(0, abs=1e-3)
    # Of the thresholds 0, 5 ... 150 mm 35 and more let it pass, and 30, within float32, perhaps.
    assert 31 * measured["auc_percent"] / 100 == pytest.approx(24.5, abs=0.5)
    assert measured["pck_percent"] == 100
    fakes.write_h36m(tmp_path / "data", P2_FEW, truth)
    offset_mm = 1e3 * np.linalg.norm(pelvis[:6] - (0.0, 0.03, 0.0), axis=-1).mean()
    measured = score("h36m_p2", translated, root="pelvis").metrics
    assert measured["mpjpe_mm"] == pytest.approx(offset_mm, abs=1e-3)
    measured = score("h36m_p2", translated, root="hips").metrics
    assert measured["mpjpe_mm"] == pytest.approx(0, abs=1e-3)


def test_h36m_errors_of_a_scaled_body(evaluate, tmp_path, truth):
    fakes.write_h36m(tmp_path / "data", P2_FEW, truth)
    content, _ = evaluate("h36m_p2", {"move": about_the_hips(1.1)})
    joints = truth["joints3d"][:, :14]
    size = np.linalg.norm(joints - joints[:, list(LSP_HIPS)].mean(1, keepdims=True), axis=-1)
    error = 100 * size.mean(1)  # a tenth, in mm, of each person
    measured, tables = content["metrics"], content["tables"]
    assert measured["mpjpe_mm"] == pytest.approx(error[:6].mean(), rel=1e-4)
    assert measured["mpjpe_median_mm"] == pytest.approx(np.median(error[:6]), rel=1e-4)
    # Eating: the mean of the means of S9's two frames and of S11's one.
    eating = (error[3] + error[4:6].mean()) / 2
    assert tables["action"]["Eating"]["mpjpe_mm"] == pytest.approx(eating, rel=1e-4)
    assert measured["mpjpe_actions_mm"] == pytest.approx((error[:3].mean() + eating) / 2, rel=1e-4)
    assert measured["pa_mpjpe_mm"] == pytest.approx(0, abs=1e-3)
    assert tables["joint"]["head_top"]["mpjpe_mm"] == pytest.approx(
        100 * size[:6, KEYPOINTS.index("head_top")].mean(), rel=1e-4
    )
    assert content["percentiles"]["mpjpe_mm"]["95"] == pytest.approx(
        np.percentile(error[:6], 95), rel=1e-4
    )


def test_h36m_trials_and_joints_are_flags(score, tmp_path, truth):
    fakes.write_h36m(tmp_path / "data", {**P2_FEW, "S9_Eating_1_cam3": (6,)}, truth)
    three = ("left_wrist", "right_wrist", "neck")
    measured = score("h36m_p2", about_the_hips(1.1), trials=(0, 1), joints=three)
    assert len(measured.errors["mpjpe_mm"]) == 7
    assert tuple(measured.tables["joint"]) == three
    assert len(score("h36m_p2").errors["mpjpe_mm"]) == 6


@pytest.mark.parametrize("direction", [(0.0, 0.0), (0.25, -0.1)])
def test_mpi_inf_3dhp_scores_of_the_truth(score, tmp_path, truth, direction):
    fakes.write_3dhp(tmp_path / "data", TS, truth, direction)
    for joints in (LSP_JOINTS, MPI_INF_3DHP_JOINTS):
        measured = score("mpi_inf_3dhp", joints=joints)
        assert measured.metrics == pytest.approx(
            {
                "mpjpe_mm": 0,
                "pa_mpjpe_mm": 0,
                "pck_percent": 100,
                "pa_pck_percent": 100,
                "auc_percent": 100 * 30 / 31,
                "pa_auc_percent": 100 * 30 / 31,
            },
            abs=2e-3,
        )
        assert tuple(measured.tables["joint"]) == joints
    assert list(measured.tables["sequence"]) == list(TS)
    activities = {name: row["frames"] for name, row in measured.tables["activity"].items()}
    assert activities == {"standing/walking": 3, "exercise": 3, "sitting": 3}


def test_mpi_inf_3dhp_from_flags_to_files(evaluate, tmp_path, truth, capsys):
    fakes.write_3dhp(tmp_path / "data", TS, truth, (0.25, -0.1))
    content, _ = evaluate("mpi_inf_3dhp", allow_missing=False)
    assert content["metrics"]["mpjpe_mm"] == pytest.approx(0, abs=2e-3)
    assert content["metrics"]["auc_percent"] == pytest.approx(100 * 30 / 31)
    printed = capsys.readouterr().out
    assert "--perspective_correction=True" in printed
    assert "72.90" in printed  # the paper's


def test_mpi_inf_3dhp_without_perspective_correction(score, tmp_path, truth):
    fakes.write_3dhp(tmp_path / "data", TS, truth, direction=(0.25, -0.1))
    measured = score("mpi_inf_3dhp", perspective_correction=False).metrics
    joints = np.array([fakes.joints_3dhp(truth, person) for person in range(9)])
    joints = joints[:, [MPI_INF_3DHP_JOINTS.index(name) for name in LSP_JOINTS]]
    joints = joints - joints[:, list(LSP_HIPS)].mean(1, keepdims=True)
    rotation = fakes.smallest_rotation(np.array([0.25, -0.1, 1.0]))
    expected = np.linalg.norm(joints @ rotation.T - joints, axis=-1).mean()
    assert measured["mpjpe_mm"] == pytest.approx(1e3 * expected, rel=1e-3)
    assert measured["pa_mpjpe_mm"] == pytest.approx(0, abs=2e-3)


def test_mpi_inf_3dhp_universal_skeleton(score, tmp_path, truth):
    fakes.write_3dhp(tmp_path / "data", TS, truth, universal_scale=1.1)
    joints = truth["joints3d"][:9, :14]
    size = np.linalg.norm(joints - joints[:, list(LSP_HIPS)].mean(1, keepdims=True), axis=-1)
    measured = score("mpi_inf_3dhp").metrics
    assert measured["mpjpe_mm"] == pytest.approx(100 * size.mean(), rel=1e-4)
    assert measured["pa_mpjpe_mm"] == pytest.approx(0, abs=2e-3)
    measured = score("mpi_inf_3dhp", universal=False).metrics
    assert measured["mpjpe_mm"] == pytest.approx(0, abs=2e-3)


def test_keypoints2d_errors_of_a_translation_by_20_px(evaluate, tmp_path, truth):
    records = [fakes.image_record(person, truth) for person in range(4)]
    write(tmp_path / "data" / "lsp" / "test_000.tfrecord", records)
    content, _ = evaluate("keypoints2d", {"translation_px": (12.0, 16.0)}, datasets=["lsp"])
    measured = content["metrics"]
    assert measured["keypoints_px"] == pytest.approx(20, abs=1e-3)
    # 20 px of the crop are 40 of the stored image: a box longer than 200 passes.
    points = truth["keypoints_px"][:4]
    boxes = (points.max(1) - points.min(1)).max(1)
    assert measured["pck_box_percent"] == pytest.approx(100 * (0.2 * boxes > 40).mean())
    assert len(content["tables"]["joint"]) == len(KEYPOINTS)
    for name, share in {"pck05_percent": 0.05, "pck10_percent": 0.1}.items():
        expected = 100 * (share * 1.2 * boxes > 40).mean()
        assert measured[name] == pytest.approx(expected)
        assert content["tables"]["joint"]["nose"][name] == pytest.approx(expected)


SIDES = ("left", "right")
LEGS = [KEYPOINTS.index(f"{side}_{part}") for side in SIDES for part in ("knee", "ankle")]
SHOULDERS = [KEYPOINTS.index(f"{side}_shoulder") for side in SIDES]


def test_keypoints2d_counts_torsos_of_whole_and_of_cut_off_people(truth):
    labels = np.concatenate([truth["keypoints_px"][:6], np.ones((6, 19, 1))], axis=-1)
    labels[3:, LEGS, 2] = 0  # three of them are cut off
    labels[5, SHOULDERS[0], 2] = 0  # one of these has no torso
    predicted = labels[..., :2].copy()
    torso = predicted[:, SHOULDERS] - predicted[:, [KEYPOINTS.index(f"{s}_hip") for s in SIDES]]
    predicted[:, SHOULDERS] -= np.array([0.0, 0.1, 0.2, 0.1, 0.2, 0.1])[:, None, None] * torso
    place = {"scale_xy": np.ones((6, 2)), "corner_px": np.zeros((6, 2))}
    people = evaluation_set.EvaluationSet(
        (Path("lsp/test_000.tfrecord"),),
        np.zeros(6, int),
        np.arange(6),
        {"keypoints_px": labels},
        {"keypoints_px": predicted, **place},
    )
    measured = keypoints2d.score(people, {}).metrics
    assert measured["torso_whole_percent"] == pytest.approx(200 / 3)
    assert measured["torso_cut_off_percent"] == pytest.approx(50)


def test_keypoints2d_box_pck_is_the_mean_of_the_keypoints_shares():
    """As 4D-Humans: a keypoint that few people have counts as much as the others."""
    labels = np.zeros((4, 19, 3))
    labels[..., :2] = np.linspace(0, 100, 19)[:, None]  # the box is 100 px long, enlarged 120
    labels[..., 2] = 1
    labels[1:, 3, 2] = 0  # only one person has this one, and it is wrong
    predicted = labels[..., :2].copy()
    predicted[0, 3, 0] += 12.5
    predicted[1, 4, 0] += 6.5
    people = evaluation_set.EvaluationSet(
        (Path("lsp_ext/test_000.tfrecord"),),
        np.zeros(4, int),
        np.arange(4),
        {"keypoints_px": labels},
        {"keypoints_px": predicted, "scale_xy": np.ones((4, 2)), "corner_px": np.zeros((4, 2))},
    )
    measured = keypoints2d.score(people, {})
    assert measured.metrics["pck10_percent"] == pytest.approx(100 * 18 / 19)
    assert measured.metrics["pck05_percent"] == pytest.approx(100 * (17 + 0.75) / 19)
    assert measured.tables["joint"]["right_hip"]["pck10_percent"] == 100
    assert measured.tables["joint"]["left_hip"]["pck10_percent"] == 0


def test_keypoints2d_pck_leaves_out_a_box_of_a_single_label():
    """Its side is 0, and no keypoint is nearer than that; as mmpose and 4D-Humans leave it out."""
    labels = np.zeros((3, 19, 3))
    labels[..., :2] = np.linspace(0, 100, 19)[:, None]
    labels[0, :, 2] = 1
    labels[1:, 7, 2] = 1
    predicted = labels[..., :2].copy()
    predicted[0, 7, 0] += 30  # wrong: over 20 px
    people = evaluation_set.EvaluationSet(
        (Path("coco/val_000.tfrecord"),),
        np.zeros(3, int),
        np.arange(3),
        {"keypoints_px": labels},
        {"keypoints_px": predicted, "scale_xy": np.ones((3, 2)), "corner_px": np.zeros((3, 2))},
    )
    measured = keypoints2d.score(people, {}).metrics
    assert measured["keypoints_px"] == pytest.approx(30 / 21)  # these two count in the distance
    for name in ("pck_box_percent", "pck05_percent", "pck10_percent"):
        assert measured[name] == pytest.approx(100 * 18 / 19)


def test_keypoints2d_counts_angles_that_motion_capture_does_not_have(evaluate, tmp_path, truth):
    write(tmp_path / "data" / "lsp" / "test_000.tfrecord", [fakes.image_record(0, truth)])
    content, _ = evaluate("keypoints2d", datasets=["lsp"])
    assert "impossible_angles_percent" not in content["metrics"]
    folder = tmp_path / "mocap_neutrMosh"
    for angle, expected in ((10.0, 0.0), (0.0, 100.0)):
        poses = angle * np.stack([np.ones(72), -np.ones(72)]).astype("f4") * 0.1
        bodies = [record.encode_mocap(pose, np.zeros(10)) for pose in poses]
        folder.mkdir(exist_ok=True)
        with tf.io.TFRecordWriter(str(folder / "neutrSMPL_CMU_000.tfrecord")) as writer:
            for body in bodies:
                writer.write(body)
        content, _ = evaluate("keypoints2d", datasets=["lsp"], mocap_ranges=str(folder))
        assert content["metrics"]["impossible_angles_percent"] == pytest.approx(expected, abs=5)
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match=r"--mocap_ranges=.*none holds no TFRecords"):
        evaluate("keypoints2d", datasets=["lsp"], mocap_ranges=str(tmp_path / "none"))


def test_evaluate_writes_a_table_and_a_page(evaluate, tmp_path, truth):
    fakes.write_h36m(tmp_path / "data", P2_FEW, truth)
    content, _ = evaluate("h36m_p2", {"move": about_the_hips(1.1)})
    with open(tmp_path / "output" / "sequences.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["sequence"] for row in rows) == sorted(P2_FEW)
    by_sequence = content["tables"]["sequence"]
    assert float(rows[0]["mpjpe_mm"]) == by_sequence[rows[0]["sequence"]]["mpjpe_mm"]
    page = (tmp_path / "output" / "report.html").read_text()
    assert page.count("<svg") == 3
    assert page.count("data:image/jpeg;base64,") == 4
    assert "Incomplete:" in page
    assert "66.50" in page  # the paper's, unpaired
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    assert len(content["missing"]) == 27
    assert content["metrics"]["model_ms"] > 0
    assert content["metrics"]["rendered_ms"] > content["metrics"]["model_ms"]


def test_predictions_are_reused_until_model_or_data_change(smpl, tmp_path, truth):
    """Of three files one changes, one is cut off: those two are predicted again."""
    fakes.write_h36m(tmp_path / "data", P2_FEW, truth)
    oracle = fakes.Oracle(fakes.thetas(), smpl)
    predict_crops, counts = engines.in_tensorflow(oracle).predict, []

    def predict(digest="digest"):
        plan = evaluate_protocol.plan("h36m_p2", tmp_path / "data", {}, allow_missing=True)
        counts.clear()
        predicted = cached_predictions.predict_files(
            predict_crops,
            oracle.image_size,
            digest,
            plan.frames,
            tmp_path / "kept",
            batch_size=2,
            progress=counts.append,
        )
        joints = np.concatenate([part["joints3d"] for part in predicted])
        people_numbers = [int(name[4:10]) for name in plan.frames.truth["filename"].astype(str)]
        np.testing.assert_allclose(joints, truth["joints3d"][people_numbers], atol=1e-6)
        return counts

    assert predict() == [0, 2, 2, 2]  # those on disk, then those of each batch
    assert predict() == [6]
    fakes.write_h36m(tmp_path / "data", {"S9_Eating_0_cam3": (6, 7, 8)}, truth)
    (kept,) = (tmp_path / "kept").glob("S11_Eating_0_cam3_*.npz")
    kept.write_bytes(kept.read_bytes()[:-50])
    assert predict() == [3, 2, 2]
    assert predict("another model") == [0, 2, 2, 2, 1]
    assert not list((tmp_path / "kept").glob("*.partial"))


def test_predictions_digest_is_of_all_weights(smpl):
    oracle = fakes.Oracle(fakes.thetas(), smpl)
    digest = engines.model_digest(oracle)
    assert engines.model_digest(fakes.Oracle(fakes.thetas(), smpl)) == digest
    oracle.encoder.thetas.assign(fakes.thetas(seed=1))
    assert engines.model_digest(oracle) != digest


def test_compare_shows_runs_side_by_side(tmp_path, capsys):
    for name, value, root in (("a", 56.8, "hips"), ("b", 60.0, "pelvis")):
        content = {
            "protocol": "h36m_p2",
            "options": {"root": root, "trials": [0]},
            "metrics": {"pa_mpjpe_mm": value, "model_ms": float("nan")},
        }
        (tmp_path / name).mkdir()
        results.write(tmp_path / name, content)
    paths = [str(tmp_path / "a" / "results.json"), str(tmp_path / "b")]
    if not flags.FLAGS.is_parsed():
        flags.FLAGS(["test"])
    with flagsaver.flagsaver(mode="evaluate", compare=paths, output_dir=str(tmp_path)):
        main.main(["main"])
    printed = capsys.readouterr().out
    assert "+3.20" in printed
    assert "--root" in printed  # what differs between the runs
    assert "--trials" not in printed
    assert "+3.20" in (tmp_path / "comparison.html").read_text()


def test_compare_draws_people_from_kept_predictions(evaluate, tmp_path, truth):
    """Bodies with the model's own SMPL file, keypoints without it, a sentence without files."""
    fakes.write_h36m(tmp_path / "data", P2_FEW, truth)
    for output, factor in (("a", 1.1), ("b", 1.2)):
        evaluate("h36m_p1", {"move": about_the_hips(factor)}, output=output)
    body = str(next(tmp_path.parent.glob("body*/tiny.npz")))
    names = ("its TFRecord or its predictions have changed", "from the side", "keypoints")

    def page(smpl_model_path=""):
        evaluate_protocol.compare([tmp_path / "a", tmp_path / "b"], tmp_path, smpl_model_path)
        return (tmp_path / "comparison.html").read_text()

    drawn = page(body)
    assert drawn.count("data:image/jpeg;base64,") == 3  # one of each recording; no person gained
    assert [name in drawn for name in names] == [False, True, False]
    assert "By action" in drawn
    drawn = page()
    assert drawn.count("data:image/jpeg;base64,") == 3
    assert [name in drawn for name in names] == [False, False, True]
    for path in (tmp_path / "b" / "predictions").iterdir():
        path.unlink()
    drawn = page()
    assert "data:image/jpeg;base64," not in drawn
    assert [name in drawn for name in names] == [True, False, False]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "not a results.json"),
        ("[]", "not a results.json"),
        ('{"protocol": "h36m_p1", "metrics": {}}', "different protocols"),
        ('{"protocol": "h36m_p2", "metrics": {"x": "y"}}', "its metric x is not a number"),
    ],
)
def test_compare_refuses_other_files(tmp_path, content, message):
    results.write(tmp_path, {"protocol": "h36m_p2", "metrics": {}})
    other = tmp_path / "other.json"
    if content:
        other.write_text(content)
    with pytest.raises(InputError, match=message):
        comparison.compare([tmp_path, other])
    with pytest.raises(InputError, match="two results"):
        comparison.compare([tmp_path])


@pytest.fixture
def labelled_people(tmp_path, truth):
    """TFRecords of five people: two with all labels, one with 3D joints, two with keypoints."""
    thetas = fakes.thetas()
    joints = truth["joints3d"][:, : len(LSP_JOINTS)] + (0.2, -0.1, 3.0)
    records = []
    for person in range(5):
        labels = {}
        if person < 3:
            labels["lsp_joints"] = joints[person]
        if person < 2:
            labels["pose"] = thetas[person, 3:75].reshape(24, 3)
            labels["betas"] = thetas[person, 75:]
        records.append(fakes.image_record(person, truth, **labels))
    return write(tmp_path / "data" / "coco" / "test_000.tfrecord", records)


@pytest.mark.parametrize("protocol", ["", "body_errors"])
def test_body_errors_protocol_equals_the_evaluation_of_a_training(
    evaluate, labelled_people, protocol
):
    """With the same numbers at the top level of results.json, as before version 1.1."""
    changes = {"move": about_the_hips(1.1), "translation_px": (3.0, -4.0)}
    content, oracle = evaluate(protocol, changes, datasets=["coco"], allow_missing=False)
    expected = body_errors.Evaluation(oracle, {"coco": [labelled_people]}, 4).run()
    assert expected["keypoints_px"] == pytest.approx(5, abs=1e-2)
    assert set(expected) == {*body_errors.DESCRIPTIONS, "people"}
    for numbers in (content, content["metrics"]):
        measured = {name: numbers[name] for name in expected}
        assert measured == pytest.approx(expected, rel=1e-4, abs=1e-3)
    assert Path(content["load_path"]).name == "oracle"
    assert content["protocol"] == "body_errors"
    assert content["tables"]["sequence"]["test_000"]["frames"] == 5
    assert content["metrics"]["model_ms"] > 0


def test_body_errors_are_printed_and_compared_with_results_of_older_versions(
    evaluate, labelled_people, tmp_path, capsys
):
    content, _ = evaluate("", {"translation_px": (3.0, -4.0)}, datasets=["coco"])
    lines = capsys.readouterr().out.splitlines()
    text = "mean distance of the 19 keypoints, px of the crop"
    assert re.fullmatch(rf"    5\.00 +\[5\.00, 5\.00\]  {text}", lines[0])
    assert re.fullmatch(" {7}5 +people", lines[5])
    names = (*body_errors.DESCRIPTIONS, "people", "load_path")
    (tmp_path / "old.json").write_text(json.dumps({name: content[name] for name in names}))
    compared = comparison.compare([tmp_path / "old.json", tmp_path / "output"])
    assert compared.protocol == "body_errors"
    assert ("people with labelled keypoints", "5", "5", "+0.00", "-", "") in compared.rows
    assert len(compared.rows) == 6
    assert "old.json: no people.npz beside it" in compared.notes[0]


def one_record(tmp_path, truth, **changes):
    folder = tmp_path / "data" / "tf_records_human36m_wjoints" / "test"
    write(folder / "S9_Eating_0_cam3.tfrecord", [fakes.image_record(0, truth, **changes)])


def test_protocols_refuse_records_without_3d_truth(evaluate, tmp_path, truth):
    fakes.write_h36m(tmp_path / "data", P2_FEW, truth, with_joints=False)
    with pytest.raises(InputError, match=r"record 1 has no 3D truth \(6 of 6"):
        evaluate("h36m_p2")
    folder = tmp_path / "data" / "mpi_inf_3dhp" / "test"
    for joints in (None, truth["joints3d"][0, :14]):  # the latter without the 17 of the test set
        write(folder / "TS1.tfrecord", [fakes.image_record(0, truth, lsp_joints=joints)])
        with pytest.raises(InputError, match=r"TS1.*no 3D truth.*=mpi_inf_3dhp --split=test"):
            evaluate("mpi_inf_3dhp")


def test_protocols_refuse_missing_sequences_unless_allowed(evaluate, tmp_path, truth):
    fakes.write_h36m(tmp_path / "data", P2_FEW, truth)
    with pytest.raises(InputError, match=r"27 missing .*--allow_missing"):
        evaluate("h36m_p2", allow_missing=False)
    with pytest.raises(InputError, match="no shards match"):
        evaluate("mpi_inf_3dhp")
    fakes.write_3dhp(tmp_path / "data", {"train_0000": (0,)}, truth)
    with pytest.raises(InputError, match="not named after one of TS1 to TS6"):
        evaluate("mpi_inf_3dhp", allow_missing=False)


def test_protocols_refuse_files_without_frames_and_other_numbers_of_joints(
    evaluate, tmp_path, truth, monkeypatch
):
    folder = tmp_path / "data" / "tf_records_human36m_wjoints" / "test"
    write(folder / "S9_Eating_0_cam3.tfrecord", [])
    with pytest.raises(InputError, match="tfrecord is empty"):
        evaluate("h36m_p2")
    from hmr_tf.data import record

    with monkeypatch.context() as patched:
        patched.setattr(record, "_NUM_JOINTS", 17)  # a writer who has other joints
        seventeen = {"lsp_joints": np.ones((17, 3)), "labelled": np.ones(19)}
        one_record(tmp_path, truth, **seventeen)
    with pytest.raises(InputError, match=r"record 1 (holds 17 joints as mosh/gt3d, not 14|is)"):
        evaluate("h36m_p2")


def test_protocols_refuse_non_finite_numbers(evaluate, tmp_path, truth):
    one_record(tmp_path, truth, lsp_joints=np.full((14, 3), np.inf))
    with pytest.raises(InputError, match="no 3D truth"):
        evaluate("h36m_p2")
    one_record(tmp_path, truth, lsp_joints=np.ones((14, 3)))
    with pytest.raises(InputError, match="not finite"):
        evaluate("h36m_p2", {"move": lambda joints: joints * np.nan})


@pytest.mark.parametrize(
    ("protocol", "values", "message"),
    [
        ("h36m_p1", {"joints": ["17"]}, "--joints=17: give 14, or"),
        ("h36m_p1", {"joints": ["nose", "neck", "left_hip"]}, "--joints=nose"),
        ("h36m_p1", {"trials": ["2"]}, "--trials=2: give 0, 1 or 0,1"),
        ("h36m_p1", {"universal": True}, "--universal has no meaning"),
        ("lsp_parts", {"root": "hips", "segmentation_dir": "."}, "--root has no meaning"),
        ("keypoints2d", {"datasets": ["lsp"], "part_labels": "x"}, "--part_labels has no meaning"),
        ("lsp_parts", {}, "needs --segmentation_dir"),
    ],
)
def test_protocols_refuse_wrong_flags(evaluate, tmp_path, truth, protocol, values, message):
    write(tmp_path / "data" / "lsp" / "test_000.tfrecord", [fakes.image_record(0, truth)])
    with pytest.raises(InputError, match=message):
        evaluate(protocol, **values)


def test_protocols_have_labels_for_their_metrics():
    for protocol in protocol_registry.PROTOCOLS.values():
        for numbers in protocol.published.values():
            assert set(numbers) <= set(results.LABELS)
        assert protocol.ranked_by in results.LABELS


def test_mpi_inf_3dhp_of_a_real_frame_is_in_millimetres(shared, tmp_path):
    """A frame of TS1: predictions are its annot3, which its univ_annot3 is a scaling of."""
    run_command(
        to_tfrecords,
        dataset="mpi_inf_3dhp",
        split="test",
        data_dir=shared / "data_samples" / "mpi_inf_3dhp",
        output_dir=tmp_path,
    )
    plan = evaluate_protocol.plan(
        "mpi_inf_3dhp", tmp_path, {"universal": False}, allow_missing=True
    )
    truth = plan.frames.truth
    assert len(plan.frames.file) == 1  # the other frame is not valid
    assert plan.missing == ["TS2", "TS3", "TS4", "TS5", "TS6"]
    joints = np.zeros((1, 19, 3))
    joints[:, :14] = truth["lsp_joints"]
    joints[:, :14] += (0.0, 0.03, 0.0)
    predicted = [{"joints3d": joints, "smpl_joints": np.zeros((1, 24, 3))}]
    people = evaluation_set.with_predictions(plan.frames, predicted, plan.is_evaluated)
    options = {**plan.options, "perspective_correction": False}
    measured = protocol_registry.PROTOCOLS["mpi_inf_3dhp"].score(people, options, None).metrics
    assert measured["mpjpe_mm"] == pytest.approx(0, abs=1e-3)
    options["universal"] = True
    measured = protocol_registry.PROTOCOLS["mpi_inf_3dhp"].score(people, options, None).metrics
    assert 5 < measured["mpjpe_mm"] < 200
    assert measured["pa_mpjpe_mm"] == pytest.approx(0, abs=1)
    # The camera looks past the person by as much as the crop's centre is off its middle.
    rotation = perspective_correction.rotations_from_crop_to_camera(truth)[0]
    middle = truth["lsp_joints"][0].mean(0)
    np.testing.assert_allclose(rotation[:2, 2], (middle / np.linalg.norm(middle))[:2], atol=0.03)

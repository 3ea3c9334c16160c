"""Intervals of the metrics: small cases by hand, coverage of drawn data, agreement with scores."""

from pathlib import Path

import numpy as np
import pytest

from hmr_tf.body import body_parts
from hmr_tf.body.skeleton import LSP_JOINTS
from hmr_tf.evaluation import bootstrap, evaluation_set, plausibility
from hmr_tf.evaluation.protocols import protocol_registry, scores, segmentation

STEMS = ("S9_Eating_0_cam2", "S9_Eating_0_cam3", "S11_Eating_0_cam3", "S11_Walking_1_cam3")
OPTIONS = {
    "root": "hips",
    "joints": LSP_JOINTS,
    "universal": True,
    "perspective_correction": False,
    "segmentation_dir": "",
    "part_labels": "",
    "mocap_ranges": "mocap",
}


def interval_of(values, clusters, term=scores.mean_terms):
    terms = {"x": term(np.array(values, float))}
    return bootstrap.intervals(terms, bootstrap.groups(np.array(clusters)))["x"]


def random_people(rng, count=60):
    """EvaluationSet of four sequences with labels for every protocol."""
    joints = rng.normal(size=(count, 19, 3)) * 0.4
    keypoints_px = rng.uniform(0, 224, (count, 19, 3))
    keypoints_px[..., 2] = rng.random((count, 19)) < 0.7
    keypoints_px[: count // 3, :, 2] = 1
    keypoints_px[count // 3 : count // 2, [0, 1, 4, 5], 2] = 0
    truth = {
        "lsp_joints": joints[:, :14] + rng.normal(size=(count, 14, 3)) * 0.1 + (0.0, 0.0, 4.0),
        "has_joints": rng.random(count) < 0.8,
        "has_smpl": np.zeros(count, bool),
        "keypoints_px": keypoints_px,
        "reference_universal_joints": rng.normal(size=(count, 17, 3)) * 0.1,
        "reference_activity": rng.integers(1, 8, count),
        "size": np.full((count, 2), 8),
        "filename": np.array([f"im{k % 40}.jpg".encode() for k in range(count)], object),
    }
    predicted = {
        "joints3d": joints,
        "smpl_joints": rng.normal(size=(count, 24, 3)) * 0.1,
        "keypoints_px": keypoints_px[..., :2] + 10 * rng.normal(size=(count, 19, 2)),
        "theta": rng.normal(size=(count, 85)).astype(np.float32),
        "scale_xy": np.ones((count, 2)),
        "corner_px": np.zeros((count, 2)),
    }
    file = np.sort(rng.integers(len(STEMS), size=count))
    paths = tuple(Path(f"h36m/test/{stem}.tfrecord") for stem in STEMS)
    return evaluation_set.EvaluationSet(paths, file, np.arange(count), truth, predicted)


@pytest.fixture
def score(rng, monkeypatch):
    """Scores of random people under a protocol, without files, model and pictures."""
    parts = len(body_parts.PARTS)
    drawn = [rng.integers(parts, size=(8, 8)) for _ in range(60)]
    truth = iter([rng.integers(parts, size=(8, 8)) for _ in range(60)])
    mocap = plausibility.Mocap(rng.normal(size=(50, 23, 3)), rng.normal(size=(50, 10)))
    monkeypatch.setattr(segmentation, "_face_labels", lambda smpl, path: None)
    monkeypatch.setattr(segmentation, "_rendered", lambda frames, hmr, labels: drawn)
    monkeypatch.setattr(
        segmentation,
        "read",
        lambda folder, name, size: (lambda labels: segmentation.Truth(labels > 0, labels))(
            next(truth)
        ),
    )
    monkeypatch.setattr(plausibility, "read_mocap", lambda paths: mocap)
    monkeypatch.setattr("hmr_tf.data.shards.of_mocap_ranges", lambda folder: [])

    class Model:
        smpl = None

    def score_(protocol, people):
        return protocol_registry.PROTOCOLS[protocol].score(people, OPTIONS, Model)

    return score_


@pytest.mark.parametrize(
    "protocol", ["h36m_p1", "mpi_inf_3dhp", "lsp_parts", "keypoints2d", "body_errors"]
)
def test_intervals_terms_give_every_metric_of_a_protocol(score, rng, protocol):
    """With weights 1; and with weights 2 and 0 the metrics of a part of the people."""
    people = random_people(rng)
    measured = score(protocol, people)
    terms = scores.terms_of(measured)
    assert set(measured.metrics) - set(terms) <= {"people"}
    for name, term in terms.items():
        value = term(np.ones(len(people.file), int))
        assert value == pytest.approx(measured.metrics[name], rel=1e-9), name
        assert term(np.full(len(people.file), 3)) == pytest.approx(value, rel=1e-9)


def test_intervals_of_weighted_people_are_those_of_repeated_ones(score, rng):
    people = random_people(rng)
    terms = scores.terms_of(score("h36m_p1", people))
    groups = bootstrap.groups(people.clusters)
    drawn = np.array([2, 0, 1])[groups.of_person]  # of the sequences, by name
    rows = np.repeat(np.arange(len(drawn)), drawn)
    repeated = people._replace(
        file=people.file[rows],
        truth={name: values[rows] for name, values in people.truth.items()},
        predicted={name: values[rows] for name, values in people.predicted.items()},
    )
    expected = score("h36m_p1", repeated).metrics
    for name in ("mpjpe_mm", "pa_mpjpe_mm", "mpjpe_median_mm", "pa_mpjpe_median_mm"):
        assert terms[name](drawn) == pytest.approx(expected[name], rel=1e-9)


def test_intervals_of_two_groups_are_enumerable():
    """One of four resamples has the first group twice, one the second, two have both."""
    terms = {"x": scores.mean_terms(np.array([1.0, 1.0, 4.0]))}
    groups = bootstrap.groups(np.array(["a", "a", "b"]))
    values = bootstrap.resample(terms, groups)["x"]
    assert set(np.round(values, 9)) == {1.0, 2.0, 4.0}
    shares = [np.mean(np.isclose(values, value)) for value in (1, 2, 4)]
    assert shares == pytest.approx([0.25, 0.5, 0.25], abs=0.05)
    assert bootstrap.intervals(terms, groups) == {"x": pytest.approx([1.0, 4.0])}


def test_intervals_need_two_groups_and_labels():
    terms = {"x": scores.mean_terms(np.arange(3.0)), "y": scores.mean_terms(np.full(3, np.nan))}
    assert bootstrap.intervals(terms, bootstrap.groups(np.array(["a", "a", "a"]))) == {}
    two = bootstrap.intervals(terms, bootstrap.groups(np.array(["a", "a", "b"])))
    assert two["y"] is None
    assert two["x"] is not None


def test_intervals_do_not_depend_on_the_order_of_the_people(rng):
    people = random_people(rng)
    order = rng.permutation(len(people.file))
    terms = {"mean": scores.mean_terms, "median": scores.Median}
    values = rng.normal(size=len(order))
    clusters = people.clusters
    for term in terms.values():
        expected = interval_of(values, clusters, term)
        assert interval_of(values[order], clusters[order], term) == pytest.approx(
            expected, rel=1e-9
        )


def test_intervals_hold_the_truth_where_frames_of_a_sequence_are_alike(rng, monkeypatch):
    """By sequence about 95 % of them; by frame, as if frames were independent, far fewer."""
    monkeypatch.setattr(bootstrap, "RESAMPLES", 200)
    sequences = np.repeat(np.arange(40), 10)
    holds = {"sequence": 0, "frame": 0}
    for _ in range(150):
        values = rng.normal(size=40)[sequences] + 0.5 * rng.normal(size=400)
        for kind, clusters in (("sequence", sequences), ("frame", np.arange(400))):
            low, high = interval_of(values, clusters)
            holds[kind] += low <= 0 <= high
    assert 0.88 <= holds["sequence"] / 150 <= 0.99
    assert holds["frame"] / 150 < 0.7


def test_intervals_of_one_median_are_those_of_repeated_values(rng):
    values = np.sort(rng.normal(size=31))
    for _ in range(20):
        weights = rng.integers(0, 3, 31)
        expected = np.median(np.repeat(values, weights))
        assert scores.median_of_sorted(values, weights) == pytest.approx(expected, rel=1e-12)
    assert np.isnan(scores.median_of_sorted(values, np.zeros(31, int)))
    with_nan = scores.Median(np.array([3.0, np.nan, 1.0, 2.0]))
    assert with_nan(np.array([1, 5, 1, 3])) == 2.0


def test_intervals_of_other_functions_of_weights(rng):
    values = rng.normal(size=20)
    clusters = np.repeat(np.arange(5), 4)
    expected = interval_of(values, clusters)

    def by_function(values):
        return lambda weights: float(weights @ values / weights.sum())

    assert interval_of(values, clusters, by_function) == pytest.approx(expected, rel=1e-9)


def test_clusters_are_sequences_of_all_cameras_and_people_or_photographs():
    def clusters(paths, file, filenames=()):
        people = evaluation_set.EvaluationSet(
            tuple(map(Path, paths)),
            np.array(file),
            np.arange(len(file)),
            {"filename": np.array([name.encode() for name in filenames], object)},
            {},
        )
        kind = bootstrap.settings(bootstrap.groups(people.clusters), people.is_by_photograph)["of"]
        return people.clusters.tolist(), kind

    paths = [
        "t/S9_Eating_0_cam2.tfrecord",
        "t/S9_Eating_0_cam3.tfrecord",
        "t/S9_Eating_1_cam3.tfrecord",
    ]
    assert clusters(paths, [0, 0, 1, 2]) == (["S9_Eating_0"] * 3 + ["S9_Eating_1"], "sequences")
    paths = ["t/flat_guitar_01_p0.tfrecord", "t/flat_guitar_01_p1.tfrecord", "t/TS1.tfrecord"]
    assert clusters(paths, [0, 1, 2]) == (["flat_guitar_01"] * 2 + ["TS1"], "sequences")
    paths = ["lsp/test_000.tfrecord", "lsp/test_001.tfrecord"]
    expected = ["a.jpg", "a.jpg", "b.jpg"]
    assert clusters(paths, [0, 0, 1], expected) == (expected, "photographs")
    paths = ["x/lsp/test_000.tfrecord", "x/coco/held_001_wmeta.tfrecord", "x/coco/TS1.tfrecord"]
    names, kind = clusters(paths, [0, 1, 2], ["a.jpg"] * 3)
    assert names == ["x/lsp/a.jpg", "x/coco/a.jpg", "x/coco/TS1"]
    assert kind == "sequences and photographs"

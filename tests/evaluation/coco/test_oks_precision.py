"""Average precision by OKS: pycocotools' figures, known offsets, weights of photographs."""

import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from hmr_tf.body.skeleton import COCO_KEYPOINTS
from hmr_tf.evaluation.coco import box_pck, oks_precision, person_labels
from hmr_tf.evaluation.coco.oks_precision import PredictedPerson
from tests.fakes import coco_files

# COCO's constants, of the page of its keypoint task.
SIGMAS = dict(
    zip(
        ("nose", "eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"),
        (0.026, 0.025, 0.035, 0.079, 0.072, 0.062, 0.107, 0.087, 0.089),
    )
)


@pytest.fixture
def photographs(tmp_path, rng):
    """The labels of five photographs with one to three people of several sizes."""
    annotations = []
    for image_id in range(1, 6):
        for k in range(1 + image_id % 3):
            points = rng.uniform(0, 40 + 60 * k, size=(17, 2)) + 200 * k
            flags = rng.permutation(17) < 12
            annotations.append(coco_files.annotation(image_id, np.c_[points, 2 * flags]))
    images = {number: (f"{number}.jpg", 800, 800) for number in range(1, 6)}
    path = coco_files.write(tmp_path / "labels.json", images, annotations)
    return person_labels.read(path, tmp_path).photographs


def noisy(photographs, rng, scale):
    """Predictions at the labels with noise of many sizes, and some where there is no person."""
    predictions = []
    for photograph in photographs:
        people = [
            PredictedPerson(
                person.keypoints[:, :2] + scale * rng.exponential() * rng.normal(size=(17, 2)),
                score=rng.uniform(),
            )
            for person in photograph.people
        ]
        nowhere = PredictedPerson(rng.uniform(500, 800, size=(17, 2)), score=rng.uniform())
        predictions.append([*people, nowhere])
    return predictions


def test_oks_of_the_labels_is_one_and_every_figure_100(photographs):
    exact = [
        [PredictedPerson(person.keypoints[:, :2], 1.0) for person in photograph.people]
        for photograph in photographs
    ]
    measured = oks_precision.evaluate(photographs, exact)
    assert np.concatenate(measured.oks) == pytest.approx(1.0, abs=1e-12)
    values = np.array(list(measured.metrics.values()))
    assert values[np.isfinite(values)] == pytest.approx(100.0)
    assert np.isfinite([measured.metrics["ap_percent"], measured.metrics["ar_large_percent"]]).all()


def test_oks_of_known_offsets_is_the_formulas(photographs):
    offsets_px = np.linspace(0, 8, 17)
    moved = [
        [
            PredictedPerson(person.keypoints[:, :2] + np.c_[offsets_px, 0 * offsets_px], 1.0)
            for person in photograph.people
        ]
        for photograph in photographs
    ]
    expected = []
    for photograph in photographs:
        for person in photograph.people:
            similarity = [
                np.exp(-(d**2) / (2 * person.area * (2 * SIGMAS[name.split("_")[-1]]) ** 2))
                for name, d, flag in zip(COCO_KEYPOINTS, offsets_px, person.keypoints[:, 2])
                if flag > 0
            ]
            expected.append(np.mean(similarity))
    measured = oks_precision.evaluate(photographs, moved)
    assert np.concatenate(measured.oks) == pytest.approx(expected, abs=1e-9)


def test_ap_without_predictions_is_zero(photographs):
    measured = oks_precision.evaluate(photographs, [[] for _ in photographs])
    assert measured.metrics["ap_percent"] == measured.metrics["ar_percent"] == 0
    assert not np.concatenate(measured.oks).any()
    ones = np.ones(len(photographs), int)
    assert measured.terms["ap_percent"](ones) == measured.terms["ar_percent"](ones) == 0


def test_ap_terms_are_pycocotools_figures_and_count_photographs_several_times(photographs, rng):
    predictions = noisy(photographs, rng, scale=6)
    weights = np.array([1, 0, 3, 1, 2])
    repeats = np.repeat(np.arange(5), weights)
    for count, numbers in ((np.ones(5, int), range(5)), (weights, repeats)):
        repeated = oks_precision.evaluate(
            [photographs[number] for number in numbers], [predictions[n] for n in numbers]
        )
        measured = oks_precision.evaluate(photographs, predictions)
        assert 0 < repeated.metrics["ap_percent"] < 100
        for name, value in repeated.metrics.items():
            term = measured.terms[name](count)
            assert term == pytest.approx(value, abs=1e-9, nan_ok=True), name


def test_ap_does_not_depend_on_the_order_of_the_photographs(photographs, rng):
    predictions = noisy(photographs, rng, scale=6)
    measured = oks_precision.evaluate(photographs, predictions)
    other = oks_precision.evaluate(photographs[::-1], predictions[::-1])
    assert other.metrics == pytest.approx(measured.metrics, nan_ok=True)


def test_ap_is_what_pycocotools_finds_in_the_files(tmp_path, photographs, rng):
    predictions = noisy(photographs, rng, scale=6)
    entries = [
        oks_precision.result(photograph.image_id, 1, person)
        for photograph, people in zip(photographs, predictions)
        for person in people
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        labelled = COCO(str(tmp_path / "labels.json"))
        for number, entry in labelled.anns.items():
            assert number == entry["id"]
        first = labelled.anns.pop(0)  # pycocotools takes the id 0 for none
        first["id"] = labelled.dataset["annotations"][0]["id"] = len(labelled.anns) + 1
        labelled.createIndex()
        evaluation = COCOeval(labelled, labelled.loadRes(entries), "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    expected = np.where(evaluation.stats < 0, np.nan, 100 * evaluation.stats)
    measured = oks_precision.evaluate(photographs, predictions)
    assert list(measured.metrics.values()) == pytest.approx(expected.tolist(), nan_ok=True)


def test_box_pck_is_the_mean_of_the_keypoints_shares(tmp_path):
    """One keypoint of one of two people is off; a person without an ankle does not count."""
    points = np.c_[np.arange(34.0).reshape(17, 2) * 3, np.full(17, 2)]
    without_ankle = points.copy()
    without_ankle[-1, 2] = 0
    entries = [
        coco_files.annotation(1, points, bbox=[0, 0, 100, 60]),
        coco_files.annotation(1, without_ankle),
        coco_files.annotation(2, points, bbox=[0, 0, 100, 60]),
    ]
    images = {number: (f"{number}.jpg", 200, 200) for number in (1, 2)}
    path = coco_files.write(tmp_path / "labels.json", images, entries)
    photographs = person_labels.read(path, tmp_path).photographs
    off = points[:, :2].copy()
    off[3, 0] += 7  # of 1.2 x 100 px 5 % are 6, 10 % are 12
    exact, moved = PredictedPerson(points[:, :2], 1.0), PredictedPerson(off, 1.0)
    terms = box_pck.terms(photographs, [[moved, exact], [exact]])
    ones = np.ones(2, int)
    assert terms["pck05_percent"](ones) == pytest.approx(100 * (16 + 0.5) / 17)
    assert terms["pck10_percent"](ones) == pytest.approx(100)
    rows = box_pck.by_keypoint(terms)
    assert rows["left_ear"] == {"pck10_percent": 100, "pck05_percent": 50, "people": 2}
    none = box_pck.terms(photographs, [[None, exact], [exact]])
    assert none["pck10_percent"](ones) == pytest.approx(50)

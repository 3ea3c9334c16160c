"""Average precision and recall of people by OKS, object keypoint similarity, from pycocotools.

OKS and which prediction belongs to which person are pycocotools'. Only for intervals, which count
photographs several times, the sums over photographs are taken here; with each photograph counted
once they are pycocotools' numbers.
"""

import contextlib
import io
from typing import NamedTuple

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from hmr_tf.body.skeleton import COCO_KEYPOINTS
from hmr_tf.evaluation.protocols import scores

# pycocotools' ten figures, in its order: name -> (of precision or recall, area, thresholds).
_ALL = slice(None)
_FIGURES = {
    "ap_percent": ("precision", "all", _ALL),
    "ap50_percent": ("precision", "all", slice(0, 1)),
    "ap75_percent": ("precision", "all", slice(5, 6)),
    "ap_medium_percent": ("precision", "medium", _ALL),
    "ap_large_percent": ("precision", "large", _ALL),
    "ar_percent": ("recall", "all", _ALL),
    "ar50_percent": ("recall", "all", slice(0, 1)),
    "ar75_percent": ("recall", "all", slice(5, 6)),
    "ar_medium_percent": ("recall", "medium", _ALL),
    "ar_large_percent": ("recall", "large", _ALL),
}
_CATEGORY = 1


class PredictedPerson(NamedTuple):
    """A prediction in a photograph."""

    keypoints_px: np.ndarray  # (17, 2), order of COCO_KEYPOINTS
    score: float


class OksScores(NamedTuple):
    """The result for P photographs."""

    metrics: dict  # name -> percent; nan without a person of that area
    terms: dict  # name -> function of (P,) weights, as of `Scores.terms`
    oks: list  # of (n,) for each photograph: the best OKS of each of its labelled people


def evaluate(photographs, predictions):
    """Compares predictions with labels.

    Args:
      photographs: list of P `CocoPhotograph`; their order changes nothing but, among predictions
        of equal scores, which count first.
      predictions: for each photograph a list of PredictedPerson.

    Returns:
      OksScores.
    """
    evaluation = COCOeval(*_pycocotools_sets(photographs, predictions), "keypoints")
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    stats = [100.0 * float(x) if x >= 0 else float("nan") for x in evaluation.stats]
    return OksScores(
        metrics=dict(zip(_FIGURES, stats)),
        terms=_terms(evaluation, len(photographs)),
        oks=[_best_oks(evaluation, n + 1, photo) for n, photo in enumerate(photographs)],
    )


def _pycocotools_sets(photographs, predictions):
    """COCO of the labels and of the predictions.

    Ids count from 1: pycocotools takes a person with the id 0 for none. Ids of images may be
    texts in the file.
    """
    annotations, results = [], []
    for image_id, (photograph, people) in enumerate(zip(photographs, predictions), 1):
        for person in photograph.people:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image_id,
                    "category_id": _CATEGORY,
                    "keypoints": person.keypoints.ravel().tolist(),
                    "num_keypoints": int((person.keypoints[:, 2] > 0).sum()),
                    "bbox": list(person.box),
                    "area": person.area,
                    "iscrowd": int(person.is_crowd),
                }
            )
        results += [result(image_id, _CATEGORY, person) for person in people]
    labelled = COCO()
    labelled.dataset = {
        "images": [{"id": n + 1} for n in range(len(photographs))],
        "categories": [{"id": _CATEGORY, "name": "person"}],
        "annotations": annotations,
    }
    with contextlib.redirect_stdout(io.StringIO()):
        labelled.createIndex()
        predicted = labelled.loadRes(results) if results else COCO()
    return labelled, predicted


def result(image_id, category_id, person):
    """A prediction as an entry of COCO's results format.

    Args:
      image_id, category_id: as in the file of the labels.
      person: PredictedPerson.
    """
    flagged = np.concatenate([person.keypoints_px, np.ones((len(COCO_KEYPOINTS), 1))], axis=1)
    return {
        "image_id": image_id,
        "category_id": category_id,
        "keypoints": flagged.ravel().tolist(),
        "score": float(person.score),
    }


def _best_oks(evaluation, image_id, photograph):
    """(n,) the best OKS that a prediction has of each labelled person; 0 without a prediction."""
    is_labelled = np.array([person.is_labelled for person in photograph.people], bool)
    if not is_labelled.any():
        return np.zeros(0)
    oks = np.reshape(evaluation.ious[image_id, _CATEGORY], (-1, len(is_labelled)))
    return oks.max(0, initial=0.0)[is_labelled]


class _Counts(NamedTuple):
    """Right and wrong predictions of one area, the best scored first, at T thresholds of OKS."""

    photograph: np.ndarray  # (D,) of each prediction
    is_right: np.ndarray  # (T, D) bool
    is_wrong: np.ndarray  # (T, D) bool; neither: it counts neither way
    people: np.ndarray  # (P,) to be predicted in each photograph


def _counts(evaluation, area, num_photographs):
    areas = evaluation.params.areaRngLbl
    start = areas.index(area) * num_photographs
    by_photograph = evaluation.evalImgs[start : start + num_photographs]
    known = [(n, entry) for n, entry in enumerate(by_photograph) if entry is not None]
    people, num_thresholds = np.zeros(num_photographs, int), len(evaluation.params.iouThrs)
    parts = [(np.zeros(0, int), np.zeros(0), *2 * [np.zeros((num_thresholds, 0), bool)])]
    for number, entry in known:
        people[number] = np.sum(entry["gtIgnore"] == 0)
        points = np.array(entry["dtScores"], float)
        counts, hits = ~np.asarray(entry["dtIgnore"], bool), entry["dtMatches"] > 0
        parts.append((np.full(len(points), number), points, hits & counts, ~hits & counts))
    photograph, points, is_right, is_wrong = (
        np.concatenate([part[k] for part in parts], axis=-1) for k in range(4)
    )
    order = np.argsort(-points, kind="mergesort")  # as pycocotools: equal scores keep their order
    return _Counts(photograph[order], is_right[:, order], is_wrong[:, order], people)


class _Precision(NamedTuple):
    """Average precision as a function of the photographs' weights."""

    counts: _Counts
    recalls: np.ndarray  # the 101 at which the precision is taken

    def __call__(self, weights):
        """(P,) weights -> percent; nan without a person to be predicted."""
        num_people = weights @ self.counts.people
        if not num_people:
            return float("nan")
        each = weights[self.counts.photograph]
        right = np.cumsum(self.counts.is_right * each, axis=1)
        wrong = np.cumsum(self.counts.is_wrong * each, axis=1)
        precision = right / (right + wrong + np.spacing(1))
        precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        precision = np.pad(precision, ((0, 0), (0, 1)))  # recalls that are not reached: 0
        reached = [np.searchsorted(row / num_people, self.recalls) for row in right]
        taken = np.take_along_axis(precision, np.array(reached), axis=1)
        return 100.0 * float(taken.mean())


def _terms(evaluation, num_photographs):
    """name -> function of (P,) weights, of the ten figures."""
    by_area = {
        area: _counts(evaluation, area, num_photographs) for area in evaluation.params.areaRngLbl
    }
    terms = {}
    for name, (kind, area, thresholds) in _FIGURES.items():
        counts = by_area[area]
        counts = counts._replace(
            is_right=counts.is_right[thresholds], is_wrong=counts.is_wrong[thresholds]
        )
        if kind == "precision":
            terms[name] = _Precision(counts, evaluation.params.recThrs)
            continue
        right = np.stack(
            [np.bincount(counts.photograph, row, num_photographs) for row in counts.is_right],
            axis=1,
        )
        people = np.broadcast_to(counts.people[:, None].astype(float), right.shape)
        terms[name] = scores.Terms(right, people, 100.0)
    return terms

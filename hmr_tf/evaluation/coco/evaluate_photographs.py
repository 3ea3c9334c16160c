"""The protocol coco_keypoints: photographs, boxes, predictions, average precision, files."""

import json
from typing import NamedTuple, Optional

import numpy as np
from tqdm import tqdm

from hmr_tf.body import skeleton
from hmr_tf.evaluation import bootstrap, metrics
from hmr_tf.evaluation.coco import (
    box_pck,
    oks_precision,
    person_labels,
    person_pictures,
    scored_boxes,
)
from hmr_tf.evaluation.protocols import protocol_registry, scores
from hmr_tf.evaluation.report import html_report, person_errors, results, run_time
from hmr_tf.files import atomic
from hmr_tf.files.errors import InputError
from hmr_tf.inference import boxes, photo
from hmr_tf.networks import engines

PROTOCOL = "coco_keypoints"
COCO_RESULTS = "coco_results.json"
FILES = (
    html_report.REPORT,
    results.RESULTS,
    person_errors.FILE,
    COCO_RESULTS,
)  # below --output_dir
RANKED_BY = "oks_error"
_PHOTOGRAPHS_PER_BATCH = 8
_DECIMALS = 2  # of a pixel, in COCO_RESULTS; the figures are of these numbers


class PhotographPlan(NamedTuple):
    """The data of an evaluation, checked before a model is loaded."""

    options: dict
    labels: person_labels.CocoLabels  # of the photographs that are evaluated
    boxes: Optional[list]  # for each photograph a list of ScoredBox; None: the detector's
    missing: list  # names of the photographs that are left out
    problems: list  # a line for each unusable box


def plan(data_dir, given, allow_missing):
    """Reads labels and boxes and checks that the photographs are there.

    Photographs without a box are not opened, unless a detector looks for people.

    Args:
      data_dir: folder of the photographs.
      given: flag -> value, as of `protocol_registry.options_from_flags`.
      allow_missing: whether photographs may be missing.

    Returns:
      PhotographPlan.

    Raises:
      InputError: a wrong flag or file, a missing photograph or one of another size.
    """
    options = protocol_registry.options_from_flags(PROTOCOL, given)
    if options["boxes"] and options["detector"]:
        raise InputError("--boxes and --detector both give boxes of people: pass one.")
    category = options["category"]
    labels = person_labels.read(options["annotations"], data_dir, category)
    photographs, problems, by_photograph = labels.photographs, [], None
    if options["boxes"]:
        by_photograph, problems = scored_boxes.read(options["boxes"], labels, category)
    elif not options["detector"]:
        by_photograph = scored_boxes.annotated(photographs)
    is_opened = [by_photograph is None or bool(by_photograph[n]) for n in range(len(photographs))]
    errors = [_unusable(p) if opened else "" for p, opened in zip(photographs, is_opened)]
    missing = [error for error in errors if error]
    if missing and not allow_missing:
        raise InputError(
            f"--protocol={PROTOCOL}: {len(missing)} photographs missing or unusable; the first: "
            f"{missing[0]}: complete --data_dir={data_dir}, or pass --allow_missing to evaluate "
            "the others."
        )
    kept = [number for number, error in enumerate(errors) if not error]
    if not any(is_opened[number] for number in kept):
        raise InputError(f"--data_dir={data_dir} has none of the photographs: {missing[0]}")
    return PhotographPlan(
        options,
        labels._replace(photographs=[photographs[number] for number in kept]),
        None if by_photograph is None else [by_photograph[number] for number in kept],
        missing,
        problems,
    )


def _unusable(photograph):
    """Why a photograph cannot be evaluated; empty if it can."""
    try:
        size = photo.read_size(photograph.path)
    except InputError as error:
        return str(error)
    if photograph.size not in (None, size):
        is_, stated = (f"{width} x {height}" for height, width in (size, photograph.size))
        return f"{photograph.path} has {is_} pixels, not {stated} as annotated"
    return ""


def evaluate(plan, model, load_path, output_dir):
    """Predicts, measures and writes.

    Args:
      plan: PhotographPlan.
      model: `inference.model.Model`; with its detector, if the plan has no boxes.
      load_path: name of the model in the results.
      output_dir: Path of an existing folder; results.json, people.npz, report.html and
        coco_results.json are written there.

    Returns:
      The dict of results.json, and a list of str, one for each box or photograph left out.

    Raises:
      InputError: a photograph that is damaged after its first bytes.
    """
    predictions, problems = _predict(plan, model)
    measured, terms, oks = _measure(plan, predictions)
    groups = bootstrap.groups(np.arange(len(oks)))
    resamples = bootstrap.resample(terms, groups)
    protocol_spec, digest = protocol_registry.PROTOCOLS[PROTOCOL], engines.model_digest(model.hmr)
    content = {
        "protocol": PROTOCOL,
        **results.run_entries(
            protocol_spec.title, plan, load_path, digest, model.engine, run_time.device()
        ),
        **_figures(plan, measured, predictions),
        "intervals": bootstrap.intervals_of(resamples),
        "bootstrap": bootstrap.settings(groups, np.ones(len(oks), bool)),
        "published": protocol_spec.published,
    }
    pictures = person_pictures.of_representative(plan.labels.photographs, oks, plan.boxes, model)
    html = html_report.report(content, measured.errors, RANKED_BY, pictures)
    results.write(output_dir, content)
    person_errors.write(output_dir, _person_errors(plan.labels, measured.errors, resamples, oks))
    atomic.write_text(output_dir / COCO_RESULTS, _coco_results(plan.labels, predictions))
    atomic.write_text(output_dir / html_report.REPORT, html)
    return content, [*plan.problems, *problems]


def _measure(plan, predictions):
    """`Scores`, the terms by photograph, and the OKS of each photograph's labelled people."""
    photographs = plan.labels.photographs
    measured = oks_precision.evaluate(photographs, _without_none(predictions))
    sums = [np.array([function(x) for x in measured.oks], float) for function in (np.sum, len)]
    more, tables = {"oks_percent": scores.Terms(*sums, 100.0)}, {}
    if not (plan.options["boxes"] or plan.options["detector"]):
        pck = box_pck.terms(photographs, predictions)
        more.update(pck)
        tables["joint"] = box_pck.by_keypoint(pck)
    values = {**measured.metrics, **{n: scores.unweighted(term) for n, term in more.items()}}
    errors = {RANKED_BY: 1.0 - np.concatenate(measured.oks)}
    return scores.Scores(values, tables, errors), {**measured.terms, **more}, measured.oks


def _figures(plan, measured, predictions):
    return {
        "counts": {
            "photographs": len(plan.labels.photographs),
            "people": len(measured.errors[RANKED_BY]),
            "predictions": sum(map(len, _without_none(predictions))),
            "areas_from_boxes": plan.labels.num_areas_from_boxes,
        },
        "metrics": measured.metrics,
        "percentiles": {name: metrics.percentiles(x) for name, x in measured.errors.items()},
        "tables": measured.tables,
    }


def _person_errors(labels, errors, resamples, oks):
    """PersonErrors of the labelled people of all photographs."""
    photograph = np.repeat(np.arange(len(oks)), [len(people) for people in oks])
    names = np.array([photograph.file_name for photograph in labels.photographs])
    return person_errors.PersonErrors(
        data_digest=person_labels.digest(labels),
        draws_digest=bootstrap.draws_digest(len(oks)),
        group=photograph,
        paths=names,
        shard=photograph,
        number=np.concatenate([np.arange(len(people)) for people in oks]),
        filename=names[photograph],
        errors=errors,
        resamples=resamples,
    )


def _without_none(predictions):
    return [[person for person in people if person is not None] for people in predictions]


def _coco_results(labels, predictions):
    """JSON in COCO's results format."""
    entries = [
        oks_precision.result(photograph.image_id, labels.category_id, person)
        for photograph, people in zip(labels.photographs, _without_none(predictions))
        for person in people
    ]
    return json.dumps(entries) + "\n"


def _predict(plan, model):
    """For each photograph a list of PredictedPerson; and a list of str, what was left out.

    With boxes there is one for each box, None where it could not be predicted.
    """
    photographs, problems = plan.labels.photographs, []
    predictions = [[None] * len(of_image) for of_image in plan.boxes or [[] for _ in photographs]]
    opened = [n for n in range(len(photographs)) if plan.boxes is None or plan.boxes[n]]
    with tqdm(total=len(opened), desc="Predicting", unit="photo", disable=None) as bar:
        for start in range(0, len(opened), _PHOTOGRAPHS_PER_BATCH):
            batch = opened[start : start + _PHOTOGRAPHS_PER_BATCH]
            images = [photo.read_image(photographs[number].path) for number in batch]
            if plan.boxes is None:
                rows, errors = _with_detector(model, images)
            else:
                rows, errors = _with_boxes(model, images, [plan.boxes[number] for number in batch])
            for number, row, of_photograph in zip(batch, rows, errors):
                predictions[number] = row
                problems += [f"{photographs[number].path}: {error}" for error in of_photograph]
            bar.update(len(batch))
    return predictions, problems


def _with_detector(model, images):
    """For each image the PredictedPerson of all detected people, and its errors."""
    detected = [model.detector.detect(image) for image in images]
    rows, errors = [], []
    for people, people_boxes in zip(model.predict_batch(images, [None] * len(images)), detected):
        is_error = isinstance(people, InputError)
        errors.append([people] if is_error else [])
        pairs = [] if is_error else zip(people, people_boxes, strict=True)
        rows.append([_predicted(person, box.score) for person, box in pairs])
    return rows, errors


def _with_boxes(model, images, boxes_of_images):
    """For each image a PredictedPerson or None for each ScoredBox, and its errors."""
    rows, errors, usable = [], [], []
    for image, scored_of_image in zip(images, boxes_of_images):
        rows.append([None] * len(scored_of_image))
        errors.append([])
        usable.append([])
        for k, scored in enumerate(scored_of_image):
            try:
                boxes.check_given(scored.box, *image.shape[:2])
                usable[-1].append(k)
            except InputError as error:
                errors[-1].append(error)
    given = [[row[k].box for k in ks] for row, ks in zip(boxes_of_images, usable)]
    for i, people in enumerate(model.predict_batch(images, given)):
        if isinstance(people, InputError):
            errors[i].append(people)
            continue
        for k, person in zip(usable[i], people, strict=True):
            rows[i][k] = _predicted(person, boxes_of_images[i][k].score)
    return rows, errors


def _predicted(person, score):
    keypoints_px = skeleton.convert(
        person["keypoints2d_px"], skeleton.KEYPOINTS, skeleton.COCO_KEYPOINTS
    )
    return oks_precision.PredictedPerson(np.round(keypoints_px, _DECIMALS), score)

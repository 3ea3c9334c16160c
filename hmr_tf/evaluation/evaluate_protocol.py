"""One evaluation by a protocol, from TFRecords to results, table and report."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from hmr_tf.evaluation import bootstrap, cached_predictions, evaluation_set, metrics, person_groups
from hmr_tf.evaluation.protocols import protocol_registry, scores
from hmr_tf.evaluation.report import (
    comparison,
    comparison_page,
    html_report,
    people_pictures,
    person_errors,
    results,
    run_time,
)
from hmr_tf.files import atomic
from hmr_tf.files.errors import InputError
from hmr_tf.networks import engines

TIMED_IMAGES = 20  # for the run time


class Plan(NamedTuple):
    """The data of an evaluation, checked before a model is loaded."""

    protocol: str
    options: dict
    frames: evaluation_set.EvaluationSet  # of all people, without predictions
    is_evaluated: np.ndarray  # (N,) bool
    missing: list  # names of the missing parts of the test set


def plan(protocol, data_dir, given, allow_missing):
    """Finds the data and checks it.

    Args:
      protocol: name of `protocol_registry.PROTOCOLS`.
      data_dir: folder of TFRecords.
      given: flag -> value of the flags that vary protocols, None or empty where not given.
      allow_missing: whether a part of the test set is enough.

    Returns:
      Plan.

    Raises:
      InputError: a wrong flag, no data, incomplete data, data without labels or broken data.
    """
    options = protocol_registry.options_from_flags(protocol, given)
    paths, missing = protocol_registry.find(protocol, data_dir, options, allow_missing)
    protocol_spec = protocol_registry.PROTOCOLS[protocol]
    frames = evaluation_set.read(paths, protocol_spec.decode)
    is_evaluated, unlabelled = protocol_spec.check(frames, options)
    protocol_registry.refuse_missing(protocol, unlabelled, allow_missing)
    if not is_evaluated.any():
        raise InputError(
            f"--protocol={protocol} has no person to evaluate: {unlabelled[0]} is missing."
        )
    return Plan(
        protocol=protocol,
        options=options,
        frames=frames,
        is_evaluated=is_evaluated,
        missing=[*missing, *unlabelled],
    )


def evaluate(plan, hmr, load_path, batch_size, output_dir, engine=None):
    """Predicts, or reads earlier predictions, measures and writes.

    Args:
      plan: Plan.
      hmr: `networks.hmr.HMR`.
      load_path: name of the model in the results.
      batch_size: people per batch.
      output_dir: Path of an existing folder; results.json, people.npz, sequences.csv,
        report.html and predictions/ are written there.
      engine: `engines.Engine` of `hmr`; None: TensorFlow.

    Returns:
      The dict of results.json.

    Raises:
      InputError: a broken image, predictions that are not finite, a model without faces to draw.
    """
    protocol_spec = protocol_registry.PROTOCOLS[plan.protocol]
    engine, digest = engine or engines.in_tensorflow(hmr), engines.model_digest(hmr)
    predictions_digest = f"{digest}{engine.difference}"
    predicted = _predict(plan, engine, hmr.image_size, predictions_digest, batch_size, output_dir)
    people = evaluation_set.with_predictions(plan.frames, predicted, plan.is_evaluated)
    measured = protocol_spec.score(people, plan.options, hmr)
    groups = bootstrap.groups(people.clusters)
    resamples = bootstrap.resample(scores.terms_of(measured), groups)
    attributes = person_groups.attributes(people)
    times = run_time.measure(engine.predict, _timed_crops(people, hmr.image_size), hmr.smpl.faces)
    content = {
        **(measured.metrics if protocol_spec.has_top_level_metrics else {}),
        "protocol": plan.protocol,
        **results.run_entries(
            protocol_spec.title, plan, load_path, digest, engine, run_time.device()
        ),
        "used": dict(measured.used),
        "counts": {"sequences": len(plan.frames.paths), "frames": len(people.file)},
        "metrics": {**measured.metrics, **times},
        "intervals": bootstrap.intervals_of(resamples),
        "bootstrap": bootstrap.settings(groups, people.is_by_photograph),
        "percentiles": {
            name: metrics.percentiles(values[np.isfinite(values)])
            for name, values in measured.errors.items()
        },
        "published": _published(protocol_spec, plan.options),
        "tables": {**measured.tables, **person_groups.tables(attributes, measured.errors)},
    }
    pictures = _pictures(
        people, measured.errors[protocol_spec.ranked_by], protocol_spec.ranked_by, hmr
    )
    html = html_report.report(content, measured.errors, protocol_spec.ranked_by, pictures)
    results.write(output_dir, content)
    kept = person_errors.of(people, measured.errors, resamples, attributes)._replace(
        predictions_digest=predictions_digest,
        mesh_digest=hmr.smpl.mesh_digest(),
        image_size=hmr.image_size,
    )
    person_errors.write(output_dir, kept)
    atomic.write_text(output_dir / html_report.REPORT, html)
    return content


def _published(protocol_spec, options):
    return protocol_spec.published if protocol_spec.is_as_published(options) else {}


def report_files(folder):
    """Names of the report files of an evaluation."""
    names = (html_report.REPORT, results.RESULTS, results.SEQUENCES, person_errors.FILE)
    return [name for name in names if (folder / name).is_file()]


def compare(paths, output_dir, smpl_model_path=""):
    """Runs side by side, person by person.

    Args:
      paths: results.json files, or their folders; two or more.
      output_dir: Path of an existing folder; comparison.html is written there.
      smpl_model_path: SMPL file of the bodies to draw; empty: as `body_model.find`.

    Returns:
      The printed text.

    Raises:
      InputError: fewer than two files, other files, or different protocols.
    """
    compared = comparison.compare(paths)
    protocol_spec = protocol_registry.PROTOCOLS.get(compared.protocol)
    html = comparison_page.page(
        compared, protocol_spec.ranked_by if protocol_spec else "", smpl_model_path
    )
    atomic.write_text(output_dir / comparison_page.COMPARISON, html)
    table = results.text_table(compared.header, compared.rows)
    return "\n".join([compared.protocol, "", *table, *compared.notes])


def _predict(plan, engine, image_size, digest, batch_size, output_dir):
    folder, total = Path(output_dir) / cached_predictions.FOLDER, len(plan.frames.file)
    with tqdm(total=total, desc="Predicting", unit="person", disable=None) as bar:
        return cached_predictions.predict_files(
            engine.predict,
            image_size,
            digest,
            plan.frames,
            folder,
            batch_size,
            progress=bar.update,
        )


def _timed_crops(people, image_size):
    """The first TIMED_IMAGES crops of one file; fewer people are repeated."""
    numbers = people.number[people.file == people.file[0]][:TIMED_IMAGES]
    path = people.paths[people.file[0]]
    crops = [cached_predictions.read_crop(path, number, image_size) for number in numbers]
    return [crops[i % len(crops)] for i in range(TIMED_IMAGES)]


def _pictures(people, errors, metric, hmr):
    """[(caption, JPEG)] of the best, the median, the 95th percentile and the worst."""
    pictures = []
    for title, person in scores.representative(errors).items():
        path, record = people.paths[people.file[person]], people.number[person] + 1
        name = people.truth["filename"][person].decode(errors="replace")
        error = results.format_number(float(errors[person]))
        caption = f"{title}: {results.metric_label(metric)} {error}; "
        caption += f"{path.stem}, record {record}, {name}"
        picture = people_pictures.draw(people, person, hmr)
        pictures.append((caption, people_pictures.encode_jpeg(picture)))
    return pictures

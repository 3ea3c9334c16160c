"""One evaluation by a protocol, from TFRecords to results, table and report."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from hmr_tf.evaluation import frames as frames_
from hmr_tf.evaluation import metrics, predictions
from hmr_tf.evaluation.protocols import published, scores
from hmr_tf.evaluation.report import page, people_pictures, results, run_time
from hmr_tf.files import atomic
from hmr_tf.files.errors import InputError
from hmr_tf.inference.model import crop_function

TIMED = 20  # images for the run time
PREDICTIONS = "predictions"  # folder below --output_dir


class Plan(NamedTuple):
    """What is evaluated, known before a model is loaded."""

    protocol: str
    options: dict
    frames: frames_.Frames  # everybody, without predictions
    judged: np.ndarray  # (N,) bool, who is
    missing: list  # names of what the protocol wants and is not there


def plan(protocol, data_dir, given, allow_missing):
    """Finds the data and checks it.

    Args:
      protocol: name of `protocols.PROTOCOLS`.
      data_dir: folder of TFRecords.
      given: flag -> value of the flags that vary protocols, None or empty where not given.
      allow_missing: whether a part of the test set is enough.

    Returns:
      Plan.

    Raises:
      InputError: a wrong flag, no data, some of it missing, without truth or broken.
    """
    options = published.options_of(protocol, given)
    paths, missing = published.find(protocol, data_dir, options, allow_missing)
    rule = published.PROTOCOLS[protocol]
    everybody = frames_.read(paths, rule.decode)
    judged, unjudged = rule.check(everybody, options)
    published.refuse_missing(protocol, unjudged, allow_missing)
    if not judged.any():
        raise InputError(f"--protocol={protocol} finds nobody to judge: {unjudged[0]} is missing.")
    return Plan(protocol, options, everybody, judged, [*missing, *unjudged])


def evaluate(plan, hmr, load_path, batch_size, output_dir):
    """Predicts, or takes what was predicted before, measures and writes.

    Args:
      plan: of `plan`.
      hmr: `networks.hmr.HMR`.
      load_path: what the results call the model.
      batch_size: people at once.
      output_dir: Path of an existing folder; results.json, sequences.csv, report.html and
        predictions/ are written there.

    Returns:
      The dict of results.json.

    Raises:
      InputError: a broken image, answers that are not finite, a model without faces to draw.
    """
    rule = published.PROTOCOLS[plan.protocol]
    digest, answer = predictions.model_digest(hmr), crop_function(hmr, any_batch_size=True)
    predicted = _predict(plan, answer, digest, batch_size, output_dir)
    people = frames_.with_predictions(plan.frames, predicted, plan.judged)
    found = rule.score(people, plan.options, hmr)
    times = run_time.measure(answer, _timed_crops(people, hmr.image_size), hmr.smpl.faces)
    content = {
        "protocol": plan.protocol,
        "title": rule.title,
        "load_path": str(load_path),
        "model_digest": digest,
        "commit": results.commit(),
        "options": plan.options,
        "counts": {"sequences": len(plan.frames.paths), "frames": len(people.file)},
        "missing": plan.missing,
        "metrics": {**found.metrics, **times},
        "device": run_time.device(),
        "percentiles": {
            name: metrics.percentiles(values[np.isfinite(values)])
            for name, values in found.errors.items()
        },
        "published": rule.published,
        "tables": found.tables,
    }
    shown = _shown_people(people, found.errors[rule.ranked_by], rule.ranked_by, hmr)
    html = page.page(content, found.errors, rule.ranked_by, shown)
    results.write(output_dir, content)
    atomic.write_text(output_dir / page.REPORT, html)
    return content


def written(folder):
    """Names of the files that an evaluation left for people."""
    names = (page.REPORT, results.RESULTS, results.SEQUENCES)
    return [name for name in names if (folder / name).is_file()]


def compare(paths, output_dir):
    """Runs side by side: writes comparison.html into a Path, returns the printed text."""
    title, header, rows = results.compare(paths)
    html = page.comparison(title, header, rows)
    atomic.write_text(output_dir / page.COMPARISON, html)
    return "\n".join([title, "", *results.text_table(header, rows)])


def _predict(plan, answer, digest, batch_size, output_dir):
    with tqdm(total=len(plan.frames.file), desc="Predicting", unit="person") as bar:
        return predictions.of_files(
            answer, digest, plan.frames, Path(output_dir) / PREDICTIONS, batch_size, bar.update
        )


def _timed_crops(people, image_size):
    """The first few crops, of one file, as the model sees them."""
    numbers = people.number[people.file == people.file[0]][:TIMED]
    path = people.paths[people.file[0]]
    crops = [predictions.crop_of(path, number, image_size) for number in numbers]
    return [crops[i % len(crops)] for i in range(TIMED)]


def _shown_people(people, errors, metric, hmr):
    """[(caption, JPEG)] of the best, the median, the 95th percentile and the worst."""
    shown = []
    for title, person in scores.representative(errors).items():
        path, record = people.paths[people.file[person]], people.number[person] + 1
        name = people.truth["filename"][person].decode(errors="replace")
        caption = f"{title}: {results.label(metric)} {results.number(float(errors[person]))}; "
        caption += f"{path.stem}, record {record}, {name}"
        shown.append((caption, people_pictures.jpeg(people_pictures.draw(people, person, hmr))))
    return shown

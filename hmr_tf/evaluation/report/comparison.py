"""Runs side by side: their metrics, and whether the differences are within the uncertainty."""

from pathlib import Path
from typing import NamedTuple, Optional

from hmr_tf.evaluation import bootstrap
from hmr_tf.evaluation.report import person_errors, results
from hmr_tf.files.errors import InputError

WITHIN, BEYOND = "within uncertainty", "beyond uncertainty"


class Run(NamedTuple):
    """One evaluation."""

    name: str  # the part of its path that differs between the runs
    folder: Path
    content: dict  # of results.json
    people: Optional[person_errors.PersonErrors]  # None where there is no file of its people


class Comparison(NamedTuple):
    """Runs of one protocol; differences are from the first."""

    protocol: str
    header: tuple  # texts of the table
    rows: list  # of tuples of texts
    notes: list  # texts: why a run has no intervals of its differences
    runs: list  # of Run; `people` is None where they are not those of the first


def compare(paths):
    """Runs side by side.

    Args:
      paths: results.json files, or their folders; two or more.

    Returns:
      Comparison. Intervals are of the paired differences: in each resample both runs have the same
      sequences, so that what is hard for both does not count.

    Raises:
      InputError: fewer than two files, other files, or different protocols.
    """
    if len(paths) < 2:
        raise InputError("--compare needs two results.json or more, with commas between.")
    runs, notes = [_read(path, name) for path, name in zip(paths, _names(paths))], []
    protocols = list(dict.fromkeys(run.content["protocol"] for run in runs))
    if len(protocols) > 1:
        raise InputError(f"--compare: the runs are of different protocols, {', '.join(protocols)}.")
    for number, run in enumerate(runs):
        reason = _why_not_paired(run, runs[0])
        if reason:
            notes.append(f"{run.name}: {reason}, so that its differences have no interval")
            runs[number] = run._replace(people=None)
    header = ["", runs[0].name]
    for run in runs[1:]:
        header += [run.name, "difference", "95 %", ""]
    rows = [_row(name, runs) for name in runs[0].content["metrics"]]
    return Comparison(protocols[0], tuple(header), [*rows, *_rows_of_options(runs)], notes[:], runs)


def _read(path, name):
    content, folder = results.read(path), _folder(path)
    return Run(name, folder, content, person_errors.read(folder))


def _folder(path):
    return Path(path) if Path(path).is_dir() else Path(path).parent


def _names(paths):
    """Texts: the paths without results.json and without the folders that all of them lie in."""
    files = [
        _folder(path) / results.RESULTS if Path(path).is_dir() else Path(path) for path in paths
    ]
    parts = [file.parent.parts if file.name == results.RESULTS else file.parts for file in files]
    same = 0
    while all(len(names) > same + 1 for names in parts) and len({p[same] for p in parts}) == 1:
        same += 1
    names = [str(Path(*names[same:])) for names in parts]
    return names if len(set(names)) == len(names) else [str(path) for path in paths]


def _why_not_paired(run, first):
    """Text; empty for a run with the same people as the first."""
    if run.people is None:
        return f"no {person_errors.FILE} beside it"
    if bootstrap.intervals_of(run.people.resamples) != run.content.get("intervals"):
        return f"its {person_errors.FILE} is of another evaluation"
    if first.people is not None and run.people.data_digest != first.people.data_digest:
        return f"other people or labels than {first.name}"
    if first.people is not None and run.people.draws_digest != first.people.draws_digest:
        return "its resamples are of another version of NumPy or of this program"
    return ""


def _row(metric, runs):
    values = [run.content["metrics"].get(metric) for run in runs]
    cells = [results.format_number(values[0])]
    for value, run in zip(values[1:], runs[1:]):
        is_known = None not in (value, values[0])
        cells += [
            results.format_number(value),
            f"{value - values[0]:+.2f}" if is_known else "-",
            *_uncertainty(metric, runs[0].people, run.people),
        ]
    return (results.metric_label(metric), *cells)


def _uncertainty(metric, first, other):
    """The interval of a difference as text, and whether it holds zero."""
    if first is None or other is None:
        return "-", ""
    if not (metric in first.resamples and metric in other.resamples):
        return "-", ""
    interval = bootstrap.interval(other.resamples[metric] - first.resamples[metric])
    if interval is None:
        return "-", ""
    low, high = interval
    return f"[{low:+.2f}, {high:+.2f}]", WITHIN if low <= 0 <= high else BEYOND


def _rows_of_options(runs):
    """Rows of the options that differ."""
    settings = [run.content.get("options", {}) for run in runs]  # none in versions before 1.1
    for name in (name for name in settings[0] if all(name in options for options in settings)):
        first, *others = (results.format_flag_value(options[name]) for options in settings)
        if set(others) != {first}:
            cells = [cell for value in others for cell in (value, "", "", "")]
            yield (f"--{name}", first, *cells)

"""Results as files and text: results.json, sequences.csv, the printed table, comparisons."""

import csv
import io
import json
import math
import subprocess
from pathlib import Path

from hmr_tf.body.skeleton import LSP_JOINTS, MPI_INF_3DHP_JOINTS
from hmr_tf.files import atomic
from hmr_tf.files.errors import InputError

LABELS = {
    "mpjpe_mm": "MPJPE, mm",
    "pa_mpjpe_mm": "PA-MPJPE, mm",
    "mpjpe_actions_mm": "MPJPE, mean over actions, mm",
    "pa_mpjpe_actions_mm": "PA-MPJPE, mean over actions, mm",
    "mpjpe_median_mm": "MPJPE, median, mm",
    "pa_mpjpe_median_mm": "PA-MPJPE, median, mm",
    "pck_percent": "PCK at 150 mm, %",
    "auc_percent": "AUC, 0 to 150 mm, %",
    "pa_pck_percent": "PCK after alignment, %",
    "pa_auc_percent": "AUC after alignment, %",
    "acceleration_mm": "acceleration error, mm per frame²",
    "pve_mm": "PVE (vertices), mm",
    "pa_pve_mm": "PA-PVE (vertices after alignment), mm",
    "pve_t_sc_mm": "PVE-T-SC (vertices in rest pose, size corrected), mm",
    "mpjae_deg": "MPJAE (angles of 9 joints), degrees",
    "pa_mpjae_deg": "MPJAE after alignment, degrees",
    "pck_50_percent": "PCK at 50 mm, 12 joints, %",
    "auc_200_percent": "AUC, 0 to 199 mm, 12 joints, %",
    "jitter": "jitter, 10 m/s³",
    "silhouette_iou_percent": "silhouette: IoU of all pixels, %",
    "silhouette_mean_iou_percent": "silhouette: IoU, mean of the people, %",
    "foreground_accuracy_percent": "silhouette: accuracy, %",
    "foreground_f1": "silhouette: F1",
    "parts_accuracy_percent": "parts: accuracy, %",
    "parts_f1": "parts: F1",
    "wrong_pixels_percent": "wrong pixels, %",
    "f1": "F1",
    "keypoints_px": "distance of the keypoints, px of the crop",
    "keypoints_median_px": "distance of the keypoints, median of the people, px",
    "vertices_mm": "mean distance of the vertices, pelvis at the origin, mm",
    "pa_vertices_mm": "the same after alignment of the vertices, mm",
    "pck_torso_percent": "PCK, half of the torso, %",
    "pck_head_percent": "PCK, half of the head, %",
    "pck_box_percent": "PCK, a fifth of the box, %",
    "ap_percent": "AP (OKS 0.50 to 0.95), %",
    "ap50_percent": "AP at OKS 0.50, %",
    "ap75_percent": "AP at OKS 0.75, %",
    "ap_medium_percent": "AP, medium people, %",
    "ap_large_percent": "AP, large people, %",
    "ar_percent": "AR (OKS 0.50 to 0.95), %",
    "ar50_percent": "AR at OKS 0.50, %",
    "ar75_percent": "AR at OKS 0.75, %",
    "ar_medium_percent": "AR, medium people, %",
    "ar_large_percent": "AR, large people, %",
    "oks_percent": "OKS of the best prediction, mean of the people, %",
    "oks_error": "1 - OKS",
    "pck05_percent": "PCK, 5 % of the box, mean of the keypoints, %",
    "pck10_percent": "PCK, 10 % of the box, mean of the keypoints, %",
    "torso_whole_percent": "torsos within 15 % of the label, people with both ankles, %",
    "torso_cut_off_percent": "torsos within 15 % of the label, legs not labelled, %",
    "impossible_angles_percent": "joint angles outside the middle 99 % of motion capture, %",
    "betas_beyond_3_percent": "betas beyond 3 sigma, %",
    "model_ms": "one image, given the box, ms",
    "rendered_ms": "the same with rendering, ms",
    "frames": "frames",
    "people": "people with labelled keypoints",
}
RESULTS, SEQUENCES = "results.json", "sequences.csv"
_MAX_BYTES, _MAX_INTEGER = 2**26, 2**63
_FEW_GROUPS = 20  # docs/evaluation.md has how often their intervals hold the truth
_MAX_SHOWN = 5  # names of missing sequences; results.json and the report have all


def metric_label(metric):
    """A metric's name in tables."""
    return LABELS.get(metric, metric)


def format_number(value):
    """A metric's value in tables."""
    if isinstance(value, int):
        return str(value)
    return "-" if value is None or not math.isfinite(value) else f"{value:.2f}"


def format_interval(interval):
    """[low, high] in tables; "-" without one."""
    return "-" if interval is None else f"[{interval[0]:.2f}, {interval[1]:.2f}]"


def describe_bootstrap(results):
    """A sentence on the intervals of results; empty for those of earlier versions."""
    settings = results.get("bootstrap")
    if not settings:
        return ""
    if settings["groups"] < 2:
        return f"no 95 % intervals: they need two {settings['of']} or more"
    caution = "; so few give too narrow intervals" if settings["groups"] < _FEW_GROUPS else ""
    return (
        f"95 % intervals: bootstrap over {settings['groups']} {settings['of']}, "
        f"{settings['resamples']} resamples{caution}"
    )


def run_entries(title, plan, load_path, model_digest, engine, device):
    """The entries of results.json that say what was run.

    Args:
      title: of the protocol.
      plan: with `options` and `missing`.
      load_path: name of the model.
      model_digest: of `networks.engines.model_digest`.
      engine: `networks.engines.Engine`.
      device: text.
    """
    return {
        "title": title,
        "load_path": str(load_path),
        "model_digest": model_digest,
        "commit": commit(),
        "options": plan.options,
        "missing": plan.missing,
        "engine": engine.name,
        "precision": engine.precision,
        "flip_test": engine.flip_test,
        "device": device,
    }


def write(folder, results):
    """Writes results.json, and sequences.csv where there are sequences, into a Path.

    A sequences.csv of an earlier run is removed where there are none.
    """
    text = json.dumps(_without_nan(results), indent=2, allow_nan=False)
    atomic.write_text(folder / RESULTS, text + "\n")
    rows = results.get("tables", {}).get("sequence")
    if rows:
        atomic.write_text(folder / SEQUENCES, _csv("sequence", rows))
    else:
        (folder / SEQUENCES).unlink(missing_ok=True)


def read(path):
    """The dict of a results.json, also of one of a version before 1.1 without --protocol.

    Raises:
      InputError: the file is not a results.json.
    """
    path = Path(path)
    path = path / RESULTS if path.is_dir() else path
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError("it is too large")
        content = json.loads(path.read_text())
        if "metrics" not in content and "keypoints_px" in content:  # before version 1.1
            numbers = {name: value for name, value in content.items() if name in LABELS}
            content = {**content, "protocol": "body_errors", "metrics": numbers}
        kinds = {"metrics": dict, "protocol": str, "options": dict}
        content.setdefault("options", {})  # none in versions before 1.1
        if not all(isinstance(content[name], kind) for name, kind in kinds.items()):
            raise TypeError("metrics, protocol or options have other types")
        for name, value in content["metrics"].items():
            is_number = type(value) is float or (type(value) is int and abs(value) < _MAX_INTEGER)
            if not (value is None or is_number):
                raise InputError(
                    f"--compare={path}: its metric {name} is not a number; pass a results.json of "
                    "--mode=evaluate."
                )
        return content
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"--compare={path} is not a results.json of --mode=evaluate: it needs a protocol and "
            "metrics, which are numbers."
        ) from error


def describe(results):
    """The printed text: settings, metrics beside the published ones, tables of groups."""
    lines = [
        results["title"],
        *_settings(results),
        describe_counts(results["counts"]),
        *_missing(results),
        "",
        *text_table(*metrics_table(results)),
        *filter(None, [describe_bootstrap(results)]),
    ]
    for title in ("action", "activity", "part", "gender", "joint"):
        if title in results["tables"]:
            lines += ["", *_group_table(title, results["tables"][title])]
    return "\n".join(lines)


def describe_counts(counts):
    """How many people were measured: of TFRecords, or of photographs."""
    if "photographs" not in counts:
        return f"{counts['frames']} frames of {counts['sequences']} files"
    text = "{people} labelled people in {photographs} photographs, {predictions} predictions"
    areas = ", {areas_from_boxes} areas from boxes" if counts["areas_from_boxes"] else ""
    return (text + areas).format(**counts)


def metrics_table(results):
    """(header, rows) of text: every metric, its interval, and the published ones."""
    intervals, published = results.get("intervals", {}), results["published"]
    rows = [
        (
            metric_label(name),
            format_number(value),
            format_interval(intervals.get(name)),
            *(format_number(x[name]) if name in x else "" for x in published.values()),
        )
        for name, value in results["metrics"].items()
    ]
    return ("", "here", "95 %", *published), rows


def text_table(header, rows):
    """Lines of aligned columns: the first to the left, numbers to the right."""
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells)]
    return [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths))
        ).rstrip()
        for row in cells
    ]


def commit():
    """The checkout's commit, with "-dirty" where files differ; None without git."""
    root = Path(__file__).resolve().parents[3]
    if not (root / ".git").exists():
        return None
    try:
        command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def _settings(results):
    options = [f"--{name}={format_flag_value(value)}" for name, value in results["options"].items()]
    yield " ".join([f"--protocol={results['protocol']}", *options])
    yield from (f"{subject}: {words}" for subject, words in results.get("used", {}).items())
    yield f"model: {results['load_path']}; commit: {results['commit'] or 'unknown'}"


def _missing(results):
    missing = results["missing"]
    if missing:
        shown = ", ".join(missing[:_MAX_SHOWN]) + (", ..." if len(missing) > _MAX_SHOWN else "")
        yield f"INCOMPLETE: {len(missing)} missing: {shown}"


def format_flag_value(value):
    """A flag's value as on the command line; 14 and 17 for the usual joints."""
    if isinstance(value, (tuple, list)):
        numbers = {tuple(names): str(len(names)) for names in (LSP_JOINTS, MPI_INF_3DHP_JOINTS)}
        return numbers.get(tuple(map(str, value)), ",".join(map(str, value)))
    return str(value)


def _group_table(title, rows):
    columns = list(next(iter(rows.values())))
    body = [
        (name, *(format_number(row[column]) for column in columns)) for name, row in rows.items()
    ]
    return text_table((f"by {title}", *columns), body)


def _csv(title, rows):
    stream = io.StringIO()
    columns = list(next(iter(rows.values())))
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([title, *columns])
    writer.writerows([name, *row.values()] for name, row in rows.items())
    return stream.getvalue()


def _without_nan(value):
    """NaN becomes null, as JSON has no NaN."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

"""The page of a comparison: metrics, scatter, people who gained and lost, tables of groups."""

import numpy as np

from hmr_tf.evaluation import person_groups
from hmr_tf.evaluation.report import (
    changed_people,
    charts,
    html_parts,
    people_pictures,
    results,
)

COMPARISON = "comparison.html"
_NUM_CHANGED = 4  # people drawn of those who gained, and of those who lost
_MAX_METRICS = 3  # of a table of groups
_LEFT_OUT = ("sequence",)  # tables that are too long to put side by side


def page(compared, ranked_by, smpl_model_path=""):
    """HTML text of runs side by side.

    Args:
      compared: `comparison.Comparison`.
      ranked_by: the error that chooses people.
      smpl_model_path: see `changed_people.Pictures`.
    """
    safe, runs = html_parts.safe, compared.runs
    parts = [
        f"<h1>{safe(compared.protocol)}: {len(runs)} runs</h1>",
        f"<p>Differences are from the first run, <code>{safe(runs[0].name)}</code>. "
        "In brackets: the middle 95 % of the difference when sequences or photographs are drawn "
        "again at random, the same ones for both runs.</p>",
        f'<div class="wide">{html_parts.table(compared.header, compared.rows)}</div>',
        *(f"<p>{safe(note)}.</p>" for note in compared.notes),
    ]
    for run in runs[1:]:
        if len(runs) > 2:
            parts.append(f"<h1>{safe(runs[0].name)} and {safe(run.name)}</h1>")
        if runs[0].people is not None and run.people is not None:
            parts += _by_person(runs[0], run, ranked_by, smpl_model_path)
        parts += _tables(runs[0], run)
    return html_parts.document(f"{compared.protocol}: runs compared", parts)


def _by_person(first, other, ranked_by, smpl_model_path):
    common = [name for name in first.people.errors if name in other.people.errors]
    if not common:
        return
    metric = ranked_by if ranked_by in common else common[0]
    errors = [run.people.errors[metric] for run in (first, other)]
    known = np.isfinite(errors).all(axis=0)
    if not known.any():
        return
    label = results.metric_label(metric)
    difference = errors[1] - errors[0]
    better, worse = (np.mean(sign * difference[known] > 0) for sign in (-1, 1))
    yield "<h2>Person by person</h2>"
    yield '<div class="charts">' + charts.scatter(
        errors[0][known], errors[1][known], f"{label}: first run", "other run"
    )
    yield (
        f"<p>{html_parts.safe(label)}<br>{known.sum()} people; first run: "
        f"<code>{html_parts.safe(first.name)}</code>, other run: "
        f"<code>{html_parts.safe(other.name)}</code>.<br>Below the diagonal the other run is "
        f"better: for {100 * better:.1f} % of the people; worse for {100 * worse:.1f} %. "
        f"Median difference {np.median(difference[known]):+.2f}.</p></div>"
    )
    people = changed_people.most_changed(difference, first.people.group, _NUM_CHANGED)
    pictures = changed_people.Pictures((first, other), smpl_model_path)
    for title, chosen in zip(("Gained most", "Lost most"), people):
        yield f"<h2>{title}</h2>"
        if not chosen:
            yield "<p>No person.</p>"
        for person in chosen:
            yield _figure(pictures, first.people, person, [x[person] for x in errors], label)


def _figure(pictures, people, person, errors, label):
    place = str(people.paths[people.shard[person]]).rsplit("/", 1)[-1]
    caption = f"{label} {errors[0]:.2f}, other run {errors[1]:.2f} ({errors[1] - errors[0]:+.2f}); "
    caption += f"{place}, record {people.number[person] + 1}, {people.filename[person]}"
    if not people.predictions_digest:  # of photographs, whose predictions are not kept
        return f"<p>{html_parts.safe(caption)}</p>"
    picture = pictures.draw(person)
    if picture is None:
        text = "not drawn, as its TFRecord or its predictions have changed or are not there"
        return f"<p>{html_parts.safe(caption)}: {text}.</p>"
    caption += (
        ". The picture; the first run's body, and from the side; the other run's"
        if pictures.have_bodies
        else ". The picture; the first run's keypoints; the other run's. Bodies are drawn with "
        "--smpl_model_path=FILE of the models"
    )
    return html_parts.figure(caption, people_pictures.encode_jpeg(picture), is_wide=True)


def _tables(first, other):
    """Tables of groups that both runs have, side by side.

    Where the people are known, box size, truncation and heading are those of the first run.
    """
    runs = (first, other)
    tables = [run.content.get("tables") for run in runs]
    if not all(isinstance(table, dict) for table in tables):
        return
    if None not in (first.people, other.people):
        groups = first.people.attributes
        tables = [
            {**table, **person_groups.tables(groups, run.people.errors)}
            for table, run in zip(tables, runs)
        ]
    for title in tables[0]:
        if title in _LEFT_OUT or title not in tables[1]:
            continue
        rows = [table[title] for table in tables]
        if not all(map(_is_table, rows)):
            continue
        columns = [name for name in _columns(rows[0]) if name in _columns(rows[1])]
        header = [title] + ["frames"] * ("frames" in columns)
        metrics = [name for name in columns if name != "frames"][:_MAX_METRICS]
        groups = [("", len(header)), *((results.metric_label(name), 3) for name in metrics)]
        header += ["first", "other", "difference"] * len(metrics)
        body = [
            _table_row(name, rows[0][name], rows[1][name], metrics, "frames" in columns)
            for name in rows[0]
            if name in rows[1]
        ]
        yield f"<h2>By {html_parts.safe(title)}</h2>"
        yield f'<div class="scroll">{html_parts.table(header, body, groups)}</div>'


def _is_table(rows):
    """Whether it is {row: {column: number}}, as in results.json; other programs may write it."""
    return (
        isinstance(rows, dict)
        and bool(rows)
        and all(
            isinstance(row, dict)
            and all(x is None or type(x) in (int, float) for x in row.values())
            for row in rows.values()
        )
    )


def _columns(rows):
    return list(next(iter(rows.values())))


def _table_row(name, first, other, metrics, has_frames):
    cells = [name] + [results.format_number(first.get("frames"))] * has_frames
    for metric in metrics:
        values = [row.get(metric) for row in (first, other)]
        is_known = None not in values
        cells += [
            *map(results.format_number, values),
            f"{values[1] - values[0]:+.2f}" if is_known else "-",
        ]
    return cells

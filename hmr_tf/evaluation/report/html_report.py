"""Results as one self-contained HTML file: tables, charts, people."""

import numpy as np

from hmr_tf.evaluation.report import charts, html_parts, results

REPORT = "report.html"


def report(content, errors, ranked_by, people):
    """The report.

    Args:
      content: the dict of results.json.
      errors: {metric: (N,)}, `Scores.errors`.
      ranked_by: the one of them that chooses the people.
      people: list of (caption, bytes of a JPEG).

    Returns:
      HTML text.
    """
    values = errors[ranked_by][np.isfinite(errors[ranked_by])]
    unit = results.metric_label(ranked_by)
    parts = [
        _head(content),
        "<h2>Results</h2>",
        html_parts.table(*results.metrics_table(content)),
        f"<p>{html_parts.safe(results.describe_bootstrap(content))}</p>",
        "<h2>Errors of the people</h2>",
        f'<div class="charts">{charts.histogram(values, unit)}'
        f"{charts.percentile_curve(values, unit)}</div>",
        _percentiles(content["percentiles"]),
        "<h2>People</h2>",
        *(html_parts.figure(caption, jpeg) for caption, jpeg in people),
        *_groups(content["tables"]),
    ]
    return html_parts.document(content["title"], parts)


def _head(content):
    options = [
        f"--{name}={results.format_flag_value(value)}" for name, value in content["options"].items()
    ]
    missing = content["missing"]
    command = " ".join([f"--protocol={content['protocol']}", *options])
    used = content.get("used", {}).items()
    lines = [
        f"<h1>{html_parts.safe(content['title'])}</h1>",
        f"<p><code>{html_parts.safe(command)}</code><br>",
        *(f"{html_parts.safe(subject)}: {html_parts.safe(words)}<br>" for subject, words in used),
        f"Model: <code>{html_parts.safe(content['load_path'])}</code> "
        f"(SHA-256 <code>{html_parts.safe(content['model_digest'][:16])}</code>)<br>",
        f"Commit: <code>{html_parts.safe(content['commit'] or 'unknown')}</code><br>",
        f"{html_parts.safe(results.describe_counts(content['counts']))}; computed on "
        f"{html_parts.safe(content['device'])}</p>",
    ]
    if missing:
        lines.append(
            f'<details class="warning"><summary><b>Incomplete:</b> {len(missing)} missing, so that '
            "the numbers are not the protocol's</summary>"
            f"{html_parts.safe(', '.join(missing))}</details>"
        )
    return "\n".join(lines)


def _percentiles(percentiles):
    shares = list(next(iter(percentiles.values())))
    rows = [
        (results.metric_label(name), *(results.format_number(values[share]) for share in shares))
        for name, values in percentiles.items()
    ]
    return html_parts.table(("percentile", *(f"{share}%" for share in shares)), rows)


def _groups(tables):
    """A table of every group; of joints and parts also a chart."""
    for title, rows in tables.items():
        yield f"<h2>By {html_parts.safe(title)}</h2>"
        columns = list(next(iter(rows.values())))
        if title in ("joint", "part"):
            series = {column: results.metric_label(column) for column in columns[:2]}
            yield charts.bars(rows, series)
        body = [
            (name, *(results.format_number(row[c]) for c in columns)) for name, row in rows.items()
        ]
        labels = [results.metric_label(column) for column in columns]
        yield f'<div class="scroll">{html_parts.table((title, *labels), body)}</div>'

"""Results as one self-contained HTML file: tables, charts, people."""

import base64
import html

import numpy as np

from hmr_tf.evaluation.report import charts, results

REPORT, COMPARISON = "report.html", "comparison.html"
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; max-width: 1000px; margin: 24px auto;
       padding: 0 16px }
h1 { font-size: 24px; margin-bottom: 4px }
h2 { font-size: 18px; margin: 28px 0 8px }
code { font-size: 13px; overflow-wrap: anywhere }
table { border-collapse: collapse }
th, td { padding: 3px 12px; border-bottom: 1px solid #ddd; text-align: right }
th:first-child, td:first-child { text-align: left }
thead th { border-bottom: 2px solid #888 }
.charts { display: flex; flex-wrap: wrap; gap: 16px }
figure { margin: 0 0 14px }
img { width: 720px; max-width: 100%; display: block }
figcaption { color: #555; font-size: 13px }
.warning { background: #fee; border-left: 4px solid #c33; padding: 8px }
.scroll { max-height: 420px; overflow: auto; display: inline-block }
"""


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
        _table(*results.metrics_table(content)),
        f"<p>{_safe(results.describe_bootstrap(content))}</p>",
        "<h2>Errors of the people</h2>",
        f'<div class="charts">{charts.histogram(values, unit)}'
        f"{charts.percentile_curve(values, unit)}</div>",
        _percentiles(content["percentiles"]),
        "<h2>People</h2>",
        *(_person(caption, jpeg) for caption, jpeg in people),
        *_groups(content["tables"]),
    ]
    return _document(content["title"], parts)


def comparison(compared):
    """HTML text of runs side by side: of a `comparison.Comparison`."""
    parts = [
        f"<h1>{_safe(compared.protocol)}</h1>",
        _table(compared.header, compared.rows),
        *(f"<p>{_safe(note)}.</p>" for note in compared.notes),
    ]
    return _document(f"{compared.protocol}: runs compared", parts)


def _head(content):
    options = [
        f"--{name}={results.format_flag_value(value)}" for name, value in content["options"].items()
    ]
    missing = content["missing"]
    command = " ".join([f"--protocol={content['protocol']}", *options])
    used = content.get("used", {}).items()
    lines = [
        f"<h1>{_safe(content['title'])}</h1>",
        f"<p><code>{_safe(command)}</code><br>",
        *(f"{_safe(subject)}: {_safe(words)}<br>" for subject, words in used),
        f"Model: <code>{_safe(content['load_path'])}</code> "
        f"(SHA-256 <code>{_safe(content['model_digest'][:16])}</code>)<br>",
        f"Commit: <code>{_safe(content['commit'] or 'unknown')}</code><br>",
        f"{_safe(results.describe_counts(content['counts']))}; computed on "
        f"{_safe(content['device'])}</p>",
    ]
    if missing:
        lines.append(
            f'<details class="warning"><summary><b>Incomplete:</b> {len(missing)} missing, so that '
            f"the numbers are not the protocol's</summary>{_safe(', '.join(missing))}</details>"
        )
    return "\n".join(lines)


def _percentiles(percentiles):
    shares = list(next(iter(percentiles.values())))
    rows = [
        (results.metric_label(name), *(results.format_number(values[share]) for share in shares))
        for name, values in percentiles.items()
    ]
    return _table(("percentile", *(f"{share}%" for share in shares)), rows)


def _person(caption, jpeg):
    data = base64.b64encode(jpeg).decode("ascii")
    return (
        f'<figure><img src="data:image/jpeg;base64,{data}" alt="{_safe(caption)}">'
        f"<figcaption>{_safe(caption)}</figcaption></figure>"
    )


def _groups(tables):
    """A table of every group; of joints and parts also a chart."""
    for title, rows in tables.items():
        yield f"<h2>By {_safe(title)}</h2>"
        columns = list(next(iter(rows.values())))
        if title in ("joint", "part"):
            series = {column: results.metric_label(column) for column in columns[:2]}
            yield charts.bars(rows, series)
        body = [
            (name, *(results.format_number(row[c]) for c in columns)) for name, row in rows.items()
        ]
        labels = [results.metric_label(column) for column in columns]
        yield f'<div class="scroll">{_table((title, *labels), body)}</div>'


def _table(header, rows):
    head = "".join(f"<th>{_safe(cell)}</th>" for cell in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{_safe(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _document(title, parts):
    body = "\n".join(parts)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{_safe(title)}</title><style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _safe(text):
    """Names come from files that are not trusted."""
    return html.escape(str(text))

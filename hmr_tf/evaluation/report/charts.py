"""Small charts as SVG text, for the report."""

import html

import numpy as np

_WIDTH, _HEIGHT = 460, 240
_LEFT, _BOTTOM, _TOP, _RIGHT = 52, 40, 12, 20
_ROW = 26  # of bars
_MAX_POINTS = 4000  # of a scatter
_STYLE = "font:11px sans-serif"


def histogram(values, unit, bins=40):
    """Histogram of errors; the largest hundredth is cut off on the right.

    Args:
      values: (N,) finite numbers.
      unit: text below the axis.
      bins: number of bars.
    """
    end = _round_up(np.percentile(values, 99))
    counts, edges = np.histogram(values, bins, (0, end))
    top = _round_up(counts.max(initial=1))
    bars = [
        _rectangle(low, high, count, end, top)
        for low, high, count in zip(edges, edges[1:], counts)
        if count
    ]
    median = _x(np.median(values), end)
    line = f'<line x1="{median:.1f}" x2="{median:.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}" '
    line += 'stroke="#c33" stroke-dasharray="4 3"/>' + _text(median + 4, _TOP + 10, "median")
    return _frame([*bars, line], (0, end), (0, top), unit, "people")


def percentile_curve(values, unit):
    """Cumulative distribution: the share of the people with at most this error."""
    end = _round_up(np.percentile(values, 99))
    shares = np.linspace(0, 100, 201)
    points = [
        f"{_x(min(value, end), end):.1f},{_y(share, 100):.1f}"
        for share, value in zip(shares, np.percentile(values, shares))
    ]
    curve = f'<polyline points="{" ".join(points)}" fill="none" stroke="#27a" stroke-width="2"/>'
    return _frame([curve], (0, end), (0, 100), unit, "% of the people")


def scatter(x, y, x_label, y_label):
    """Points over axes of one scale that begin at zero, and the diagonal, where both are equal.

    Of many points an even part is drawn; points beyond the 99th percentile lie on the edge.

    Args:
      x, y: (N,) finite numbers.
      x_label, y_label: texts of the axes.
    """
    end = _round_up(np.percentile(np.concatenate([x, y]), 99))
    shown = np.linspace(0, len(x) - 1, min(len(x), _MAX_POINTS)).astype(int)
    points = "".join(
        f"M{_x(min(x[k], end), end):.1f} {_y(min(y[k], end), end):.1f}h0" for k in shown
    )
    style = 'fill="none" stroke="#27a" stroke-width="3.5" stroke-linecap="round" opacity="0.45"'
    diagonal = f'<path d="M{_x(0, end):.1f} {_y(0, end):.1f}L{_x(end, end):.1f} {_y(end, end):.1f}"'
    diagonal += ' stroke="#c33" stroke-dasharray="4 3"/>'
    parts = [f'<path d="{points}" {style}/>', diagonal]
    return _frame(parts, (0, end), (0, end), x_label, y_label)


def lines(series, x_label, y_label):
    """Curves over axes that begin at zero; their names are in the upper right corner.

    Args:
      series: name -> ((N,) x, (N,) y), finite numbers.
      x_label, y_label: texts of the axes.
    """
    x_end, y_end = (_round_up(max(max(line[axis]) for line in series.values())) for axis in (0, 1))
    parts = []
    for number, (name, line) in enumerate(series.items()):
        points = [(_x(x, x_end), _y(y, y_end)) for x, y in zip(*line)]
        text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        color = _color(number)
        parts.append(f'<polyline points="{text}" fill="none" stroke="{color}" stroke-width="1.5"/>')
        right, top = _WIDTH - _RIGHT, _TOP + 12 * (number + 1)
        parts.append(_text(right, top, name, "end", color=color))
    return _frame(parts, (0, x_end), (0, y_end), x_label, y_label)


def bars(rows, series):
    """Horizontal bars, one for each row and series.

    Args:
      rows: name -> {series: number}.
      series: {key in the rows: label}; at most two.
    """
    values = {name: [_finite(row[key]) for key in series] for name, row in rows.items()}
    end = _round_up(max(map(max, values.values())))
    height, left, thick = _ROW * len(rows) + 26, 110, (_ROW - 4) / len(series)
    scale = (_WIDTH - left - 50) / end
    parts = []
    for place, (name, row) in enumerate(values.items()):
        top = _ROW * place + 2
        parts.append(_text(left - 6, top + _ROW / 2 + 2, name, "end"))
        for number, value in enumerate(row):
            y = top + thick * number
            parts.append(
                f'<rect x="{left}" y="{y:.1f}" width="{scale * value:.1f}" '
                f'height="{thick - 1:.1f}" fill="{_color(number)}"/>'
            )
            parts.append(_text(left + scale * value + 4, y + thick / 2 + 3, f"{value:.4g}"))
    for number, label in enumerate(series.values()):
        x, y = left + 170 * number, height - 18
        parts.append(f'<rect x="{x}" y="{y}" width="10" height="10" fill="{_color(number)}"/>')
        parts.append(_text(x + 14, y + 9, label))
    return _svg(height, parts)


def _finite(value):
    """An unknown value has no bar."""
    return value if np.isfinite(value) else 0.0


def _color(number):
    return ("#27a", "#e90", "#3a5", "#c33")[number % 4]


def _frame(parts, x_range, y_range, x_label, y_label):
    """Axes with numbers around `parts`."""
    right, floor = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    axes = [f'<path d="M{_LEFT} {_TOP}V{floor}H{right}" fill="none" stroke="#888"/>']
    for share in (0, 0.25, 0.5, 0.75, 1):
        x, y = _LEFT + share * (right - _LEFT), floor - share * (floor - _TOP)
        axes.append(_text(x, floor + 14, f"{share * x_range[1]:g}", "middle"))
        axes.append(_text(_LEFT - 5, y + 4, f"{share * y_range[1]:g}", "end"))
    axes.append(_text((_LEFT + right) / 2, _HEIGHT - 8, x_label, "middle"))
    middle = (floor + _TOP) / 2
    rotated = f'transform="rotate(-90 11 {middle})"'
    axes.append(_text(11, middle, y_label, "middle", rotated))
    return _svg(_HEIGHT, [*parts, *axes])


def _rectangle(low, high, count, end, top):
    left, right, y = _x(low, end), _x(high, end), _y(count, top)
    return (
        f'<rect x="{left:.1f}" y="{y:.1f}" width="{max(right - left - 1, 0.5):.1f}" '
        f'height="{_HEIGHT - _BOTTOM - y:.1f}" fill="#27a"/>'
    )


def _x(value, end):
    return _LEFT + value / end * (_WIDTH - _LEFT - _RIGHT)


def _y(value, top):
    return _HEIGHT - _BOTTOM - value / top * (_HEIGHT - _BOTTOM - _TOP)


def _text(x, y, text, anchor="start", more="", color="#444"):
    style = f"{_STYLE};fill:{color}"
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" style="{style}" {more}>'
        f"{html.escape(str(text))}</text>"
    )


def _svg(height, parts):
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}">{"".join(parts)}</svg>'
    )


def _round_up(value):
    """The next of 1, 2, 4, 5, 8 times a power of ten: an end for an axis."""
    if not value > 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    steps = (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 5, 6, 8, 10)
    return float(power * next(step for step in steps if step * power >= value * (1 - 1e-9)))

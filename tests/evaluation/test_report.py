"""Charts, pages and results files; names from files must not become markup."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from hmr_tf.evaluation.protocols import scores
from hmr_tf.evaluation.report import charts, html_report, results
from hmr_tf.files import atomic

RESULTS = {
    "protocol": "h36m_p2",
    "title": "A <title> & more",
    "load_path": "<script>alert(1)</script>",
    "model_digest": "0" * 64,
    "commit": None,
    "options": {"root": "hips", "trials": (0,)},
    "counts": {"sequences": 1, "frames": 3},
    "missing": ["<b>S9</b>"],
    "metrics": {"mpjpe_mm": 50.0, "model_ms": 10.0},
    "intervals": {"mpjpe_mm": [45.0, 55.5]},
    "bootstrap": {"resamples": 1000, "seed": 0, "groups": 3, "of": "sequences"},
    "device": "CPU",
    "percentiles": {"mpjpe_mm": {50: 1.0, 95: 2.0}},
    "published": {"paper": {"mpjpe_mm": 56.8}},
    "tables": {
        "sequence": {"a & b": {"frames": 3, "mpjpe_mm": 50.0}},
        "joint": {"neck": {"mpjpe_mm": 40.0, "pa_mpjpe_mm": float("nan")}},
    },
}


def numbers(svg, tag, attribute):
    root = ET.fromstring(svg)
    return [float(x.get(attribute)) for x in root.iter(f"{{http://www.w3.org/2000/svg}}{tag}")]


def test_charts_histogram_has_a_bar_for_each_filled_bin():
    svg = charts.histogram(np.array([1.0, 1.0, 1.0, 9.0]), "mm & more", bins=10)
    heights = numbers(svg, "rect", "height")
    assert len(heights) == 2
    assert heights[0] == pytest.approx(3 * heights[1], rel=1e-2)


def test_charts_percentile_curve_rises():
    svg = charts.percentile_curve(np.arange(100.0), "mm")
    points = re.search('points="([^"]+)"', svg)[1].split()
    x, y = np.array([point.split(",") for point in points], float).T
    assert (np.diff(x) >= 0).all()
    assert (np.diff(y) < 0).all()  # y points down


def test_charts_lines_are_at_their_numbers():
    svg = charts.lines({"a & b": ([0, 10], [8.0, 2.0]), "c": ([5], [4.0])}, "step", "px")
    assert re.findall(r'points="([^"]+)"', svg) == ["52.0,12.0 440.0,153.0", "246.0,106.0"]
    assert "a &amp; b" in svg


def test_charts_scatter_has_one_scale_and_the_diagonal():
    svg = charts.scatter(np.array([0.0, 10.0, 5.0]), np.array([0.0, 5.0, 50.0]), "a & b", "c")
    (points,) = re.findall(r'<path d="((?:M[\d. ]+h0)+)"', svg)
    points = np.array([point.split() for point in re.findall(r"M([\d. ]+)h0", points)], float)
    end = points[2, 1]  # the top, as 50 is beyond the 99th percentile
    assert end == 12
    left, floor = points[0]
    assert (points[1, 0] - left) / (440 - left) == pytest.approx(
        2 * (floor - points[1, 1]) / (floor - end), rel=1e-2
    )
    assert "a &amp; b" in svg
    many = charts.scatter(np.arange(1e5), np.arange(1e5), "x", "y")
    assert len(many) < 2e5


@pytest.mark.parametrize("values", [np.zeros(3), np.array([5.0]), np.array([1e-9, 1e9])])
def test_charts_of_extreme_numbers_are_valid(values):
    for svg in (charts.histogram(values, "mm"), charts.percentile_curve(values, "mm")):
        assert "nan" not in svg
        ET.fromstring(svg)


def test_charts_bars_are_as_long_as_their_numbers():
    rows = {"neck": {"a": 10.0, "b": 20.0}, "<hip>": {"a": 40.0, "b": float("nan")}}
    svg = charts.bars(rows, {"a": "A", "b": "B"})
    widths = numbers(svg, "rect", "width")[:4]
    assert widths[1] == pytest.approx(2 * widths[0], rel=1e-2)
    assert widths[2] == pytest.approx(4 * widths[0], rel=1e-2)
    assert widths[3] == 0


def test_report_page_is_complete_and_has_no_script():
    errors = {"mpjpe_mm": np.array([1.0, 2.0, np.nan])}
    html = html_report.report(RESULTS, errors, "mpjpe_mm", [("best: <i>", b"\xff\xd8jpeg")])
    assert "<script" not in html
    assert "<b>S9" not in html
    assert "best: <i>" not in html
    assert "a &amp; b" in html
    assert "data:image/jpeg;base64,/9hqcGVn" in html
    assert "56.80" in html
    assert "nan" not in html.lower().replace("<meta name", "")


def test_results_text_has_settings_metrics_and_missing_sequences():
    text = results.describe(RESULTS)
    assert "--protocol=h36m_p2 --root=hips --trials=0" in text
    assert "INCOMPLETE: 1 missing" in text
    assert re.search(r"MPJPE, mm +50\.00 +\[45\.00, 55\.50\] +56\.80", text)
    assert re.search(r"given the box, ms +10\.00 +-\n", text)
    assert (
        "95 % intervals: bootstrap over 3 sequences, 1000 resamples; so few give too narrow" in text
    )
    many = {**RESULTS, "bootstrap": {**RESULTS["bootstrap"], "groups": 20}}
    assert results.describe(many).endswith(
        "1000 resamples\n\nby joint  mpjpe_mm  pa_mpjpe_mm\nneck         40.00            -"
    )
    one = {**RESULTS, "intervals": {}, "bootstrap": {**RESULTS["bootstrap"], "groups": 1}}
    assert "no 95 % intervals: they need two sequences or more" in results.describe(one)
    assert re.search(r"neck +40\.00 +-", text)


def test_results_files_have_no_nan_and_can_be_read(tmp_path):
    results.write(tmp_path, RESULTS)
    content = results.read(tmp_path)
    assert content["tables"]["joint"]["neck"]["pa_mpjpe_mm"] is None
    assert (tmp_path / "sequences.csv").read_text() == "sequence,frames,mpjpe_mm\na & b,3,50.0\n"


def test_results_without_sequences_leave_no_table_of_an_earlier_run(tmp_path):
    results.write(tmp_path, RESULTS)
    results.write(tmp_path, {**RESULTS, "tables": {"gender": RESULTS["tables"]["sequence"]}})
    assert [path.name for path in tmp_path.iterdir()] == [results.RESULTS]


def test_results_that_cannot_be_written_leave_the_old_ones(tmp_path, monkeypatch):
    def full(partial, path):
        raise OSError("No space left on device")

    results.write(tmp_path, RESULTS)
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert sorted(before) == [results.RESULTS, results.SEQUENCES]
    monkeypatch.setattr(atomic, "finish", full)
    with pytest.raises(OSError, match="No space left"):
        results.write(tmp_path, {**RESULTS, "title": "another"})
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before


def test_scores_representative_people():
    errors = np.array([5.0, 1.0, np.nan, 3.0, 2.0, 4.0])
    assert scores.representative(errors) == {
        "best": 1,
        "median": 3,
        "95th percentile": 0,
        "worst": 0,
    }


def test_results_commit_is_that_of_the_checkout(tmp_path, monkeypatch):
    commit = results.commit()
    assert commit is None or re.fullmatch(r"[0-9a-f]{40}(-dirty)?", commit)
    monkeypatch.setenv("PATH", str(tmp_path))  # no git there
    assert results.commit() is None

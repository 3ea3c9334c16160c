"""Two runs on the same people: paired intervals of the differences, files of their errors."""

import json
from pathlib import Path

import numpy as np
import pytest

from hmr_tf.evaluation import bootstrap, evaluation_set, person_groups
from hmr_tf.evaluation.protocols import scores
from hmr_tf.evaluation.report import (
    changed_people,
    comparison,
    comparison_page,
    person_errors,
    results,
)
from hmr_tf.files.errors import InputError

NUM_PEOPLE, NUM_SEQUENCES = 120, 12


def people_of_sequences(label=1.0):
    """EvaluationSet of twelve sequences without predictions."""
    sequence = np.arange(NUM_PEOPLE) % NUM_SEQUENCES
    order = np.argsort(sequence, kind="stable")
    return evaluation_set.EvaluationSet(
        tuple(Path(f"h36m/test/S9_Walking_{k}_cam0.tfrecord") for k in range(NUM_SEQUENCES)),
        sequence[order],
        np.arange(NUM_PEOPLE) % (NUM_PEOPLE // NUM_SEQUENCES),
        {
            "label": np.full(NUM_PEOPLE, label),
            "filename": np.array([b"a.jpg"] * NUM_PEOPLE, object),
        },
        {},
    )


def write_run(folder, errors, label=1.0, metric=None):
    """results.json and people.npz of one run whose people have these errors."""
    folder.mkdir(exist_ok=True)
    metrics = {"mpjpe_mm": float(np.mean(errors)), "mpjpe_median_mm": float(np.median(errors))}
    measured = scores.Scores(
        metrics, {}, {"mpjpe_mm": errors}, {"mpjpe_median_mm": scores.Median(errors)}
    )
    attributes = {
        "heading": np.where(errors > errors.mean(), person_groups.BACK, person_groups.FRONT)
    }
    people = people_of_sequences(label)
    resamples = bootstrap.resample(scores.terms_of(measured), bootstrap.groups(people.clusters))
    kept = person_errors.of(people, measured.errors, resamples, attributes)
    kept = kept._replace(predictions_digest="digest", mesh_digest="of no body", image_size=112)
    person_errors.write(folder, kept)
    metrics = {**metrics, "mpjpe_mm": metrics["mpjpe_mm"] if metric is None else metric}
    tables = {
        "heading": {person_groups.BACK: {"frames": 9, "mpjpe_mm": 0.0}},
        "joint": {"neck <b>": {"mpjpe_mm": float(errors[0])}},
    }
    intervals = bootstrap.intervals_of(resamples)
    if metric is not None:
        intervals["mpjpe_mm"] = [metric, metric]
    content = {"protocol": "h36m_p2", "metrics": metrics, "intervals": intervals, "tables": tables}
    results.write(folder, content)
    return kept


@pytest.fixture
def errors(rng):
    """Errors that differ much more from sequence to sequence than within one."""
    hardness = 20 * rng.normal(size=NUM_SEQUENCES)[np.sort(np.arange(NUM_PEOPLE) % NUM_SEQUENCES)]
    return 80 + hardness + rng.normal(size=NUM_PEOPLE)


def cells_of(paths, metric="MPJPE, mm"):
    compared = comparison.compare(paths)
    (cells,) = (row for row in compared.rows if row[0] == metric)
    return cells, compared


def test_comparison_is_paired_by_sequence(tmp_path, errors, rng):
    """A difference of 2 mm is beyond what sequences differ in it, though far within both errors."""
    write_run(tmp_path / "a", errors)
    write_run(tmp_path / "b", errors + 2 + 0.5 * rng.normal(size=NUM_PEOPLE))
    write_run(tmp_path / "c", errors + 3 * rng.normal(size=NUM_PEOPLE))
    for metric in ("MPJPE, mm", "MPJPE, median, mm"):
        cells, compared = cells_of([tmp_path / name for name in "abc"], metric)
        low, high = map(float, cells[4].strip("[]").split(", "))
        assert low <= float(cells[3]) <= high
        assert compared.notes == []
    cells, _ = cells_of([tmp_path / name for name in "abc"])
    assert cells[5] == "beyond uncertainty"
    assert cells[9] == "within uncertainty"
    cells, _ = cells_of([tmp_path / "a", tmp_path / "a" / "results.json"])
    assert cells[3:] == ("+0.00", "[+0.00, +0.00]", "within uncertainty")


def test_comparison_names_runs_by_what_differs_in_their_paths(tmp_path, errors):
    for name in ("x/a/out", "x/b/out", "x"):
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
        write_run(tmp_path / name, errors)
    below = [tmp_path / "x/a/out/results.json", tmp_path / "x/b/out"]
    (tmp_path / "x/old.json").write_bytes((tmp_path / "x/results.json").read_bytes())
    for paths, names in (
        (below, ["a/out", "b/out"]),
        ([below[0], tmp_path / "x"], ["x/a/out", "x"]),
        ([tmp_path / "x/old.json", below[1]], ["old.json", "b/out"]),
        (
            [tmp_path / "x", tmp_path / "x/results.json"],
            [f"{tmp_path}/x", f"{tmp_path}/x/results.json"],
        ),
    ):
        assert [run.name for run in comparison.compare(paths).runs] == names


def test_comparison_interval_is_that_of_the_difference_of_each_person(tmp_path, errors, rng):
    other = errors + rng.normal(size=NUM_PEOPLE)
    write_run(tmp_path / "a", errors)
    write_run(tmp_path / "b", other)
    terms = {"x": scores.mean_terms(other - errors)}
    low, high = bootstrap.intervals(terms, bootstrap.groups(people_of_sequences().clusters))["x"]
    assert cells_of([tmp_path / "a", tmp_path / "b"])[0][4] == f"[{low:+.2f}, {high:+.2f}]"


def test_comparison_page_has_people_and_tables_side_by_side(tmp_path, errors, rng):
    other = errors + rng.normal(size=NUM_PEOPLE)
    write_run(tmp_path / "a", errors)
    write_run(tmp_path / "b", other)
    page = comparison_page.page(comparison.compare([tmp_path / "a", tmp_path / "b"]), "mpjpe_mm")
    assert page.count("<svg") == 1
    share = 100 * np.mean(other < errors)
    assert f"for {share:.1f} % of the people" in page
    person = np.argmin(other - errors)
    assert page.index("Gained most") < page.index(f"({np.min(other - errors):+.2f}); S9_Walking_")
    assert f"S9_Walking_{person // 10}_cam0.tfrecord, record {person % 10 + 1}, a.jpg" in page
    assert "not drawn, as its TFRecord or its predictions" in page
    assert "neck &lt;b&gt;" in page
    # Groups are those of the first run, also where the second run's table has other ones.
    behind = errors > errors.mean()
    mean = (other - errors)[behind].mean()
    assert f"<td>{person_groups.BACK}</td><td>{behind.sum()}</td>" in page
    assert f"<td>{mean:+.2f}</td>" in page


def test_comparison_page_of_older_and_foreign_results_has_the_metrics(tmp_path, errors):
    write_run(tmp_path / "a", errors)
    (tmp_path / "b").mkdir()
    for tables in (None, [], {"joint": 3}, {"joint": {"neck": []}}, {"joint": {"x": {"y": "z"}}}):
        content = {"protocol": "h36m_p2", "metrics": {"mpjpe_mm": 90.0}, "tables": tables}
        (tmp_path / "b" / "results.json").write_text(json.dumps(content))
        compared = comparison.compare([tmp_path / "a", tmp_path / "b"])
        page = comparison_page.page(compared, "mpjpe_mm")
        assert "90.00" in page
        assert "Person by person" not in page
        assert "By joint" not in page


def test_changed_people_are_of_different_groups():
    difference = np.array([-9, -8, -1, 0, np.nan, 3, 5, 4.0])
    groups = np.array([0, 0, 1, 1, 2, 2, 2, 0])
    assert changed_people.most_changed(difference, groups, 3) == ([0, 2], [6, 7])
    assert changed_people.most_changed(difference, groups, 1) == ([0], [6])


@pytest.mark.parametrize(
    "case", ["older", "other labels", "of another evaluation", "of another version"]
)
def test_comparison_without_the_same_people_has_no_intervals(tmp_path, errors, case):
    write_run(tmp_path / "a", errors)
    label, metric = (
        (2.0 if case == "other labels" else 1.0),
        (99.0 if case == "of another evaluation" else None),
    )
    write_run(tmp_path / "b", errors + 1, label=label, metric=metric)
    if case == "of another version":
        kept = person_errors.read(tmp_path / "b")
        person_errors.write(tmp_path / "b", kept._replace(draws_digest="0"))
    if case == "older":
        (tmp_path / "b" / person_errors.FILE).unlink()
    cells, compared = cells_of([tmp_path / "a", tmp_path / "b"])
    assert cells[4:] == ("-", "")
    assert cells[3] == ("+1.00" if metric is None else f"{99 - errors.mean():+.2f}")
    (note,) = compared.notes
    reason = {"older": "no people.npz", "other labels": "other people or labels"}.get(case, case)
    assert reason in note


def test_person_errors_are_read_as_written(tmp_path, errors):
    written = write_run(tmp_path / "a", errors)
    kept = person_errors.read(tmp_path / "a")
    assert kept.data_digest == written.data_digest
    assert kept.predictions_digest == "digest"
    assert kept.mesh_digest == "of no body"
    assert kept.image_size == 112
    np.testing.assert_array_equal(kept.errors["mpjpe_mm"], errors)
    np.testing.assert_array_equal(kept.attributes["heading"], written.attributes["heading"])
    np.testing.assert_array_equal(kept.group, written.group)
    assert set(kept.resamples) == {"mpjpe_mm", "mpjpe_median_mm"}
    for name, values in written.resamples.items():
        np.testing.assert_array_equal(kept.resamples[name], values)
    assert person_errors.read(tmp_path) is None


def test_person_errors_refuse_damaged_and_foreign_files(tmp_path, errors):
    write_run(tmp_path / "a", errors)
    path = tmp_path / "a" / person_errors.FILE
    content = dict(np.load(path))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"people\.npz"):
        person_errors.read(tmp_path / "a")
    changes = (
        {"format": 2},
        {"image_size": 2**30},
        {"shard": content["shard"] + 99},
        {"group": content["group"][:-1]},
        {"errors": np.array(["absent"])},
        {"errors/mpjpe_mm": np.zeros(3)},
        {"errors/mpjpe_mm": content["filename"]},
        {"resamples/mpjpe_mm": np.zeros(3)},
        {"group": np.zeros(NUM_PEOPLE)},
        {"attributes/heading": np.zeros(NUM_PEOPLE)},
        {"paths": np.array(3)},
    )
    for change in changes:
        np.savez(path, **{**content, **change})
        with pytest.raises(InputError, match="evaluate again"):
            person_errors.read(tmp_path / "a")


def test_evaluation_set_digest_is_of_people_and_labels(errors):
    digest = people_of_sequences().data_digest
    assert people_of_sequences().data_digest == digest
    assert people_of_sequences(2.0).data_digest != digest
    people = people_of_sequences()
    moved = people._replace(paths=tuple(Path("elsewhere") / path.name for path in people.paths))
    assert moved.data_digest == digest
    renamed = {**people.truth, "filename": people.truth["filename"].copy()}
    renamed["filename"][3] = b"b.jpg"
    assert people._replace(truth=renamed).data_digest != digest

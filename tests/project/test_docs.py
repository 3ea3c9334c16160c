"""README and docs: links lead somewhere, flags exist, the site builds."""

import dataclasses
import re
import subprocess
import sys
from importlib.util import find_spec

import pytest

from hmr_tf.cli.options import Options
from hmr_tf.cli.recipes import ROOT

PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
# Of programs that are not ours.
FOREIGN_FLAGS = {
    *("only-binary", "no-deps", "prefix", "out"),  # uv, pip, npm, sips
    *("enable_batching", "batching_parameters_file", "model_name", "model_base_path"),
    *("port", "rest_api_port", "logdir", "strict", "check", "extra"),
    *("flink_master", "parallelism"),  # Beam
}


def anchors(text):
    """Names of a page's headings, as GitHub and MkDocs make them."""
    for title in re.findall(r"^#+ (.*)$", text, re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-")


def links(page):
    """Targets of a page's links and pictures that are no web addresses."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"https?://", target):
            yield target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_docs_links_lead_somewhere(page):
    dead = []
    for target in links(page):
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        if not file.is_file() or (
            anchor and anchor not in anchors(file.read_text(encoding="utf-8"))
        ):
            dead.append(target)
    assert dead == []


def test_docs_have_no_lost_page_or_picture():
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    site = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for path in (ROOT / "docs").rglob("*.*"):
        assert path.name in (site if path.suffix == ".md" else text), path


@pytest.mark.skipif(not find_spec("mkdocs"), reason="needs mkdocs, see tests/requirements.txt")
def test_docs_build_as_a_site_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "index.html").is_file()


def known_flags():
    """Every flag that a module of ours defines."""
    folders = ("hmr_tf", "data_prep", "tools", "benchmarks", "examples")
    code = "".join(path.read_text() for name in folders for path in (ROOT / name).rglob("*.py"))
    absl = re.findall(r'DEFINE_\w+\(\s*"(\w+)"', code)
    options = [field.name for field in dataclasses.fields(Options)]
    # Of the docstrings of benchmarks and examples: argparse makes theirs in loops.
    rest = re.findall(r"--(\w+)[=\"]", code)
    return {*absl, *options, *rest, "flagfile", "help"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_docs_name_only_flags_that_exist(page):
    named = set(re.findall(r"(?<![\w-])--([a-z]\w[\w-]*)", page.read_text(encoding="utf-8")))
    known = known_flags() | FOREIGN_FLAGS
    unknown = {name for name in named if name not in known and name[2:] not in known}
    assert unknown == set()


def test_docs_have_every_option_of_prediction_and_conversion():
    """What a page promises to list."""
    from data_prep import to_tfrecords
    from hmr_tf.cli.option_groups import evaluation_options
    from hmr_tf.exporters import output_formats

    prediction = (ROOT / "docs" / "prediction.md").read_text(encoding="utf-8")
    animation = (ROOT / "docs" / "animation.md").read_text(encoding="utf-8")
    for name, row in output_formats.FORMATS.items():
        assert f"`{name}`" in (animation if row.motion else prediction), name
    datasets = (ROOT / "docs" / "datasets.md").read_text(encoding="utf-8")
    for name in to_tfrecords.SOURCES:
        assert f"`{name}`" in datasets, name
    evaluation = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
    for name in evaluation_options.PROTOCOLS:
        assert f"`{name}`" in evaluation, name


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 180


# Names of private and end-of-life interfaces, and how they stand in code.
DEBT = {
    "keras.optimizers.legacy": r"optimizers\.legacy",
    "_create_all_weights": "_create_all_weights",
    "experimental_aggregate_gradients": "experimental_aggregate_gradients",
    "_maybe_load_initial_counters_from_ckpt": "_maybe_load_initial_counters_from_ckpt",
    "raw_ops.ShuffleDataset": r"raw_ops\.\w+",
    "tensorflow.python": r"from tensorflow\.python|import tensorflow\.python",
    "pickle._Unpickler": r"pickle\._\w+",
    "tensorflow_addons": "import tensorflow_addons",
}


def debt_rows():
    """Interface -> (modules, tests) of the table in docs/architecture.md."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.partition("## Debt")[2].partition("###")[0]
    for interface, where, _, watch in re.findall(
        r"^\| (.*) \| (.*) \| (.*) \| (.*) \|$", table, re.M
    ):
        yield interface, re.findall(r"`([\w/.]+)`", where), re.findall(r"`([\w/.]+)`", watch)


@pytest.mark.parametrize("name", DEBT)
def test_debt_page_lists_where_private_interfaces_are_used(name):
    (modules,) = (where for interface, where, _ in debt_rows() if f"`{name}`" in interface)
    used = {
        path.relative_to(ROOT / "hmr_tf").as_posix()
        for path in (ROOT / "hmr_tf").rglob("*.py")
        if re.search(DEBT[name], path.read_text())
    }
    assert used == set(modules)


def test_debt_page_names_tests_that_exist():
    tests = {test for _, _, watch in debt_rows() for test in watch}
    assert len(tests) > 5
    assert [test for test in tests if not (ROOT / test).exists()] == []

"""The folder tree is the architecture: imports point one way (README, "How it is built")."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Each may import what stands before it, and itself.
ORDER = ("body", "render", "data", "networks", "output", "evaluation", "training", "main")
ALLOWED = {name: set(ORDER[: i + 1]) for i, name in enumerate(ORDER)}
ALLOWED["networks"] = {"body", "networks"}
ALLOWED["data_prep"] = {"body", "render", "data", "data_prep"}
ALLOWED["quickstart"] = {"quickstart"}
ALLOWED["main"] |= {"quickstart"}
# At the very bottom: they know nothing of the project.
FOR_ALL = {"errors", "atomic", "quiet", "addons", "command_line", "__version__"}
# Parts of a layer that have a name of their own.
PARTS = {"zbuffer": "render", "modes": "main", "config_flags": "config"}
CONFIG_READERS = {"main", "training"}


def layer(module):
    """`hmr_tf.body.smpl` -> body; `hmr_tf.zbuffer` -> render, see `PARTS`."""
    parts = module.split(".")
    name = parts[1] if parts[0] == "hmr_tf" and len(parts) > 1 else parts[0]
    return PARTS.get(name, name)


def imported_modules(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            if node.module in ("hmr_tf", "data_prep"):
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            else:
                yield node.module


def violations(path, module):
    """Imports of one file that its layer does not allow."""
    own = layer(module)
    for name in imported_modules(path):
        if name.split(".")[0] not in ("hmr_tf", "data_prep"):
            continue
        target = layer(name)
        if target == "config":
            if own not in CONFIG_READERS:
                yield f"{module} imports config"
        elif own in FOR_ALL:
            if target not in FOR_ALL:
                yield f"{module} imports {name}"
        elif target not in FOR_ALL and target not in ALLOWED[own]:
            yield f"{module} imports {name}"


def modules():
    for package in ("hmr_tf", "data_prep"):
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            if name not in ("hmr_tf.__init__", "hmr_tf.config", "hmr_tf.config_flags"):
                yield path, name.replace(".__init__", "")


@pytest.mark.parametrize(
    ("path", "module"), modules(), ids=lambda x: x if isinstance(x, str) else ""
)
def test_imports_point_one_way(path, module):
    assert list(violations(path, module)) == []


@pytest.mark.parametrize(
    ("line", "module"),
    [
        ("from hmr_tf.training import losses", "hmr_tf.body.smpl"),
        ("from hmr_tf import render", "hmr_tf.body.smpl"),
        ("import hmr_tf.data.record", "hmr_tf.networks.hmr"),
        ("from hmr_tf import config", "hmr_tf.networks.hmr"),
        ("from data_prep import coco", "hmr_tf.data.record"),
        ("from hmr_tf.networks import hmr", "data_prep.readers.coco"),
        ("from hmr_tf.body import smpl", "hmr_tf.errors"),
    ],
)
def test_a_turned_around_import_is_found(tmp_path, line, module):
    file = tmp_path / "module.py"
    file.write_text(line + "\n")
    assert len(list(violations(file, module))) == 1


def test_no_folder_for_leftovers():
    names = {
        path.stem for package in ("hmr_tf", "data_prep") for path in (ROOT / package).rglob("*")
    }
    assert not names & {"utils", "helpers", "common", "misc", "base"}

"""The folder tree is the architecture: imports point one way (docs/architecture.md)."""

import ast
import collections
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("hmr_tf", "data_prep", "tools")
# Each may import what stands before it, and itself.
ORDER = ("files", "body", "rendering", "data", "networks", "inference", "exporters", "evaluation")
ALLOWED = {name: set(ORDER[: i + 1]) for i, name in enumerate(ORDER)}
ALLOWED["networks"] = {"files", "body", "networks"}
ALLOWED["serving"] = {*ORDER[: ORDER.index("inference") + 1], "serving"}
ALLOWED["exporters"] -= {"networks"}
ALLOWED["training"] = {*ORDER, "serving", "training"} - {"exporters"}
ALLOWED["cli"] = {*ORDER, "serving", "training", "cli"}
ALLOWED["data_prep"] = {"files", "body", "rendering", "data", "data_prep"}
ALLOWED["tools"] = {*ALLOWED["data_prep"], "networks", "inference", "serving", "tools"}
# TensorFlow Addons in one module; the version. They import nothing but files.
ALLOWED["addons"] = {"files"}
ALLOWED["main"] = {"files", "cli"}
FOR_ALL = {"addons", "__version__"}
# How every command starts and fails, those of data_prep and tools too.
COMMAND_LINE = "hmr_tf.cli.command_line"
# The one module of data_prep that fits people to the landmarks of BlazePose.
BLAZEPOSE, PSEUDO_LABELLING = "hmr_tf.inference.blazepose", "data_prep.pseudo_labelling"
MOST_MODULES = 12


def layer(module):
    """`hmr_tf.body.smpl` -> body; `data_prep.readers.coco` -> data_prep."""
    parts = module.split(".")
    return parts[1] if parts[0] == "hmr_tf" and len(parts) > 1 else parts[0]


def imported_modules(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def violations(path, module):
    """Imports of one file that its layer does not allow."""
    importer = layer(module)
    for name in imported_modules(path):
        if name.split(".")[0] not in PACKAGES:
            continue
        target = layer(name)
        if name.startswith(COMMAND_LINE) and importer in ("data_prep", "tools"):
            continue
        if name.startswith(BLAZEPOSE) and module == PSEUDO_LABELLING:
            continue
        if target not in FOR_ALL and target not in ALLOWED[importer]:
            yield f"{module} imports {name}"


def modules():
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            if name != "hmr_tf.__init__":
                yield path, name.replace(".__init__", "")


@pytest.mark.parametrize(
    ("path", "module"), modules(), ids=lambda x: x if isinstance(x, str) else ""
)
def test_layers_imports_point_one_way(path, module):
    assert list(violations(path, module)) == []


@pytest.mark.parametrize(
    ("line", "module"),
    [
        ("from hmr_tf.training import losses", "hmr_tf.body.smpl"),
        ("from hmr_tf.rendering import render", "hmr_tf.body.smpl"),
        ("from hmr_tf.body import smpl", "hmr_tf.files.atomic"),
        ("import hmr_tf.data.record", "hmr_tf.networks.hmr"),
        ("from hmr_tf.cli import options", "hmr_tf.networks.hmr"),
        ("from hmr_tf.cli import options", "hmr_tf.training.run"),
        ("from hmr_tf.cli import options", "data_prep.readers.coco"),
        ("from hmr_tf.networks import hmr", "hmr_tf.exporters.bvh"),
        ("from hmr_tf.exporters import bvh", "hmr_tf.serving.saved_model"),
        ("from hmr_tf.inference import boxes", "hmr_tf.data.record"),
        ("from data_prep.readers import coco", "hmr_tf.data.record"),
        ("from hmr_tf.networks import hmr", "data_prep.readers.coco"),
        ("from hmr_tf.inference import photo", "data_prep.readers.coco"),
        ("from hmr_tf.inference import photo", "data_prep.pseudo_labelling"),
    ],
)
def test_layers_an_upward_import_is_reported(tmp_path, line, module):
    file = tmp_path / "module.py"
    file.write_text(line + "\n")
    assert len(list(violations(file, module))) == 1


def test_layers_no_folder_for_leftovers():
    names = {path.stem for package in PACKAGES for path in (ROOT / package).rglob("*")}
    assert not names & {"utils", "helpers", "common", "misc", "base"}


def module_paths():
    """Every module of the tree; not __init__.py and __main__.py."""
    for package in (*PACKAGES, "benchmarks", "examples", "tests"):
        for path in (ROOT / package).rglob("*.py"):
            if path.stem not in ("__init__", "__main__", "conftest"):
                yield path


def test_layers_no_module_name_twice():
    names = collections.Counter(path.name for path in module_paths())
    assert [name for name, count in names.items() if count > 1] == []


def test_layers_no_package_is_a_heap():
    folders = collections.Counter(path.parent for path in module_paths())
    crowded = {
        str(folder.relative_to(ROOT)): count
        for folder, count in folders.items()
        if count > MOST_MODULES and "tests" not in folder.parts
    }
    assert crowded == {}

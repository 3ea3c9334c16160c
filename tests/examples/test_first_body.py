"""The notebook runs from top to bottom in a fresh process, with a network of one layer."""

import ast
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from hmr_tf.body import body_model
from hmr_tf.body.skeleton import COCO_KEYPOINTS
from hmr_tf.cli.recipes import ROOT
from hmr_tf.networks import build, encoder, released_weights
from tests.fakes import tiny_hmr

NOTEBOOK = ROOT / "examples" / "first_body.ipynb"
# Runs the code cells of NOTEBOOK with the network NETWORK; prints the last value of each cell, as
# a notebook shows it.
RUN = """
import ast, json, pathlib, sys
from hmr_tf.networks import encoder, released_weights
from tests.fakes import tiny_hmr

encoder.ENCODERS["resnet50"] = tiny_hmr.encoder
notebook, released_weights.PATH = map(pathlib.Path, sys.argv[1:])
names = {}
for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
    if cell["cell_type"] == "code":
        *body, last = ast.parse("".join(cell["source"])).body
        exec(compile(ast.Module(body, []), "cell", "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
            png = getattr(value, "_repr_png_", None)
            print("shown:", png()[:4] if png else value)
        else:
            exec(compile(ast.Module([last], []), "cell", "exec"), names)
"""


@pytest.fixture
def network(tmp_path, monkeypatch):
    """File of an untrained network, of the kind that comes with hmr_tf."""
    monkeypatch.setitem(encoder.ENCODERS, "resnet50", tiny_hmr.encoder)
    architecture = build.Architecture(encoder="resnet50", img_size=32)
    body = build.read_body(architecture)
    hmr = build.build(architecture, body)
    weights = {name: variable.numpy() for name, variable in released_weights.variables(hmr).items()}
    weights = released_weights.stored_weights(weights)
    content = released_weights.Released(architecture, body_model.digest(body), {}, weights)
    released_weights.write(tmp_path / "network.npz", content)
    return tmp_path / "network.npz"


def test_notebook_runs_from_top_to_bottom(network, tmp_path):
    (tmp_path / "examples").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(NOTEBOOK), str(network)],
        cwd=tmp_path / "examples",
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert r"shown: b'\x89PNG'" in done.stdout
    for name in COCO_KEYPOINTS:
        assert name in done.stdout
    names = ("astronaut.obj", "astronaut.glb", "astronaut_person_0.bvh", "astronaut.npz")
    written = {path.name for path in (tmp_path / "output").iterdir()}
    assert written == {*names, "astronaut.html"}
    losses = ast.literal_eval(done.stdout.splitlines()[-1].removeprefix("shown: "))
    assert len(losses) == 10
    assert np.isfinite(losses).all()


def test_notebook_is_kept_without_outputs():
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None

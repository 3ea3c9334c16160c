"""Other people's programs that open what we write. Developers may have them; no test needs them.

npm install --prefix FOLDER three gltf-validator; HMR_NODE_MODULES=FOLDER/node_modules make test
pip install bpy, in another environment; HMR_BLENDER_PYTHON=ENVIRONMENT/bin/python make test
"""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

_SCRIPTS = Path(__file__).parent / "programs"


def run_node(script, package, *arguments):
    """Standard output of a script; skips where node or the package is not there."""
    folder = os.environ.get("HMR_NODE_MODULES", "")
    if not shutil.which("node") or not folder or not (Path(folder) / package).is_dir():
        pytest.skip(f"needs node, and HMR_NODE_MODULES=FOLDER with npm's {package}")
    return subprocess.run(
        ["node", str(_SCRIPTS / script), *map(str, arguments)],
        env={**os.environ, "NODE_PATH": str(Path(folder).resolve())},
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    ).stdout


def read_with_blender(path, frame=0):
    """dict of `blender_read.py`; skips where there is no Blender."""
    python = os.environ.get("HMR_BLENDER_PYTHON", "")
    if not python:
        pytest.skip("needs HMR_BLENDER_PYTHON=FILE, a Python that has bpy")
    output = Path(path).with_suffix(".npz")
    command = [python, str(_SCRIPTS / "blender_read.py"), str(path), str(frame), str(output)]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, timeout=120)
    with np.load(output) as file:
        return dict(file)

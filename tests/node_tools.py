"""Other people's programs that open what we write. Developers may have them; no test needs them.

npm install --prefix FOLDER three gltf-validator; HMR_NODE_MODULES=FOLDER/node_modules make test
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

_SCRIPTS = Path(__file__).parent / "node"


def run(script, package, *arguments):
    """Standard output of a script in tests/node; skips where node or the package is not there."""
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

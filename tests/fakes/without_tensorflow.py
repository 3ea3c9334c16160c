"""Commands where TensorFlow cannot be imported, and shards that only have an index."""

import json
import os
import subprocess
import sys
from typing import NamedTuple

from hmr_tf.cli.recipes import ROOT

# Each command in a fork of one process, which has imported what a command imports anyway.
_PROGRAM = """
import json, os, sys
from hmr_tf import main
import hmr_tf.inference.boxes, hmr_tf.inference.photo, hmr_tf.inference.video_files
results = []
for argv in json.loads(sys.argv[1]):
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.dup2(write, 2)
        os.close(read)
        sys.argv = ["hmr", *argv]
        main.run()
    os.close(write)
    with open(read) as stream:
        text = stream.read()
    results.append((os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), text))
print(json.dumps(results))
"""


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    error: str  # what it wrote to stderr


def environment(folder):
    """Environment variables with which `import tensorflow` raises ImportError.

    Args:
      folder: Path, in which the module that raises is written.
    """
    folder.mkdir(exist_ok=True)
    (folder / "tensorflow.py").write_text("raise ImportError('none is loaded here')")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}


def run(commands, folder):
    """Runs commands of `python -m hmr_tf.main`.

    Args:
      commands: lists of arguments.
      folder: Path, in which they run.

    Returns:
      list of `Ended`.
    """
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, json.dumps(commands)],
        cwd=folder,
        env=environment(folder.parent / "blocked"),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [Ended(*result) for result in json.loads(done.stdout)]


def write_shard(path, records):
    """A shard of no records, though not empty, whose index states their number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(8))
    index = {"shards": [{"file": path.name, "records": records}]}
    path.with_name(f"{path.stem}_index.json").write_text(json.dumps(index))

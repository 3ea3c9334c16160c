"""Runs `make`, also from within another `make`."""

import os
import shutil
import subprocess

import pytest


def run_make(*arguments, cwd):
    """The finished process with its text output; skips the test where there is no `make`.

    An outer `make` passes its flags on in environment variables; with them, the inner one would
    print more lines, such as "Leaving directory".
    """
    if not shutil.which("make"):
        pytest.skip("needs make")
    inherited = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")
    env = {name: value for name, value in os.environ.items() if name not in inherited}
    command = ["make", *arguments]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)

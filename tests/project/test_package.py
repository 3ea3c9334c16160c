"""The wheel: built, installed into an empty environment, used in another folder; the Makefile."""

import email
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile

import cv2
import numpy as np
import pytest

import hmr_tf
from hmr_tf.cli.recipes import ROOT
from tests.fakes import untrained_run
from tests.fakes.makefile import run_make

NEEDED = (
    "hmr_tf/assets/cc0_body.npz",
    "hmr_tf/assets/cc0_body_1_0.npz",
    "hmr_tf/assets/astronaut.jpg",
    "hmr_tf/assets/cc0_body_LICENSE.txt",
    "hmr_tf/assets/viewer/page.html",
    "hmr_tf/flags/paper.flags",
    "hmr_tf/flags/quickstart.flags",
    "data_prep/to_tfrecords.py",
    "tools/movenet/tfjs.py",
)
SOURCES = ("hmr_tf", "data_prep", "tools", "flags", "pyproject.toml", "setup.py", "README.md")


def make(*arguments, cwd):
    """Exit code and standard error of `make` with our Makefile in an empty folder."""
    for name in ("Makefile", "requirements.txt"):
        shutil.copy(ROOT / name, cwd / name)
    done = run_make(*arguments, cwd=cwd)
    return done.returncode, done.stderr


LIMITS = {
    "3.8": ("sys.version_info = (3, 8, 18)", r"3\.9 \(from 3\.9\.2\) to 3\.13, this is"),
    "3.9.1": ("sys.version_info = (3, 9, 1)", r"Python 3\.9 \(from 3\.9\.2\) to 3\.13"),
    "3.14": ("sys.version_info = (3, 14, 0)", r"Python 3\.9 \(from 3\.9\.2\) to 3\.13"),
    "Intel Mac": (
        'platform.system = lambda: "Darwin"; platform.machine = lambda: "x86_64"; '
        "sys.version_info = (3, 12, 1)",
        r"to 3\.11, this is",
    ),
    "Power": ('platform.machine = lambda: "ppc64le"', "64-bit x86 and Arm, this is 64bit ppc64le"),
    "32 bits": ("sys.maxsize = 2**31 - 1", "64-bit x86 and Arm"),
    "musl": (
        'sysconfig.get_config_var = {"HOST_GNU_TYPE": "x86_64-pc-linux-musl"}.get',
        "glibc, this one has musl",
    ),
    "PyPy": ('platform.python_implementation = lambda: "PyPy"', "CPython .* this is PyPy"),
    "threads": ('sysconfig.get_config_var = {"Py_GIL_DISABLED": 1}.get', "CPython with its global"),
}


@pytest.mark.parametrize("name", LIMITS)
def test_make_names_what_tensorflow_does_not_run_on_before_pip_does(name, tmp_path):
    change, reason = LIMITS[name]
    python = tmp_path / "python"
    code = f"import platform, sys, sysconfig; code = sys.argv[2]; {change}; exec(code)"
    python.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{code}' \"$@\"\n")
    python.chmod(0o755)
    status, error = make("venv", f"PYTHON={python}", cwd=tmp_path)
    assert status
    first = error.splitlines()[0]
    assert re.match("hmr_tf runs where TensorFlow does, ", first)
    assert re.search(reason, first)
    assert first.endswith("make PYTHON=python3.11 venv")
    assert not (tmp_path / ".venv").exists()


def test_make_names_a_python_that_is_not_there(tmp_path):
    status, error = make("venv", "PYTHON=python9", cwd=tmp_path)
    assert status == 2
    assert error.startswith("PYTHON=python9 is not a program here: make PYTHON=python3.11 venv\n")


@pytest.mark.parametrize(("made_with", "cleared"), [("./python ", False), ("python3.9 ", True)])
def test_make_keeps_the_environment_when_requirements_change(made_with, cleared, tmp_path):
    """Programs may be running from it; another Python makes it again."""
    program = '#!/bin/sh\necho "$@" >> called\n'
    for path in (tmp_path / "python", tmp_path / ".venv" / "bin" / "python"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(program)
        path.chmod(0o755)
    (tmp_path / ".venv" / ".made-with").write_text(made_with)
    status, error = make("venv", "PYTHON=./python", cwd=tmp_path)
    assert status == 0, error
    called = (tmp_path / "called").read_text().splitlines()
    assert any("pip install" in line and "-r requirements.txt" in line for line in called)
    assert ("-m venv --clear .venv" in called) is cleared


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built without network, by the setuptools of this environment, from a copy of the files."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in (*SOURCES, "LICENSE"):
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    run(*command, "--no-index", "--quiet", "-w", folder, source, cwd=folder)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def commands(wheel, tmp_path_factory):
    """Folder of the commands of an environment that has the wheel, and what it needs from ours."""
    folder = tmp_path_factory.mktemp("an environment") / "alone"
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    commands = folder / ("Scripts" if os.name == "nt" else "bin")
    pip = [sys.executable, "-m", "pip", "--python", commands / "python"]
    run(*pip, "install", "--no-index", "--no-deps", "--quiet", wheel, cwd=folder)
    (packages,) = {path.parent for path in folder.rglob("hmr_tf-*.dist-info")}
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return commands


def run(*command, cwd, code=0):
    """Standard output and error of a command that must end with this exit code."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_wheel_holds_every_module_and_asset(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert [name for name in NEEDED if name not in names] == []
    modules = {
        path.relative_to(ROOT).as_posix()
        for package in ("hmr_tf", "data_prep")
        for path in (ROOT / package).rglob("*.py")
    }
    assert modules - names == set()
    assert not [name for name in names if name.startswith(("tests/", "tools/cc0_body/"))]


def test_wheel_states_version_licence_and_bounds(wheel):
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = email.message_from_bytes(archive.read(name))
    assert metadata["Version"] == hmr_tf.__version__
    assert metadata["License-Expression"] == "MIT"
    assert set(metadata.get_all("Provides-Extra")) == {"addons", "app", "beam", "gpu", "openvino"}
    for requirement in metadata.get_all("Requires-Dist"):
        assert re.search(r"[<>=\[]", requirement), f"{requirement} has no bound"


def test_wheel_requires_what_the_exact_set_has(wheel):
    """Every direct dependency is pinned in requirements.txt, and the other way round."""
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = email.message_from_bytes(archive.read(name))
    needed = {
        re.match(r"[\w-]+", requirement)[0].lower().replace("_", "-")
        for requirement in metadata.get_all("Requires-Dist")
        if not re.search(r"extra == .(app|beam|gpu|openvino)", requirement)
    }
    direct = (ROOT / "requirements.txt").read_text().split("# What those need")[0]
    pinned = {
        name.lower().replace("_", "-") for name in re.findall(r"^([\w-]+)==", direct, re.MULTILINE)
    }
    assert needed == pinned - {"keras"}  # which TensorFlow requires


def test_wheel_commands_explain_themselves(commands, tmp_path):
    for command, word in (
        ("hmr", "--mode=train"),
        ("hmr-convert", "--dataset=coco|"),
        ("hmr-detector", "--output=TEXT"),
    ):
        assert word in run(commands / command, "--help", cwd=tmp_path)


def test_wheel_commands_fail_in_one_line(commands, tmp_path):
    for command in ("hmr", "hmr-convert", "hmr-detector"):
        error = run(commands / command, "--nonsense", cwd=tmp_path, code=2)
        assert error.startswith("error: ")
        assert error.count("\n") == 1


def test_wheel_finds_recipes_in_another_folder(commands, tmp_path):
    flags = ("--mode=train", "--flagfile=flags/quickstart.flags", "--data_dir=no such folder")
    assert "no such folder" in run(commands / "hmr", *flags, cwd=tmp_path, code=2)
    assert "none.flags" in run(commands / "hmr", "--flagfile=none.flags", cwd=tmp_path, code=2)


def test_wheel_converts_in_another_folder(commands, tmp_path):
    run(
        commands / "hmr-convert",
        *("--dataset=synthetic_mocap", "--limit=20", "--output_dir=the records"),
        cwd=tmp_path,
    )
    assert len(list((tmp_path / "the records").rglob("*.tfrecord"))) == 1


def test_wheel_predicts_in_another_folder(commands, tmp_path, rng):
    model = untrained_run.save(tmp_path / "a model", image_size=64)
    picture = rng.integers(0, 256, size=(90, 160, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "a photo.jpg"), picture)
    flags = (f"--load_path={model}", "--img_path=a photo.jpg", "--box=40,10,30,60")
    run(commands / "hmr", "--mode=predict", *flags, cwd=tmp_path)
    with np.load(tmp_path / "output" / "a photo.npz") as arrays:
        assert arrays["vertices"].shape == (1, 6890, 3)
        assert np.isfinite(arrays["vertices"]).all()
    assert cv2.imread(str(tmp_path / "output" / "a photo_overlay.png")).shape == picture.shape

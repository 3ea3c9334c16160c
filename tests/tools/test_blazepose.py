"""The command that takes BlazePose out of its npm package."""

import hashlib
import io
import tarfile

import pytest

from hmr_tf.files import optional_models
from hmr_tf.files.errors import InputError
from tools import blazepose


def package(path, name, content):
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return str(path)


def test_blazepose_takes_the_known_file_alone(tmp_path, monkeypatch):
    assert blazepose.MODEL == optional_models.BLAZEPOSE_FILE
    monkeypatch.setattr(blazepose, "_SHA256", hashlib.sha256(b"model").hexdigest())
    path = package(tmp_path / "pose.tgz", f"package/{blazepose.MODEL}", b"model")
    assert blazepose.fetch(path) == b"model"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (f"package/{blazepose.MODEL}", "its SHA-256 differs"),
        ("package/other", "does not hold"),
    ],
)
def test_blazepose_refuses_other_packages(tmp_path, name, message):
    with pytest.raises(InputError, match=message):
        blazepose.fetch(package(tmp_path / "pose.tgz", name, b"other"))


def test_blazepose_refuses_what_is_no_package(tmp_path):
    (tmp_path / "pose.tgz").write_bytes(b"no archive")
    with pytest.raises(InputError, match=r"cannot be read \(it is not a whole .tgz file\)"):
        blazepose.fetch(str(tmp_path / "pose.tgz"))

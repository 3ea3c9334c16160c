"""The folder of a split's shards: a run works in a hidden folder in it and shows all at the end.

A run that ends early, even by SIGKILL, leaves the last run's shards as they were, and its own whole
ones in the hidden folder, where the same run finds them when it starts again.
"""

import contextlib
import fcntl
import json
import os
import re
import shutil
from pathlib import Path

from hmr_tf.files import atomic
from hmr_tf.files.errors import InputError

_RUN = "run.json"  # what the shards in the hidden folder are made from, and how


@contextlib.contextmanager
def unfinished_run(folder, index_name, run):
    """Gives the hidden folder, with the whole shards of an earlier run that was the same.

    It is removed at the end, unless there are whole shards in it.

    Args:
      folder: where the shards shall be; made where it is missing.
      index_name: name of the split's index.
      run: dict of all that decides what the shards hold, as JSON takes it.

    Yields:
      Path of the hidden folder.

    Raises:
      InputError: the folder cannot be written, or another process works there.
    """
    partial = Path(folder) / f".{Path(index_name).stem}.partial"
    with writable(folder):
        partial.mkdir(parents=True, exist_ok=True)
    with _locked(partial):
        is_same = _read(partial / _RUN) == run
        with writable(folder):
            _remove(path for path in partial.glob("*") if not is_same or not _is_whole(path))
        if not is_same:
            write_json(partial / _RUN, run)
        try:
            yield partial
        finally:
            _remove(path for path in partial.glob("*") if not _is_whole(path))
            if not any(partial.glob(_note("*.tfrecord"))):
                shutil.rmtree(partial, ignore_errors=True)


@contextlib.contextmanager
def whole_file(path):
    """As `atomic.written`; InputError where the disk is full in the end."""
    with atomic.unfinished(path) as partial:
        yield partial
        with writable(Path(path).parent):
            atomic.finish(partial, path)


def write_json(path, content):
    """Writes a dict; InputError where the folder cannot be written."""
    with whole_file(path) as unfinished, writable(Path(path).parent):
        unfinished.write_text(json.dumps(content, indent=2) + "\n")


def commit_shard(partial, file, counts):
    """Notes what a shard holds, the dict `counts`: from now on it is whole.

    A shard of which nobody is left has the note alone.
    """
    write_json(partial / _note(file), counts)


def whole_shard(partial, file):
    """What `commit_shard` noted of a shard, or None where it must be made."""
    counts = _read(partial / _note(file))
    is_whole = counts is not None and (not counts["records"] or (partial / file).exists())
    return counts if is_whole else None


def publish(partial, folder, shard_name, index_name, index):
    """Puts the shards and the index of a finished run in the place of those before.

    The index goes first and comes last: while it is there, it is true.

    Args:
      partial: Path of the hidden folder.
      folder: Path of the split's folder.
      shard_name: with a place for number or sequence, "train_%03d.tfrecord" or "%s.tfrecord": what
        else has such a name is removed.
      index_name: name of the split's index.
      index: dict, whose "shards" name each "file".
    """
    files = {shard["file"] for shard in index["shards"]}
    pattern = re.sub(r"%\d*d", r"\\d+", re.escape(shard_name)).replace("%s", ".+")
    write_json(partial / index_name, index)
    with writable(folder):
        (folder / index_name).unlink(missing_ok=True)
        for old in folder.iterdir():
            if re.fullmatch(pattern, old.name) and old.name not in files:
                old.unlink()
        for file in sorted(files):
            (partial / file).replace(folder / file)
        (partial / index_name).replace(folder / index_name)
        shutil.rmtree(partial)


@contextlib.contextmanager
def writable(folder, *kinds):
    """A full disk is the user's to mend: OSError and `kinds` of exceptions become InputError."""
    try:
        yield
    except (OSError, *kinds) as error:
        reason = getattr(error, "strerror", None)
        if not reason:  # TensorFlow's message is "path; reason"
            reason = str(getattr(error, "message", error)).split(";")[-1].strip()
        raise InputError(
            f"cannot write to {folder} ({reason}); choose another --output_dir, or make room and "
            "start again: what is whole is not done again"
        ) from error


def _is_whole(path):
    is_named = not path.name.startswith(atomic.UNFINISHED)
    return is_named and path.suffix in (".tfrecord", ".json")


def _note(file):
    return f"{file}.json"


def _read(path):
    """The dict in a file of `write_json`; None where there is none."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _remove(paths):
    for path in paths:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(partial):
    """While this process lives, nobody else works in the hidden folder."""
    handle = os.open(partial, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise InputError(
            f"another process is writing to {partial.parent}: wait for it, or stop it"
        ) from error
    except OSError:  # some network file systems have no locks
        pass
    try:
        yield
    finally:
        os.close(handle)

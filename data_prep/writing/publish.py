"""The folder of a split's shards: a run writes into a hidden folder and publishes at the end.

A run that ends early, even by SIGKILL, leaves the published shards as they were, and its
finished ones in the hidden folder, where the same run finds them when it is started again.
"""

import contextlib
import fcntl
import json
import os
import shutil
from pathlib import Path

from hmr_tf.files import atomic
from hmr_tf.files.errors import InputError

_RUN = "run.json"  # what the shards in the hidden folder are made from, and with which options


@contextlib.contextmanager
def unfinished_run(folder, index_name, run):
    """Makes the hidden folder, or keeps that of an earlier equal run with its finished shards.

    It is removed at the end, unless there are finished shards in it; so are folders above it that
    were made for it and are empty.

    Args:
      folder: of the published shards; made if it is missing.
      index_name: file name of the split's index.
      run: JSON dict of everything that decides what the shards hold.

    Yields:
      Path of the hidden folder.

    Raises:
      InputError: the folder cannot be written, or another process writes to it.
    """
    partial = Path(folder) / f".{Path(index_name).stem}.partial"
    new = [path for path in (Path(folder), *Path(folder).parents) if not path.exists()]
    with write_errors_as_input_errors(folder):
        partial.mkdir(parents=True, exist_ok=True)
    with _locked(partial):
        is_same = _read(partial / _RUN) == run
        with write_errors_as_input_errors(folder):
            _remove(path for path in partial.glob("*") if not is_same or not _is_finished(path))
        if not is_same:
            write_json(partial / _RUN, run)
        try:
            yield partial
        finally:
            _remove(path for path in partial.glob("*") if not _is_finished(path))
            if not any(partial.glob(_note("*.tfrecord"))):
                shutil.rmtree(partial, ignore_errors=True)
                with contextlib.suppress(OSError):  # not empty
                    for path in new:
                        path.rmdir()


@contextlib.contextmanager
def atomic_file(path):
    """Like `atomic.atomic_write`; InputError if the disk is full at the end."""
    with atomic.unfinished(path) as partial:
        yield partial
        with write_errors_as_input_errors(Path(path).parent):
            atomic.finish(partial, path)


def write_json(path, content):
    """Writes a dict; InputError if the folder cannot be written."""
    with atomic_file(path) as unfinished, write_errors_as_input_errors(Path(path).parent):
        unfinished.write_text(json.dumps(content, indent=2) + "\n")


def commit_shard(partial, file, counts):
    """Writes the note of a shard, the dict `counts`: from now on the shard is finished.

    A shard without any record has only the note.
    """
    write_json(partial / _note(file), counts)


def finished_shard(partial, file):
    """The counts that `commit_shard` wrote, or None if the shard must be made."""
    counts = _read(partial / _note(file))
    is_there = counts is not None and (not counts["records"] or (partial / file).exists())
    return counts if is_there else None


def publish(partial, folder, names, index_name, index):
    """Replaces the published shards and index by those of a finished run.

    The old index is removed first and the new one comes last, so that the index always matches
    the shards.

    Args:
      partial: Path of the hidden folder.
      folder: Path of the split's folder.
      names: `shard_files.ShardNames`: other files with such names are removed.
      index_name: file name of the split's index.
      index: dict, whose "shards" name each "file".
    """
    files = {shard["file"] for shard in index["shards"]}
    write_json(partial / index_name, index)
    with write_errors_as_input_errors(folder):
        (folder / index_name).unlink(missing_ok=True)
        for old in folder.iterdir():
            if names.match(old.name) and old.name not in files:
                old.unlink()
        for file in sorted(files):
            (partial / file).replace(folder / file)
        (partial / index_name).replace(folder / index_name)
        shutil.rmtree(partial)


@contextlib.contextmanager
def write_errors_as_input_errors(folder, *kinds):
    """Converts OSError and `kinds` of exceptions into InputError: such as a full disk."""
    try:
        yield
    except (OSError, *kinds) as error:
        reason = getattr(error, "strerror", None)
        if not reason:  # TensorFlow's message is "path; reason"
            reason = str(getattr(error, "message", error)).split(";")[-1].strip()
        raise InputError(
            f"cannot write to {folder} ({reason}); choose another --output_dir, or make room and "
            "start again: finished shards are kept"
        ) from error


def _is_finished(path):
    return not path.name.startswith(atomic.UNFINISHED) and path.suffix in (".tfrecord", ".json")


def _note(file):
    return f"{file}.json"


def _read(path):
    """The dict in a file of `write_json`; None if there is none."""
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
    """Lets no other process into the hidden folder while this one lives."""
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

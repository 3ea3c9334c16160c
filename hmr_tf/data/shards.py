"""Finds the shard files of datasets, splits off validation shards, counts records.

A dataset's shards are written by `data_prep/writing`, with an index of their counts beside them.
"""

import functools
import json
import os
import struct
from pathlib import Path
from typing import NamedTuple, Optional

from hmr_tf.files.errors import InputError

# The original's places of shards (`util/data_utils.py:113-131`, `data_loader.py:201-208`).
PATTERN = "{dataset}/{split}_*.tfrecord"
OTHER_PATTERNS = {
    "h36m": "tf_records_human36m_wjoints/{split}/*.tfrecord",
    **{name: f"{name}/{{split}}/*.tfrecord" for name in ("mpi_inf_3dhp", "3dpw", "emdb", "ssp3d")},
}
MOCAP_PATTERN = "mocap_neutrMosh/neutrSMPL_{dataset}_*.tfrecord"
# Datasets with 3D labels, for messages.
WITH_3D = ("h36m", "mpi_inf_3dhp", "synthetic")
# Datasets of people that data_prep/to_tfrecords.py converts.
CONVERTED = ("3dpw", "coco", "emdb", "h36m", "lsp", "lsp_ext", "mpi_inf_3dhp", "mpii", "ssp3d")
CONVERTED += ("synthetic",)


class Split(NamedTuple):
    """Shard files to train on and to validate on: dataset name -> sorted paths."""

    training: dict
    validation: dict


class _Index(NamedTuple):
    path: Path
    has_3d: Optional[bool]  # None: not stated
    counts: dict  # shard path -> number of records


def split(data_dir, datasets, val_datasets=(), val_shards=1):
    """Finds the shards of the training split and keeps some of them for validation.

    Args:
      data_dir: folder of TFRecords.
      datasets: names to train on.
      val_datasets: names to validate on. Of a dataset that is also trained on, the last
        `val_shards` files are kept for validation; of any other, all files.
      val_shards: number of files.

    Returns:
      Split.

    Raises:
      InputError: a dataset has no shards, or keeping some out leaves none to train or validate on.
    """
    if not datasets:
        raise InputError("--datasets is empty: name at least one, as in --datasets=lsp_ext,coco")
    training = {name: find(data_dir, name) for name in datasets}
    validation = {}
    for name in val_datasets:
        if name not in training:
            validation[name] = find(data_dir, name)
            continue
        files = training[name]
        if not 0 < val_shards < len(files):
            raise InputError(
                f"--val_shards={val_shards} of {name}: it has {len(files)} shard file(s) in "
                f"{files[0].parent}, and at least one must be left to train on and one to "
                f"validate on: change --val_shards, convert {name} into smaller shards, or "
                "validate on another dataset, --val_datasets"
            )
        training[name], validation[name] = files[:-val_shards], files[-val_shards:]
    return Split(training, validation)


def find(data_dir, dataset, split="train"):
    """Sorted paths of one dataset's shards; InputError if there are none."""
    pattern = OTHER_PATTERNS.get(dataset, PATTERN).format(dataset=dataset, split=split)
    return _matching(data_dir, pattern, _remedy(data_dir, dataset, split))


def find_mocap(mocap_dir, datasets):
    """Dataset name -> sorted paths of its motion capture; InputError where one has none."""
    if not datasets:
        raise InputError("--mocap_datasets is empty: name at least one, or pass --encoder_only")
    files = {}
    for name in datasets:
        source = "synthetic_mocap" if name == "synthetic" else "mosh"
        remedy = (
            f"the prior is learned from motion capture: convert it, {_command(mocap_dir, source)} "
            "(or amass, or cmu); or use poses that need no download, --dataset=synthetic_mocap "
            "there and --mocap_datasets=synthetic here; or train without the prior, --encoder_only"
        )
        files[name] = _matching(mocap_dir, MOCAP_PATTERN.format(dataset=name), remedy)
    return files


def of_mocap_ranges(folder):
    """Sorted paths of the TFRecords in the folder --mocap_ranges; InputError if it has none."""
    files = sorted(Path(folder).glob("*.tfrecord"))
    if not files:
        raise InputError(
            f"--mocap_ranges={folder} holds no TFRecords: name the folder that "
            "data_prep/to_tfrecords.py makes of motion capture, as tfrecords/mocap_neutrMosh."
        )
    return files


def paths(files):
    """dict of dataset name -> paths, as one list of paths."""
    return [path for group in files.values() for path in group]


def has_3d_in_index(files):
    """Whether the records have 3D labels, as their index states; None without an index."""
    for index in _indexes(files[0].parent):
        if index.has_3d is not None and files[0] in index.counts:
            return index.has_3d
    return None


def count_records(files):
    """Number of records in the shard files, from the indexes beside them or by counting."""
    counts = indexed_counts(files)
    return sum(counts[path] if path in counts else _count(path) for path in files)


def indexed_counts(files):
    """dict: shard path -> number of records, from all indexes that list any of `files`."""
    counts = {}
    for folder in {path.parent for path in files}:
        for index in _indexes(folder):
            if not index.counts.keys().isdisjoint(files):
                counts.update(index.counts)
    return counts


def check_indexes(files):
    """Counts the records of the shard files; InputError where an index states another number."""
    for folder in sorted({path.parent for path in files}):
        for index in _indexes(folder):
            paths = [path for path in files if path in index.counts]
            num_stated = sum(index.counts[path] for path in paths)
            num_stored = sum(map(_count, paths))
            if num_stated != num_stored:
                raise InputError(
                    f"{index.path} states {num_stated} records, the shards hold {num_stored}: "
                    "convert again"
                )


def _remedy(data_dir, dataset, split):
    if dataset in CONVERTED:
        return f"convert it, {_command(data_dir, dataset, split)}"
    return f"--datasets={dataset} is not known, only {', '.join(CONVERTED)}"


def _command(data_dir, dataset, split="train"):
    options = [f"--dataset={dataset}", "--data_dir=SOURCE", f"--output_dir={data_dir}"]
    options += [f"--split={split}"] if split != "train" else []
    return f"`python data_prep/to_tfrecords.py {' '.join(options)}`"


def _matching(data_dir, pattern, remedy):
    data_dir = Path(data_dir)
    if not data_dir.is_dir():
        raise InputError(f"--data_dir={data_dir} is not a folder: pass the folder of the TFRecords")
    # Hidden files are incomplete: a killed process left them.
    files = sorted(path for path in data_dir.glob(pattern) if not path.name.startswith("."))
    if not files:
        present = sorted(path.name for path in data_dir.iterdir() if path.is_dir())
        raise InputError(
            f"no shards match {data_dir / pattern} (folders there: {', '.join(present) or 'none'})"
            f": {remedy}"
        )
    for path in files:
        if not path.stat().st_size:  # TensorFlow would read no record of it and go on
            raise InputError(f"{path} is empty: copy it again, or convert the dataset again.")
    return files


def _indexes(folder):
    """Yields an _Index for each index file; InputError for a damaged one."""
    for path in sorted(folder.glob("*index.json")):
        try:
            content = json.loads(path.read_text())
            counts = {folder / shard["file"]: shard["records"] for shard in content["shards"]}
            if not all(type(count) is int and count >= 0 for count in counts.values()):
                raise ValueError("records must be whole numbers")
            yield _Index(path, content.get("has_3d"), counts)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise InputError(
                f"{path} is not readable: it must list shards with a file and a number of records; "
                "convert the dataset again"
            ) from error


def _count(path):
    """Number of records in a file, cached while its size and time stay the same."""
    status = os.stat(path)
    return _count_tfrecords(path, status.st_size, status.st_mtime_ns)


@functools.cache
def _count_tfrecords(path, size, _changed):
    """Counts TFRecord's records: 8 bytes of length, 4 of checksum, the record, 4 of checksum."""
    position, records = 0, 0
    with open(path, "rb") as file:
        while position < size:
            file.seek(position)
            head = file.read(8)
            position += 16 + struct.unpack("<Q", head)[0] if len(head) == 8 else size
            records += 1
            if position > size:
                raise InputError(
                    f"{path}: record {records} is cut off; convert the dataset again with "
                    "data_prep/to_tfrecords.py"
                )
    return records

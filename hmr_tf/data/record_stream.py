"""The order of records: the endless, shuffled stream of people and of motion capture.

The record at a position of the stream depends on the seed and the position alone, so that training
resumes in the middle of a pass and workers divide the stream without communication.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from hmr_tf.data import record, shards
from hmr_tf.files.errors import InputError

# Records in flight while shuffling: stored JPEGs, 20 to 80 KB each.
SHUFFLED_RECORDS = 2000
SHUFFLED_MOCAP = 20000
FILES_AT_ONCE = 16


class StreamSlice(NamedTuple):
    """The part of the endless stream of batches that a dataset contains; the default is all."""

    first_batch: int = 0
    worker: int = 0  # index of this worker; each worker has a block of the rows of every batch
    num_workers: int = 1
    num_replicas: int = 1  # of this worker: they get its block in so many parts, one after another


def shard_groups(files, use_3d, batch_size):
    """The groups of shard paths that alternate in a batch: with 3D labels, and without."""
    files = {name: paths for name, paths in files.items() if shards.count_records(paths)}
    if not files:
        raise InputError("the shards of --datasets hold no records: convert the datasets again")
    if not use_3d:
        return [shards.paths(files)]
    kinds = {True: [], False: []}
    for paths in files.values():
        kinds[has_3d(paths)] += paths
    if not kinds[True]:
        raise InputError(
            f"no records with 3D labels in --datasets={','.join(files)}: add one of "
            f"{', '.join(shards.WITH_3D)} that has them, or train without them, --nouse_3d_label"
        )
    sources = [paths for paths in kinds.values() if paths]
    if len(sources) > 1 and batch_size % 2:
        raise InputError(
            f"--batch_size={batch_size} is odd, and half of a batch comes from datasets with 3D "
            "labels: pass an even one"
        )
    return sources


def has_3d(paths):
    """Whether a dataset has 3D labels: as its index states, else as the shards' first records do.

    The original's first upload of Human3.6M has no labels in any record.
    """
    stated = shards.has_3d_in_index(paths)
    return record.any_joints3d(paths) if stated is None else stated


def rows_per_replica(batch_size, part):
    """Number of people of each batch that one replica gets."""
    replicas = part.num_workers * part.num_replicas
    if batch_size % replicas:
        raise InputError(
            f"--batch_size={batch_size} cannot be shared by {replicas} replicas: pass a multiple"
        )
    return batch_size // replicas


def interleaved_groups(sources, seed, first):
    """Records of the groups of shards alternately, so that each replica's rows have all kinds.

    `first`: number of records to skip, a multiple of the number of groups.
    """
    first //= len(sources)
    streams = [
        shuffled(paths, SHUFFLED_RECORDS, seed + i, first) for i, paths in enumerate(sources)
    ]
    if len(streams) == 1:
        return streams[0]
    choices = tf.data.Dataset.range(len(streams)).repeat()
    return tf.data.Dataset.choose_from_datasets(streams, choices)


def shuffled(paths, buffer_size, seed, first):
    """Endless records of all files, each once per pass, so datasets count by their sizes.

    The order of a pass depends on the seed and its number, so that skipping the `first` records
    reads at most one pass.
    """
    files = tf.constant([str(path) for path in paths])

    def one_pass(number):
        names = _shuffled_with_seed_tensor(
            tf.data.Dataset.from_tensor_slices(files), len(paths), seed, number
        )
        records = names.interleave(
            tf.data.TFRecordDataset,
            cycle_length=min(len(paths), FILES_AT_ONCE),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        return _shuffled_with_seed_tensor(records, buffer_size, seed, number)

    count = shards.count_records(paths)
    passes = tf.data.Dataset.range(first // count, tf.int64.max)
    return passes.flat_map(one_pass).skip(first % count)


def _shuffled_with_seed_tensor(strings, buffer_size, seed, number):
    """`strings.shuffle` with a tensor as seed, which `Dataset.shuffle` does not accept."""
    shuffled = tf.raw_ops.ShuffleDataset(
        input_dataset=tf.data.experimental.to_variant(strings),
        buffer_size=tf.constant(buffer_size, tf.int64),
        seed=tf.constant(seed, tf.int64),
        seed2=number + 1,  # two zeros would mean a random order
        output_types=[tf.string],
        output_shapes=[[]],
        reshuffle_each_iteration=False,
    )
    return tf.data.experimental.from_variant(shuffled, strings.element_spec)


def worker_rows(rows, rows_per_batch, part):
    """Dataset of (number in the stream, row) with the rows of this worker."""
    numbered = rows.enumerate(part.first_batch * rows_per_batch)
    if part.num_workers == 1:
        return numbered
    block = rows_per_batch // part.num_workers
    return numbered.filter(lambda number, _: number % rows_per_batch // block == part.worker)


def batch_file_names(files, *, batch_size, use_3d, seed, number):
    """The photographs in a batch of `pipeline.training_dataset` with the same arguments.

    Args:
      number: index of the batch.

    Returns:
      Two lists: the file names of all B photographs, and of those whose labels are not finite.
    """
    names, broken = [], []
    records = interleaved_groups(shard_groups(files, use_3d, batch_size), seed, number * batch_size)
    for serialized in records.take(batch_size):
        sample = record.decode(serialized)
        names.append(sample["filename"].numpy().decode(errors="replace"))
        labels = ("keypoints_px", "center_px", "lsp_joints", "pose", "betas")
        if not all(np.isfinite(sample[name].numpy()).all() for name in labels):
            broken.append(names[-1])
    return names, broken

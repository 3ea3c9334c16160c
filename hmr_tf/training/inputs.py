"""The data of a training run: its shards, and the dataset of each worker."""

import functools
from typing import NamedTuple, Optional

import tensorflow as tf

from hmr_tf.data import pipeline, record_stream, shards
from hmr_tf.files.errors import InputError
from hmr_tf.training import distribution

# What the system says where a file cannot grow: of the disk, a user's quota, a file's limit.
_FULL_DISK = ("No space left", "Disk quota exceeded", "File too large")


class Files(NamedTuple):
    """Dataset name -> shard paths."""

    training: dict
    validation: dict
    mocap: Optional[dict]  # None without the discriminator


def find(options):
    """Files of a training run; InputError where there are none."""
    if not options.data_dir:
        raise InputError("--data_dir is missing: the folder that data_prep/to_tfrecords.py wrote.")
    images = shards.split(
        options.data_dir, options.datasets, options.val_datasets, options.val_shards
    )
    mocap = None
    if not options.encoder_only:
        mocap = shards.find_mocap(options.data_dir, options.mocap_datasets)
    return Files(*images, mocap)


def count(files):
    """Number of records: dataset name -> shard paths."""
    return shards.count_records(shards.paths(files))


def training_dataset(options, files, **changes):
    """`pipeline.training_dataset` with the options; `changes`: its other arguments."""
    augmentation = pipeline.Augmentation(
        options.trans_max,
        options.scale_min,
        options.scale_max,
        options.augment_color,
        options.augment_occlusion,
        options.augment_truncation,
        options.augment_rotation,
    )
    return pipeline.training_dataset(
        files.training,
        files.mocap,
        batch_size=options.batch_size,
        num_stage=options.num_stage,
        image_size=options.img_size,
        augmentation=augmentation,
        use_3d=options.use_3d_label,
        seed=options.seed,
        **changes,
    )


def distributed_dataset(options, files, strategy, first_batch):
    """The dataset of `fit()` from the number `first_batch` on.

    On one device it measures its waiting time, except with --deterministic, which allows no clock
    in the graph.
    """
    if strategy.num_replicas_in_sync == 1:
        part = record_stream.StreamSlice(first_batch)
        dataset = training_dataset(options, files, part=part, service=options.tf_data_service)
        return dataset if options.deterministic else pipeline.with_wait_seconds(dataset)

    def worker_dataset(context):
        workers = context.num_input_pipelines
        replicas = context.num_replicas_in_sync // workers
        part = record_stream.StreamSlice(first_batch, context.input_pipeline_id, workers, replicas)
        return training_dataset(options, files, part=part, service=options.tf_data_service)

    return strategy.distribute_datasets_from_function(worker_dataset)


def first_validation_batch(options, files):
    """The first batch of the validation set."""
    dataset = pipeline.validation_dataset(
        files.validation, batch_size=options.batch_size, image_size=options.img_size
    )
    return next(iter(dataset))[0]


def batch_file_names(options, files):
    """Function: number of a batch -> file names of its people, as `record_stream.batch_file_names`.

    None with --tf_data_service, which has another order.
    """
    if options.tf_data_service:
        return None
    return functools.partial(
        record_stream.batch_file_names,
        files.training,
        batch_size=options.batch_size,
        use_3d=options.use_3d_label,
        seed=options.seed,
    )


def input_error(error, files, strategy):
    """InputError if the data, the disk or another worker caused `error`, else None."""
    if not isinstance(error, tf.errors.OpError):
        return None
    if any(reason in str(error) for reason in _FULL_DISK):
        return InputError("The disk of --model_dir is full: make room, resume with --load_path.")
    images = shards.Split(files.training, files.validation)
    return distribution.lost_worker_error(error, strategy) or pipeline.explain_data_error(
        error, images, files.mocap
    )

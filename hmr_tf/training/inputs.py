"""What a training reads: which shards, and how each worker comes to its rows."""

import functools
from typing import NamedTuple, Optional

import tensorflow as tf

from hmr_tf.data import pipeline, shards, stream
from hmr_tf.files.errors import InputError
from hmr_tf.training import distribution


class Files(NamedTuple):
    """Dataset name -> shard paths."""

    training: dict
    validation: dict
    mocap: Optional[dict]  # None without the prior


def find(config):
    """Files of a Config; InputError where there are none."""
    if not config.data_dir:
        raise InputError("--data_dir is missing: the folder that data_prep/to_tfrecords.py wrote.")
    images = shards.split(config.data_dir, config.datasets, config.val_datasets, config.val_shards)
    mocap = None
    if not config.encoder_only:
        mocap = shards.find_mocap(config.data_dir, config.mocap_datasets)
    return Files(*images, mocap)


def count(files):
    """Number of records: dataset name -> shard paths."""
    return shards.count_records(shards.paths(files))


def plain(config, files, **changes):
    """`pipeline.training` as the flags have it."""
    augmentation = pipeline.Augmentation(
        config.trans_max,
        config.scale_min,
        config.scale_max,
        config.augment_color,
        config.augment_occlusion,
    )
    return pipeline.training(
        files.training,
        files.mocap,
        batch_size=config.batch_size,
        num_stage=config.num_stage,
        image_size=config.img_size,
        augmentation=augmentation,
        use_3d=config.use_3d_label,
        seed=config.seed,
        **changes,
    )


def distributed(config, files, strategy, first_batch):
    """What `fit()` reads from the `first_batch` on; on one device with the time it waited, but
    with --deterministic, under which TensorFlow has no clock."""
    if strategy.num_replicas_in_sync == 1:
        part = stream.Part(first_batch)
        dataset = plain(config, files, part=part, service=config.tf_data_service)
        return dataset if config.deterministic else pipeline.with_waiting(dataset)

    def own(context):
        workers = context.num_input_pipelines
        replicas = context.num_replicas_in_sync // workers
        part = stream.Part(first_batch, context.input_pipeline_id, workers, replicas)
        return plain(config, files, part=part, service=config.tf_data_service)

    return strategy.distribute_datasets_from_function(own)


def first_kept_out(config, files):
    """The first batch of the people that are validated on."""
    dataset = pipeline.validation(
        files.validation, batch_size=config.batch_size, image_size=config.img_size
    )
    return next(iter(dataset))[0]


def names_of_batch(config, files):
    """Function of a batch's number that says who is in it; None where nobody knows."""
    if config.tf_data_service:
        return None
    return functools.partial(
        stream.file_names,
        files.training,
        batch_size=config.batch_size,
        use_3d=config.use_3d_label,
        seed=config.seed,
    )


def explain(error, files, strategy):
    """InputError where the data, the disk or another worker is to blame for the error, or None."""
    if not isinstance(error, tf.errors.OpError):
        return None
    if "No space left" in str(error):
        return InputError("The disk of --model_dir is full: make room, go on with --load_path.")
    images = shards.Split(files.training, files.validation)
    return distribution.lost_worker(error, strategy) or pipeline.explain_data_error(
        error, images, files.mocap
    )

"""Shards -> batches: the `tf.data` pipelines of training and validation."""

import re
from typing import NamedTuple

import tensorflow as tf
from tqdm import tqdm

from hmr_tf import addons
from hmr_tf.body import rotation
from hmr_tf.data import augment, crop, record, record_stream, shards, truncation_rotation
from hmr_tf.files.errors import InputError

SAMPLES_PER_DRAW = 1024
_DATA_ERRORS = (
    tf.errors.DataLossError,
    tf.errors.FailedPreconditionError,
    tf.errors.InvalidArgumentError,
    tf.errors.NotFoundError,
)


class Augmentation(NamedTuple):
    """Augmentation of training samples; see the flags of the same names."""

    trans_max: int  # pixels
    scale_min: float
    scale_max: float
    color: bool = False
    occlusion: bool = False
    truncation: float = 0.0  # share of truncated people
    rotation: float = 0.0  # largest angle, degrees


def training_dataset(
    files,
    mocap_files,
    *,
    batch_size,
    num_stage,
    image_size,
    augmentation,
    use_3d,
    seed,
    part=None,
    service="",
):
    """The endless training input; the same seed gives the same batches.

    Args:
      files: dataset name -> shard paths, `shards.Split.training`.
      mocap_files: dataset name -> shard paths, `shards.find_mocap`; None without the prior.
      batch_size: B, people in a batch of all workers together.
      num_stage: T, bodies of motion capture per person.
      image_size: S, pixels.
      augmentation: Augmentation.
      use_3d: True: half of each batch is from datasets with 3D labels, if there are others too.
        False: 3D labels are switched off. Datasets are sampled in proportion to their sizes.
      seed: int.
      part: `record_stream.StreamSlice`, which rows of which batches; None: all.
      service: address of a tf.data service that decodes and crops, as grpc://host:port. Its
        workers process records in no fixed order, so that the seed does not determine batches.

    Returns:
      Dataset of (batch, mocap), dicts of b and of T * b rows, where b is B over the number of
      replicas of all workers; mocap is {} without the prior.

    Raises:
      InputError: no 3D dataset to use, a batch that cannot be halved or shared, no records,
        TensorFlow Addons absent.
    """
    part = part or record_stream.StreamSlice()
    rows, first = record_stream.rows_per_replica(batch_size, part), part.first_batch * batch_size
    records = record_stream.interleaved_groups(
        record_stream.shard_groups(files, use_3d, batch_size), seed, first
    )
    jitters = _jitters(augmentation, image_size, seed, first)
    random_views = _views(augmentation, seed + 4, first)
    numbered = tf.data.Dataset.zip((records, jitters, random_views))
    numbered = record_stream.worker_rows(numbered, batch_size, part)
    crops = _augmented_crops(numbered, image_size, augmentation, seed)
    batches = _batches(crops, rows, image_size, drop_remainder=True)
    if not use_3d:
        batches = batches.map(_without_3d)
    if mocap_files is None:
        dataset = batches.map(lambda batch: (batch, {}))
    else:
        mocap = _mocap(mocap_files, num_stage * batch_size, num_stage * rows, seed + 3, part)
        dataset = tf.data.Dataset.zip((batches, mocap))
    if service:
        dataset = dataset.apply(_on_data_service(service))
    return dataset.prefetch(tf.data.AUTOTUNE)


def with_wait_seconds(dataset):
    """Dataset of (*element, seconds): how long the reader waited for the element."""
    # zip reads its datasets alternately: time, element, time.
    clock = tf.data.Dataset.counter().map(lambda _: tf.timestamp())
    timed = tf.data.Dataset.zip((clock, dataset, clock)).map(
        lambda before, element, after: (*element, tf.cast(after - before, tf.float32))
    )
    options = tf.data.Options()
    options.experimental_optimization.inject_prefetch = False  # it would read ahead
    return timed.with_options(options)


def validation_dataset(files, *, batch_size, image_size):
    """Every record once, in order, without jitter.

    Args:
      files: dataset name -> shard paths, `shards.Split.validation`.
      batch_size: people in a batch; the last one is smaller.
      image_size: pixels.

    Returns:
      Dataset of (batch,), labels as stored; its length is the number of batches.
    """
    paths = shards.paths(files)
    num_batches = -(-shards.count_records(paths) // batch_size)
    records = tf.data.TFRecordDataset([str(path) for path in paths])
    jitter = augment.no_jitter(image_size / crop.CROP_PX)
    crops = _validation_crops(records.map(lambda serialized: (serialized, jitter)), image_size)
    batches = _batches(crops, batch_size, image_size, drop_remainder=False)
    dataset = batches.map(lambda batch: (batch,)).prefetch(tf.data.AUTOTUNE)
    return dataset.apply(tf.data.experimental.assert_cardinality(num_batches))


def explain_data_error(error, files, mocap_files=None):
    """Finds the file behind a tf.data error, which names an operation but no file.

    Args:
      error: raised while a dataset of this module was read, in `fit()` or outside.
      files: dataset name -> shard paths that were read, or the whole `shards.Split`.
      mocap_files: dataset name -> shard paths, or None.

    Returns:
      InputError naming file and record, or the index whose count is wrong; None if all files are
      intact. Reads them all.
    """
    if not isinstance(error, _DATA_ERRORS) or "IteratorGetNext" not in str(error):
        return None
    groups = files if isinstance(files, shards.Split) else [files]
    images = [path for group in groups for path in shards.paths(group)]
    checks = [(path, record.decode) for path in images]
    checks += [(path, record.decode_mocap) for path in shards.paths(mocap_files or {})]
    try:
        if isinstance(error, tf.errors.FailedPreconditionError):  # of assert_cardinality
            shards.check_indexes(images)
        for path, decode in tqdm(checks, "Looking for the broken record", unit="file", delay=2):
            record.check_shards([path], decode)
    except InputError as input_error:
        return input_error
    return None


def _jitters(augmentation, image_size, seed, first):
    """Dataset of one Jitter for each person from the `first` on, drawn many at a time."""

    shrink = image_size / crop.CROP_PX
    limits = augmentation.scale_min * shrink, augmentation.scale_max * shrink

    def draw(index):
        return augment.jitter([seed, index], SAMPLES_PER_DRAW, augmentation.trans_max, *limits)

    draws = tf.data.Dataset.counter(first // SAMPLES_PER_DRAW).map(draw)
    return draws.unbatch().skip(first % SAMPLES_PER_DRAW)


def _views(augmentation, seed, first):
    """Dataset of one ViewJitter for each person, as `_jitters`."""

    def draw(index):
        return truncation_rotation.draw([seed, index], SAMPLES_PER_DRAW, augmentation.rotation)

    draws = tf.data.Dataset.counter(first // SAMPLES_PER_DRAW).map(draw)
    return draws.unbatch().skip(first % SAMPLES_PER_DRAW)


def _color_and_occlusion(augmentation, seed):
    """A function (image, number in the stream) -> image with random colours and occlusion."""
    changes = []
    if augmentation.color:
        addons.require("augment_color")
        changes.append((addons.random_color, seed + 1))
    if augmentation.occlusion:
        addons.require("augment_occlusion")
        changes.append((addons.random_cutout, seed + 2))

    def vary(image, number):
        for change, change_seed in changes:
            image = change(image, [change_seed, number])
        return image

    return vary


def _validation_crops(records, image_size):
    """(record, Jitter) -> (sample with the crop for its image, Placement)."""

    def cut(serialized, jitter):
        sample = record.decode_later(serialized)
        image, placement = augment.crop_image(sample, *jitter, image_size)
        return {**sample, "image": image}, placement

    return records.map(cut, num_parallel_calls=tf.data.AUTOTUNE)


def _augmented_crops(numbered, image_size, augmentation, seed):
    """(number, (record, Jitter, ViewJitter)) -> (sample, Placement), then the angle if rotated."""
    varied = _color_and_occlusion(augmentation, seed)

    def cut(number, row):
        serialized, jitter, view = row
        sample = record.decode_later(serialized)
        if augmentation.truncation:
            sample, zoom = truncation_rotation.truncate(
                sample, view.truncation, augmentation.truncation
            )
            jitter = jitter._replace(scale=jitter.scale * zoom)
        if not augmentation.rotation:
            image, placement = augment.crop_image(sample, *jitter, image_size)
            return {**sample, "image": varied(image, number)}, placement
        side = truncation_rotation.unrotated_size(image_size)
        image, placement = augment.crop_image(sample, *jitter, side)
        image = truncation_rotation.rotate_image(image, view.angle, image_size)
        corner_px = placement.corner_px + (side - image_size) // 2
        sample = {**sample, "image": varied(image, number)}
        return sample, placement._replace(corner_px=corner_px), view.angle

    return numbered.map(cut, num_parallel_calls=tf.data.AUTOTUNE)


def _batches(crops, batch_size, image_size, drop_remainder):
    """Dataset of batch dicts."""

    def batch(sample, placement, angle=None):
        labels = augment.move_labels(sample, placement, image_size)
        if angle is not None:
            labels = truncation_rotation.rotate_labels(labels, angle, image_size)
        return {"image": sample["image"], **labels}

    return crops.batch(batch_size, drop_remainder).map(batch)


def _without_3d(batch):
    none = tf.zeros_like(batch["has_joints"])
    return {**batch, "has_joints": none, "has_smpl": none}


def _mocap(files, rows_per_batch, rows, seed, part):
    """Dataset of dicts: rotations (rows, 23, 3, 3) without the global one, betas (rows, 10)."""
    paths = shards.paths(files)
    if not shards.count_records(paths):
        raise InputError(
            f"the motion capture in {paths[0].parent} holds no records: convert it again, or pass "
            "--encoder_only"
        )

    def bodies(mocap):
        rotations = rotation.matrix_from_axis_angle(mocap["pose"][:, 1:])
        return {"rotations": rotations, "betas": mocap["betas"]}

    records = record_stream.shuffled(
        paths, record_stream.SHUFFLED_MOCAP, seed, part.first_batch * rows_per_batch
    )
    records = record_stream.worker_rows(records, rows_per_batch, part)
    poses = records.map(
        lambda _, serialized: record.decode_mocap(serialized), num_parallel_calls=tf.data.AUTOTUNE
    )
    return poses.batch(rows, drop_remainder=True).map(bodies)


def _on_data_service(address):
    """A transformation that runs the pipeline before it on the workers of a tf.data service."""
    if not re.fullmatch(r"grpc://[^:/]+:\d+", address):
        raise InputError(f"--tf_data_service={address} is not an address as grpc://host:port")
    # Without a job name: readers of one name share the first one's records, even if the second
    # asks for others.
    policy = tf.data.experimental.service.ShardingPolicy.DYNAMIC
    return tf.data.experimental.service.distribute(policy, address)

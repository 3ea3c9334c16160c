"""Shards -> batches: the `tf.data` that training and validation read."""

from typing import NamedTuple

import tensorflow as tf
from tqdm import tqdm

from hmr_tf import addons
from hmr_tf.body import rotation
from hmr_tf.data import augment, crop, record, shard_files
from hmr_tf.errors import InputError

# Records in flight while shuffling: stored JPEGs, 20 to 80 KB each.
SHUFFLED_RECORDS = 2000
SHUFFLED_MOCAP = 20000
FILES_AT_ONCE = 16
DRAWN_AT_ONCE = 1024
_DATA_ERRORS = (
    tf.errors.DataLossError,
    tf.errors.FailedPreconditionError,
    tf.errors.InvalidArgumentError,
    tf.errors.NotFoundError,
)


class Augmentation(NamedTuple):
    """How training samples are varied; see the flags of the same names."""

    trans_max: int  # pixels
    scale_min: float
    scale_max: float
    color: bool = False
    occlusion: bool = False


def training(files, mocap_files, *, batch_size, num_stage, image_size, augmentation, use_3d, seed):
    """The endless training input: the same seed gives the same batches.

    Args:
      files: dataset name -> shard paths, `shard_files.Split.training`.
      mocap_files: dataset name -> shard paths, `shard_files.find_mocap`; None without the prior.
      batch_size: B, people in a batch.
      num_stage: T, bodies of motion capture per person.
      image_size: S, pixels.
      augmentation: Augmentation.
      use_3d: True: half of each batch is from datasets with 3D labels, if there are others too.
        False: 3D labels are switched off. Among themselves, datasets have shares by their sizes.
      seed: int.

    Returns:
      Dataset of (batch, mocap), dicts of B and of T * B rows; mocap is {} without the prior.

    Raises:
      InputError: no 3D dataset to use, an odd batch to halve, no records, TensorFlow Addons absent.
    """
    records = _in_turn(_sources(files, use_3d, batch_size), seed)
    crops = _crops(records, _jitters(augmentation, image_size, seed), image_size)
    if augmentation.color:
        crops = _with_color(crops, seed + 1)
    batches = _batches(crops, batch_size, image_size, drop_remainder=True)
    if not use_3d:
        batches = batches.map(_without_3d)
    if augmentation.occlusion:
        batches = _with_occlusion(batches, seed + 2)
    if mocap_files is None:
        dataset = batches.map(lambda batch: (batch, {}))
    else:
        mocap = _mocap(mocap_files, num_stage * batch_size, seed + 3)
        dataset = tf.data.Dataset.zip((batches, mocap))
    return dataset.prefetch(tf.data.AUTOTUNE)


def validation(files, *, batch_size, image_size):
    """Every record once, in order, without jitter.

    Args:
      files: dataset name -> shard paths, `shard_files.Split.validation`.
      batch_size: people in a batch; the last one is smaller.
      image_size: pixels.

    Returns:
      Dataset of (batch,), labels as stored; its length is the number of batches.
    """
    paths = shard_files.paths(files)
    num_batches = -(-shard_files.count_records(paths) // batch_size)
    records = tf.data.TFRecordDataset([str(path) for path in paths])
    plain = augment.no_jitter(image_size / crop.CROP_PX)
    plain = tf.data.Dataset.from_tensors(plain).repeat()
    crops = _crops(records, plain, image_size)
    batches = _batches(crops, batch_size, image_size, drop_remainder=False)
    dataset = batches.map(lambda batch: (batch,)).prefetch(tf.data.AUTOTUNE)
    return dataset.apply(tf.data.experimental.assert_cardinality(num_batches))


def explain_data_error(error, files, mocap_files=None):
    """Which file broke the input: tf.data's own errors name an operation, not a file.

    Args:
      error: what was raised while a dataset of this module was read, in `fit()` or outside.
      files: dataset name -> shard paths that were read, or the whole `shard_files.Split`.
      mocap_files: dataset name -> shard paths, or None.

    Returns:
      InputError naming file and record, or the index whose count is wrong; None if the files are
      not at fault. Reads them all.
    """
    if not isinstance(error, _DATA_ERRORS) or "IteratorGetNext" not in str(error):
        return None
    groups = files if isinstance(files, shard_files.Split) else [files]
    images = [path for group in groups for path in shard_files.paths(group)]
    checks = [(path, record.decode) for path in images]
    checks += [(path, record.decode_mocap) for path in shard_files.paths(mocap_files or {})]
    try:
        if isinstance(error, tf.errors.FailedPreconditionError):  # of assert_cardinality
            shard_files.check_indexes(images)
        for path, decode in tqdm(checks, "Looking for the broken record", unit="file", delay=2):
            record.check_shards([path], decode)
    except InputError as found:
        return found
    return None


def _sources(files, use_3d, batch_size):
    """The groups of shard paths that take turns in a batch."""
    files = {name: paths for name, paths in files.items() if shard_files.count_records(paths)}
    if not files:
        raise InputError("the shards of --datasets hold no records: convert the datasets again")
    if not use_3d:
        return [shard_files.paths(files)]
    kinds = {True: [], False: []}
    for name, paths in files.items():
        kinds[shard_files.has_3d(name, paths)] += paths
    if not kinds[True]:
        raise InputError(
            f"no records with 3D labels in --datasets={','.join(files)}: add one of "
            f"{', '.join(shard_files.WITH_3D)}, or train without them, --nouse_3d_label"
        )
    sources = [paths for paths in kinds.values() if paths]
    if len(sources) > 1 and batch_size % 2:
        raise InputError(
            f"--batch_size={batch_size} is odd, and half of a batch comes from datasets with 3D "
            "labels: pass an even one"
        )
    return sources


def _in_turn(sources, seed):
    """Records of each group of shards in turn: each part of a batch (a replica's) has all kinds."""
    streams = [_shuffled(paths, SHUFFLED_RECORDS, seed + i) for i, paths in enumerate(sources)]
    if len(streams) == 1:
        return streams[0]
    turns = tf.data.Dataset.range(len(streams)).repeat()
    return tf.data.Dataset.choose_from_datasets(streams, turns)


def _shuffled(paths, buffer_size, seed):
    """Records of all files, each once per pass, for ever; a dataset's share follows its size."""
    files = tf.data.Dataset.from_tensor_slices([str(path) for path in paths])
    records = files.shuffle(len(paths), seed).interleave(
        tf.data.TFRecordDataset,
        cycle_length=min(len(paths), FILES_AT_ONCE),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    return records.shuffle(buffer_size, seed).repeat()


def _jitters(augmentation, image_size, seed):
    """One Jitter for each person of the training, drawn many at a time."""

    shrink = image_size / crop.CROP_PX
    limits = augmentation.scale_min * shrink, augmentation.scale_max * shrink

    def draw(index):
        return augment.jitter([seed, index], DRAWN_AT_ONCE, augmentation.trans_max, *limits)

    return tf.data.Dataset.counter().map(draw).unbatch()


def _crops(records, jitters, image_size):
    """Dataset of (sample with the crop for its image, Placement)."""

    def cut(serialized, jitter):
        sample = record.decode(serialized)
        image, placement = augment.crop_image(sample, *jitter, image_size)
        return {**sample, "image": image}, placement

    pairs = tf.data.Dataset.zip((records, jitters))
    return pairs.map(cut, num_parallel_calls=tf.data.AUTOTUNE)


def _batches(crops, batch_size, image_size, drop_remainder):
    """Dataset of batch dicts."""

    def batch(sample, placement):
        labels = augment.move_labels(sample, placement, image_size)
        return {"image": sample["image"], **labels}

    return crops.batch(batch_size, drop_remainder).map(batch)


def _without_3d(batch):
    nobody = tf.zeros_like(batch["has_joints"])
    return {**batch, "has_joints": nobody, "has_smpl": nobody}


def _with_color(crops, seed):
    addons.require("augment_color")

    def turn(index, cropped):
        sample, placement = cropped
        image = addons.random_color(sample["image"], [seed, index])
        return {**sample, "image": image}, placement

    return crops.enumerate().map(turn, num_parallel_calls=tf.data.AUTOTUNE)


def _with_occlusion(batches, seed):
    addons.require("augment_occlusion")

    def occlude(index, batch):
        return {**batch, "image": addons.random_cutout(batch["image"], [seed, index])}

    return batches.enumerate().map(occlude, num_parallel_calls=tf.data.AUTOTUNE)


def _mocap(files, rows, seed):
    """Dataset of dicts: rotations (rows, 23, 3, 3) without the global one, betas (rows, 10)."""
    paths = shard_files.paths(files)
    if not shard_files.count_records(paths):
        raise InputError(
            f"the motion capture in {paths[0].parent} holds no records: convert it again, or pass "
            "--encoder_only"
        )

    def bodies(mocap):
        rotations = rotation.matrix_from_axis_angle(mocap["pose"][:, 1:])
        return {"rotations": rotations, "betas": mocap["betas"]}

    records = _shuffled(paths, SHUFFLED_MOCAP, seed)
    poses = records.map(record.decode_mocap, num_parallel_calls=tf.data.AUTOTUNE)
    return poses.batch(rows, drop_remainder=True).map(bodies)

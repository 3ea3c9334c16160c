"""Images per second of the training input, over the original pipeline and over bare JPEG decoding.

    python -m benchmarks.input_pipeline [--data_dir=DIR --datasets=coco] [--images=1024]

Three readers of the same records, alternately, in one process; medians of --repeats rounds. The
original pipeline repeats its preprocessing: the whole image to float, resized, padded by 182 px,
sliced (its `data_loader.py:269-337`). Filling the shuffle buffers, once a training, is not
counted. Without --data_dir: drawn JPEGs of 300 x 400 px.
"""

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

import benchmarks
from hmr_tf.data import augment, pipeline, record, shards
from hmr_tf.data.crop import Crop
from hmr_tf.files.errors import InputError

IMAGE_SIZE = 224
AUGMENTATION = pipeline.Augmentation(trans_max=20, scale_min=0.8, scale_max=1.23)
SAFE_MARGIN = IMAGE_SIZE // 2 + AUGMENTATION.trans_max + 50


def draw_records(folder, height=300, width=400, number=256):
    """Writes one shard of drawn JPEGs: smooth colours with some grain, about 40 KB each."""
    rng = np.random.default_rng(0)
    path = Path(folder) / "coco" / "train_000.tfrecord"
    path.parent.mkdir()
    with tf.io.TFRecordWriter(str(path)) as writer:
        for _ in range(number):
            colours = tf.image.resize(rng.uniform(0, 255, (9, 12, 3)), [height, width], "bicubic")
            grain = rng.normal(0, 5, (height, width, 1))
            image = tf.cast(tf.clip_by_value(colours + grain, 0, 255), tf.uint8)
            person = record.ImageRecord(
                jpeg=tf.io.encode_jpeg(image, quality=95).numpy(),
                filename="drawn.jpg",
                crop=Crop(np.ones(2), np.zeros(2, int), (height, width)),
                center_px=np.array([width // 2, height // 2]),
                keypoints_px=rng.uniform(0, height, (19, 2)),
                labelled=np.ones(19, int),
                has_face=True,
            )
            writer.write(record.encode(person))
    return {"coco": [path]}


def decoded(paths, batch_size):
    """JPEG decoding alone; the result is one pixel of each image."""
    records = tf.data.TFRecordDataset(paths).repeat()
    features = {"image/encoded": tf.io.FixedLenFeature([], tf.string)}

    def image(serialized):
        parsed = tf.io.parse_single_example(serialized, features)
        return tf.io.decode_jpeg(parsed["image/encoded"], channels=3)[0, 0]

    return records.map(image, num_parallel_calls=tf.data.AUTOTUNE).batch(batch_size)


def original_input(paths, batch_size):
    """The original's steps, in its order."""
    records = tf.data.TFRecordDataset(paths).repeat().shuffle(256, 0)

    def example(serialized):
        sample = record.decode(serialized)
        translation_px = tf.random.uniform(
            [2], -AUGMENTATION.trans_max, AUGMENTATION.trans_max, tf.int32
        )
        scale = tf.random.uniform([], AUGMENTATION.scale_min, AUGMENTATION.scale_max)
        image = tf.image.convert_image_dtype(sample["image"], tf.float32)
        size = tf.cast(tf.shape(image)[:2], tf.float32)
        image = tf.compat.v1.image.resize_images(image, tf.cast(size * scale, tf.int32))
        factor = (tf.cast(tf.shape(image)[:2], tf.float32) / size)[::-1]
        centre = tf.cast(
            (sample["center_px"] + tf.cast(translation_px, tf.float32)) * factor, tf.int32
        )
        corner = centre + SAFE_MARGIN - IMAGE_SIZE // 2
        image = tf.slice(pad(image), [corner[1], corner[0], 0], [IMAGE_SIZE, IMAGE_SIZE, 3])
        points = sample["keypoints_px"][:, :2] * factor + SAFE_MARGIN - tf.cast(corner, tf.float32)
        image, points = tf.cond(
            tf.random.uniform([]) < 0.5,
            lambda: (tf.reverse(image, [1]), augment.mirror_keypoints(points, IMAGE_SIZE)),
            lambda: (image, points),
        )
        return (image - 0.5) * 2.0, 2.0 * points / IMAGE_SIZE - 1.0

    return records.map(example, num_parallel_calls=tf.data.AUTOTUNE).batch(batch_size)


def pad(image):
    """Repeats the edge by SAFE_MARGIN on all sides, by tiling and concatenating."""
    above, below = (tf.tile(row, [SAFE_MARGIN, 1, 1]) for row in (image[:1], image[-1:]))
    image = tf.concat([above, image, below], axis=0)
    left, right = (tf.tile(col, [1, SAFE_MARGIN, 1]) for col in (image[:, :1], image[:, -1:]))
    return tf.concat([left, image, right], axis=1)


def seconds(dataset, elements):
    """Time of so many elements after the first one, before which the shuffle buffer is filled."""
    iterator = iter(dataset)
    next(iterator)
    start = time.perf_counter()
    for _ in range(elements):
        next(iterator)
    return time.perf_counter() - start


def main():
    parser = benchmarks.parser(__doc__)
    parser.add_argument("--data_dir")
    parser.add_argument("--datasets", default="coco")
    parser.add_argument("--images", type=benchmarks.positive, default=1024)
    parser.add_argument("--batch_size", type=benchmarks.positive, default=64)
    parser.add_argument("--repeats", type=benchmarks.positive, default=5)
    args = parser.parse_args()
    if args.images < args.batch_size:
        raise InputError(f"--images={args.images} is less than a batch, {args.batch_size}.")
    with tempfile.TemporaryDirectory() as folder:
        if args.data_dir:
            files = shards.split(args.data_dir, args.datasets.split(",")).training
        else:
            files = draw_records(folder)
        measure(files, args)


def measure(files, args):
    paths = [str(path) for path in shards.paths(files)]
    batches = args.images // args.batch_size
    ours = pipeline.training_dataset(
        files,
        None,
        batch_size=args.batch_size,
        num_stage=3,
        image_size=IMAGE_SIZE,
        augmentation=AUGMENTATION,
        use_3d=False,
        seed=0,
    )
    readers = {
        "JPEG decode alone": decoded(paths, args.batch_size),
        "training input": ours,
        "the original pipeline": original_input(paths, args.batch_size),
    }
    times = {name: [] for name in readers}
    for _ in range(args.repeats + 1):
        for name, reader in readers.items():
            times[name].append(seconds(reader, batches))
    rate = {
        name: batches * args.batch_size / statistics.median(values[1:])
        for name, values in times.items()
    }
    for name, value in rate.items():
        print(f"{name:20} {value:6.0f} images/s")
    for name in ("the original pipeline", "JPEG decode alone"):
        print(f"training input / {name}: {rate['training input'] / rate[name]:.2f}")


if __name__ == "__main__":
    benchmarks.run(main)

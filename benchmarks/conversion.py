"""People a second of the COCO conversion, over the original's way and over JPEG coding alone.

    python -m benchmarks.conversion [--data_dir=COCO] [--people=2000] [--num_workers=N]

Two converters of the same people, in turn, in one run; medians of --repeats rounds. The original's
way is its steps stated again, in one process as it works: for every person the image is read and
decoded anew, resized whole, cut, encoded (its `coco_to_tfrecords.py:206-260`). The floor is the
time that our workers spend in decoding each image once and encoding each person, the rest left out.
Without --data_dir: drawn JPEGs of COCO's size, 640 x 480 pixels and some 170 KB, with 1.75 people
each, of 90 to 500 px.
"""

import argparse
import contextlib
import functools
import itertools
import os
import pickle
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import cv2
import numpy as np
import tensorflow as tf

from data_prep import coco, pool, shard_writer, shards
from data_prep.person import Person
from hmr_tf.data import crop, record

PEOPLE_IN_IMAGES = (1, 2, 3, 1)
PEOPLE_PER_SHARD = 250
CODING = ("decode_jpeg", "encode_jpeg")


def draw_people(folder, number):
    """Writes drawn JPEGs; returns people in them."""
    rng, people = np.random.default_rng(0), []
    for image_number in itertools.count():
        path = Path(folder) / f"{image_number:06d}.jpg"
        colours = cv2.resize(rng.uniform(0, 255, (15, 20, 3)), (640, 480), interpolation=2)
        grain = cv2.resize(rng.normal(0, 22, (320, 427)), (640, 480))[..., None]
        image = np.clip(colours + grain, 0, 255).astype(np.uint8)
        cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, 95])
        for _ in range(PEOPLE_IN_IMAGES[image_number % len(PEOPLE_IN_IMAGES)]):
            size_px = np.exp(rng.uniform(np.log(90), np.log(500)))
            middle = rng.uniform([100, 100], [540, 380])
            points = middle + rng.uniform(-0.35, 0.35, (19, 2)) * size_px
            low, high = points.min(axis=0), points.max(axis=0)
            scale = crop.PERSON_PX / np.linalg.norm(high - low)
            people.append(
                Person(
                    str(path),
                    points,
                    np.full(19, 2),
                    has_face=True,
                    scale=scale,
                    window_px=coco.WINDOW_PX,
                )
            )
            if len(people) == number:
                return people


class OriginalsWay:
    """Converts as the original: TensorFlow 1's session, one image and one person at a time."""

    def __init__(self):
        with tf.Graph().as_default():
            self._jpeg = tf.compat.v1.placeholder(tf.string)
            self._pixels = tf.compat.v1.placeholder(tf.uint8)
            self._decoded = tf.image.decode_jpeg(self._jpeg, channels=3)
            self._encoded = tf.image.encode_jpeg(self._pixels, quality=95)
            self._session = tf.compat.v1.Session()

    def convert(self, people, path):
        with tf.io.TFRecordWriter(str(path)) as writer:
            for person in people:
                writer.write(self._example(person))

    def _example(self, person):
        jpeg = tf.io.gfile.GFile(person.image, "rb").read()
        image = self._session.run(self._decoded, {self._jpeg: jpeg})
        low, high = crop.box_of_labelled(person.keypoints_px, person.labelled)
        centre = (low + high) / 2
        scaled, scale_xy = crop.scale_image(image, person.scale)
        middle, half = centre * scale_xy, person.window_px // 2
        start = np.maximum(middle - half, 0).astype(int)
        end = (middle + half).astype(int)
        pixels = scaled[start[1] : end[1], start[0] : end[0]]
        where = crop.Crop(scale_xy, start, pixels.shape[:2])
        jpeg = self._session.run(self._encoded, {self._pixels: pixels})
        return record.encode(
            record.ImageRecord(
                jpeg=jpeg,
                filename=Path(person.image).name,
                crop=where,
                center_px=crop.to_crop(centre, where),
                keypoints_px=crop.to_crop(person.keypoints_px, where),
                labelled=person.labelled,
                has_face=True,
            )
        )


@contextlib.contextmanager
def coding_timed():
    """Gives the list of the seconds that each call of TensorFlow's JPEG functions took."""
    seconds, functions = [], {name: getattr(tf.io, name) for name in CODING}

    def timed(function):
        @functools.wraps(function)
        def call(*arguments, **more):
            start = time.perf_counter()
            result = function(*arguments, **more)
            seconds.append(time.perf_counter() - start)
            return result

        return call

    for name, function in functions.items():
        setattr(tf.io, name, timed(function))
    try:
        yield seconds
    finally:
        for name, function in functions.items():
            setattr(tf.io, name, function)


def write_and_time(folder, shard):
    """A worker's task: bytes written, seconds spent in JPEG coding."""
    if not shard.groups:  # the first task: TensorFlow is imported now
        return ()
    with coding_timed() as seconds:
        shard_writer.write(folder, shard)
    return (folder / shard.file).stat().st_size, sum(seconds)


def ours(people, folder, num_workers):
    """Seconds from the first person handed out to the last shard written, bytes, seconds of coding.

    The start of the workers, once a run, is not counted.
    """
    found = shards.numbered(shards.by_image(people), "%06d.tfrecord", PEOPLE_PER_SHARD)
    tasks = [pickle.dumps(shard._replace(groups=list(shard.groups))) for shard in found]
    first = pickle.dumps(shards.Shard("", []))
    starts = []

    def handed_out():
        yield from [first] * num_workers
        for task in tasks:
            starts.append(time.perf_counter())
            yield task

    work = functools.partial(write_and_time, Path(folder))
    results = [result for result in pool.run(work, handed_out(), num_workers) if result]
    seconds = time.perf_counter() - starts[0]
    size, coding = (sum(column) for column in zip(*results))
    return seconds, size, coding / num_workers


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir")
    parser.add_argument("--people", type=int, default=2000)
    parser.add_argument("--num_workers", type=int, default=pool.available_cores())
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if args.data_dir:
            kept = (p for p in coco.read(args.data_dir, "train") if isinstance(p, Person))
            people = list(itertools.islice(kept, args.people))
        else:
            people = draw_people(folder, args.people)
        measure(people, folder, args)


def measure(people, folder, args):
    original = OriginalsWay()
    original.convert(people[:10], Path(folder) / "warm_up")
    times = {"original": [], "ours": [], "coding": []}
    for _ in range(args.repeats):
        seconds, size, coding = ours(people, folder, args.num_workers)
        times["ours"].append(seconds)
        times["coding"].append(coding)
        start = time.perf_counter()
        original.convert(people, Path(folder) / "original.tfrecord")
        times["original"].append(time.perf_counter() - start)
    median = {name: statistics.median(values) for name, values in times.items()}
    for name, title in (
        ("original", "the original's way, one process"),
        ("ours", f"conversion, {args.num_workers} workers"),
        ("coding", "JPEG coding alone, the same workers"),
    ):
        rate, megabytes = len(people) / median[name], size / median[name] / 1e6
        print(f"{title:36} {rate:6.0f} people/s {megabytes:6.1f} MB/s")
    print(f"conversion / the original's way: {median['original'] / median['ours']:.2f}")
    print(f"conversion / JPEG coding alone: {median['coding'] / median['ours']:.2f}")


if __name__ == "__main__":
    main()

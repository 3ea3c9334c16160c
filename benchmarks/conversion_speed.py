"""People per second of the COCO conversion, over the original pipeline and over JPEG coding alone.

    python -m benchmarks.conversion_speed [--data_dir=COCO] [--people=2000] [--num_workers=N]

Two conversions of the same annotations, alternately, in one run; medians of --repeats rounds. The
first repeats the original's steps (`coco_to_tfrecords.py:64-275`), in one process as there: every
mask is drawn to find its height; for each person the whole image is resized, cut and encoded.
The floor is the time that our workers spend in decoding and encoding. Reading the annotation file
and starting the workers, once a run, are not counted. Processor time, of all processes, tells more
than the rates where other programs run beside it.
Without --data_dir: drawn JPEGs of COCO's size, 640 x 480 pixels and some 170 KB, with 1.75 people
each, of 90 to 450 px.
"""

import contextlib
import functools
import io
import itertools
import json
import os
import pickle
import statistics
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import cv2
import numpy as np
import tensorflow as tf
from pycocotools.coco import COCO

import benchmarks
from data_prep.reader_items import LabelledPerson
from data_prep.readers import coco
from data_prep.writing import shard_files, worker_pool
from hmr_tf.data import crop, record
from hmr_tf.files.errors import InputError

PEOPLE_IN_IMAGES = (1, 2, 3, 1)
PEOPLE_PER_SHARD = 250
SHARD_NAMES = shard_files.ShardNames("train", digits=6)
CATEGORY = {"id": 1, "name": "person"}
CODING = ("decode_jpeg", "encode_jpeg")


def draw_coco(folder, number):
    """Writes drawn JPEGs and annotations in COCO's layout."""
    rng, images, annotations = np.random.default_rng(0), [], []
    folder = Path(folder)
    (folder / "images" / "train2014").mkdir(parents=True)
    while len(annotations) < number:
        name = f"COCO_train2014_{len(images):012d}.jpg"
        colours = cv2.resize(rng.uniform(0, 255, (15, 20, 3)), (640, 480))
        grain = cv2.resize(rng.normal(0, 22, (320, 427)), (640, 480))[..., None]
        image = np.clip(colours + grain, 0, 255).astype(np.uint8)
        quality = [cv2.IMWRITE_JPEG_QUALITY, 95]
        cv2.imwrite(str(folder / "images" / "train2014" / name), image, quality)
        for _ in range(PEOPLE_IN_IMAGES[len(images) % len(PEOPLE_IN_IMAGES)]):
            annotations.append(annotation(rng, len(images), len(annotations)))
        images.append({"id": len(images), "file_name": name, "height": 480, "width": 640})
    content = {"images": images, "annotations": annotations, "categories": [CATEGORY]}
    (folder / "annotations").mkdir()
    path = folder / "annotations" / "person_keypoints_train2014.json"
    path.write_text(json.dumps(content))


def annotation(rng, image_id, number):
    """A person of 90 to 450 px: 17 points in a box, whose mask is an ellipse."""
    height = np.exp(rng.uniform(np.log(90), np.log(450)))
    size = np.array([0.45 * height, height])
    middle = np.clip(rng.uniform([0, 0], [640, 480]), size / 2, [640, 480] - size / 2)
    points = middle + rng.uniform(-0.5, 0.5, (17, 2)) * size
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    mask = middle + np.stack([np.cos(angles), np.sin(angles)], axis=1) * size / 2
    return {
        "id": number,
        "image_id": image_id,
        "category_id": CATEGORY["id"],
        "iscrowd": 0,
        "num_keypoints": 17,
        "keypoints": np.column_stack([points, np.full(17, 2)]).ravel().tolist(),
        "segmentation": [mask.ravel().tolist()],
    }


class Cost(NamedTuple):
    """What one conversion took."""

    seconds: float
    cpu_seconds: float  # of all processes


class OriginalConverter:
    """Converts as the original: TensorFlow 1's session, one image and one person at a time."""

    def __init__(self):
        with tf.Graph().as_default():
            self._jpeg = tf.compat.v1.placeholder(tf.string)
            self._pixels = tf.compat.v1.placeholder(tf.uint8)
            self._decoded = tf.image.decode_jpeg(self._jpeg, channels=3)
            self._encoded = tf.image.encode_jpeg(self._pixels, quality=95)
            self._session = tf.compat.v1.Session()

    def convert(self, annotations, groups, path):
        """Writes one TFRecord file; returns the Cost.

        Args:
          annotations: pycocotools' COCO.
          groups: from `shard_files.group_by_image`; people without a mask are already left out.
          path: of the file.
        """
        start, cpu_start = time.perf_counter(), time.process_time()
        with tf.io.TFRecordWriter(str(path)) as writer:
            for image_id in annotations.imgs:
                for one in annotations.imgToAnns[image_id]:
                    if one.get("num_keypoints"):
                        draw_mask(annotations, one)
            for group in groups:
                jpeg = tf.io.gfile.GFile(group[0].image, "rb").read()
                image = self._session.run(self._decoded, {self._jpeg: jpeg})
                for person in group:
                    writer.write(self._example(person, image))
        return Cost(time.perf_counter() - start, time.process_time() - cpu_start)

    def _example(self, person, image):
        low, high = crop.box_of_labelled(person.keypoints_px, person.labelled)
        scaled, scale_xy = crop.scale_image(image, person.scale)
        middle, half = (low + high) / 2 * scale_xy, person.crop_rule.window_px // 2
        start, end = np.maximum(middle - half, 0).astype(int), (middle + half).astype(int)
        pixels = scaled[start[1] : end[1], start[0] : end[0]]
        where = crop.Crop(scale_xy, start, pixels.shape[:2])
        return record.encode(
            record.ImageRecord(
                jpeg=self._session.run(self._encoded, {self._pixels: pixels}),
                filename=Path(person.image).name,
                crop=where,
                center_px=middle - start,
                keypoints_px=crop.to_crop(person.keypoints_px, where),
                labelled=person.labelled,
                has_face=True,
            )
        )


def annotations_of(data_dir, groups):
    """pycocotools' COCO of the images in the groups alone."""
    path = min(Path(data_dir).glob("annotations/person_keypoints_train*.json"))
    content, names = json.loads(path.read_text()), {group[0].filename for group in groups}
    annotations = COCO()
    images = [image for image in content["images"] if image["file_name"] in names]
    ids = {image["id"] for image in images}
    kept = [one for one in content["annotations"] if one["image_id"] in ids]
    annotations.dataset = {**content, "images": images, "annotations": kept}
    with contextlib.redirect_stdout(io.StringIO()):  # it prints
        annotations.createIndex()
    return annotations


def draw_mask(annotations, one):
    """The original's box of a person: from a list of all the pixels of the mask."""
    points = np.transpose(np.nonzero(annotations.annToMask(one)))[:, ::-1]
    return np.min(points, axis=0), np.max(points, axis=0)


@contextlib.contextmanager
def time_jpeg_calls():
    """Gives the list of the Costs of all calls of TensorFlow's JPEG functions."""
    costs, functions = [], {name: getattr(tf.io, name) for name in CODING}

    def timed(function):
        @functools.wraps(function)
        def call(*arguments, **more):
            start, cpu_start = time.perf_counter(), time.process_time()
            result = function(*arguments, **more)
            costs.append(Cost(time.perf_counter() - start, time.process_time() - cpu_start))
            return result

        return call

    for name, function in functions.items():
        setattr(tf.io, name, timed(function))
    try:
        yield costs
    finally:
        for name, function in functions.items():
            setattr(tf.io, name, function)


def write_and_time(folder, shard):
    """A worker's task: bytes written, processor time, Cost of the JPEG coding in it."""
    if not shard.groups:  # the first task starts TensorFlow
        tf.io.decode_jpeg(tf.io.encode_jpeg(np.zeros((8, 8, 3), np.uint8)))
        return ()
    start = time.process_time()
    with time_jpeg_calls() as costs:
        shard_files.write(folder, shard)
    size, cpu_seconds = (folder / shard.file).stat().st_size, time.process_time() - start
    return size, cpu_seconds, total(costs)


def total(costs):
    return Cost(*map(sum, zip(*costs)))


def people_of(data_dir, number):
    """The first people of the training split. Only the annotation file is read at once."""
    items = coco.read(data_dir, "train")
    items = itertools.chain(list(itertools.islice(items, 1)), items)
    return itertools.islice((item for item in items if isinstance(item, LabelledPerson)), number)


def convert_and_time(people, folder, num_workers):
    """Converts all; returns bytes written, the Cost, the Cost of JPEG coding for each worker."""
    starts = []

    def tasks():
        yield from [pickle.dumps(shard_files.Shard("", []))] * num_workers
        starts.append((time.perf_counter(), time.process_time()))
        groups = shard_files.group_by_image(people)
        for shard in shard_files.plan(groups, SHARD_NAMES, PEOPLE_PER_SHARD):
            yield pickle.dumps(shard._replace(groups=list(shard.groups)))

    work = functools.partial(write_and_time, Path(folder))
    results = [result for result in worker_pool.run(work, tasks(), num_workers) if result]
    ((start, cpu_start),) = starts
    seconds, listing = time.perf_counter() - start, time.process_time() - cpu_start
    sizes, cpu_seconds, coding = zip(*results)
    coding = total(coding)
    return (
        sum(sizes),
        Cost(seconds, listing + sum(cpu_seconds)),
        coding._replace(seconds=coding.seconds / num_workers),
    )


def main():
    parser = benchmarks.parser(__doc__)
    parser.add_argument("--data_dir")
    parser.add_argument("--people", type=benchmarks.positive, default=2000)
    parser.add_argument(
        "--num_workers", type=benchmarks.positive, default=worker_pool.available_cores()
    )
    parser.add_argument("--repeats", type=benchmarks.positive, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if not args.data_dir:
            draw_coco(folder, args.people)
        measure(args.data_dir or folder, folder, args)


def measure(data_dir, folder, args):
    groups = list(shard_files.group_by_image(people_of(data_dir, args.people)))
    if not groups:
        raise InputError(f"--data_dir={data_dir} has no person to convert: name COCO's folder.")
    annotations = annotations_of(data_dir, groups)
    original = OriginalConverter()
    original.convert(annotations, groups[:10], Path(folder) / "warm_up")
    costs = {"original": [], "ours": [], "coding": []}
    for _ in range(args.repeats):
        people = people_of(data_dir, args.people)
        size, ours, coding = convert_and_time(people, folder, args.num_workers)
        costs["ours"].append(ours)
        costs["coding"].append(coding)
        path = Path(folder) / "original.tfrecord"
        costs["original"].append(original.convert(annotations, groups, path))
    report(costs, size, sum(map(len, groups)), args.num_workers)


def report(costs, size, number, num_workers):
    """Prints the medians of all rounds, and of the ratios in one round."""
    for name, title in (
        ("original", "the original pipeline, one process"),
        ("ours", f"conversion, {num_workers} workers"),
        ("coding", "JPEG coding alone, the same workers"),
    ):
        seconds, cpu_seconds = (statistics.median(column) for column in zip(*costs[name]))
        rate, megabytes = number / seconds, size / seconds / 1e6
        print(
            f"{title:36} {rate:6.0f} people/s {megabytes:6.1f} MB/s, "
            f"{cpu_seconds / number * 1e6:5.0f} us of a core a person"
        )
    for name, title in (("original", "the original pipeline"), ("coding", "JPEG coding alone")):
        ratio, cpu_ratio = (
            statistics.median(a / b for a, b in zip(*columns))
            for columns in zip(zip(*costs[name]), zip(*costs["ours"]))
        )
        print(f"conversion / {title}: {ratio:.2f}; of processor time {cpu_ratio:.2f}")


if __name__ == "__main__":
    benchmarks.run(main)

"""Converts one split of a dataset: from its reader to the published shards.

reader -> people of one image -> shards -> workers -> files with their notes -> index, published
"""

import contextlib
import functools
import itertools
import pickle
import shutil
from pathlib import Path
from typing import NamedTuple, Optional

from tqdm import tqdm

from data_prep.reader_items import VideoFrame
from data_prep.writing import beam, publish, shard_files, worker_pool
from data_prep.writing.shard_files import ShardNames
from data_prep.writing.split_index import ImageDigest, Tally
from hmr_tf import __version__
from hmr_tf.files.errors import InputError

# Two workers, which import TensorFlow first, were not faster with 3,000 people of LSP-extended.
MIN_PEOPLE_PER_WORKER = 2000


class Job(NamedTuple):
    """What to convert, and everything that decides the result."""

    dataset: str
    split: str  # or the collection
    data_dir: str
    folder: Path  # of the shards and the index
    shard_names: ShardNames
    records_per_shard: int
    limit: Optional[int]  # of people
    options: dict  # for the index: flags that decide what the shards hold, as JSON
    annotation_digests: dict  # path -> SHA-256
    is_streamed: bool  # as in `sources.Source`
    is_strict: bool = False  # whether an unusable entry stops the conversion

    @property
    def title(self):
        return f"{self.dataset} {self.split}"

    @property
    def index_name(self):
        return f"{self.split}_index.json"


class Workers(NamedTuple):
    """Where the work is done. The result is the same to the byte."""

    number: Optional[int] = None  # at most one for each shard; None: as many as save time
    runner: str = ""  # one of `beam.RUNNERS`; empty: processes of this machine
    runner_options: str = ""  # of `beam.run`


SINGLE_PROCESS = Workers(number=1)  # this process


class Result(NamedTuple):
    index: dict  # as published
    tally: Tally
    num_resumed: int  # shards that an earlier, interrupted run had finished


def convert(job, items, workers=SINGLE_PROCESS):
    """Writes the shards and the index of one split.

    Args:
      job: Job.
      items: iterator of LabelledPerson, MocapPose, Skipped and IndexNote: what the reader yields.
      workers: Workers.

    Returns:
      Result.

    Raises:
      InputError: no person is left, the folder cannot be written, a worker was killed, people were
        lost; and whatever the reader raises.
    """
    tally = Tally()
    if job.is_streamed:
        people = itertools.islice(tally.count_skipped(items), job.limit)
        with _unfinished_run(job) as (run, partial):
            written, num_resumed = _write_streamed(job, people, partial)
            return _publish(job, run, partial, written, num_resumed, tally)
    images, sizes, tasks = ImageDigest(job.data_dir), {}, []
    for shard in list_shards(job, items, tally, images):
        sizes[shard.file] = sum(map(len, shard.groups))
        # Pickled they take half the memory: 100 MB for the 150,000 people of COCO.
        tasks.append((shard.file, pickle.dumps(shard, pickle.HIGHEST_PROTOCOL)))
    if not tasks:
        raise _no_people(job, tally)
    with _unfinished_run(job, images) as (run, partial):
        written, num_resumed = _write_listed(job, sizes, tasks, partial, workers)
        return _publish(job, run, partial, written, num_resumed, tally)


def list_shards(job, items, tally, images):
    """Yields each Shard with its groups in a list; opens no image.

    Args:
      job, items: as in `convert`.
      tally: Tally that counts the skipped people.
      images: ImageDigest that images are added to.
    """
    title = f"{job.title}: listing"
    people = tqdm(tally.count_skipped(items), title, unit=" people", leave=False)
    for shard in _plan(job, itertools.islice(people, job.limit)):
        groups = list(shard.groups)
        for image in (shard_files.image_file(group[0]) for group in groups):
            if image is not None:
                images.add(image.path if isinstance(image, VideoFrame) else image)
        yield shard._replace(groups=groups)


def count(job, items, first_only=False):
    """What a conversion would read; opens no image.

    Args:
      job, items: as in `convert`.
      first_only: whether to stop at the first shard: readers of motion capture yield what is
        unusable first.

    Returns:
      Tally, list of the numbers of people in the shards, ImageDigest.
    """
    tally, images = Tally(), ImageDigest(job.data_dir)
    listed = itertools.islice(list_shards(job, items, tally, images), 1 if first_only else None)
    return tally, [sum(map(len, shard.groups)) for shard in listed], images


def refuse_problems(job, tally, images=None):
    """Raises InputError, for --strict, if an entry is unusable or an image is missing."""
    num_missing = images.num_missing if images else 0
    if tally.problems:
        first = "{reason}, {where}".format(**tally.problems[0])
    elif num_missing:
        first = f"image missing, {images.first_missing}"
    else:
        return
    raise InputError(
        f"{job.title}: {tally.num_problems + num_missing} unusable entries, which --strict "
        f"refuses; the first: {first}"
    )


def _plan(job, people):
    groups = shard_files.group_by_image(people)
    return shard_files.plan(groups, job.shard_names, job.records_per_shard)


@contextlib.contextmanager
def _unfinished_run(job, images=None):
    """Yields the part of the index that is known before the first shard, and the hidden folder."""
    sources = {"annotations": job.annotation_digests}
    if images:
        sources["images"] = images.counts()
    run = {
        "dataset": job.dataset,
        "split": job.split,
        "options": job.options,
        "sources": sources,
        "version": __version__,
    }
    note = {**run, "data_dir": job.data_dir}  # it is part of the names of skipped people
    with publish.unfinished_run(job.folder, job.index_name, note) as partial:
        yield run, partial


def _write_streamed(job, people, partial):
    """Returns the notes of all shards, in order, and how many of them were finished before."""
    written, num_resumed = [], 0
    with _progress_bar(job, job.limit) as bar:
        for shard in _plan(job, people):
            counts = publish.finished_shard(partial, shard.file)
            if counts:
                num_resumed += 1
                bar.update(sum(map(len, shard.groups)))  # drawn again, but not encoded
            else:
                counts = shard_files.write(partial, shard, bar.update)
            written.append(counts)
    return written, num_resumed


def _write_listed(job, sizes, tasks, partial, workers):
    """As `_write_streamed`.

    Args:
      sizes: dict: file -> number of people, of all shards in order.
      tasks: file and pickled Shard of each.
    """
    counts = {file: publish.finished_shard(partial, file) for file in sizes}
    missing = {file: people for file, people in sizes.items() if counts[file] is None}
    tasks = [(file, task) for file, task in tasks if file in missing]
    num_people = sum(sizes.values())
    with _progress_bar(job, num_people, num_people - sum(missing.values())) as bar:
        for done in _run_tasks(tasks, missing, partial, workers, bar):
            counts[done["file"]] = done
    _check_counts(sizes, counts)
    return list(counts.values()), len(sizes) - len(missing)


def _run_tasks(tasks, missing, partial, workers, bar):
    """Yields what `shard_files.write` returns for each task, a (file, pickled Shard)."""
    work, number = functools.partial(shard_files.write, partial), workers.number
    if workers.runner:
        beam.run(work, tasks, partial, workers.runner, workers.runner_options, number)
        yield from filter(None, (publish.finished_shard(partial, file) for file in missing))
        return
    if number is None:
        number = min(worker_pool.available_cores(), sum(missing.values()) // MIN_PEOPLE_PER_WORKER)
    if min(number, len(missing)) <= 1:
        for _, task in tasks:
            yield shard_files.write(partial, pickle.loads(task), bar.update)
        return
    for done in worker_pool.run(work, (task for _, task in tasks), min(number, len(missing))):
        yield done
        bar.update(missing[done["file"]])


def _check_counts(sizes, counts):
    """InputError if a person was neither converted nor skipped."""
    for file, people in sizes.items():
        if counts[file] is None:
            raise InputError(
                f"{file} and perhaps other shards are missing; start again: finished shards are "
                "kept"
            )
        num_done = counts[file]["records"] + sum(counts[file]["skipped"].values())
        if num_done != people:
            raise InputError(f"{file}: {people} people were to be converted, {num_done} were")


def _publish(job, run, partial, written, num_resumed, tally):
    for counts in written:
        tally.add(counts)
    if job.is_strict:  # images that could not be read
        refuse_problems(job, tally)
    files = [{key: counts[key] for key in ("file", "records")} for counts in written]
    files = [file for file in files if file["records"]]
    num_records = sum(file["records"] for file in files)
    if not num_records:
        shutil.rmtree(partial)
        raise _no_people(job, tally)
    index = {**run, "records": num_records, "shards": files, **tally.counts()}
    publish.publish(partial, job.folder, job.shard_names, job.index_name, index)
    return Result(index, tally, num_resumed)


def _no_people(job, tally):
    first = "; the first: {reason}, {where}".format(**tally.problems[0]) if tally.problems else ""
    return InputError(
        f"{job.title}: no people to convert in {job.data_dir} ({tally.summary()}{first})"
    )


def _progress_bar(job, total, initial=0):
    return tqdm(
        desc=job.title, unit=" people", total=total, initial=initial, leave=False, mininterval=0.5
    )

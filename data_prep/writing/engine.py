"""One split of a dataset, from its reader to the published shards.

reader -> people of one image -> shards -> workers -> files with their notes -> index, all shown
"""

import contextlib
import functools
import itertools
import pickle
import shutil
from pathlib import Path
from typing import NamedTuple, Optional

from tqdm import tqdm

from data_prep.writing import beam, publish, shard_plan, worker_pool
from data_prep.writing.backlog import Backlog
from data_prep.writing.digests import ImageDigest
from data_prep.writing.tally import Tally
from hmr_tf import __version__
from hmr_tf.files.errors import InputError

# 3,000 people of LSP-extended were not done sooner by two workers, who import TensorFlow first.
PEOPLE_WORTH_A_WORKER = 2000


class Job(NamedTuple):
    """What is to be converted, and what decides the result."""

    dataset: str
    split: str  # or the collection
    data_dir: str
    folder: Path  # of the shards and the index
    shard_name: str  # with a place for number or sequence
    records_per_shard: int
    limit: Optional[int]  # of people
    options: dict  # for the index: all that decides what the shards hold, as JSON takes it
    annotation_digests: dict  # path -> SHA-256
    is_streamed: bool  # as of `sources.Source`

    @property
    def title(self):
        return f"{self.dataset} {self.split}"

    @property
    def index_name(self):
        return f"{self.split}_index.json"


class Workers(NamedTuple):
    """Who does the work. They change no byte of it."""

    number: Optional[int] = None  # at most one for each shard; None: as many as are worth it
    runner: str = ""  # one of `beam.RUNNERS`; empty: processes of this machine
    runner_options: str = ""  # as of `beam.run`


ALONE = Workers(1)


class Result(NamedTuple):
    index: dict  # as it was published
    tally: Tally
    num_resumed: int  # shards that an earlier run, which was stopped, had made


def convert(job, items, workers=ALONE):
    """Writes the shards and the index of one split.

    Args:
      job: Job.
      items: iterator of LabelledPerson, MocapPose and Skipped: what the reader yields.
      workers: Workers.

    Returns:
      Result.

    Raises:
      InputError: nobody is left to convert, the folder cannot be written, a worker was killed,
        people were lost; and whatever the reader raises.
    """
    tally = Tally()
    if job.is_streamed:
        people = itertools.islice(tally.keep(items), job.limit)
        with _run(job) as (run, partial):
            written = _write_streamed(job, people, partial)
            return _publish(job, run, partial, *written, tally)
    images, files = ImageDigest(job.data_dir), []
    with Backlog() as backlog:
        for shard in list_shards(job, items, tally, images):
            files.append((shard.file, sum(map(len, shard.groups))))
            backlog.append(shard)
        if not files:
            raise _nobody(job, tally)
        with _run(job, images) as (run, partial):
            written = _write_listed(job, files, backlog, partial, workers)
            return _publish(job, run, partial, *written, tally)


def list_shards(job, items, tally, images):
    """Yields each Shard with its groups in a list; opens no image.

    Args:
      job, items: as of `convert`.
      tally: Tally of those skipped.
      images: ImageDigest of the images.
    """
    title = f"{job.title}: listing"
    people = tqdm(tally.keep(items), title, unit=" people", leave=False)
    for shard in _cut(job, itertools.islice(people, job.limit)):
        groups = list(shard.groups)
        for image in map(shard_plan.image_path, (group[0] for group in groups)):
            if image is not None:
                images.add(getattr(image, "path", image))
        yield shard_plan.Shard(shard.file, groups)


def _cut(job, people):
    groups = shard_plan.by_image(people)
    if "%s" in job.shard_name:
        return shard_plan.by_sequence(groups, job.shard_name)
    return shard_plan.numbered(groups, job.shard_name, job.records_per_shard)


@contextlib.contextmanager
def _run(job, images=None):
    """The index as far as it is known before the first shard, and the hidden folder."""
    sources = {"annotations": job.annotation_digests}
    if images:
        sources["images"] = images.result()
    run = {
        "dataset": job.dataset,
        "split": job.split,
        "options": job.options,
        "sources": sources,
        "version": __version__,
    }
    note = {**run, "data_dir": job.data_dir}  # it stands in the names of those left out
    with publish.unfinished_run(job.folder, job.index_name, note) as partial:
        yield run, partial


def _write_streamed(job, people, partial):
    """Returns what the notes say, in order, and how many shards were there."""
    written, num_whole = [], 0
    with _bar(job, job.limit) as bar:
        for shard in _cut(job, people):
            counts = publish.whole_shard(partial, shard.file)
            num_whole += counts is not None
            if counts:
                bar.update(sum(map(len, shard.groups)))  # they must be drawn all the same
            else:
                counts = _write(partial, shard, bar.update)
            written.append(counts)
    return written, num_whole


def _write_listed(job, files, backlog, partial, workers):
    """As `_write_streamed`; `files` are name and number of people of each task in the backlog."""
    counts = {file: publish.whole_shard(partial, file) for file, _ in files}
    missing = {file: people for file, people in files if counts[file] is None}
    tasks = ((file, task) for (file, _), task in zip(files, backlog) if file in missing)
    num_people = sum(people for _, people in files)
    with _bar(job, num_people, num_people - sum(missing.values())) as bar:
        for done in _do(tasks, missing, partial, workers, bar):
            counts[done["file"]] = done
    _check_counts(files, counts)
    return list(counts.values()), len(files) - len(missing)


def _do(tasks, missing, partial, workers, bar):
    """Yields what `shard_writer.write` returns of each task, a (name, pickled Shard)."""
    work, number = functools.partial(_write, partial), workers.number
    if workers.runner:
        beam.run(work, tasks, partial, workers.runner, workers.runner_options, number)
        yield from filter(None, (publish.whole_shard(partial, file) for file in missing))
        return
    if number is None:
        number = min(worker_pool.available_cores(), sum(missing.values()) // PEOPLE_WORTH_A_WORKER)
    if min(number, len(missing)) <= 1:
        for _, task in tasks:
            yield _write(partial, pickle.loads(task), bar.update)
        return
    for done in worker_pool.run(work, (task for _, task in tasks), min(number, len(missing))):
        yield done
        bar.update(missing[done["file"]])


def _check_counts(files, counts):
    """InputError where somebody went in and neither came out nor was skipped."""
    for file, people in files:
        if counts[file] is None:
            raise InputError(
                f"{file} and perhaps others were lost on the way; start again: what is whole is "
                "not done again"
            )
        found = counts[file]["records"] + sum(counts[file]["skipped"].values())
        if found != people:
            raise InputError(f"{file}: {people} people went in and {found} came out")


def _write(partial, shard, tick=None):
    """The work of a worker. Only who does it needs TensorFlow."""
    from data_prep.writing import shard_writer

    return shard_writer.write(partial, shard, tick)


def _publish(job, run, partial, written, num_resumed, tally):
    for counts in written:
        tally.add(counts)
    files = [{key: counts[key] for key in ("file", "records")} for counts in written]
    files = [file for file in files if file["records"]]
    num_records = sum(file["records"] for file in files)
    if not num_records:
        shutil.rmtree(partial)
        raise _nobody(job, tally)
    index = {**run, "records": num_records, "shards": files, **tally.counts()}
    publish.publish(partial, job.folder, job.shard_name, job.index_name, index)
    return Result(index, tally, num_resumed)


def _nobody(job, tally):
    return InputError(f"{job.title}: nobody to convert in {job.data_dir} ({tally.summary()})")


def _bar(job, total, initial=0):
    return tqdm(
        desc=job.title, unit=" people", total=total, initial=initial, leave=False, mininterval=0.5
    )

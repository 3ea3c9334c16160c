"""python data_prep/to_tfrecords.py --dataset=NAME --data_dir=SOURCE --output_dir=FOLDER [flags]

Converts one dataset, as downloaded, to TFRecords with the original's feature keys and file names.
Running it again replaces the earlier result. FOLDER is then the --data_dir of hmr_tf.main.
"""

import os
import sys
import time
from pathlib import Path

# `python data_prep/to_tfrecords.py` puts data_prep/ on the path, not the folder that holds it.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from absl import flags

from data_prep.sources import SOURCES
from hmr_tf.cli import command_line
from hmr_tf.files.errors import InputError, printable

# Not absl's global flags: hmr_tf.main's may have the same names in one process.
OPTIONS = flags.FlagValues()


def _define_dataset_flags(**options):
    flags.DEFINE_enum("dataset", None, list(SOURCES), "What to convert.", **options)
    flags.DEFINE_string(
        "data_dir",
        "",
        "Folder of the dataset, as downloaded. synthetic: background photographs, if any.",
        **options,
    )
    flags.DEFINE_string("output_dir", "", "Folder for the TFRecords of all datasets.", **options)
    flags.DEFINE_string(
        "split",
        "train",
        "lsp, h36m, synthetic: train, test. coco: train, val. mpi_inf_3dhp: train, trainval, test. "
        "3dpw: train, val, test. emdb: test (EMDB 1), emdb2. ssp3d: test.",
        **options,
    )
    flags.DEFINE_integer(
        "records_per_shard",
        None,
        "People in one file, more if an image has several. Not given: 500, and 10,000 poses of "
        "motion capture, as the original.",
        lower_bound=1,
        **options,
    )
    flags.DEFINE_integer(
        "limit",
        None,
        "Stop after this many people or poses; mosh, amass: of each collection.",
        lower_bound=1,
        **options,
    )
    flags.DEFINE_integer(
        "seed",
        0,
        "mosh, amass, cmu, mpi_inf_3dhp: seed of the order; synthetic: seed of the people.",
        lower_bound=0,
        **options,
    )
    flags.DEFINE_string(
        "smpl_model_path", "", "synthetic: SMPL model. Empty: the CC0 body of hmr_tf.", **options
    )
    flags.DEFINE_string(
        "annotations",
        "",
        "coco: keypoints in COCO's form; their file names start at --data_dir. Empty: COCO's.",
        **options,
    )
    flags.DEFINE_string(
        "category", "", "coco: name of the category of people. Empty: person.", **options
    )


def _define_run_flags(**options):
    flags.DEFINE_integer(
        "num_workers",
        None,
        "Worker processes, at most one for each file; 1: no others. The result is the same to the "
        "byte. Not given: one for each core, fewer if there is little to do.",
        lower_bound=1,
        **options,
    )
    flags.DEFINE_bool(
        "dry_run",
        False,
        "Only count the people and show the first problems; write nothing.",
        **options,
    )
    flags.DEFINE_bool(
        "strict",
        False,
        "Refuse a dataset with unusable entries before the work, exit code 2. Otherwise these are "
        "left out and named, exit code 1.",
        **options,
    )
    flags.DEFINE_enum(
        "runner",
        "",
        ["", "DirectRunner", "DataflowRunner", "FlinkRunner", "SparkRunner"],
        "Convert with Apache Beam (requirements-beam.txt), for clusters; all workers must see both "
        "folders. Empty: processes of this machine, which are faster on one machine.",
        **options,
    )
    flags.DEFINE_string(
        "runner_options", "", "More options for Beam, as --project=mine --region=here.", **options
    )


_define_dataset_flags(flag_values=OPTIONS)
_define_run_flags(flag_values=OPTIONS)
# Flags that decide what the shards hold, beside those that are fields of the index.
_DECIDING = ("annotations", "category", "limit", "records_per_shard", "seed", "smpl_model_path")
_SHOWN_PROBLEMS = 10


def main(argv):
    if len(argv) > 1:
        raise InputError(f"{argv[1]!r} is not a flag: every option is --name=value; see --help")
    if not OPTIONS.dataset:
        raise InputError(f"--dataset is missing: one of {', '.join(SOURCES)}; see --help")
    source = SOURCES[OPTIONS.dataset]
    if not OPTIONS.output_dir and not OPTIONS.dry_run:
        raise InputError("--output_dir is missing: the folder for the TFRecords; see --help")
    is_given = OPTIONS.data_dir or source.needs_data_dir
    if is_given and not os.path.isdir(OPTIONS.data_dir):
        raise InputError(
            f"--data_dir={OPTIONS.data_dir} is not a folder: pass the folder of the dataset"
        )
    if OPTIONS.annotations and OPTIONS.dataset != "coco":
        raise InputError("--annotations goes with --dataset=coco only")
    if OPTIONS.category and OPTIONS.dataset != "coco":
        raise InputError("--category goes with --dataset=coco only")
    if OPTIONS.runner and source.is_streamed:
        raise InputError(f"{OPTIONS.dataset} is converted in one process: leave --runner out")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # nothing here runs on a GPU
    sys.stderr.write(_announcement(source))
    if OPTIONS.strict:
        for name, items in source.read(OPTIONS).items():
            _refuse_unusable(_job(source, name), items)
    convert = _dry_run if OPTIONS.dry_run else _convert
    num_problems = [
        convert(_job(source, name), items) for name, items in source.read(OPTIONS).items()
    ]
    return 1 if any(num_problems) else 0


def _announcement(source):
    """The line before the work: what is read, where it is written, how many processes work."""
    from data_prep.writing import worker_pool

    is_mocap = source.folder == SOURCES["cmu"].folder  # which has no splits
    what = OPTIONS.dataset if is_mocap else f"{OPTIONS.dataset} {OPTIONS.split}"
    what += f" of {OPTIONS.data_dir}" * bool(OPTIONS.data_dir)
    if OPTIONS.dry_run:
        return f"Counts {what}; writes nothing.\n"
    number = OPTIONS.num_workers or worker_pool.available_cores()
    if OPTIONS.runner:
        by = f"Apache Beam, {OPTIONS.runner}"
    elif source.is_streamed or number == 1:
        by = "1 process"
    else:
        by = f"at most {number} worker processes"
    return f"Converts {what} with {by}. Output: {Path(OPTIONS.output_dir) / source.folder}.\n"


def _job(source, name):
    from data_prep.writing import convert_split, shard_files, split_index

    folder = Path(OPTIONS.output_dir) / source.folder
    size = OPTIONS.records_per_shard or source.records_per_shard
    options = {flag: OPTIONS[flag].value for flag in _DECIDING}
    return convert_split.Job(
        dataset=OPTIONS.dataset,
        split=name,
        data_dir=OPTIONS.data_dir,
        folder=folder / name if source.has_split_folders else folder,
        shard_names=shard_files.ShardNames(
            source.shard_prefix or name,
            digits=source.shard_digits,
            suffix=source.shard_suffix,
            is_by_sequence=name in source.sequence_splits,
        ),
        records_per_shard=size,
        limit=OPTIONS.limit,
        options={**options, "records_per_shard": size},
        annotation_digests=split_index.file_digests(
            OPTIONS.data_dir, source.annotations, [OPTIONS.annotations, OPTIONS.smpl_model_path]
        ),
        is_streamed=source.is_streamed,
        is_strict=OPTIONS.strict,
    )


def _refuse_unusable(job, items):
    """Raises InputError for the first entry that the reader leaves out, or a missing image."""
    from data_prep.writing import convert_split

    tally, _, images = convert_split.count(job, items, first_only=job.is_streamed)
    convert_split.refuse_problems(job, tally, images)


def _convert(job, items):
    """Converts one split or collection, prints one line; returns the number of problems."""
    from data_prep.writing import convert_split

    start = time.time()
    workers = convert_split.Workers(OPTIONS.num_workers, OPTIONS.runner, OPTIONS.runner_options)
    result = convert_split.convert(job, items, workers)
    index, num_files = result.index, len(result.index["shards"])
    resumed = f" ({result.num_resumed} by an earlier run)" if result.num_resumed else ""
    print(
        f"{job.title}: {index['records']} records in {num_files} files{resumed}, "
        f"{result.tally.summary()}, {time.time() - start:.1f} s, {job.folder}"
    )
    for note, number in sorted(result.tally.notes.items()):
        print(f"  {note}: {number}")
    _report(result.tally, f"; {job.folder / job.index_name} names them")
    return result.tally.num_problems


def _dry_run(job, items):
    """Prints what a conversion would read; returns the number of problems."""
    from data_prep.writing import convert_split

    tally, sizes, images = convert_split.count(job, items)
    print(
        f"{job.title}: {sum(sizes)} people for {len(sizes)} files, {tally.summary()}; "
        f"{images.number} images or videos, {images.num_missing} missing; nothing was written"
    )
    _report(tally)
    return tally.num_problems + images.num_missing


def _report(tally, where=""):
    """Writes the first unusable entries, and how many there are."""
    for problem in tally.problems[:_SHOWN_PROBLEMS]:
        sys.stderr.write("error: {}\n".format(printable("{reason}: {where}".format(**problem))))
    if tally.num_problems:
        sys.stderr.write(f"error: left out, with such reasons: {tally.num_problems}{where}\n")


def run():
    """The console command `hmr-convert`."""
    command_line.run(main, OPTIONS)


if __name__ == "__main__":
    run()

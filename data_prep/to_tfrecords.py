"""python data_prep/to_tfrecords.py --dataset=NAME --data_dir=SOURCE --output_dir=FOLDER [flags]

Converts one dataset, as it is downloaded, to TFRecords, with the original's feature keys and file
names. Running it again replaces what it wrote before. FOLDER is then the --data_dir of hmr_tf.main.
"""

import importlib
import itertools
import os
import signal
import sys
import time
from pathlib import Path
from typing import Callable, NamedTuple

# `python data_prep/to_tfrecords.py` puts data_prep/ on the path, not the folder that holds it.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from absl import flags
from tqdm import tqdm

from hmr_tf import command_line
from hmr_tf.errors import InputError


class Source(NamedTuple):
    """Where the records of a dataset go, and who reads it."""

    folder: str  # below --output_dir; {} is the split
    shard_name: str  # {} is the split or the collection
    records_per_shard: int  # the original's "shards" flags
    read: Callable  # options -> {split or collection: items}
    needs_data_dir: bool = True


def _listed(module, function="read"):
    """A reader that opens no image: all people are listed first, so that the bar knows the end."""

    def read(options):
        people = getattr(importlib.import_module(f"data_prep.{module}"), function)
        listing = people(options.data_dir, options.split)
        title = f"{options.dataset} {options.split}: listing"
        return {options.split: list(tqdm(listing, title, unit=" people", leave=False))}

    return read


def _mosh(options):
    from data_prep import mosh

    if options["split"].present:
        raise InputError("mosh has no splits: leave --split out")
    return mosh.read(options.data_dir, options.seed)


def _mpi_inf_3dhp(options):
    from data_prep import mpi_inf_3dhp, mpi_inf_3dhp_testset

    if options.split == "test":
        people = mpi_inf_3dhp_testset.read(options.data_dir, options.split)
    else:
        people = mpi_inf_3dhp.read(options.data_dir, options.split)
        people = mpi_inf_3dhp.shuffled(people, options.seed)
    return {options.split: list(people)}


def _synthetic(options):
    from data_prep import synthetic

    people = synthetic.read(
        options.data_dir, options.split, options.limit, options.seed, options.smpl_model_path
    )
    return {options.split: people}


def _synthetic_mocap(options):
    from data_prep import synthetic

    if options.split != "train":  # its shards would replace those of the training poses
        raise InputError("synthetic_mocap has no splits: leave --split out")
    poses = synthetic.read_mocap(options.split, options.limit, options.seed)
    return {"neutrSMPL_synthetic": poses}


SOURCES = {
    "coco": Source("coco", "{}_%04d_wmeta.tfrecord", 500, _listed("coco")),
    "lsp": Source("lsp", "{}_%03d.tfrecord", 500, _listed("lsp")),
    "lsp_ext": Source("lsp_ext", "{}_%03d.tfrecord", 500, _listed("lsp", "read_extended")),
    "mpii": Source("mpii", "{}_%03d.tfrecord", 500, _listed("mpii")),
    "mpi_inf_3dhp": Source("mpi_inf_3dhp/{}", "train_%04d.tfrecord", 500, _mpi_inf_3dhp),
    "mosh": Source("mocap_neutrMosh", "{}_%03d.tfrecord", 10_000, _mosh),
    "synthetic": Source("synthetic", "{}_%03d.tfrecord", 500, _synthetic, False),
    "synthetic_mocap": Source(
        "mocap_neutrMosh", "{}_%03d.tfrecord", 10_000, _synthetic_mocap, False
    ),
}

# Flags of their own, so that hmr_tf.main's may have the same names in one process.
OPTIONS = flags.FlagValues()


def _define_flags():
    own = {"flag_values": OPTIONS}
    flags.DEFINE_enum("dataset", None, list(SOURCES), "What to convert.", **own)
    flags.DEFINE_string(
        "data_dir",
        "",
        "Folder of the dataset, as it is downloaded. synthetic: background photographs, if any.",
        **own,
    )
    flags.DEFINE_string("output_dir", "", "Folder for the TFRecords of all datasets.", **own)
    flags.DEFINE_string(
        "split",
        "train",
        "lsp, synthetic: train, test. coco: train, val. mpi_inf_3dhp: train, trainval, test.",
        **own,
    )
    flags.DEFINE_integer(
        "records_per_shard",
        None,
        "People in one file, more where an image has several. Not given: 500, and 10,000 poses of "
        "motion capture, as the original.",
        lower_bound=1,
        **own,
    )
    flags.DEFINE_integer(
        "limit",
        None,
        "Stop after this many people or poses; mosh: of each collection.",
        lower_bound=1,
        **own,
    )
    flags.DEFINE_integer(
        "seed",
        0,
        "mosh, mpi_inf_3dhp: seed of the order; synthetic: seed of the people.",
        lower_bound=0,
        **own,
    )
    flags.DEFINE_string(
        "smpl_model_path", "", "synthetic: SMPL model. Empty: the CC0 body of hmr_tf.", **own
    )


_define_flags()


def main(argv):
    if len(argv) > 1:
        raise InputError(f"{argv[1]!r} is no flag: every option is --name=value; see --help")
    if not OPTIONS.dataset:
        raise InputError(f"--dataset is missing: one of {', '.join(SOURCES)}; see --help")
    source = SOURCES[OPTIONS.dataset]
    if not OPTIONS.output_dir:
        raise InputError("--output_dir is missing: the folder for the TFRecords; see --help")
    is_given = OPTIONS.data_dir or source.needs_data_dir
    if is_given and not os.path.isdir(OPTIONS.data_dir):
        raise InputError(
            f"--data_dir={OPTIONS.data_dir} is no folder: pass the folder of the dataset"
        )
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # bad JPEGs are reported here
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # nothing here runs on a GPU
    for name, items in source.read(OPTIONS).items():
        _convert(source, name, items)


def _convert(source, name, items):
    """Writes the shards and the index of one split or collection; says in one line what it did."""
    from data_prep import conversion, shards

    start, tally = time.time(), conversion.Tally()
    people = itertools.islice(tally.keep(items), OPTIONS.limit)
    if isinstance(items, list):
        people = list(people)
    folder = Path(OPTIONS.output_dir) / source.folder.format(name)
    shard_name = source.shard_name.format(name)
    size = OPTIONS.records_per_shard or source.records_per_shard
    title, index_name = f"{OPTIONS.dataset} {name}", f"{name}_index.json"
    with shards.publishing(folder, shard_name, index_name) as partial:
        written = _write_shards(partial, shard_name, size, people, tally, title)
        count = sum(shard["records"] for shard in written)
        if not count:
            raise InputError(
                f"{title}: nobody to convert in {OPTIONS.data_dir} ({tally.summary()})"
            )
        index = {"dataset": OPTIONS.dataset, "split": name, "records": count, "shards": written}
        options = {"limit": OPTIONS.limit, "records_per_shard": size, "seed": OPTIONS.seed}
        shards.write_index(partial / index_name, {**index, **tally.for_index(), "options": options})
    seconds = time.time() - start
    print(
        f"{title}: {count} records in {len(written)} files, {tally.summary()}, "
        f"{seconds:.1f} s, {folder}"
    )


def _write_shards(folder, shard_name, size, people, tally, title):
    """Returns what the index says of the shards: [{"file", "records"}]."""
    from data_prep import conversion, shards

    written = []
    total = len(people) if isinstance(people, list) else OPTIONS.limit
    with tqdm(desc=title, unit=" records", total=total, leave=False, mininterval=0.5) as bar:
        for number, groups in enumerate(shards.chunks(conversion.by_image(people), size)):
            records = (r for group in groups for r in tally.keep(conversion.encode(group)))
            file = shard_name % number
            count = shards.write_shard(folder / file, _ticking(bar, records))
            written += [{"file": file, "records": count}] if count else []
    return written


def _ticking(bar, records):
    for record in records:
        yield record
        bar.update()


def _terminated(signum, frame):
    """As an exception, SIGTERM lets the unfinished files be removed."""
    sys.exit(128 + signum)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _terminated)
    command_line.run(main, OPTIONS)

"""The datasets that can be converted: who reads each, and where its records go."""

import importlib
from typing import Callable, NamedTuple

from hmr_tf.errors import InputError


class Source(NamedTuple):
    """One dataset. Folders and names are the original's."""

    folder: str  # below --output_dir; {} is the split
    shard_name: str  # {} is the split or the collection; a place for the number, %03d
    records_per_shard: int  # the original's "shards" flags
    read: Callable  # options -> {split or collection: iterator of people}
    annotations: tuple = ()  # patterns of files below --data_dir whose SHA-256 goes into the index
    needs_data_dir: bool = True
    # Whether its people come out of memory (drawn or shuffled): then one process does all, and
    # nobody knows beforehand how many there are. Else all are listed before an image is opened.
    is_streamed: bool = False
    sequence_splits: tuple = ()  # splits with one file for each sequence, named after it


def _people(module, function="read"):
    """A reader `function(data_dir, split)` that opens no image."""

    def read(options):
        people = getattr(importlib.import_module(f"data_prep.{module}"), function)
        return {options.split: people(options.data_dir, options.split)}

    return read


def _coco(options):
    from data_prep import coco

    return {options.split: coco.read(options.data_dir, options.split, options.annotations)}


def _mosh(options):
    from data_prep import mosh

    if options["split"].present:
        raise InputError("mosh has no splits: leave --split out")
    return mosh.read(options.data_dir, options.seed)


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


_LSP = ("joints.mat",)
_PICKLES = ("neutrSMPL_*/*/*.pkl", "*/*.pkl")
_PHOTOGRAPHS = ("**/*.jpg", "**/*.jpeg", "**/*.png")
_COCO = ("annotations/person_keypoints_*.json",)

SOURCES = {
    "coco": Source("coco", "{}_%04d_wmeta.tfrecord", 500, _coco, _COCO),
    "lsp": Source("lsp", "{}_%03d.tfrecord", 500, _people("lsp"), _LSP),
    "lsp_ext": Source("lsp_ext", "{}_%03d.tfrecord", 500, _people("lsp", "read_extended"), _LSP),
    "mosh": Source(
        "mocap_neutrMosh", "{}_%03d.tfrecord", 10_000, _mosh, _PICKLES, is_streamed=True
    ),
    "synthetic": Source(
        "synthetic",
        "{}_%03d.tfrecord",
        500,
        _synthetic,
        _PHOTOGRAPHS,
        needs_data_dir=False,
        is_streamed=True,
    ),
    "synthetic_mocap": Source(
        "mocap_neutrMosh",
        "{}_%03d.tfrecord",
        10_000,
        _synthetic_mocap,
        needs_data_dir=False,
        is_streamed=True,
    ),
}

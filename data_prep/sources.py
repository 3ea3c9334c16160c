"""The datasets that can be converted: who reads each, and where its records go."""

import importlib
from typing import Callable, NamedTuple

from hmr_tf.files.errors import InputError


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
        people = getattr(importlib.import_module(f"data_prep.readers.{module}"), function)
        return {options.split: people(options.data_dir, options.split)}

    return read


def _coco(options):
    from data_prep.readers import coco

    return {options.split: coco.read(options.data_dir, options.split, options.annotations)}


def _mocap(module):
    """A reader of collections of motion capture, in shuffled order."""

    def read(options):
        if options["split"].present:
            raise InputError(f"{options.dataset} has no splits: leave --split out")
        reader = importlib.import_module(f"data_prep.readers.{module}")
        return reader.read(options.data_dir, options.seed)

    return read


def _mpi_inf_3dhp(options):
    from data_prep.readers.mpi_inf_3dhp import (
        mpi_inf_3dhp_testset,
        mpi_inf_3dhp_train,
    )

    if options.split == "test":
        people = mpi_inf_3dhp_testset.read(options.data_dir, options.split)
    else:
        people = mpi_inf_3dhp_train.read(options.data_dir, options.split)
        people = mpi_inf_3dhp_train.shuffled(people, options.seed)
    return {options.split: people}


def _synthetic(options):
    from data_prep.synthesis import synthetic

    people = synthetic.read(
        options.data_dir, options.split, options.limit, options.seed, options.smpl_model_path
    )
    return {options.split: people}


def _synthetic_mocap(options):
    from data_prep.synthesis import synthetic

    if options.split != "train":  # its shards would replace those of the training poses
        raise InputError("synthetic_mocap has no splits: leave --split out")
    poses = synthetic.read_mocap(options.split, options.limit, options.seed)
    return {"neutrSMPL_synthetic": poses}


def _motion(module, annotations):
    return Source(
        "mocap_neutrMosh",
        "{}_%03d.tfrecord",
        10_000,
        _mocap(module),
        annotations,
        is_streamed=True,
    )


_LSP = ("joints.mat",)
# No **: there are a million frames beside them.
_3DHP = (
    *("S*/Seq*/annot.mat", "S*/Seq*/camera.calibration"),
    *(f"{folder}TS*/annot_data.mat" for folder in ("", "mpi_inf_3dhp_test_set/")),
)
_H36M = (
    *("metadata.xml", "S*/MyPoseFeatures/D*_Positions*/*.cdf", "S*/*/annot.h5"),
    *("h36m*.npz", "annotation_body3d/fps10/h36m*.npz"),
    *(f"{folder}neutrSMPL_H3.6/S*/*.pkl" for folder in ("", "neutrMosh/", "../neutrMosh/")),
)
_DRAWN = {"needs_data_dir": False, "is_streamed": True}

SOURCES = {
    "coco": Source(
        "coco", "{}_%04d_wmeta.tfrecord", 500, _coco, ("annotations/person_keypoints_*.json",)
    ),
    "lsp": Source("lsp", "{}_%03d.tfrecord", 500, _people("lsp"), _LSP),
    "lsp_ext": Source("lsp_ext", "{}_%03d.tfrecord", 500, _people("lsp", "read_extended"), _LSP),
    "mpii": Source(
        "mpii", "{}_%03d.tfrecord", 500, _people("mpii"), ("**/mpii_human_pose_v1_u12_1.mat",)
    ),
    "mpi_inf_3dhp": Source(
        "mpi_inf_3dhp/{}",
        "train_%04d.tfrecord",
        500,
        _mpi_inf_3dhp,
        _3DHP,
        sequence_splits=("test",),
    ),
    "h36m": Source(
        "tf_records_human36m_wjoints/{}",
        "{}_%04d.tfrecord",
        500,
        _people("h36m.h36m_layouts"),
        _H36M,
        sequence_splits=("test",),
    ),
    "mosh": _motion("mosh", ("neutrSMPL_*/*/*.pkl", "*/*.pkl")),
    "amass": _motion("amass", ("**/*.npz",)),
    "cmu": _motion("cmu", ("**/*.asf", "**/*.amc")),
    "synthetic": Source(
        "synthetic",
        "{}_%03d.tfrecord",
        500,
        _synthetic,
        ("**/*.jpg", "**/*.jpeg", "**/*.png"),
        **_DRAWN,
    ),
    "synthetic_mocap": Source(
        "mocap_neutrMosh", "{}_%03d.tfrecord", 10_000, _synthetic_mocap, **_DRAWN
    ),
}

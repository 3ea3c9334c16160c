"""The datasets that can be converted: the reader of each, and the names of its shards."""

import importlib
from typing import Callable, NamedTuple

from hmr_tf.files.errors import InputError


class Source(NamedTuple):
    """One dataset. Folders and file names are the original's."""

    folder: str  # below --output_dir
    read: Callable  # options -> {split or collection: iterator of people}
    annotations: tuple = ()  # patterns of files below --data_dir whose SHA-256 goes into the index
    records_per_shard: int = 500  # the original's "shards" flags
    shard_prefix: str = ""  # train_000.tfrecord; empty: the split or the collection
    shard_digits: int = 3
    shard_suffix: str = ""
    has_split_folders: bool = False  # whether each split has a folder below `folder`
    sequence_splits: tuple = ()  # splits with one shard for each sequence, named after it
    needs_data_dir: bool = True
    # Whether people are drawn or shuffled in memory: then one process does everything, and their
    # number is not known in advance. Else all are listed before an image is opened.
    is_streamed: bool = False


def _people(module, function="read"):
    """Reads with `function(data_dir, split)` of a module, which opens no image."""

    def read(options):
        people = getattr(importlib.import_module(f"data_prep.readers.{module}"), function)
        return {options.split: people(options.data_dir, options.split)}

    return read


def _pw3d(options):
    from data_prep.readers.smpl_truth import pw3d

    split = "val" if options.split == "validation" else options.split  # its folder's name, and ours
    return {split: pw3d.read(options.data_dir, split)}


def _coco(options):
    from data_prep.readers import coco

    people = coco.read(options.data_dir, options.split, options.annotations, options.category)
    return {options.split: people}


def _read_mocap(module):
    """Reads collections of motion capture, in shuffled order."""

    def read(options):
        if options["split"].present:
            raise InputError(f"{options.dataset} has no splits: leave --split out")
        reader = importlib.import_module(f"data_prep.readers.{module}")
        return reader.read(options.data_dir, options.seed)

    return read


def _mpi_inf_3dhp(options):
    from data_prep.readers.mpi_inf_3dhp import mpi_inf_3dhp_testset, mpi_inf_3dhp_train

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

    if options.split != "train":  # its shards would replace the training poses
        raise InputError("synthetic_mocap has no splits: leave --split out")
    poses = synthetic.read_mocap(options.split, options.limit, options.seed)
    return {"neutrSMPL_synthetic": poses}


def _mocap_source(read, **more):
    """Source of motion capture, which goes into one folder whatever its dataset."""
    return Source("mocap_neutrMosh", read, records_per_shard=10_000, is_streamed=True, **more)


def _any_case(*patterns):
    """The patterns, and the same with extensions in capitals."""
    capitals = [name.upper() for name in (pattern.rpartition(".")[2] for pattern in patterns)]
    stems = [pattern.rpartition(".")[0] for pattern in patterns]
    return (*patterns, *(f"{stem}.{extension}" for stem, extension in zip(stems, capitals)))


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

SOURCES = {
    "coco": Source(
        "coco",
        _coco,
        annotations=("annotations/person_keypoints_*.json",),
        shard_digits=4,
        shard_suffix="_wmeta",
    ),
    "lsp": Source("lsp", _people("lsp"), annotations=_LSP),
    "lsp_ext": Source("lsp_ext", _people("lsp", "read_extended"), annotations=_LSP),
    "mpii": Source("mpii", _people("mpii"), annotations=("**/mpii_human_pose_v1_u12_1.mat",)),
    "mpi_inf_3dhp": Source(
        "mpi_inf_3dhp",
        _mpi_inf_3dhp,
        annotations=_3DHP,
        shard_prefix="train",
        shard_digits=4,
        has_split_folders=True,
        sequence_splits=("test",),
    ),
    "h36m": Source(
        "tf_records_human36m_wjoints",
        _people("h36m.h36m_layouts"),
        annotations=_H36M,
        shard_digits=4,
        has_split_folders=True,
        sequence_splits=("test",),
    ),
    "3dpw": Source(
        "3dpw",
        _pw3d,
        annotations=("sequenceFiles/*/*.pkl",),
        has_split_folders=True,
        sequence_splits=("train", "val", "test"),
    ),
    "emdb": Source(
        "emdb",
        _people("smpl_truth.emdb"),
        annotations=("P*/*/*_data.pkl",),
        has_split_folders=True,
        sequence_splits=("test", "emdb2"),
    ),
    "ssp3d": Source(
        "ssp3d",
        _people("smpl_truth.ssp3d"),
        annotations=("**/labels.npz",),
        has_split_folders=True,
    ),
    "mosh": _mocap_source(
        _read_mocap("mosh"), annotations=_any_case("neutrSMPL_*/*/*.pkl", "*/*.pkl")
    ),
    "amass": _mocap_source(_read_mocap("amass"), annotations=_any_case("**/*.npz")),
    "cmu": _mocap_source(_read_mocap("cmu"), annotations=_any_case("**/*.asf", "**/*.amc")),
    "synthetic": Source(
        "synthetic",
        _synthetic,
        annotations=("**/*.jpg", "**/*.jpeg", "**/*.png"),
        needs_data_dir=False,
        is_streamed=True,
    ),
    "synthetic_mocap": _mocap_source(_synthetic_mocap, needs_data_dir=False),
}

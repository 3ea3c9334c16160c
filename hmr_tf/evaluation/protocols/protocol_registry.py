"""The protocols: files, joints and metrics of the paper's tables, and the published numbers."""

import re
from pathlib import Path
from typing import Callable, NamedTuple

from hmr_tf.body.skeleton import LSP_JOINTS, MPI_INF_3DHP_JOINTS
from hmr_tf.data import h36m_names, record, shards
from hmr_tf.evaluation.protocols import (
    body_errors,
    joints3d,
    keypoints2d,
    segmentation,
    shape_errors,
    smpl_errors,
    smpl_variants,
)
from hmr_tf.files.errors import InputError

_UNPAIRED = "paper, unpaired"
# Flags with a default that other modes use: whether one was given is not known.
_FLAGS_WITH_DEFAULTS = {"datasets", "split"}
TESTSET_3DHP = ("TS1", "TS2", "TS3", "TS4", "TS5", "TS6")


class Protocol(NamedTuple):
    """One way to measure; a new one is one more entry of PROTOCOLS."""

    title: str
    find: Callable  # data_dir, options -> paths of TFRecords, names of the missing ones
    options: dict  # flags that vary it -> their defaults; None: must be given
    check: Callable  # Frames, options -> (N,) bool who is evaluated, names of missing labels
    score: Callable  # Frames, options, hmr -> Scores
    ranked_by: str  # name of `Scores.errors` that chooses the people of the report
    published: dict  # source -> {metric: number}
    decode: Callable = record.decode_labels  # serialized record -> its labels
    joints: tuple = ()  # names that --joints may have
    resolve: Callable = dict  # options -> the same, with what empty ones mean
    # options -> whether the published numbers were measured so.
    is_as_published: Callable = lambda options: True
    # Whether results.json has the metrics at its top level too, as before version 1.1.
    has_top_level_metrics: bool = False


def _h36m(cameras):
    def find(data_dir, options):
        names = h36m_names.sequences_to_test(options["trials"], cameras)
        return _sequences(data_dir, "h36m", names)

    return find


def _mpi_inf_3dhp(data_dir, options):
    paths = shards.find(data_dir, "mpi_inf_3dhp", "test")
    if any(path.stem in TESTSET_3DHP for path in paths):
        return _sequences(data_dir, "mpi_inf_3dhp", TESTSET_3DHP)
    names = f"{TESTSET_3DHP[0]} to {TESTSET_3DHP[-1]}"
    return paths, [f"{paths[0].name} is not named after one of {names}"]


def _sequences(data_dir, dataset, names):
    """The files `NAME.tfrecord` of a dataset's test split, and the names that have none."""
    paths = {path.stem: path for path in shards.find(data_dir, dataset, "test")}
    missing = [name for name in names if name not in paths]
    return [paths[name] for name in names if name in paths], missing


def _videos(dataset, names):
    """Finds the files SEQUENCE_p0.tfrecord, SEQUENCE_p1.tfrecord ..., one for each person."""

    def find(data_dir, options):
        paths = shards.find(data_dir, dataset, "test")
        sequences = [re.sub(r"_p\d+$", "", path.stem) for path in paths]
        wanted = [path for path, sequence in zip(paths, sequences) if sequence in names]
        return wanted, [name for name in names if name not in sequences]

    return find


def _photographs(data_dir, options):
    return shards.find(data_dir, "ssp3d", "test"), []


def _shards(data_dir, options):
    files = [shards.find(data_dir, name, options["split"]) for name in options["datasets"]]
    return [path for group in files for path in group], []


def _lsp(data_dir, options):
    return shards.find(data_dir, "lsp", "test"), []


def _without_model(score):
    return lambda frames, options, hmr: score(frames, options)


_H36M = Protocol(
    title="Human3.6M, protocol 1: S9 and S11, all cameras (table 2)",
    find=_h36m(h36m_names.CAMERAS),
    options={"root": "hips", "trials": h36m_names.TRIALS, "joints": LSP_JOINTS},
    check=joints3d.check_h36m,
    score=_without_model(joints3d.score_h36m),
    ranked_by="mpjpe_mm",
    published={
        "paper": {"mpjpe_mm": 87.97, "pa_mpjpe_mm": 58.1},
        _UNPAIRED: {"mpjpe_mm": 106.84, "pa_mpjpe_mm": 67.45},
        "released model": {
            "mpjpe_mm": 86.20,
            "pa_mpjpe_mm": 58.47,
            "mpjpe_median_mm": 79.47,
            "pa_mpjpe_median_mm": 52.95,
        },
    },
    joints=LSP_JOINTS,
)

PROTOCOLS = {
    "h36m_p1": _H36M,
    "h36m_p2": _H36M._replace(
        title="Human3.6M, protocol 2: S9 and S11, front camera (table 1)",
        find=_h36m(h36m_names.CAMERAS[-1:]),
        options={**_H36M.options, "trials": h36m_names.TRIALS[:1]},
        ranked_by="pa_mpjpe_mm",
        published={"paper": {"pa_mpjpe_mm": 56.8}, _UNPAIRED: {"pa_mpjpe_mm": 66.5}},
    ),
    "mpi_inf_3dhp": Protocol(
        title="MPI-INF-3DHP, test set (table 3)",
        find=_mpi_inf_3dhp,
        options={
            "root": "hips",
            "joints": LSP_JOINTS,
            "universal": True,
            "perspective_correction": True,
        },
        check=joints3d.check_mpi_inf_3dhp,
        score=_without_model(joints3d.score_mpi_inf_3dhp),
        ranked_by="mpjpe_mm",
        published={
            "paper": {
                **{"pck_percent": 72.9, "auc_percent": 36.5, "mpjpe_mm": 124.2},
                **{"pa_pck_percent": 86.3, "pa_auc_percent": 47.8, "pa_mpjpe_mm": 89.8},
            },
            _UNPAIRED: {
                **{"pck_percent": 59.6, "auc_percent": 27.9, "mpjpe_mm": 169.5},
                **{"pa_pck_percent": 77.1, "pa_auc_percent": 40.7, "pa_mpjpe_mm": 113.2},
            },
        },
        decode=joints3d.decode_reference,
        joints=MPI_INF_3DHP_JOINTS,
    ),
    "lsp_parts": Protocol(
        title="LSP, silhouette and six body parts (table 4)",
        find=_lsp,
        options={"segmentation_dir": None, "part_labels": ""},
        check=segmentation.check,
        score=segmentation.score,
        ranked_by="wrong_pixels_percent",
        published={
            "paper": {
                **{"foreground_accuracy_percent": 91.67, "foreground_f1": 0.87},
                **{"parts_accuracy_percent": 87.12, "parts_f1": 0.60, "model_ms": 40.0},
            },
            _UNPAIRED: {
                **{"foreground_accuracy_percent": 91.30, "foreground_f1": 0.86},
                **{"parts_accuracy_percent": 87.00, "parts_f1": 0.59, "model_ms": 40.0},
            },
        },
    ),
    "3dpw": Protocol(
        title="3DPW, test set",
        find=_videos("3dpw", smpl_variants.TEST_SEQUENCES_3DPW),
        options=dict.fromkeys(("variant", "root", "smpl_model_dir", "joint_regressor"), ""),
        check=smpl_errors.check,
        score=smpl_errors.score,
        ranked_by="pa_mpjpe_mm",
        published={
            "HMR, in SPIN": {"pa_mpjpe_mm": 81.3},
            "HMR, mmhuman3d": {"mpjpe_mm": 112.34, "pa_mpjpe_mm": 67.53},
        },
        decode=smpl_errors.decode,
        resolve=smpl_variants.resolve_3dpw,
        is_as_published=lambda options: options["variant"] != "official",
    ),
    "emdb": Protocol(
        title="EMDB 1",
        find=_videos("emdb", smpl_variants.TEST_SEQUENCES_EMDB),
        options=dict.fromkeys(("root", "smpl_model_dir"), ""),
        check=smpl_errors.check,
        score=smpl_errors.score,
        ranked_by="mpjpe_mm",
        published={},
        decode=smpl_errors.decode,
        resolve=smpl_variants.resolve_emdb,
    ),
    "ssp3d": Protocol(
        title="SSP-3D, body shape",
        find=_photographs,
        options={"smpl_model_dir": None, "silhouette_dir": ""},
        check=shape_errors.check,
        score=shape_errors.score,
        ranked_by="pve_t_sc_mm",
        published={},
        decode=smpl_errors.decode,
    ),
    "keypoints2d": Protocol(
        title="2D keypoints",
        find=_shards,
        options={"datasets": None, "split": "test", "mocap_ranges": ""},
        check=keypoints2d.check,
        score=_without_model(keypoints2d.score),
        ranked_by="keypoints_px",
        published={},
    ),
    "coco_keypoints": Protocol(
        title="COCO keypoints, average precision by OKS",
        find=None,  # photographs, not TFRecords: `evaluation.coco.evaluate_photographs`
        options={"annotations": None, "boxes": "", "category": "", "detector": ""},
        check=None,
        score=None,
        ranked_by="oks_error",
        published={},
    ),
    "body_errors": Protocol(
        title="Mesh, joints and keypoints",
        find=_shards,
        options={"datasets": None, "split": "test"},
        check=keypoints2d.check,
        score=body_errors.score,
        ranked_by="keypoints_px",
        published={},
        has_top_level_metrics=True,
    ),
}


DEFAULT = "body_errors"  # without --protocol


def variant_flags(name):
    """Flags that vary protocols: those of this one, and those of others, to be refused."""
    flags = {flag for protocol in PROTOCOLS.values() for flag in protocol.options}
    return flags - _FLAGS_WITH_DEFAULTS | set(PROTOCOLS[name].options)


def options_from_flags(name, given):
    """The values of the flags that vary a protocol.

    Args:
      name: of PROTOCOLS.
      given: flag -> value; None, an empty list or text where it was not given.

    Returns:
      dict flag -> value, for every flag of the protocol.

    Raises:
      InputError: a flag of another protocol or variant, a missing flag, or a wrong value.
    """
    protocol = PROTOCOLS[name]
    given = {flag: value for flag, value in given.items() if value not in (None, (), "")}
    for flag in given:
        if flag not in protocol.options:
            known = ", ".join(f"--{option}" for option in protocol.options)
            raise InputError(f"--{flag} has no meaning for --protocol={name}: it takes {known}.")
    options = {**protocol.options, **given}
    missing = [flag for flag, value in options.items() if value is None]
    if missing:
        raise InputError(f"--protocol={name} needs --{missing[0]}; see --help --mode=evaluate.")
    if "joints" in given:
        joints3d.check_joint_names(given["joints"], protocol.joints)
    return protocol.resolve(options)


def find(name, data_dir, options, allow_missing):
    """The TFRecord files of a protocol, and the names of the missing sequences.

    Raises:
      InputError: there are no files, or some are missing without `allow_missing`.
    """
    paths, missing = PROTOCOLS[name].find(Path(data_dir), options)
    if not paths:
        raise InputError(
            f"--data_dir={data_dir} holds none of the sequences of --protocol={name}, as "
            f"{missing[0]}.tfrecord: convert the dataset with --split=test."
        )
    refuse_missing(name, missing, allow_missing)
    return paths, missing


def refuse_missing(name, missing, allow_missing):
    """InputError that names the missing parts of a test set, unless they are allowed."""
    if missing and not allow_missing:
        shown = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        raise InputError(
            f"--protocol={name}: {len(missing)} missing ({shown}): convert the whole test set, or "
            "pass --allow_missing to evaluate a part of it."
        )

"""Options of --mode=export and --mode=evaluate."""

import dataclasses
import functools
from typing import Optional

from hmr_tf.cli.option_flags import joint_names, option, trials

EXPORT_FORMATS = ("saved_model", "tflite")
EXPORT_DTYPES = ("float32", "bfloat16", "float16")
PROTOCOLS = (
    "h36m_p1",
    "h36m_p2",
    "mpi_inf_3dhp",
    "lsp_parts",
    "3dpw",
    "emdb",
    "ssp3d",
    "keypoints2d",
    "coco_keypoints",
    "body_errors",
)
VARIANTS = ("hmr", "spin", "vibe", "pare", "4dhumans", "official")

_export = functools.partial(option, modes="export")
_evaluate = functools.partial(option, modes="evaluate")


@dataclasses.dataclass(frozen=True)
class EvaluationOptions:
    """Exports and evaluations of a trained model."""

    export_format: str = _export(
        "saved_model",
        "saved_model: for TensorFlow Serving and OpenVINO; tflite: for phones, one crop at a time.",
        choices=EXPORT_FORMATS,
        heading="Export",
    )
    export_dtype: str = _export(
        "float32",
        "Precision of the encoder. bfloat16: for CPUs that have it (AVX-512 BF16, AMX) and "
        "GPUs; float16: for GPUs, and for a tflite file of half the size.",
        choices=EXPORT_DTYPES,
    )

    protocol: str = _evaluate(
        "",
        "Table of the paper to measure; 3dpw, emdb or ssp3d; on any --datasets, keypoints2d, or "
        "body_errors: mesh, joints and keypoints; on photographs, coco_keypoints. Not given: "
        "body_errors.",
        choices=PROTOCOLS,
        heading="Evaluation",
    )
    allow_missing: bool = _evaluate(
        False, "Evaluate a test set that is incomplete; the results list what is missing."
    )
    root: str = _evaluate(
        "",
        "Origin of both bodies before distances are taken, for h36m, mpi_inf_3dhp, 3dpw and emdb: "
        "the middle of the hips, or the pelvis joint. Not given: hips, or that of the --variant.",
        choices=("hips", "pelvis"),
    )
    joints: tuple[str, ...] = _evaluate(
        (),
        "Joints to measure, for h36m and mpi_inf_3dhp: 14 (LSP's), 17 (mpi_inf_3dhp only), or "
        "names. Empty: 14.",
        parse=joint_names,
    )
    trials: tuple[int, ...] = _evaluate(
        (),
        "Trials of h36m: 0, 1 or 0,1. Empty: both in protocol 1, 0 in protocol 2.",
        parse=trials,
    )
    universal: Optional[bool] = _evaluate(
        None,
        "Compare with univ_annot3 of mpi_inf_3dhp, all people in one size, or with annot3. Not "
        "given: univ_annot3.",
    )
    perspective_correction: Optional[bool] = _evaluate(
        None,
        "Rotate bodies of mpi_inf_3dhp from the crop's view to the camera's, as Mehta et al. Not "
        "given: on.",
    )
    variant: str = _evaluate(
        "",
        "Whose way to measure 3dpw: joints, regressor, origin, meshes and frames. Not given: hmr "
        "with --smpl_model_dir, official (SMPL's 24 joints) without.",
        choices=VARIANTS,
    )
    smpl_model_dir: str = _evaluate(
        "",
        "Folder of the SMPL models of the genders, as SMPL_FEMALE.npz and SMPL_MALE.npz, that show "
        "the labels of 3dpw, emdb and ssp3d. Empty: joints only.",
    )
    joint_regressor: str = _evaluate(
        "",
        "Regressor of joints from the mesh, for 3dpw: J_regressor_h36m.npy (spin, vibe, pare) or "
        "SMPL_to_J19.pkl (4dhumans).",
    )
    silhouette_dir: str = _evaluate(
        "", "Folder of SSP-3D's silhouettes, for ssp3d. Empty: not compared."
    )
    segmentation_dir: str = _evaluate(
        "", "Folder of UPi-S1h with im1001_segmentation.png and so on, for lsp_parts."
    )
    part_labels: str = _evaluate(
        "",
        "Part of each face of the mesh, for lsp_parts: .npy, or the folder with GraphCMR's "
        "cube_parts.npy and vertex_texture.npy. Empty: from the skinning weights.",
    )
    mocap_ranges: str = _evaluate(
        "",
        "Folder of motion capture, as tfrecords/mocap_neutrMosh, for keypoints2d: joint angles "
        "outside its middle 99 % are counted as impossible. Empty: not measured.",
    )
    annotations: str = _evaluate(
        "",
        "JSON of COCO's keypoints, for coco_keypoints; --data_dir is then the folder of the "
        "photographs.",
    )
    compare: tuple[str, ...] = _evaluate(
        (),
        "results.json files of one protocol, to put side by side, person by person, with intervals "
        "of the differences; no model needed.",
    )

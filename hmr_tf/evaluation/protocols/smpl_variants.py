"""What projects measure on SMPL labels: joints, regressor, origin, meshes; and the options."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from hmr_tf.body.skeleton import KEYPOINTS, LSP_JOINTS, SMPL_JOINTS
from hmr_tf.files import safe_npz, safe_pickle
from hmr_tf.files.errors import InputError

# `sequenceFiles/test` of 3DPW.
TEST_SEQUENCES_3DPW = tuple(
    f"{place}_{name}"
    for place, names in (
        (
            "downtown",
            (
                *("arguing_00", "bar_00", "bus_00", "cafe_00", "car_00", "crossStreets_00"),
                *("downstairs_00", "enterShop_00", "rampAndStairs_00", "runForBus_00"),
                *("runForBus_01", "sitOnStairs_00", "stairs_00", "upstairs_00", "walkBridge_01"),
                *("walking_00", "walkUphill_00", "warmWelcome_00", "weeklyMarket_00"),
                "windowShopping_00",
            ),
        ),
        ("flat", ("guitar_01", "packBags_00")),
        ("office", ("phoneCall_00",)),
        ("outdoors", ("fencing_01",)),
    )
    for name in names
)
# Those with `emdb1` in their files (zju3dv/GVHMR@cb702cd `hmr4d/dataset/emdb/utils.py`).
TEST_SEQUENCES_EMDB = (
    *("P1_14_outdoor_climb", "P2_23_outdoor_hug_tree", "P3_31_outdoor_workout"),
    *("P3_32_outdoor_soccer_warmup_a", "P3_33_outdoor_soccer_warmup_b", "P5_42_indoor_dancing"),
    *("P5_44_indoor_rom", "P6_49_outdoor_big_stairs_down", "P6_50_outdoor_workout"),
    *("P6_51_outdoor_dancing", "P7_57_outdoor_rock_chair", "P7_59_outdoor_rom"),
    *("P7_60_outdoor_workout", "P8_64_outdoor_skateboard", "P8_68_outdoor_handstand"),
    *("P8_69_outdoor_cartwheel", "P9_76_outdoor_sitting"),
)

# Rows of J_regressor_h36m.npy: Human3.6M's joints, but the left leg and arm come first
# (nkolot/SPIN@2476c43 `constants.py:94`: its right ankle is row 6, its right wrist row 16).
_H36M_ROWS = (
    *("pelvis", "left_hip", "left_knee", "left_ankle", "right_hip", "right_knee", "right_ankle"),
    *("spine", "neck", "nose", "head_top", "left_shoulder", "left_elbow", "left_wrist"),
    *("right_shoulder", "right_elbow", "right_wrist"),
)
# Rows of SMPL_to_J19.pkl, joints 25 to 43 of SPIN's names (`constants.py:75-88`).
_J19_ROWS = (*LSP_JOINTS, "pelvis", "thorax", "spine", "nose", "head")


class JointSet(NamedTuple):
    """Joints of a body that are measured."""

    vocabulary: tuple  # names of all that are regressed
    measured: tuple  # those of them that count
    file: str  # usual name of the regressor's file; empty: none is needed
    words: str  # where the joints come from, for the results


JOINT_SETS = {
    "keypoints": JointSet(
        KEYPOINTS, LSP_JOINTS, "", "the keypoint regressor of the network's body, on both meshes"
    ),
    "h36m": JointSet(
        _H36M_ROWS, LSP_JOINTS, "J_regressor_h36m.npy", "--joint_regressor, on both meshes"
    ),
    "j19": JointSet(
        _J19_ROWS,
        (*LSP_JOINTS[:-1], "head"),
        "SMPL_to_J19.pkl",
        "--joint_regressor, on both meshes",
    ),
    "smpl": JointSet(SMPL_JOINTS, SMPL_JOINTS, "", "SMPL's joints"),
}


class Variant(NamedTuple):
    """How a project measures."""

    joints: str  # of JOINT_SETS
    root: str  # "hips" or "pelvis"
    has_gendered_truth: bool  # else the network's body shows the labels too
    vertices_at_root: bool  # else vertices stay where SMPL has them
    vertices_follow_joints: bool  # after alignment: moved by the joints' transform, or their own
    least_keypoints: int = 0  # confident ones of the limbs that a frame needs
    has_pck: bool = False
    has_angles: bool = False
    has_acceleration: bool = True
    has_jitter: bool = False


_HMR = Variant("keypoints", "hips", True, True, False)
_SPIN = Variant("h36m", "pelvis", True, True, False)
VARIANTS_3DPW = {
    "hmr": _HMR,
    "spin": _SPIN,
    "vibe": Variant("h36m", "hips", False, False, False, least_keypoints=7),
    "pare": _SPIN._replace(vertices_at_root=False),
    "4dhumans": _SPIN._replace(joints="j19"),
    "official": Variant("smpl", "pelvis", True, True, False, has_pck=True, has_angles=True),
}
EMDB = Variant(
    **{"joints": "smpl", "root": "hips", "has_gendered_truth": True, "vertices_at_root": True},
    **{"vertices_follow_joints": True, "has_angles": True, "has_acceleration": False},
    has_jitter=True,
)


def of_options(options):
    """The Variant of resolved options, with the root that they name."""
    name = options.get("variant")
    return (VARIANTS_3DPW[name] if name else EMDB)._replace(root=options["root"])


def resolve_3dpw(options):
    """Options with the variant and the root that they mean.

    Without --variant: hmr where --smpl_model_dir is given, else official, which needs no mesh.

    Raises:
      InputError: the variant needs a file that is not named, or has no use for one that is.
    """
    name = options["variant"] or ("hmr" if options["smpl_model_dir"] else "official")
    variant = VARIANTS_3DPW[name]
    file = JOINT_SETS[variant.joints].file
    if file and not options["joint_regressor"]:
        raise InputError(f"--variant={name} needs --joint_regressor=FILE, usually {file}.")
    if options["joint_regressor"] and not file:
        users = [key for key, value in VARIANTS_3DPW.items() if JOINT_SETS[value.joints].file]
        raise InputError(
            f"--joint_regressor has no meaning for --variant={name}: only for {', '.join(users)}."
        )
    if variant.has_gendered_truth and variant.joints != "smpl" and not options["smpl_model_dir"]:
        raise InputError(
            f"--variant={name} needs --smpl_model_dir=FOLDER, the SMPL models of the genders; "
            "without them only --variant=official, SMPL's own joints, and --variant=vibe."
        )
    if options["smpl_model_dir"] and not variant.has_gendered_truth:
        raise InputError(
            f"--smpl_model_dir has no meaning for --variant={name}, which shows the labels with "
            "the network's own body."
        )
    return {**options, "variant": name, "root": options["root"] or variant.root}


def resolve_emdb(options):
    """Options with the root that they mean."""
    return {**options, "root": options["root"] or EMDB.root}


def read_regressor(path, joint_set):
    """(R, V) float64: a row of vertex weights for each joint of the set's vocabulary.

    Args:
      path: .npy, or a pickled array as SMPL_to_J19.pkl.

    Raises:
      InputError: no such file, another shape, or numbers that are not finite.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"--joint_regressor={path}: no such file.")
    is_npy = path.suffix.lower() == ".npy"
    content = safe_npz.load_npy(path) if is_npy else safe_pickle.load(path)
    try:
        regressor = np.asarray(safe_pickle.to_array(content), float)
    except (TypeError, ValueError, InputError):
        regressor = np.zeros(0)
    rows = len(joint_set.vocabulary)
    if regressor.ndim != 2 or len(regressor) != rows or not np.isfinite(regressor).all():
        raise InputError(
            f"--joint_regressor={path} is not an array of {rows} x vertices, as {joint_set.file}."
        )
    return regressor

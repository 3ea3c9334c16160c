"""CMU's motion capture (mocap.cs.cmu.edu): 01.asf, 01_01.amc, ... -> SMPL poses, for the prior.

For users without AMASS or MoSh. Bones are matched by direction. The shape of the body is unknown,
so all betas are zero.
"""

import itertools
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from data_prep.readers import files_by_extension, mocap_poses
from data_prep.readers.formats import asf_amc
from hmr_tf.body import skeleton
from hmr_tf.files.errors import InputError

HZ = 120  # not written in the files
_DOWN, _LEFT, _RIGHT = (0.0, -1.0, 0.0), (1.0, 0.0, 0.0), (-1.0, 0.0, 0.0)  # SMPL's left is +x
# SMPL joint -> the bone that it moves.
_TRUNK = {
    "pelvis": asf_amc.ROOT,
    "spine1": "lowerback",
    "spine2": "upperback",
    "spine3": "thorax",
    "neck": "upperneck",
    "head": "head",
}
# The same for limbs, with the bone whose rest direction differs from SMPL's: a foot's rest pose is
# corrected like its shin's, so that a foot at rest is at rest in SMPL too. None: no correction.
_LIMBS = {
    "hip": ("femur", "femur"),
    "knee": ("tibia", "tibia"),
    "ankle": ("foot", "tibia"),
    "foot": ("toes", "tibia"),
    "collar": ("clavicle", None),
    "shoulder": ("humerus", "humerus"),
    "elbow": ("radius", "radius"),
    "wrist": ("hand", "hand"),
    "hand": ("fingers", "fingers"),
}
_LEGS = ("hip", "knee", "ankle", "foot")
_NEEDED = [f"{side}{bone}" for side in "lr" for bone in ("femur", "tibia", "humerus", "radius")]


def read(data_dir, seed):
    """Finds all .amc files below the folder.

    Args:
      data_dir: folder; each .amc is in one folder with its .asf.
      seed: of the order of the poses.

    Returns:
      dict: "neutrSMPL_CMU" -> iterator of MocapPose and Skipped.

    Raises:
      InputError: there are no files.
    """
    paths = files_by_extension.files_with_extension(Path(data_dir).rglob("*"), ".amc")
    if not paths:
        raise InputError(
            f"there are no .amc files in {data_dir}: pass the folder of CMU's subjects"
        )
    hidden = files_by_extension.skipped_hidden_files(Path(data_dir).rglob(".*"), ".amc", ".asf")
    poses = mocap_poses.shuffled(paths, read_file, seed, "motion unreadable")
    return {"neutrSMPL_CMU": itertools.chain(hidden, poses)}


def read_file(path):
    """.amc file -> (N, 72) poses at 25 Hz and (10,) betas, which are zero; or InputError."""
    cmu_skeleton = asf_amc.read_skeleton(_skeleton_file(path))
    motion = asf_amc.read_motion(
        path, cmu_skeleton, lambda number: mocap_poses.rows_at_25_hz(number, HZ)
    )
    poses, betas = smpl_poses(cmu_skeleton, motion), np.zeros(10)
    mocap_poses.check(path, poses, betas)
    return poses, betas


def _skeleton_file(path):
    """01.asf for 01_02.amc, or else the only .asf in the folder."""
    skeleton_file = path.with_name(f"{path.stem.rpartition('_')[0]}.asf")
    if skeleton_file.is_file():
        return skeleton_file
    others = files_by_extension.files_with_extension(path.parent.glob("*"), ".asf")
    if len(others) != 1:
        raise InputError(f"{path}: its folder has {len(others)} skeletons (.asf), it needs one")
    return others[0]


def smpl_poses(cmu_skeleton, motion):
    """Skeleton and its motion -> (T, 72) SMPL poses.

    A joint without a bone in the skeleton stays at rest.

    Raises:
      InputError: an upper or lower arm or leg is missing.
    """
    missing = [name for name in _NEEDED if name not in cmu_skeleton.bones]
    if missing:
        raise InputError(
            f"the skeleton has no {', '.join(missing)}: CMU's skeletons have these bones"
        )
    bone_rotations = asf_amc.global_rotations(cmu_skeleton, motion)
    rotations, pose = [], []
    for name, parent in zip(skeleton.SMPL_JOINTS, skeleton.SMPL_PARENTS):
        parent_rotation = rotations[parent] if parent >= 0 else Rotation.identity()
        bone, rest = _bone_and_rest(name, cmu_skeleton)
        has_bone = bone in bone_rotations
        rotations.append(bone_rotations[bone] * rest if has_bone else parent_rotation)
        pose.append((parent_rotation.inv() * rotations[-1]).as_rotvec())
    return np.concatenate(pose, axis=1)


def _bone_and_rest(joint, cmu_skeleton):
    """The joint's bone, and the rotation from SMPL's rest pose to the skeleton's."""
    if joint in _TRUNK:
        return _TRUNK[joint], Rotation.identity()
    side, _, part = joint.partition("_")
    bone, rest_bone = (name and side[0] + name for name in _LIMBS[part])
    if rest_bone not in cmu_skeleton.bones:
        return bone, Rotation.identity()
    smpl_direction = _DOWN if part in _LEGS else {"left": _LEFT, "right": _RIGHT}[side]
    return bone, _shortest_rotation(
        np.array(smpl_direction), cmu_skeleton.bones[rest_bone].direction
    )


def _shortest_rotation(start, end):
    """The Rotation by the smallest angle that carries one unit vector to another."""
    axis = np.cross(start, end)
    sine, cosine = np.linalg.norm(axis), start @ end
    if sine < 1e-9:  # no rotation, or one of 180 degrees about any perpendicular axis
        perpendicular = np.roll(start, 1)
        return Rotation.from_rotvec(np.pi * perpendicular if cosine < 0 else np.zeros(3))
    return Rotation.from_rotvec(axis / sine * np.arctan2(sine, cosine))

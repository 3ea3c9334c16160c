"""Body parts: labels 1 to 6 for the faces of a mesh.

The numbers are those of UPi-S1h's segmentations of LSP, in which 0 is the background.
"""

from pathlib import Path

import numpy as np

from hmr_tf.body.skeleton import SMPL_JOINTS
from hmr_tf.files import safe_npz
from hmr_tf.files.errors import InputError

BACKGROUND = "background"
PARTS = (BACKGROUND, "left_arm", "right_arm", "head", "left_leg", "right_leg", "torso")
# The neck belongs to the head and the collars to the torso: so the parts have nearly the sizes of
# the published labels (head 2627 faces, an arm 2627, a leg 1459).
_PART_OF_JOINT = {
    **dict.fromkeys(("left_shoulder", "left_elbow", "left_wrist", "left_hand"), "left_arm"),
    **dict.fromkeys(("right_shoulder", "right_elbow", "right_wrist", "right_hand"), "right_arm"),
    **dict.fromkeys(("neck", "head"), "head"),
    **dict.fromkeys(("left_hip", "left_knee", "left_ankle", "left_foot"), "left_leg"),
    **dict.fromkeys(("right_hip", "right_knee", "right_ankle", "right_foot"), "right_leg"),
}
_TEXTURE, _CUBE = "vertex_texture.npy", "cube_parts.npy"


def joint_labels():
    """(24,) numbers of `PARTS`, one for each SMPL joint."""
    names = (_PART_OF_JOINT.get(joint, "torso") for joint in SMPL_JOINTS)
    return np.array([PARTS.index(name) for name in names])


def face_labels_from_weights(lbs_weights, faces):
    """Labels from the skinning: a face belongs to the part with the largest weight at its corners.

    Args:
      lbs_weights: (V, 24) skinning weights.
      faces: (F, 3) vertex ids.

    Returns:
      (F,) int32 numbers of `PARTS`, 1 to 6; the smallest of equal ones.
    """
    by_part = np.zeros((len(lbs_weights), len(PARTS)))
    np.add.at(by_part.T, joint_labels(), np.asarray(lbs_weights, float).T)
    return by_part[np.asarray(faces)].sum(axis=1).argmax(axis=1).astype(np.int32)


def read_labels(path, faces):
    """Reads labels from a file.

    Args:
      path: .npy with a number for each face, or for each vertex: a face then takes the number of
        most of its corners, or of the first where all differ. Or the folder with the two files
        cube_parts.npy and vertex_texture.npy of nkolot/GraphCMR `data/`: a colour for each face.
      faces: (F, 3) vertex ids of the mesh.

    Returns:
      (F,) int32 numbers of `PARTS`, 1 to 6.

    Raises:
      InputError: the file does not exist or does not fit the mesh.
    """
    path, faces = Path(path), np.asarray(faces)
    missing = [name for name in (_TEXTURE, _CUBE) if not (path / name).is_file()]
    if path.is_dir() and missing:
        raise InputError(f"--part_labels={path}: the folder lacks {' and '.join(missing)}.")
    if not path.exists():
        raise InputError(f"--part_labels={path}: no such file.")
    labels = _read_texture(path) if path.is_dir() else np.asarray(safe_npz.load_npy(path))
    if labels.ndim != 1 or not np.isin(labels, np.arange(1, len(PARTS))).all():
        raise InputError(
            f"--part_labels={path} must hold one list of numbers from 1 to {len(PARTS) - 1} "
            f"({', '.join(PARTS[1:])}), and does not."
        )
    labels = labels.astype(np.int32)
    if len(labels) == len(faces):
        return labels
    if len(labels) != faces.max(initial=-1) + 1:
        raise InputError(
            f"--part_labels={path} has {len(labels)} numbers; the mesh has {len(faces)} faces and "
            f"{faces.max(initial=-1) + 1} vertices."
        )
    first, second, third = labels[faces].T
    return np.where(second == third, second, first)


def _read_texture(folder):
    """(F,) labels: vertex_texture holds a colour for each face, cube_parts the part of a colour."""
    cube, texture = (np.asarray(safe_npz.load_npy(folder / name)) for name in (_CUBE, _TEXTURE))
    try:
        colors = np.clip(texture.reshape(-1, 8, 3)[:, 0], 0.0, 1.0)
        return cube[tuple(np.floor(100 * colors).astype(int).T)]
    except (ValueError, IndexError, TypeError) as error:
        raise InputError(
            f"--part_labels={folder}: {_CUBE} and {_TEXTURE} do not fit each other ({error})."
        ) from error

"""Which of the six parts of a body each face of its mesh belongs to.

The numbers are those of the segmentations of LSP in UPi-S1h, of which 0 is the background.
"""

from pathlib import Path

import numpy as np

from hmr_tf.body.skeleton import SMPL_JOINTS
from hmr_tf.files import safe_npz
from hmr_tf.files.errors import InputError

BACKGROUND = "background"
PARTS = (BACKGROUND, "left_arm", "right_arm", "head", "left_leg", "right_leg", "torso")
# A face moves with its bone. The neck is the head's and the collar bones are the torso's: so the
# parts have nearly the sizes of the published labels (head 2627 faces, an arm 2627, a leg 1459).
_PART_OF_BONE = {
    **dict.fromkeys(("left_shoulder", "left_elbow", "left_wrist", "left_hand"), "left_arm"),
    **dict.fromkeys(("right_shoulder", "right_elbow", "right_wrist", "right_hand"), "right_arm"),
    **dict.fromkeys(("neck", "head"), "head"),
    **dict.fromkeys(("left_hip", "left_knee", "left_ankle", "left_foot"), "left_leg"),
    **dict.fromkeys(("right_hip", "right_knee", "right_ankle", "right_foot"), "right_leg"),
}
_TEXTURE, _CUBE = "vertex_texture.npy", "cube_parts.npy"


def joint_labels():
    """(24,) the part's number of each SMPL joint's bone."""
    names = (_PART_OF_BONE.get(joint, "torso") for joint in SMPL_JOINTS)
    return np.array([PARTS.index(name) for name in names])


def face_labels_from_weights(weights, faces):
    """Labels from the skinning: a face belongs to the part that moves its corners most.

    Args:
      weights: (V, 24) skinning weights.
      faces: (F, 3) vertex ids.

    Returns:
      (F,) int32 numbers of `PARTS`, 1 to 6; of equal ones the smallest.
    """
    by_part = np.zeros((len(weights), len(PARTS)))
    np.add.at(by_part.T, joint_labels(), np.asarray(weights, float).T)
    return by_part[np.asarray(faces)].sum(axis=1).argmax(axis=1).astype(np.int32)


def read_labels(path, faces):
    """Labels from a file.

    Args:
      path: .npy with a number for each face or each vertex, of which a face takes that of most of
        its corners, the first of different ones; or the folder with the public code's two files,
        cube_parts.npy and vertex_texture.npy (nkolot/GraphCMR `data/`), one colour for each face.
      faces: (F, 3) vertex ids of the mesh they are meant for.

    Returns:
      (F,) int32 numbers of `PARTS`, 1 to 6.

    Raises:
      InputError: no such file, or no labels of such a mesh.
    """
    path, faces = Path(path), np.asarray(faces)
    missing = [name for name in (_TEXTURE, _CUBE) if not (path / name).is_file()]
    if path.is_dir() and missing:
        raise InputError(f"--part_labels={path}: the folder lacks {' and '.join(missing)}.")
    if not path.exists():
        raise InputError(f"--part_labels={path}: no such file.")
    labels = _coloured(path) if path.is_dir() else np.asarray(safe_npz.load_npy(path))
    if labels.ndim != 1 or not np.isin(labels, np.arange(1, len(PARTS))).all():
        raise InputError(
            f"--part_labels={path} must hold one list of numbers from 1 to {len(PARTS) - 1} "
            f"({', '.join(PARTS[1:])}); it does not."
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


def _coloured(folder):
    """Each face has a colour, and the cube says which part has that colour."""
    cube, texture = (np.asarray(safe_npz.load_npy(folder / name)) for name in (_CUBE, _TEXTURE))
    try:
        colors = np.clip(texture.reshape(-1, 8, 3)[:, 0], 0.0, 1.0)
        return cube[tuple(np.floor(100 * colors).astype(int).T)]
    except (ValueError, IndexError, TypeError) as error:
        raise InputError(
            f"--part_labels={folder}: its files do not fit each other ({error})."
        ) from error

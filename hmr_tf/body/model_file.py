"""SMPL model files: read, checked, and handed on as plain arrays."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from hmr_tf.body import safe_pickle
from hmr_tf.body.safe_pickle import MAX_BYTES
from hmr_tf.body.skeleton import KEYPOINTS, SMPL_JOINTS
from hmr_tf.body.theta import NUM_BETAS
from hmr_tf.errors import InputError

_NO_PARENT = 2**32 - 1  # on disk: -1 as an unsigned number
BUILT_IN = Path(__file__).resolve().parents[1] / "assets" / "cc0_body.npz"


class ModelData(NamedTuple):
    """One body model, float64 and int: V vertices, F faces, J = 24 joints, K = 19 keypoints."""

    v_template: np.ndarray  # (V, 3) metres, y up, facing +z, the person's left at +x
    shapedirs: np.ndarray  # (V, 3, 10) metres per unit of each beta
    posedirs: np.ndarray  # (V, 3, 207) metres per entry of (rotations - identity), joints 1-23
    joint_regressor: np.ndarray  # (J, V) rest joints from rest vertices
    weights: np.ndarray  # (V, J) skinning weights
    keypoint_regressor: np.ndarray  # (K, V) the original's `cocoplus_regressor`
    faces: np.ndarray  # (F, 3) vertex ids, counter-clockwise seen from outside
    parents: np.ndarray  # (J,) parent of each joint, -1 for the root
    topology: str  # "smpl", or "cc0": the built-in body, on which SMPL's vertex ids mean nothing


def read_model(path=None):
    """Reads an SMPL model: .npz with SMPL's keys, or .pkl as published (Python 2, chumpy).

    Args:
      path: the file; None reads the CC0 body that comes with hmr_tf.

    Returns:
      ModelData; only the first ten betas of a file that has more.

    Raises:
      InputError: no such file, no model, a missing key, a wrong shape, a number not finite.
    """
    path = Path(path) if path else BUILT_IN
    if not path.is_file():
        raise InputError(
            f"SMPL model not found: {path}. Register at smpl.is.tue.mpg.de, download the neutral "
            "model and pass --smpl_model_path=FILE (.pkl or .npz); without the flag the built-in "
            "CC0 body is used."
        )
    arrays = _read_npz(path) if path.suffix == ".npz" else safe_pickle.load(path)
    if not isinstance(arrays, dict):
        raise InputError(
            f"{path} is no SMPL model: it holds a {type(arrays).__name__}, not a dict."
        )
    return _checked(arrays, path)


def _read_npz(path):
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{path} is larger than {MAX_BYTES >> 20} MB: no SMPL model is.")
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            _bound_members(file, path)
            return {key: file[key] for key in file.files}
    except (ValueError, OSError, EOFError, KeyError) as error:
        raise InputError(f"{path} cannot be read as an .npz SMPL model: {error}") from error
    except Exception as error:  # zipfile and zlib raise their own kinds for a truncated archive
        raise InputError(f"{path} is damaged: {type(error).__name__}: {error}") from error


def _bound_members(file, path):
    total = sum(member.file_size for member in file.zip.infolist())
    if total > MAX_BYTES:
        raise InputError(
            f"{path} unpacks to {total >> 20} MB: no SMPL model has more than {MAX_BYTES >> 20}."
        )


def _checked(arrays, path):
    needed = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "f", "kintree_table")
    missing = [key for key in needed if key not in arrays]
    if missing:
        raise InputError(f"{path} is no SMPL model: it lacks {', '.join(missing)}.")
    if "cocoplus_regressor" not in arrays:
        raise InputError(
            f"{path} has no cocoplus_regressor, so its 19 keypoints are unknown. Use HMR's "
            "neutral_smpl_with_cocoplus_reg.pkl, or leave --smpl_model_path out."
        )
    to_array = safe_pickle.to_array
    parents = to_array(arrays["kintree_table"])[0]
    model = ModelData(
        v_template=to_array(arrays["v_template"]),
        shapedirs=to_array(arrays["shapedirs"])[..., :NUM_BETAS],
        posedirs=to_array(arrays["posedirs"]),
        joint_regressor=to_array(arrays["J_regressor"]),
        weights=to_array(arrays["weights"]),
        keypoint_regressor=to_array(arrays["cocoplus_regressor"]),
        faces=to_array(arrays["f"]).astype(np.int32),
        parents=np.where(parents == _NO_PARENT, -1, parents).astype(np.int32),
        topology=str(arrays.get("topology", "smpl")),
    )
    _check_shapes(model, path)
    return model


def _check_shapes(model, path):
    num_vertices, num_joints = len(model.v_template), len(SMPL_JOINTS)
    expected = {
        "v_template": (num_vertices, 3),
        "shapedirs": (num_vertices, 3, NUM_BETAS),
        "posedirs": (num_vertices, 3, 9 * (num_joints - 1)),
        "joint_regressor": (num_joints, num_vertices),
        "weights": (num_vertices, num_joints),
        "keypoint_regressor": (len(KEYPOINTS), num_vertices),
        "faces": (len(model.faces), 3),
        "parents": (num_joints,),
    }
    for name, shape in expected.items():
        array = getattr(model, name)
        if array.shape != shape:
            raise InputError(
                f"{path}: {name} has shape {array.shape}, an SMPL model needs {shape}."
            )
        if not np.isfinite(array).all():
            raise InputError(f"{path}: {name} holds numbers that are not finite.")
    if model.faces.min() < 0 or model.faces.max() >= num_vertices:
        raise InputError(f"{path}: a face names a vertex outside 0..{num_vertices - 1}.")
    if model.parents[0] != -1 or not all(0 <= p < j for j, p in enumerate(model.parents[1:], 1)):
        raise InputError(f"{path}: kintree_table is no tree in which every parent comes first.")

"""SMPL model files as plain arrays: find, read, check; the body in rest pose."""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from absl import logging

from hmr_tf.body import body_checks, keypoint_regressor
from hmr_tf.body.theta import NUM_BETAS
from hmr_tf.files import safe_npz, safe_pickle
from hmr_tf.files.errors import InputError

# `digest` hashes this name: digests in params.json were made when the field had it.
_NAMES_IN_DIGEST = {"lbs_weights": "weights"}
_REQUIRED_KEYS = (
    *("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "f", "kintree_table"),
)
_NO_PARENT = 2**32 - 1  # -1 as an unsigned number, as the files have it
VARIABLE = "SMPL_MODEL_PATH"
# File names in the order of preference: HMR's, then the official ones.
NAMES = (
    "neutral_smpl_with_cocoplus_reg.pkl",
    "SMPL_NEUTRAL.npz",
    "SMPL_NEUTRAL.pkl",
    "basicmodel_neutral_lbs_10_207_0_v1.1.0.pkl",
    "basicmodel_neutral_lbs_10_207_0_v1.0.0.pkl",
    "basicModel_neutral_lbs_10_207_0_v1.0.0.pkl",
)
# File names of the models of each gender, as the official archives and smplx have them.
GENDERED_NAMES = {
    "female": (
        "SMPL_FEMALE.npz",
        "SMPL_FEMALE.pkl",
        "basicmodel_f_lbs_10_207_0_v1.1.0.pkl",
        "basicmodel_f_lbs_10_207_0_v1.0.0.pkl",
        "basicModel_f_lbs_10_207_0_v1.0.0.pkl",
    ),
    "male": (
        "SMPL_MALE.npz",
        "SMPL_MALE.pkl",
        "basicmodel_m_lbs_10_207_0_v1.1.0.pkl",
        "basicmodel_m_lbs_10_207_0_v1.0.0.pkl",
        "basicModel_m_lbs_10_207_0_v1.0.0.pkl",
    ),
    "neutral": NAMES,
}
BUILT_IN = Path(__file__).resolve().parents[1] / "assets" / "cc0_body.npz"
# The built-in body before its 19 keypoints were calibrated, and its `digest`: runs trained with it
# still load with the same numbers.
BUILT_IN_1_0 = BUILT_IN.with_name("cc0_body_1_0.npz")
DIGEST_1_0 = "604838744151a825eaa07bba927a2cb1877285115763020c19d99c142542cfea"


class BodyModel(NamedTuple):
    """One body model, float64 and int: V vertices, F faces, J = 24 joints, K = 19 keypoints."""

    v_template: np.ndarray  # (V, 3) metres, y up, facing +z, the person's left at +x
    shapedirs: np.ndarray  # (V, 3, 10) metres per unit of each beta
    posedirs: np.ndarray  # (V, 3, 207) metres per entry of (rotations - identity), joints 1-23
    joint_regressor: np.ndarray  # (J, V) rest joints from rest vertices
    lbs_weights: np.ndarray  # (V, J) skinning weights
    keypoint_regressor: np.ndarray  # (K, V) the original's `cocoplus_regressor`
    faces: np.ndarray  # (F, 3) vertex ids, counter-clockwise seen from outside
    parents: np.ndarray  # (J,) parent of each joint, -1 for the root
    topology: str  # "smpl", or "cc0": the built-in body, whose vertex ids are not SMPL's


def find(path=""):
    """The path of the SMPL file to use.

    Args:
      path: the file, or a folder with a file named as in `NAMES`, or with one in its folder smpl/,
        as the package smplx has it. Empty: the environment variable SMPL_MODEL_PATH, then the
        folder models/, as in the original, then the built-in CC0 body.

    Returns:
      Path; it may not exist, which `read_model` reports.

    Raises:
      InputError: the given folder holds no such file.
    """
    given = path or os.environ.get(VARIABLE, "")
    folder = Path(given or "models")
    if given and not folder.is_dir():
        return folder
    file = _first_file(folder, NAMES)
    if given and file is None:
        raise InputError(f"The folder {folder} holds no SMPL model: none of {', '.join(NAMES)}.")
    return file or BUILT_IN


def find_gendered(folder):
    """The SMPL files of a folder: {"female": Path, "male": Path, "neutral": Path}, those it has.

    Raises:
      InputError: there is no such folder, or it has no model of a gender.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(
            f"--smpl_model_dir={folder} is not a folder: name the one with the SMPL files of the "
            f"genders, as {GENDERED_NAMES['female'][0]} and {GENDERED_NAMES['male'][0]}."
        )
    paths = {gender: _first_file(folder, names) for gender, names in GENDERED_NAMES.items()}
    if not (paths["female"] or paths["male"]):
        names = ", ".join(GENDERED_NAMES["female"] + GENDERED_NAMES["male"])
        raise InputError(f"--smpl_model_dir={folder} holds no female or male SMPL model: {names}.")
    return {gender: path for gender, path in paths.items() if path}


def _first_file(folder, names):
    """The file of the first of `names` in a folder or in its folder smpl/; None: there is none."""
    files = (place / name for place in (folder, folder / "smpl") for name in names)
    return next((file for file in files if file.is_file()), None)


def built_in(digest=None):
    """The file of the built-in body that a run was trained with; None: that of a new run.

    Args:
      digest: the `digest` that the run states.
    """
    if digest != DIGEST_1_0:
        return BUILT_IN
    logging.info(
        "The network was trained with the built-in body of version 1.0, whose 19 keypoints lie "
        "elsewhere: %s is used, see docs/body_models.md.",
        BUILT_IN_1_0.name,
    )
    return BUILT_IN_1_0


def read_model(path=BUILT_IN, regressor_path="", warns=True):
    """Reads an SMPL model: .npz with SMPL's keys, or .pkl as published (Python 2, chumpy).

    Args:
      path: the file.
      regressor_path: file with the regressor of the 19 keypoints, see `keypoint_regressor.read`.
        Empty: the one in the SMPL file; for the official files, which have none, joints and face
        vertices.
      warns: whether a warning says that joints and vertices are used.

    Returns:
      BodyModel, with the first ten betas of a file that has more.

    Raises:
      InputError: no such file, not an SMPL model, a missing key, a wrong shape or numbers
        that are not finite.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(
            f"SMPL model not found: {path}. Register at smpl.is.tue.mpg.de, download the neutral "
            "model and pass --smpl_model_path=FILE (.pkl or .npz), set SMPL_MODEL_PATH or put it "
            "into models/; without any of these the built-in CC0 body is used."
        )
    keys = (*_REQUIRED_KEYS, keypoint_regressor.KEY, "topology")
    if path.suffix.lower() == ".npz":
        content = safe_npz.load(path, keys, pickled=True)
    else:
        content = safe_pickle.load(path)
    if not isinstance(content, dict):
        raise InputError(
            f"{path} is not an SMPL model: it holds a {type(content).__name__}, not a dict."
        )
    return from_content(content, path, regressor_path, warns)


def digest(body):
    """SHA-256 of all fields but faces and topology, in float32.

    Files of different formats with the same body have the same digest.
    """
    sha256 = hashlib.sha256()
    for name, values in body._asdict().items():
        if name in ("faces", "topology"):
            continue
        array = np.ascontiguousarray(values, np.float32)
        sha256.update(f"{_NAMES_IN_DIGEST.get(name, name)} {array.shape}".encode())
        sha256.update(array.data)
    return sha256.hexdigest()


def rest_body(body, betas=None):
    """The body of a shape in rest pose (arms stretched sideways).

    Args:
      body: `body_model.BodyModel`.
      betas: (10,) shape coefficients; None: the mean shape.

    Returns:
      (V, 3) vertices and (J, 3) joints, metres, y up, facing +z.

    Raises:
      ValueError: betas of another shape, or not finite.
    """
    betas = np.zeros(NUM_BETAS) if betas is None else np.asarray(betas, np.float64)
    if betas.shape != (NUM_BETAS,) or not np.isfinite(betas).all():
        raise ValueError(f"betas must be ({NUM_BETAS},), finite; received shape {betas.shape}")
    vertices = body.v_template + body.shapedirs @ betas
    return vertices, body.joint_regressor @ vertices


def rest_joints(body, betas):
    """(..., 10) betas -> (..., J, 3) joints of bodies in rest pose, without their meshes."""
    template = body.joint_regressor @ body.v_template
    per_beta = np.einsum("jv,vcs->sjc", body.joint_regressor, body.shapedirs)
    return template + np.tensordot(np.asarray(betas, np.float64), per_beta, axes=1)


def from_content(content, path, regressor_path="", warns=True):
    """As `read_model`, from the dict in a file; `path` is its name in messages."""
    missing = [key for key in _REQUIRED_KEYS if key not in content]
    if missing:
        raise InputError(f"{path} is not an SMPL model: it lacks {', '.join(missing)}.")
    try:
        body = _model_from_arrays(content, regressor_path, warns)
        body_checks.check_shapes(body)
        body_checks.check_rest_pose(body)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return body


def warn_of_another_body(body, training_digest, path):
    """Logs a warning if a network was trained with another body than the one it is used with.

    Args:
      body: BodyModel of the file.
      training_digest: `digest` of the body of the training.
      path: of the file.
    """
    if digest(body) != training_digest:
        logging.warning(
            "The network was trained with another body or other keypoints than those of %s: poses "
            "carry over, but betas may mean other shapes, as those of another gender do.",
            path,
        )


def _model_from_arrays(content, regressor_path, warns):
    arrays = {key: safe_pickle.to_array(content[key]) for key in _REQUIRED_KEYS}
    body_checks.check_arrays(arrays)
    parents = arrays["kintree_table"][0]
    if regressor_path:
        regressor = keypoint_regressor.read(regressor_path)
    elif keypoint_regressor.KEY in content:
        regressor = safe_pickle.to_array(content[keypoint_regressor.KEY])
    else:
        regressor = keypoint_regressor.from_joint_regressor(arrays["J_regressor"])
        if warns:
            logging.warning(
                "The SMPL file has no %s: SMPL's joints and six of its vertices are used as the 19 "
                "keypoints. HMR's file has it, or pass --keypoint_regressor=FILE.",
                keypoint_regressor.KEY,
            )
    return BodyModel(
        v_template=arrays["v_template"],
        shapedirs=arrays["shapedirs"][..., :NUM_BETAS],
        posedirs=arrays["posedirs"],
        joint_regressor=arrays["J_regressor"],
        lbs_weights=arrays["weights"],
        keypoint_regressor=regressor,
        faces=arrays["f"].astype(np.int64).astype(np.int32),
        parents=np.where(parents == _NO_PARENT, -1, parents).astype(np.int64).astype(np.int32),
        topology=str(content.get("topology", "smpl")),
    )

"""AMASS: motion capture as SMPL-H poses, <collection>/<subject>/*_poses.npz, for the prior.

SMPL-H has SMPL's body joints and fifteen joints in each hand, where SMPL has one; the first
of them (index finger) is taken for the hand, as in VIBE's `amass_utils.py`. The betas belong to
male and female models: for the neutral model they are an approximation.
"""

import collections
import re
from pathlib import Path

import numpy as np

from data_prep.reader_items import IndexNote
from data_prep.readers import files_by_extension, mocap_poses
from hmr_tf.files import safe_npz
from hmr_tf.files.errors import InputError

_NO_POSES = re.compile(r"shape\.npz|.*_stagei\.npz")  # body shape only
_RATES = ("mocap_framerate", "mocap_frame_rate")
_COLLECTIONS = {
    *("ACCAD", "BMLhandball", "BMLmovi", "BMLrub", "BioMotionLab_NTroje", "CMU", "CNRS", "DFaust"),
    *("DFaust_67", "DanceDB", "EKUT", "EyesJapanDataset", "Eyes_Japan_Dataset", "GRAB", "HDM05"),
    *("HUMAN4D", "HumanEva", "KIT", "MPI_HDM05", "MPI_Limits", "MPI_mosh", "MoSh", "PosePrior"),
    *("SFU", "SOMA", "SSM", "SSM_synced", "TCDHands", "TCD_handMocap", "TotalCapture"),
    *("Transitions", "Transitions_mocap", "WEIZMANN"),
}
_NUM_JOINTS = 52
_SMPL_JOINTS = (*range(22), 22, 37)  # the body's, then the first of each hand
_NUM_BETAS = 10
_OTHER_MODELS = {165: "SMPL-X", 162: "SMPL-X", 72: "SMPL", 66: "SMPL", 69: "SMPL"}  # by numbers
_MAX_BYTES = 2**30  # of the arrays of one file; the largest of AMASS have 200 MB


def read(data_dir, seed):
    """Finds the collections and reads each of them lazily.

    Args:
      data_dir: folder of collections (CMU, KIT, ...), or one collection.
      seed: of the order of the poses.

    Returns:
      dict: shard name, as "neutrSMPL_CMU" -> iterator of MocapPose, Skipped and, at its end,
      IndexNote with the number of poses of each gender.

    Raises:
      InputError: there are no files.
    """
    data_dir = Path(data_dir).resolve()
    names = {path.parent.name for path in _pose_files(data_dir.glob("*/*"))}
    is_collection = bool(names - _COLLECTIONS)  # else the collections have no folders of subjects
    folders = [data_dir] if is_collection else sorted(p for p in data_dir.iterdir() if p.is_dir())
    files, hidden = {}, {}
    for folder in folders:
        paths = _pose_files(folder.rglob("*"))
        if paths:
            name = f"neutrSMPL_{re.sub('[^A-Za-z0-9.-]', '_', folder.name)}"
            files[name] = paths
            hidden[name] = files_by_extension.skipped_hidden_files(folder.rglob(".*"), ".npz")
    if not files:
        raise InputError(
            f"there are no <collection>/<subject>/*_poses.npz in {data_dir}: pass AMASS's folder"
        )
    return {name: _read_collection(paths, hidden[name], seed) for name, paths in files.items()}


def _pose_files(paths):
    paths = files_by_extension.files_with_extension(paths, ".npz")
    return [path for path in paths if not _NO_POSES.fullmatch(path.name.lower())]


def _read_collection(paths, hidden, seed):
    yield from hidden
    genders = collections.Counter()

    def read_and_note(path):
        poses, betas, gender = read_file(path)
        genders[gender] += len(poses)
        return poses, betas

    yield from mocap_poses.shuffled(paths, read_and_note, seed, "npz unreadable")
    for gender, number in sorted(genders.items()):
        yield IndexNote(f"poses of {gender} bodies", number)


def read_file(path):
    """One file -> (N, 72) poses at 25 Hz, (10,) betas, gender.

    Raises:
      InputError: unreadable, or poses, betas or frame rate are missing or of another form.
    """
    arrays = safe_npz.load(path, ("poses", "betas", *_RATES), _MAX_BYTES)
    rate = next((arrays[name] for name in _RATES if name in arrays), None)
    if rate is None or "poses" not in arrays or "betas" not in arrays:
        raise InputError(f"{path} has no poses, betas or {_RATES[0]}")
    poses, betas = arrays["poses"], arrays["betas"].ravel()[:_NUM_BETAS]
    numbers = (poses, betas, rate)
    if any(array.dtype.kind not in "fiu" for array in numbers) or rate.size != 1:
        raise InputError(f"{path}: poses, betas or {_RATES[0]} are not numbers")
    if poses.ndim != 2 or poses.shape[1] != 3 * _NUM_JOINTS:
        shape = " x ".join(map(str, poses.shape))
        model = _OTHER_MODELS.get(poses.shape[-1] if poses.ndim == 2 else 0, "another body model")
        raise InputError(
            f"{path}: its poses are of {model} ({shape} numbers); poses of SMPL-H are read, "
            f"N x {3 * _NUM_JOINTS}: download AMASS's files called SMPL+H G"
        )
    try:
        rows = mocap_poses.rows_at_25_hz(len(poses), float(rate.ravel()[0]))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    poses = poses[rows].reshape(-1, _NUM_JOINTS, 3)[:, _SMPL_JOINTS].reshape(-1, 72)
    mocap_poses.check(path, poses, betas)
    return poses, betas, _gender(path)


def _gender(path):
    """male, female, neutral or unknown. Some files hold text, some bytes, some objects."""
    try:
        array = safe_npz.load(path, ("gender",), _MAX_BYTES).get("gender", np.array(""))
    except InputError:
        return "unknown"
    text = str(array.astype("U").ravel()[0]).lower() if array.size else ""
    text = re.sub(r"b'(.*)'", r"\1", text)  # of bytes written as text
    return text if text in ("male", "female", "neutral") else "unknown"

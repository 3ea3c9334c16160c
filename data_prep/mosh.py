"""MoSh: SMPL poses of motion capture, neutrSMPL_{CMU,H3.6,jointLim}/<folder>/*.pkl.

Pickles of Python 2, read without running anything in them. Source: the original's
`smpl_to_tfrecords.py`, which also shuffles before it writes, because its loader does not.
"""

from pathlib import Path

import numpy as np

from data_prep.person import MocapPose, Skipped
from hmr_tf.body import safe_pickle
from hmr_tf.errors import InputError

# Human3.6M's test subjects: the prior must not have seen them.
TEST_SUBJECTS = ("S9", "S11")


def read(data_dir, seed):
    """Finds the collections and reads each of them lazily.

    Args:
      data_dir: folder of neutrSMPL_* folders, or one of these.
      seed: of the order in which the poses come.

    Returns:
      dict: collection name, as "neutrSMPL_CMU" -> iterator of MocapPose and Skipped.

    Raises:
      InputError: there are no pickles.
    """
    data_dir = Path(data_dir)
    folders = [data_dir] if list(data_dir.glob("*/*.pkl")) else sorted(data_dir.glob("neutrSMPL_*"))
    files = {folder.resolve().name: sorted(folder.glob("*/*.pkl")) for folder in folders}
    files = {name: paths for name, paths in files.items() if paths}
    if not files:
        raise InputError(
            f"there are no neutrSMPL_*/<folder>/*.pkl in {data_dir}: pass the folder neutrMosh"
        )
    return {name: _read_collection(paths, seed) for name, paths in files.items()}


def _read_collection(paths, seed):
    """Yields the Skipped first, then the poses of all files in shuffled order."""
    poses, betas = [], []
    for path in paths:
        if path.parent.name in TEST_SUBJECTS:
            yield Skipped("a test subject of Human3.6M", str(path), is_problem=False)
            continue
        try:
            file_poses, file_betas = _read_file(path)
        except InputError as error:
            yield Skipped("pickle unreadable", str(error))
            continue
        poses.append(file_poses)
        betas.append(np.broadcast_to(file_betas, (len(file_poses), 10)))
    if not poses:
        return
    poses, betas = np.concatenate(poses), np.concatenate(betas)
    for row in np.random.default_rng(seed).permutation(len(poses)):
        yield MocapPose(poses[row], betas[row])


def _read_file(path):
    """One pickle -> (N, 72) and (10,) float32."""
    content = safe_pickle.load(path)
    if not isinstance(content, dict) or "betas" not in content:
        raise InputError(f"{path} has no betas")
    try:
        poses = safe_pickle.to_array(content.get("poses", content.get("new_poses")))
        betas = safe_pickle.to_array(content["betas"]).ravel()
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    if poses.ndim != 2 or poses.shape[1] != 72 or betas.shape != (10,):
        raise InputError(f"{path}: poses {poses.shape}, betas {betas.shape}; not N x 72 and 10")
    if not all((np.abs(numbers) < 1e6).all() for numbers in (poses, betas)):  # NaN is not either
        raise InputError(f"{path}: some poses or betas are not numbers")
    return poses.astype(np.float32), betas.astype(np.float32)

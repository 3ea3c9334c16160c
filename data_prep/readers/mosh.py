"""MoSh: SMPL poses of motion capture, neutrSMPL_{CMU,H3.6,jointLim}/<folder>/*.pkl.

Pickles of Python 2, read without running code in them. Source: the original's
`smpl_to_tfrecords.py`, which shuffles before it writes too, because its loader does not.
"""

from pathlib import Path

from data_prep.reader_items import Skipped
from data_prep.readers import files_by_extension, mocap_poses
from data_prep.readers.h36m import h36m_recordings
from hmr_tf.files import safe_pickle
from hmr_tf.files.errors import InputError

# Human3.6M's test subjects must not be in the prior's data.
TEST_SUBJECTS = h36m_recordings.SUBJECTS["test"]


def read(data_dir, seed):
    """Finds the collections and reads each of them lazily.

    Args:
      data_dir: folder of neutrSMPL_* folders, or one such folder.
      seed: of the order of the poses.

    Returns:
      dict: collection name, as "neutrSMPL_CMU" -> iterator of MocapPose and Skipped.

    Raises:
      InputError: there are no pickles.
    """
    data_dir = Path(data_dir)
    folders = sorted(path for path in data_dir.glob("neutrSMPL_*") if path.is_dir()) or [data_dir]
    files = {
        folder.resolve().name: files_by_extension.files_with_extension(
            [*folder.glob("*"), *folder.glob("*/*")], ".pkl"
        )
        for folder in folders
    }
    hidden = {
        folder.resolve().name: files_by_extension.skipped_hidden_files(folder.glob("*/.*"), ".pkl")
        for folder in folders
    }
    files = {name: paths for name, paths in files.items() if paths}
    if not files:
        raise InputError(
            f"there are no neutrSMPL_*/<folder>/*.pkl in {data_dir}: pass the folder neutrMosh"
        )
    return {name: _read_collection(paths, hidden[name], seed) for name, paths in files.items()}


def _read_collection(paths, hidden, seed):
    yield from hidden
    for path in paths:
        if path.parent.name in TEST_SUBJECTS:
            yield Skipped("a test subject of Human3.6M", str(path), is_problem=False)
    paths = [path for path in paths if path.parent.name not in TEST_SUBJECTS]
    yield from mocap_poses.shuffled(paths, read_file, seed, "pickle unreadable")


def read_file(path, keys=("poses", "new_poses")):
    """One pickle -> (N, 72) poses under the first key that it has, and (10,) betas.

    Raises:
      InputError: not a readable pickle, or without poses or betas.
    """
    content = safe_pickle.load(path)
    if not isinstance(content, dict) or "betas" not in content:
        raise InputError(f"{path} has no betas")
    try:
        poses = next((content[key] for key in keys if key in content), None)
        poses = safe_pickle.to_array(poses)
        betas = safe_pickle.to_array(content["betas"]).ravel()
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    mocap_poses.check(path, poses, betas)
    return poses, betas

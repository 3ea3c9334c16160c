"""SMPL parameters for Human3.6M, fitted by MoSh: one pickle for each camera of a take.

neutrSMPL_H3.6/S1/Directions 1_cam0_aligned.pkl holds new_poses, ten a second.
"""

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from data_prep.reader_items import Skipped
from data_prep.readers import mosh
from data_prep.readers.h36m import h36m_recordings
from data_prep.readers.h36m.h36m_frames import FRAME_STEP
from hmr_tf.files.errors import InputError

_PLACES = (".", "neutrMosh", "../neutrMosh")  # relative to the folder of Human3.6M
# MoSh's cameras have their y and z axes the other way round.
_BY_180_DEGREES = Rotation.from_rotvec([np.pi, 0, 0])


def find(data_dir):
    """The folder neutrSMPL_H3.6, in the dataset's folder or in neutrMosh; or None."""
    folders = (Path(data_dir).absolute() / place / "neutrSMPL_H3.6" for place in _PLACES)
    return next((folder for folder in folders if folder.is_dir()), None)


class Fits:
    """SMPL parameters of the frames of one recording."""

    def __init__(self, poses=(), betas=None):
        self._poses, self._betas = poses, betas

    def at(self, frame):
        """(24, 3) pose and (10,) betas at the frame of 50 Hz with this index, or None."""
        row = frame // FRAME_STEP
        return (self._poses[row], self._betas) if row < len(self._poses) else None


def read(folder, recording):
    """Fits of a recording, empty if there are none; and Skipped if they are unreadable, else None.

    The global rotation is in camera coordinates. Test subjects have no fits: no model may train on
    them.
    """
    if folder is None or recording.subject not in h36m_recordings.SUBJECTS["train"]:
        return Fits(), None
    name = f"{recording.stem}_cam{recording.camera}_aligned.pkl"
    path = folder / recording.subject / name
    if not path.is_file():
        return Fits(), None
    try:
        poses, betas = mosh.read_file(path, keys=("new_poses",))
    except InputError as error:
        return Fits(), Skipped("SMPL parameters unreadable, joints only", str(error))
    poses = poses.reshape(-1, 24, 3).copy()
    poses[:, 0] = (Rotation.from_rotvec(poses[:, 0]) * _BY_180_DEGREES).as_rotvec()
    return Fits(poses, betas), None

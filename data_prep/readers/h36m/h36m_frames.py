"""One frame of Human3.6M -> LabelledPerson: its LSP joints and its crop."""

import numpy as np

from data_prep.reader_items import Skipped
from data_prep.readers import mocap_poses
from data_prep.readers.mpi_inf_3dhp import mpi_inf_3dhp_train
from hmr_tf.body import skeleton

FRAME_STEP = 5  # 10 of the 50 frames in a second are taken: 0, 5, 10, ...
NUM_JOINTS = 32  # as distributed; 15 of them repeat a neighbour or never move
# Indices of `skeleton.H36M_JOINTS` among the 32.
_H36M_JOINTS = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)
# The 24 joints of SPIN. Human3.6M's head top is not where LSP's is, so SPIN has both.
SPIN_JOINTS = (
    *skeleton.LSP_JOINTS[:-1],
    *("lsp_head_top", "pelvis", "thorax", "spine", "jaw", "head_top", *skeleton.FACE_KEYPOINTS),
)
_LSP_AMONG = {
    NUM_JOINTS: np.take(_H36M_JOINTS, skeleton.indices(skeleton.LSP_JOINTS, skeleton.H36M_JOINTS)),
    17: np.array(skeleton.indices(skeleton.LSP_JOINTS, skeleton.H36M_JOINTS)),
    len(SPIN_JOINTS): np.array(skeleton.indices(skeleton.LSP_JOINTS, SPIN_JOINTS)),
}
NUMS_OF_JOINTS = tuple(_LSP_AMONG)


def lsp_joints(points):
    """(..., J, n) of 32 joints, `skeleton.H36M_JOINTS` or SPIN's 24 -> (..., 14, n) LSP's."""
    return points[..., _LSP_AMONG[points.shape[-2]], :]


def person(recording, frame, image, keypoints_px, joints, intrinsics, smpl=None):
    """A LabelledPerson, cropped by the original's rule for MPI-INF-3DHP; or Skipped.

    Args:
      recording: Recording.
      frame: index of the frame in it, from 0.
      image: path or VideoFrame.
      keypoints_px: (14, 2) in the order of `skeleton.LSP_JOINTS`.
      joints: (14, 3) metres, camera coordinates.
      intrinsics: (3,) focal length and principal point of the camera, pixels.
      smpl: (24, 3) pose and (10,) betas, or None.
    """
    pose, betas = smpl or (None, None)
    if smpl and not all((np.abs(numbers) < mocap_poses.MAX_NUMBER).all() for numbers in smpl):
        name = recording.frame_name(frame)
        return Skipped("SMPL parameters are not numbers", f"{recording.sequence}, {name}")
    return mpi_inf_3dhp_train.person(
        image,
        keypoints_px,
        joints,
        filename=recording.frame_name(frame),
        sequence=recording.sequence,
        camera=intrinsics,
        pose=pose,
        betas=betas,
        crop_rule=mpi_inf_3dhp_train.crop_rule(image),
    )

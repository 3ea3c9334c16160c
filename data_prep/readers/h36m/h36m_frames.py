"""One frame of Human3.6M -> LabelledPerson: its LSP joints, and how it is cropped."""

import numpy as np

from data_prep.labelled import Skipped, VideoFrame
from data_prep.readers import mocap_order
from data_prep.readers.mpi_inf_3dhp import mpi_inf_3dhp_train
from hmr_tf.body import skeleton

FRAME_STEP = 5  # of the 50 frames in a second, 10 are taken: 0, 5, 10, ...
NUM_JOINTS = 32  # as distributed; the others repeat a neighbour or never move
# The 17 that move, and their places among the 32.
MOVING_JOINTS = (
    *("pelvis", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle"),
    *("spine", "neck", "nose", "head_top", "left_shoulder", "left_elbow", "left_wrist"),
    *("right_shoulder", "right_elbow", "right_wrist"),
)
_MOVING = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)
# The 24 that SPIN writes. Human3.6M's head top is not where LSP labels it, so SPIN keeps both.
SPIN_JOINTS = (
    *skeleton.LSP_JOINTS[:-1],
    *("lsp_head_top", "pelvis", "thorax", "spine", "jaw", "head_top", *skeleton.FACE_KEYPOINTS),
)
_LSP_AMONG = {
    NUM_JOINTS: np.take(_MOVING, skeleton.indices(skeleton.LSP_JOINTS, MOVING_JOINTS)),
    len(MOVING_JOINTS): np.array(skeleton.indices(skeleton.LSP_JOINTS, MOVING_JOINTS)),
    len(SPIN_JOINTS): np.array(skeleton.indices(skeleton.LSP_JOINTS, SPIN_JOINTS)),
}
NUMS_OF_JOINTS = tuple(_LSP_AMONG)


def lsp_joints(points):
    """(..., J, n) of 32 joints, the 17 that move or SPIN's 24 -> LSP's 14; or KeyError."""
    return points[..., _LSP_AMONG[points.shape[-2]], :]


def person(recording, frame, image, keypoints_px, joints, intrinsics, smpl=None):
    """A LabelledPerson, cropped by the original's rule for MPI-INF-3DHP, or Skipped.

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
    if smpl and not all((np.abs(numbers) < mocap_order.MAX_NUMBER).all() for numbers in smpl):
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
        min_inside=mpi_inf_3dhp_train.MIN_INSIDE,
        # Frames of a video have not been a JPEG before.
        reencode_quality=None
        if isinstance(image, VideoFrame)
        else mpi_inf_3dhp_train.REENCODE_QUALITY,
    )

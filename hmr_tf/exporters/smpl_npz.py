"""Writes a person's motion as SMPL parameters, with the keys of AMASS's files."""

import numpy as np

from hmr_tf.body.rotation import axis_angle_from_matrix
from hmr_tf.exporters.axes import from_y_up
from hmr_tf.exporters.motion import rotate_frame, without_gaps
from hmr_tf.files.atomic import atomic_write


def write_smpl_npz(path, motion, body, fps=30.0, up_axis="y"):
    """Writes one person as .npz; missing frames are interpolated.

    Keys: `poses` (N, 72) axis-angle, radians; `betas` (10,); `trans` (N, 3) metres, added to the
    vertices of a body posed about its rest pelvis; `mocap_framerate`; `gender` "neutral". With
    `up_axis` "z" the person stands as in AMASS, whose files are SMPL-H's: (N, 156), with fingers.

    Args:
      path: of the file; it ends with .npz.
      motion: `motion.Motion`.
      body: `body_model.BodyModel`.
      fps: frames a second.
      up_axis: "y" or "z".

    Raises:
      ValueError: fps is not positive, another up_axis, a name without .npz.
    """
    if not str(path).endswith(".npz"):  # numpy would add it
        raise ValueError(f"path must end with .npz; received {path}")
    if not 0 < fps < np.inf:
        raise ValueError(f"fps must be positive; received {fps}")
    motion = rotate_frame(without_gaps(motion), from_y_up(up_axis), body)
    arrays = {
        "poses": axis_angle_from_matrix(motion.rotations).reshape(len(motion.frames), -1),
        "betas": motion.betas,
        "trans": motion.transl,
        "mocap_framerate": np.float64(fps),
        "gender": np.array("neutral"),
    }
    with atomic_write(path) as unfinished:
        np.savez_compressed(unfinished, **arrays)

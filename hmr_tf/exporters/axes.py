"""Coordinate frames of files. A camera looks along z with y down; mesh programs have y or z up.

| frame | x | y | z | a person who faces the camera looks along |
|---|---|---|---|---|
| camera (predictions) | right | down | away | -z |
| y up (SMPL, glTF, OBJ, BVH) | right | up | towards the viewer | +z |
| z up (Blender, AMASS) | right | away | up | -y |

All are right-handed, in metres, with their origin in the camera.
"""

import numpy as np

# Rotation by 180 degrees about x: camera frame to y-up frame, and back.
Y_UP_FROM_CAMERA = np.diag([1.0, -1.0, -1.0])
_FROM_Y_UP = {
    "y": np.eye(3),
    "z": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]),
}
UP_AXES = tuple(_FROM_Y_UP)


def from_y_up(up_axis):
    """(3, 3) rotation from the y-up frame to the frame of `up_axis`, "y" or "z"."""
    if up_axis not in _FROM_Y_UP:
        raise ValueError(f"up_axis must be one of {', '.join(UP_AXES)}; received {up_axis!r}")
    return _FROM_Y_UP[up_axis]


def from_camera(points, up_axis="y"):
    """(..., 3) points of the camera frame -> in the frame of `up_axis`."""
    return np.asarray(points, np.float64) @ (from_y_up(up_axis) @ Y_UP_FROM_CAMERA).T

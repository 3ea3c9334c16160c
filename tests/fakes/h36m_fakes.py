"""Writes tiny Human3.6Ms in each of the layouts that people have."""

import cdflib
import cv2
import h5py
import numpy as np

from data_prep.readers.h36m import h36m_frames
from hmr_tf.body import skeleton
from tests.fakes.dataset_fakes import write_image

SIZE_PX, FOCAL_PX = 240, 240.0
# Where LSP's joints are, from right_ankle to head_top: metres, x right, y down.
_X = [-0.1, -0.1, -0.1, 0.1, 0.1, 0.1, -0.6, -0.4, -0.2, 0.2, 0.4, 0.6, 0.0, 0.0]
_Y = [0.9, 0.5, 0.0, 0.0, 0.5, 0.9, -0.4, -0.4, -0.5, -0.5, -0.4, -0.4, -0.5, -0.8]
LSP_METRES = np.column_stack([_X, _Y, np.full(14, 5.0)])
STEP_METRES = 0.01  # to the right in each frame


def joints_mm(num_frames):
    """(N, 32, 3): the joints that no one reads are at (9, 9, 9) m."""
    joints = np.full((num_frames, h36m_frames.NUM_JOINTS, 3), 9000.0)
    places = h36m_frames.lsp_joints(np.arange(h36m_frames.NUM_JOINTS)[:, None])[:, 0]
    joints[:, places] = LSP_METRES * 1000
    joints[:, places, 0] += 1000 * STEP_METRES * np.arange(num_frames)[:, None]
    return joints


def pixels(joints):
    """(..., 3) -> (..., 2) of a camera that sees SIZE_PX pixels."""
    return joints[..., :2] / joints[..., 2:] * FOCAL_PX + SIZE_PX / 2


def write_cdf(path, points, **more):
    """(N, J, axes) points as MATLAB wrote them: one record of N x (J * axes)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    flat = points.reshape(1, len(points), -1).astype("float32")
    about = {"Variable": "Pose", "Data_Type": 44, "Num_Elements": 1, "Rec_Vary": True}
    with cdflib.cdfwrite.CDF(path, delete=True) as file:
        file.write_var({**about, "Dim_Sizes": list(flat.shape[1:]), **more}, var_data=flat)
    return path


def write_official(folder, subject, stem, num_frames=11, camera_id="54138969"):
    """One recording: two .cdf and an .mp4 whose frames grow lighter."""
    name, joints = f"{stem}.{camera_id}", joints_mm(num_frames)
    poses = folder / subject / "MyPoseFeatures"
    write_cdf(poses / "D3_Positions_mono" / f"{name}.cdf", joints)
    write_cdf(poses / "D2_Positions" / f"{name}.cdf", pixels(joints))
    video = folder / subject / "Videos" / f"{name}.mp4"
    video.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter_fourcc(*"mp4v"), 50, (SIZE_PX, SIZE_PX))
    for frame in range(num_frames):
        writer.write(np.full((SIZE_PX, SIZE_PX, 3), grey(frame), np.uint8))
    writer.release()


def grey(frame):
    return 20 + 20 * frame


def write_metadata(folder, rows, subjects=("S1", "S9")):
    """`rows`: (action, subaction, name of the take for each subject)."""
    cells = [("Action", "subaction", *subjects), *rows]
    body = "".join(f"<tr>{''.join(f'<td>{c}</td>' for c in row)}</tr>" for row in cells)
    numbers = np.zeros(264 + 36)
    numbers[264:] = np.tile([1000, 1010, 500, 505, 0, 0, 0, 0, 0], 4)
    w0 = " ".join(map(str, numbers))
    path = folder / "metadata.xml"
    path.write_text(f"<a><mapping>{body}</mapping><w0>[{w0}]</w0></a>")
    return path


def write_fetch(folder, subject, take, frames=(1, 8), camera_ids=("54138969",)):
    """One take: frame numbers are the same for all cameras."""
    root = folder / subject / take
    joints = joints_mm(max(frames))[np.array(frames) - 1]
    rows = {
        "frame": np.tile(frames, len(camera_ids)),
        "camera": np.repeat([int(camera_id) for camera_id in camera_ids], len(frames)),
        "pose/2d": np.tile(pixels(joints), (len(camera_ids), 1, 1)),
        "pose/3d": np.tile(joints, (len(camera_ids), 1, 1)),
    }
    root.mkdir(parents=True)
    with h5py.File(root / "annot.h5", "w") as file:
        for name, values in rows.items():
            file[name] = values
    for camera_id in camera_ids:
        for number in frames:
            image = root / "imageSequence" / camera_id / f"img_{number:06d}.jpg"
            write_image(image, SIZE_PX, SIZE_PX, seed=number)
    return root


def write_npz(folder, names, num_joints=24, deeper=False, file="h36m_train.npz", **more):
    """Rows with these image names; `more` are further arrays, or others in place of the usual."""
    where = {
        24: h36m_frames.SPIN_JOINTS,
        17: skeleton.H36M_JOINTS,
    }[num_joints]
    places = skeleton.indices(skeleton.LSP_JOINTS, where)
    joints = np.zeros((len(names), num_joints, 4))
    joints[:, places] = np.append(LSP_METRES, np.ones((14, 1)), axis=1)
    part = np.zeros((len(names), num_joints, 3))
    part[:, places] = np.append(pixels(LSP_METRES), np.ones((14, 1)), axis=1)
    paths = []
    for name in names:
        stem = name.rpartition("_")[0]
        paths.append(f"{stem[:2]}/{stem}/{name}" if deeper else f"images/{name}")
        write_image(folder / "images" / paths[-1].replace("images/", ""), SIZE_PX, SIZE_PX)
    arrays = {"imgname": np.array(paths), "part": part, "S": joints, **more}
    np.savez(folder / file, **{key: value for key, value in arrays.items() if value is not None})
    return folder / file

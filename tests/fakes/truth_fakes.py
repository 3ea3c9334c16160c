"""Bodies posed in the world before a moving camera, as 3DPW, EMDB and SSP-3D store them.

The bodies are of `tiny_body`. Their joints are computed here in float64, not by `hmr_tf.body.smpl`.
"""

from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from data_prep.readers.smpl_truth.pw3d import OPENPOSE_18
from hmr_tf.body.skeleton import COCO_KEYPOINTS, SMPL_PARENTS
from tests.fakes import python2_pickle, tiny_body
from tests.fakes.dataset_fakes import write_image

FRAME_PX = (120, 160)  # height, width of a frame
INTRINSICS = np.array([[150.0, 0.0, 80.0], [0.0, 155.0, 60.0], [0.0, 0.0, 1.0]])
CAMERA = [150.0, 155.0, 80.0, 60.0]


class Scene(NamedTuple):
    """N frames of one person and of a camera that moves."""

    pose: np.ndarray  # (N, 24, 3) axis-angle, in the world
    betas: np.ndarray  # (10,)
    transl: np.ndarray  # (N, 3) metres
    extrinsics: np.ndarray  # (N, 4, 4) world to camera
    joints: np.ndarray  # (N, 24, 3) metres, in the world
    camera_joints: np.ndarray  # (N, 24, 3) the same, in the camera
    joints_px: np.ndarray  # (N, 24, 2)


def scene(rng, num_frames, extrinsics=None):
    """A person in random poses, four metres before the camera; or before the camera of another."""
    pose = rng.normal(size=(num_frames, 24, 3)) * 0.4
    pose[:, 0] = rng.normal(size=(num_frames, 3)) * 2
    betas, transl = rng.normal(size=10), rng.normal(size=(num_frames, 3)) * 3
    joints = posed_joints(pose, betas) + transl[:, None]
    if extrinsics is None:
        extrinsics = np.tile(np.eye(4), (num_frames, 1, 1))
        extrinsics[:, :3, :3] = Rotation.random(num_frames, random_state=rng).as_matrix()
        middle = np.einsum("nij,nj->ni", extrinsics[:, :3, :3], joints[:, 0])
        extrinsics[:, :3, 3] = [0, 0, 4] - middle
    homogeneous = np.concatenate([joints, np.ones((num_frames, 24, 1))], axis=-1)
    camera_joints = np.stack([(m @ p.T).T[:, :3] for m, p in zip(extrinsics, homogeneous)])
    return Scene(pose, betas, transl, extrinsics, joints, camera_joints, project(camera_joints))


def project(points, intrinsics=INTRINSICS):
    """(..., 3) in the camera -> (..., 2) pixels."""
    projected = points @ intrinsics.T
    return projected[..., :2] / projected[..., 2:]


def posed_joints(pose, betas):
    """(N, 24, 3) axis-angle, (10,) betas -> (N, 24, 3) joints of the tiny body, no translation."""
    body = tiny_body.arrays()
    rest = body["J_regressor"] @ (body["v_template"] + body["shapedirs"] @ betas)
    joints = np.zeros((len(pose), 24, 3))
    for frame, angles in enumerate(pose):
        rotations = []
        for joint, parent in enumerate(SMPL_PARENTS):
            local = Rotation.from_rotvec(angles[joint]).as_matrix()
            rotations.append(local if parent < 0 else rotations[parent] @ local)
            offset = rest[joint] - (rest[parent] if parent >= 0 else 0)
            before = rotations[parent] @ offset if parent >= 0 else offset
            joints[frame, joint] = before + (joints[frame, parent] if parent >= 0 else 0)
    return joints


def standing_openpose(num_frames, confidence=0.9):
    """(N, 3, 18) OpenPose's keypoints of a person who fills half of the frame."""
    points = np.zeros((num_frames, 3, 18))
    for index, name in enumerate(OPENPOSE_18):
        points[:, 0, index] = 70 + index + 10 * name.startswith("left")
        points[:, 1, index] = 20 + 4 * index
    points[:, 2] = confidence
    return points


def content_3dpw(scenes, **changes):
    """The dict of a sequence of 3DPW with these people; `changes` replace keys, None leaves out."""
    num_frames = len(scenes[0].pose)
    content = {
        "sequence": "street_00",
        "poses": [one.pose.reshape(num_frames, 72) for one in scenes],
        "trans": [one.transl for one in scenes],
        "jointPositions": [one.joints.reshape(num_frames, 72) for one in scenes],
        "betas": [one.betas for one in scenes],
        "genders": ["m", "f", "m", "f"][: len(scenes)],
        "poses2d": [standing_openpose(num_frames) for _ in scenes],
        "cam_poses": scenes[0].extrinsics,
        "cam_intrinsics": INTRINSICS,
        "campose_valid": [np.ones(num_frames, int) for _ in scenes],
        "img_frame_ids": np.arange(num_frames) * 2,
        "texture_maps": [],
        **changes,
    }
    return {key: value for key, value in content.items() if value is not None}


def write_3dpw(folder, content, sequence="street_00", split="test"):
    """The pickle, as Python 2 wrote it, and its images; returns the pickle's path."""
    path = folder / "sequenceFiles" / split / f"{sequence}.pkl"
    path.parent.mkdir(parents=True, exist_ok=True)
    for frame in range(len(content["cam_poses"])):
        image = folder / "imageFiles" / sequence / f"image_{frame:05d}.jpg"
        write_image(image, *FRAME_PX, seed=frame)
    return python2_pickle.write(path, content)


def content_emdb(one, **changes):
    """The dict of a sequence of EMDB; `changes` replace keys, None leaves out."""
    num_frames = len(one.pose)
    low, high = one.joints_px.min(axis=1), one.joints_px.max(axis=1)
    content = {
        "gender": "female",
        "name": "P1_14_outdoor_climb",
        "emdb1": True,
        "emdb2": False,
        "n_frames": num_frames,
        "good_frames_mask": np.ones(num_frames, bool),
        "camera": {
            "intrinsics": INTRINSICS,
            "extrinsics": one.extrinsics,
            "height": FRAME_PX[0],
            "width": FRAME_PX[1],
        },
        "smpl": {
            "poses_root": one.pose[:, 0],
            "poses_body": one.pose[:, 1:].reshape(num_frames, 69),
            "trans": one.transl,
            "betas": one.betas,
        },
        "kp2d": one.joints_px,
        "bboxes": {"bboxes": np.hstack([low - 3, high + 3]), "invalid_idxs": np.zeros(0, int)},
        **changes,
    }
    return {key: value for key, value in content.items() if value is not None}


def write_emdb(folder, content, subject="P1", sequence="14_outdoor_climb"):
    """The pickle and its images; returns the pickle's path."""
    path = folder / subject / sequence / f"{subject}_{sequence}_data.pkl"
    path.parent.mkdir(parents=True, exist_ok=True)
    for frame in range(len(content["good_frames_mask"])):
        write_image(path.parent / "images" / f"{frame:05d}.jpg", *FRAME_PX, seed=frame)
    return python2_pickle.write(path, content)


def content_ssp3d(rng, number, **changes):
    """The arrays of labels.npz; `changes` replace arrays, None leaves out."""
    points = np.zeros((number, len(COCO_KEYPOINTS), 3))
    points[..., :2] = rng.uniform(150, 350, (number, len(COCO_KEYPOINTS), 2))
    points[..., 2] = rng.uniform(0.1, 30, points.shape[:2])  # scores of a detector
    content = {
        "fnames": np.array([f"athlete_{row}.png" for row in range(number)]),
        "shapes": rng.normal(size=(number, 10)),
        "poses": rng.normal(size=(number, 72)),
        "joints2D": points,
        "cam_trans": np.column_stack([rng.normal(size=(number, 2)), np.full(number, 40.0)]),
        "genders": np.array(["m", "f"] * number)[:number],
        "bbox_centres": np.full((number, 2), 256.0),
        "bbox_whs": np.full(number, 300.0),
        **changes,
    }
    return {key: value for key, value in content.items() if value is not None}


def write_ssp3d(folder, content, height=512, width=512):
    """labels.npz and its images; returns the path of labels.npz."""
    folder.mkdir(parents=True, exist_ok=True)
    for row, name in enumerate(content.get("fnames", [])):
        write_image(folder / "images" / str(name), height, width, seed=row)
    np.savez(folder / "labels.npz", **content)
    return folder / "labels.npz"

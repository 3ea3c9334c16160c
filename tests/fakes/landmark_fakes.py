"""People whose body, 2D labels and 3D landmarks are known, as records and as a landmarks file."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from hmr_tf.body import camera
from hmr_tf.body.skeleton import SMPL_JOINTS, indices
from hmr_tf.inference.blazepose.landmarks import Landmarks
from tests.fakes.image_records import image_record, write

SIZE = 224
_SHOULDERS = list(indices(("left_shoulder", "right_shoulder"), SMPL_JOINTS))
_KNEES = list(indices(("left_knee", "right_knee"), SMPL_JOINTS))
NOT_DETECTED = slice(12, 14)  # neck and top of the head, which BlazePose has not


class People(NamedTuple):
    """N people; each has a joint that the 2D labels lack."""

    pose: np.ndarray  # (N, 24, 3)
    joints3d: np.ndarray  # (N, 19, 3)
    keypoints_px: np.ndarray  # (N, 19, 3)
    landmarks: list  # of N Landmarks


def people(smpl, number, seed=0):
    """Bodies with raised arms and bent knees, 150 px tall or so."""
    rng = np.random.default_rng(seed)
    pose = np.zeros((number, 24, 3), np.float32)
    pose[:, 0, 0] = np.pi
    pose[:, _SHOULDERS, 2] = rng.uniform(-0.9, 0.9, (number, 2))
    pose[:, _SHOULDERS, 1] = rng.uniform(-0.8, 0.8, (number, 2))
    pose[:, _KNEES, 0] = rng.uniform(0, 1, (number, 2))
    joints3d = smpl.joints_only(tf.constant(pose), tf.zeros([number, 10])).joints3d.numpy()
    weak = np.tile(np.float32([0.75, 0, 0]), (number, 1))
    points = np.asarray(camera.pixels_from_norm(camera.project(joints3d, weak), SIZE))
    labels = np.concatenate([points, np.ones((number, 19, 1))], axis=-1).astype(np.float32)
    labels[:, 0, 2] = 0
    return People(pose, joints3d, labels, [_landmarks(*pair) for pair in zip(points, joints3d)])


def _landmarks(points_px, joints3d):
    keypoints = np.concatenate([points_px, np.full((19, 1), 0.9)], axis=-1)
    keypoints[NOT_DETECTED] = 0
    joints3d = joints3d.copy()
    joints3d[NOT_DETECTED] = 0
    return Landmarks(keypoints.astype(np.float32), joints3d.astype(np.float32), 0.95)


def write_records(folder, made, dataset="coco", records_per_shard=3):
    """Writes DATASET/train_000.tfrecord, ...; returns the names of the people."""
    names = [f"im{number:03}.jpg" for number in range(len(made.pose))]
    records = [
        image_record(
            np.full((SIZE, SIZE, 3), 99, np.uint8),
            keypoints_px[:, :2],
            filename=name,
            labelled=keypoints_px[:, 2],
        )
        for name, keypoints_px in zip(names, made.keypoints_px)
    ]
    for shard, first in enumerate(range(0, len(names), records_per_shard)):
        path = folder / dataset / f"train_{shard:03}.tfrecord"
        write(path, records[first : first + records_per_shard])
    return names


def write_landmarks(path, made, names, **changes):
    """Writes the file that --landmarks reads."""
    arrays = {
        "filename": np.array(names),
        "keypoints_px": np.stack([one.keypoints_px for one in made.landmarks]),
        "joints3d": np.stack([one.joints3d for one in made.landmarks]),
        "presence": np.array([one.presence for one in made.landmarks]),
        **changes,
    }
    np.savez(path, **{name: values for name, values in arrays.items() if values is not None})
    return path

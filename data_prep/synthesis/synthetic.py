"""Synthetic people with known ground truth: random pose, shape, clothes, light and position.

Nothing is downloaded. `data_dir` may be a folder of photographs, which are used as backgrounds.
"""

import itertools
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf
from scipy.spatial.transform import Rotation

from data_prep.reader_items import LabelledPerson, MocapPose, Skipped
from data_prep.readers import files_by_extension
from data_prep.synthesis import appearance
from data_prep.synthesis.pose_sampler import sample_poses
from hmr_tf.body import body_model, camera, skeleton
from hmr_tf.body.smpl import SMPL
from hmr_tf.data import crop
from hmr_tf.files import orientation
from hmr_tf.files.errors import InputError
from hmr_tf.rendering import render
from hmr_tf.rendering.zbuffer import rasterize

IMAGE_SIZE = 256
BATCH_SIZE = 16  # drawn at once; the same seed with another batch size gives other people
# Numbers of people and motion capture poses without --limit.
DEFAULT_LIMIT = {"train": 10_000, "test": 1_000}
DEFAULT_MOCAP_LIMIT = 100_000
_EXTENSIONS = (".jpg", ".jpeg", ".png")  # of backgrounds
_IMAGES, _MOCAP = 0, 1  # independent streams of random numbers
_SUPPORTS = ("left_ankle", "right_ankle", "left_foot", "right_foot", "left_knee", "right_knee")


def read(data_dir, split, limit, seed, smpl_model_path):
    """Yields people, one in each picture of 256 x 256 pixels.

    Args:
      data_dir: folder of background photographs (.jpg, .png), or "" for random patterns.
      split: "train" or "test"; they share no random numbers.
      limit: number of people, or None for `DEFAULT_LIMIT`. A larger limit only adds people.
      seed: int.
      smpl_model_path: SMPL model file, or "" for what `body_model.find` finds.

    Yields:
      LabelledPerson with all 19 keypoints, joints, pose with global rotation, betas and camera.
      HMR's weak-perspective camera is right to a few pixels: the focal length is over 1000 px.
      Skipped for a photograph that cannot be read; another is taken.

    Raises:
      InputError: an unknown split, or a data_dir without readable photographs.
    """
    streams = _streams(split, seed, _IMAGES)
    body = body_model.read_model(body_model.find(smpl_model_path))
    photographs = _Photographs(data_dir) if data_dir else None
    renderer = _Renderer(body, photographs)
    names = (f"synthetic_{split}_{seed}_{number:06d}.jpg" for number in itertools.count())
    people = itertools.chain.from_iterable(renderer.people(rng, names) for rng in streams)
    for person in itertools.islice(people, limit or DEFAULT_LIMIT[split]):
        if photographs:
            yield from photographs.new_problems()
        yield person


def read_mocap(split, limit, seed):
    """Yields MocapPose of the pose sampler with random betas and no global rotation.

    Args: as in `read`; without limit `DEFAULT_MOCAP_LIMIT`.
    """
    limit = limit or DEFAULT_MOCAP_LIMIT
    for rng in itertools.islice(_streams(split, seed, _MOCAP), -(-limit // 1000)):
        poses, betas = sample_poses(rng, 1000), _betas(rng, 1000)
        count = min(limit, 1000)
        limit -= count
        yield from map(MocapPose, poses[:count].reshape(-1, 72), betas[:count])


def _streams(split, seed, stream):
    """Endless numpy Generators; those of other splits, seeds and streams are independent."""
    if split not in DEFAULT_LIMIT:
        raise InputError(f"--split={split}: synthetic people come as {' and '.join(DEFAULT_LIMIT)}")
    key = [seed, list(DEFAULT_LIMIT).index(split), stream]
    return (np.random.default_rng([*key, batch]) for batch in itertools.count())


class _Photographs:
    """The photographs of a folder, to be cut into backgrounds."""

    def __init__(self, data_dir):
        paths = list(Path(data_dir).rglob("*"))
        self._paths = files_by_extension.files_with_extension(paths, *_EXTENSIONS)
        self._unreadable = set()
        self._problems = files_by_extension.skipped_hidden_files(paths, *_EXTENSIONS)
        if not self._paths:
            raise InputError(
                f"--data_dir={data_dir} holds no photographs (.jpg, .png) for the background; "
                "leave --data_dir out for random backgrounds"
            )

    def draw(self, rng):
        """(H, W, 3) uint8 RGB of a random one; the next one if it cannot be read.

        Raises:
          InputError: none can be read.
        """
        first, number = rng.integers(len(self._paths)), len(self._paths)
        for path in (self._paths[(first + i) % number] for i in range(number)):
            if path in self._unreadable:
                continue
            image = _read_photograph(path)
            if image is not None:
                return image
            self._unreadable.add(path)
            self._problems.append(Skipped("image unreadable", str(path)))
        raise InputError(
            f"none of the {number} photographs of --data_dir can be read, as {self._paths[0]}: "
            "leave --data_dir out for random backgrounds"
        )

    def new_problems(self):
        """list of Skipped since the last call."""
        problems, self._problems = self._problems, []
        return problems


def _read_photograph(path):
    """(H, W, 3) uint8 RGB, or None."""
    try:
        image = orientation.decode_upright(path.read_bytes())
    except (OSError, cv2.error):
        return None
    return None if image is None else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _betas(rng, count):
    return rng.normal(size=(count, 10)).astype(np.float32)


class _Renderer:
    """Draws batches of people with one body model."""

    def __init__(self, body, photographs):
        self._smpl = SMPL(body)
        self._pose = tf.function(self._smpl.__call__)
        self._faces = tf.constant(body.faces, tf.int32)
        self._regions = appearance.body_regions(body)
        self._draw_photograph = photographs.draw if photographs else None

    def people(self, rng, names):
        """Yields `BATCH_SIZE` people, with the next file names."""
        poses, betas = sample_poses(rng, BATCH_SIZE), _betas(rng, BATCH_SIZE)
        # SMPL's global rotation is about the pelvis, so it can be applied to the posed body.
        posed = self._pose(tf.constant(poses), tf.constant(betas))
        global_rotations = _global_rotations(rng, posed.smpl_joints.numpy())
        poses[:, 0] = global_rotations.as_rotvec()
        pelvis = posed.smpl_joints[:, :1]
        matrices = tf.constant(global_rotations.as_matrix(), tf.float32)
        vertices, keypoints = (
            tf.matmul(points - pelvis, matrices, transpose_b=True) + pelvis
            for points in (posed.vertices, posed.joints3d)
        )
        focal_px = np.exp(rng.uniform(np.log(1000), np.log(5000), BATCH_SIZE)).astype(np.float32)
        translation = _translation(rng, keypoints.numpy(), focal_px)[:, None]
        middle_px = (IMAGE_SIZE / 2, IMAGE_SIZE / 2)
        keypoints = (keypoints + translation).numpy()
        keypoints_px = camera.project_perspective(keypoints, focal_px, middle_px)[0].numpy()
        points = vertices + translation
        images = self._draw(rng, points, focal_px, middle_px)
        for i, image in enumerate(images):
            appearance.occlude(rng, image, keypoints_px[i].min(0), keypoints_px[i].max(0))
            yield LabelledPerson(
                image=appearance.add_camera_noise(rng, image),
                keypoints_px=keypoints_px[i],
                labelled=np.ones(len(skeleton.KEYPOINTS), int),
                filename=next(names),
                has_face=True,
                lsp_joints=skeleton.lsp_joints_from_keypoints(keypoints[i]),
                pose=poses[i],
                betas=betas[i],
                camera=np.array([focal_px[i], *middle_px], np.float32),
            )

    def _draw(self, rng, points, focal_px, middle_px):
        colors = appearance.clothes(rng, self._regions, BATCH_SIZE)
        lights, ambient = appearance.lights(rng, BATCH_SIZE)
        backgrounds = [
            appearance.background(rng, IMAGE_SIZE, self._draw_photograph) for _ in range(BATCH_SIZE)
        ]
        pixels, depth = camera.project_perspective(points, focal_px, middle_px)
        fragments = rasterize(pixels, depth, self._faces, IMAGE_SIZE, IMAGE_SIZE)
        shaded = render.shade(points, self._faces, colors, lights, ambient)
        return render.paint(fragments, self._faces, shaded, np.stack(backgrounds))


def _global_rotations(rng, joints):
    """B rotations into the camera frame: balanced, mostly upright, mostly facing the viewer."""
    lean = _balancing_lean(joints) * rng.uniform(0.5, 1.0, BATCH_SIZE)
    is_facing, is_tumbling = rng.random((2, BATCH_SIZE)) < [[0.7], [0.08]]
    yaw = rng.uniform(-np.pi, np.pi, BATCH_SIZE) / np.where(is_facing, 3, 1)
    camera_pitch = np.radians(rng.normal(5.0, 9.0, BATCH_SIZE))
    roll = np.radians(rng.normal(0.0, 6.0, BATCH_SIZE))
    roll = np.where(is_tumbling, rng.uniform(-2.0, 2.0, BATCH_SIZE), roll)
    # The body leans and rotates about its vertical axis; the camera is tilted. The 180 degrees
    # about x lead from SMPL's axes (y up, facing +z) to HMR's (y down, facing the camera at -z).
    body = Rotation.from_euler("YX", np.stack([yaw, lean], axis=1))
    view = Rotation.from_euler("ZX", np.stack([roll, camera_pitch], axis=1))
    return view * Rotation.from_rotvec([np.pi, 0, 0]) * body


def _balancing_lean(joints):
    """(B,) radians to lean forward so that the body's centre is above its support.

    The support is the lowest of feet and knees. At most 45 degrees.
    """
    supports = joints[:, skeleton.indices(_SUPPORTS, skeleton.SMPL_JOINTS)]
    height = supports[..., 1:2] - supports[..., 1:2].min(axis=1, keepdims=True)
    weights = np.exp(-height / 0.08)
    support = (weights * supports).sum(axis=1) / weights.sum(axis=1)
    _, down, forward = (support - joints.mean(axis=1)).T
    return np.clip(np.arctan2(forward, -down), -np.pi / 4, np.pi / 4)


def _translation(rng, keypoints, focal_px):
    """(B, 3) metres: the person is about 150 px large and near the middle of the picture."""
    low, high = keypoints[..., :2].min(axis=1), keypoints[..., :2].max(axis=1)
    person_px = crop.PERSON_PX * rng.uniform(0.9, 1.1, BATCH_SIZE)
    px_per_metre = person_px / np.linalg.norm(high - low, axis=1)
    centred = rng.normal(0, 6, (BATCH_SIZE, 2)) / px_per_metre[:, None] - (low + high) / 2
    # Of the keypoints' mean, not of SMPL's origin, so that the scale is right at the person.
    distance = focal_px / px_per_metre - keypoints[..., 2].mean(axis=1)
    return np.concatenate([centred, distance[:, None]], axis=1).astype(np.float32)

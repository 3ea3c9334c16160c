"""python -m tools.walking_picture [--folder=build/walking] [--output=docs/pictures]

Draws the moving picture of the animators' section: a synthetic walk is drawn as a video, predicted
by the command for animators, and shown beside the overlay and the bodies from their left side. A
drawn body stands in for a filmed person: no video that may be passed on comes with hmr_tf.
"""

import os
import subprocess
import sys
from pathlib import Path

# TensorFlow reports on import which GPU libraries it lacks; later faults are raised.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2
import numpy as np
import tensorflow as tf
from absl import flags
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation

from data_prep.synthesis import appearance
from data_prep.synthesis.key_poses import KEY_POSES
from data_prep.synthesis.pose_sampler import key_poses
from hmr_tf.body import body_model, skeleton
from hmr_tf.body.smpl import SMPL
from hmr_tf.cli import command_line
from hmr_tf.files import atomic, optional_models
from hmr_tf.files.errors import InputError
from hmr_tf.inference import video_files
from hmr_tf.rendering import render

RATE_HZ, NUM_FRAMES, FRAMES_PER_CYCLE = 24, 48, 26
SIZE, FOCAL_PX = (480, 480), 680.0  # height and width of the video
SPEED, DISTANCE, CAMERA_HEIGHT, WALL = 1.25, 4.5, 0.95, 8.0  # m/s, and metres
YAW_DEG = 30.0  # of the walk; 0 is towards the camera
HEIGHT, EVERY = 240, 2  # of the picture: rows, and which frames of the video it shows
OPTIONS = flags.FlagValues()
flags.DEFINE_string("folder", "build/walking", "For video and predictions.", flag_values=OPTIONS)
flags.DEFINE_string("detector", "models/movenet", "Of tools.movenet.", flag_values=OPTIONS)
flags.DEFINE_string("output", "docs/pictures", "Folder of the picture.", flag_values=OPTIONS)


def main(argv):
    if len(argv) > 1:
        raise InputError(f"{argv[1]!r} is not a flag: every option is --name=value; see --help.")
    optional_models.check_detector(OPTIONS.detector)
    for flag in ("folder", "output"):
        atomic.check_folder(flag, OPTIONS[flag].value)
    folder = Path(OPTIONS.folder)
    folder.mkdir(parents=True, exist_ok=True)
    body = body_model.read_model()
    smpl, video = SMPL(body), folder / "walk.mp4"
    with video_files.writer(video, RATE_HZ) as write:
        for image in draw_walk(body, smpl):
            write(image)
    command = [sys.executable, "-m", "hmr_tf.main", "--mode=predict", f"--video_path={video}"]
    flags_of_animators = ["--smooth=savgol", "--write=overlay,npz,glb,bvh"]
    where = [f"--detector={OPTIONS.detector}", f"--output_dir={folder}"]
    code = subprocess.run([*command, *where, *flags_of_animators], check=False).returncode
    if code:  # its reason stands above
        return code
    with np.load(folder / "walk.npz") as predicted:
        path = Path(OPTIONS.output) / "walking.webp"
        write_picture(path, panels(video, folder / "walk_overlay.mp4", predicted, smpl))
    return 0


def walk_poses(num_frames=NUM_FRAMES):
    """(N, 24, 3) axis-angle of a walk: key poses and their mirror images, interpolated."""
    names, keys = list(KEY_POSES), key_poses()
    strike, passing = (
        keys[names.index(name)] for name in ("walk, left foot in front", "walk, left leg passes")
    )
    cycle = np.stack([strike, _mirrored(passing), _mirrored(strike), passing, strike])
    spline = CubicSpline(np.linspace(0, 1, 5), cycle, bc_type="periodic")
    return spline(np.arange(num_frames) / FRAMES_PER_CYCLE).astype(np.float32)


def _mirrored(pose):
    return pose[list(skeleton.mirror(skeleton.SMPL_JOINTS))] * [1.0, -1.0, -1.0]


def walking_points(smpl, num_frames=NUM_FRAMES):
    """(N, V, 3) metres in the camera's frame: the lowest point of each frame is on the floor."""
    poses = walk_poses(num_frames)
    view = Rotation.from_rotvec([np.pi, 0, 0]) * Rotation.from_euler("Y", YAW_DEG, degrees=True)
    poses[:, 0] = view.as_rotvec()
    betas = tf.zeros((len(poses), 10))
    points = smpl(tf.constant(poses), betas).vertices.numpy()
    metres = SPEED * (np.arange(len(poses)) - len(poses) / 2) / RATE_HZ
    points = points + metres[:, None, None] * view.apply([0, 0, 1])
    points[..., 1] += CAMERA_HEIGHT - points[..., 1].max(axis=1, keepdims=True)
    return (points + np.array([0, 0, DISTANCE])).astype(np.float32)


def draw_walk(body, smpl):
    """Yields the frames of the walk, (H, W, 3) uint8: a dressed body before a wall."""
    height, width = SIZE
    background = np.full((height, width, 3), (196, 200, 206), np.uint8)
    background[round(height / 2 + FOCAL_PX * CAMERA_HEIGHT / WALL) :] = (150, 146, 138)
    rng = np.random.default_rng(6)
    color = appearance.clothes(rng, appearance.body_regions(body), 1)
    for points in walking_points(smpl):
        pictures, _ = render.render_scene(
            points[None],
            np.zeros((1, 3), np.float32),
            body.faces.astype(np.int32),
            focal_px=FOCAL_PX,
            principal_px=(width / 2, height / 2),
            size=SIZE,
            color=color,
            background=background[None],
        )
        yield pictures[0]


def panels(video, overlay, predicted, smpl):
    """Yields frames of the picture: the video, the overlay, the predicted body from its left.

    Args:
      video, overlay: paths of the videos.
      predicted: arrays of the .npz of a video.
      smpl: `hmr_tf.body.smpl.SMPL`.
    """
    rotations = {n: i for i, n in enumerate(predicted["frame"]) if predicted["person"][i] == 0}
    faces = np.asarray(predicted["faces"], np.int32)
    with video_files.Video(video) as frames, video_files.Video(overlay) as drawn:
        for number, (image, body_over_image) in enumerate(zip(frames, drawn)):
            if number % EVERY or number not in rotations:
                continue
            row = rotations[number]
            vertices = smpl(
                tf.constant(predicted["rotations"][row : row + 1]),
                tf.constant(predicted["betas"][row : row + 1]),
            ).vertices
            yield np.hstack([_scaled(image), _scaled(body_over_image), _from_left(vertices, faces)])


def _from_left(vertices, faces):
    """(HEIGHT, HEIGHT, 3) uint8, always at the same distance."""
    distance = np.array([[0, 0, 4]], np.float32) - np.mean(vertices, axis=1)
    return render.render_scene(
        render.side_view(vertices + distance[:, None], 90.0),
        np.zeros((1, 3), np.float32),
        faces,
        focal_px=1.9 * HEIGHT,
        principal_px=(HEIGHT / 2, HEIGHT / 2),
        size=(HEIGHT, HEIGHT),
    )[0][0]


def _scaled(image):
    size = (round(image.shape[1] * HEIGHT / image.shape[0]), HEIGHT)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def write_picture(path, frames):
    """Writes RGB frames as an animated WebP."""
    animation = cv2.Animation()
    animation.frames = [cv2.cvtColor(frame, cv2.COLOR_RGB2BGR) for frame in frames]
    animation.durations = [round(1000 * EVERY / RATE_HZ)] * len(animation.frames)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwriteanimation(str(path), animation, [cv2.IMWRITE_WEBP_QUALITY, 60])
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    command_line.run(main, OPTIONS)

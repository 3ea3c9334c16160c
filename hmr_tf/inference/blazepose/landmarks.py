"""BlazePose: landmarks of one person, in the photograph and in 3D.

An optional extra that `tools.blazepose` installs. BlazePose GHUM, Google, Apache-2.0; TensorFlow
Lite runs it.
"""

import queue
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import tensorflow as tf
from scipy.special import expit

from hmr_tf.body import fitting
from hmr_tf.body.skeleton import KEYPOINTS, indices
from hmr_tf.files.errors import InputError
from hmr_tf.files.optional_models import BLAZEPOSE_FILE

_SIZE = 256  # side of its input
_NUM_LANDMARKS = (
    39  # 33 of the body, the middle of the hips, a point that gives size and rotation, more
)
_CENTER, _EDGE = 33, 34
_ENLARGED = 1.4  # the second window, for people who are only predicted
_MIN_PRESENCE = 0.5
# Name of a keypoint -> its number among the landmarks, which lack neck and top of the head.
_LANDMARKS = {
    "nose": 0,
    **{"left_eye": 2, "right_eye": 5, "left_ear": 7, "right_ear": 8},
    **{"left_shoulder": 11, "right_shoulder": 12, "left_elbow": 13, "right_elbow": 14},
    **{"left_wrist": 15, "right_wrist": 16, "left_hip": 23, "right_hip": 24},
    **{"left_knee": 25, "right_knee": 26, "left_ankle": 27, "right_ankle": 28},
}
_KEYPOINT_INDICES = indices(_LANDMARKS, KEYPOINTS)
_LANDMARK_INDICES = list(_LANDMARKS.values())
_HIPS = list(indices(("right_hip", "left_hip"), KEYPOINTS))
_SHOULDERS = list(indices(("right_shoulder", "left_shoulder"), KEYPOINTS))


class Landmarks(NamedTuple):
    """The landmarks of one person; keypoints in the order of `skeleton.KEYPOINTS`."""

    keypoints_px: np.ndarray  # (19, 3) x, y in the photograph, confidence; 0: it has no such point
    joints3d: np.ndarray  # (19, 3) metres, the camera's axes
    presence: float  # 0 to 1, whether a person is there


class Window(NamedTuple):
    """The square of a photograph that is the input of BlazePose."""

    center_px: np.ndarray  # (2,)
    radius_px: float  # half of its side
    angle: float  # radians, by which it is rotated so that the torso is upright


class BlazePose:
    """Photograph and window -> landmarks of the person in it.

    Each interpreter has one thread: on busy cores, two threads of one would wait for each other.
    """

    def __init__(self, folder, num_calls=1):
        """Args:
        folder: what `python -m tools.blazepose` made.
        num_calls: how many threads may call it at the same time; others wait.

        Raises:
          InputError: BlazePose was not made, or a file of another version.
        """
        path = Path(folder) / BLAZEPOSE_FILE
        if not path.is_file():
            raise InputError(
                f"{folder} holds no BlazePose: make it, `python -m tools.blazepose "
                f"--output={folder}`."
            )
        self._idle = queue.SimpleQueue()
        try:
            for _ in range(num_calls):
                interpreter = tf.lite.Interpreter(str(path), num_threads=1)
                interpreter.allocate_tensors()
                self._idle.put(interpreter)
            (self._input,) = [d["index"] for d in interpreter.get_input_details()]
            outputs = interpreter.get_output_details()
            shapes = {tuple(d["shape"]): d["index"] for d in outputs}
            self._points = shapes[1, 5 * _NUM_LANDMARKS]
            self._joints_m, self._presence = shapes[1, 3 * _NUM_LANDMARKS], shapes[1, 1]
        except (ValueError, RuntimeError, KeyError) as error:
            raise InputError(
                f"{path} is damaged or of another version: make it again with tools.blazepose."
            ) from error

    def detect(self, image, keypoints_px):
        """Runs twice, the second time on the window of the first run; the better run counts.

        Args:
          image: (H, W, 3) uint8 RGB.
          keypoints_px: (19, 3) x, y, weight of the person as labelled or predicted; at least two
            with a weight.

        Returns:
          Landmarks, those nearer to the keypoints.
        """
        window = window_of(keypoints_px)
        first, second_window = self(image, window)
        runs = [first]
        if _are_alike(window, second_window):
            runs.append(self(image, second_window)[0])
        return min(runs, key=lambda run: _distance(run.keypoints_px, keypoints_px))

    def detect_predicted(self, image, keypoints_px):
        """As `detect`, but of keypoints that are only predicted: the second run counts.

        Its window is an enlarged one around the first run. For 499 validation people of
        LSP-extended 88.1 % of the refined keypoints are right (PCK at half a torso), with one run
        83.5 %, with three 88.4 %.

        Args:
          image: (H, W, 3) uint8 RGB.
          keypoints_px: (19, 3) x, y, weight as the network predicts them.

        Returns:
          Landmarks, those of the first run where the second one detects no person.
        """
        window = window_of(keypoints_px)
        first, following = self(image, window)
        if not _are_alike(window, following):
            return first
        enlarged = following._replace(radius_px=_ENLARGED * following.radius_px)
        second, _ = self(image, enlarged)
        return first if second.presence < min(first.presence, _MIN_PRESENCE) else second

    def __call__(self, image, window):
        """Returns the Landmarks in a Window, and the Window around them."""
        to_image = _to_image(window)
        crop = cv2.warpAffine(
            image, to_image, (_SIZE, _SIZE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        )
        points, joints_m, presence = self._run(crop[None].astype(np.float32) / 255)
        points_px = points[:, :2] @ to_image[:, :2].T + to_image[:, 2]
        joints_m[:, :2] = joints_m[:, :2] @ _rotation2d(window.angle).T
        keypoints, joints3d = np.zeros((19, 3), np.float32), np.zeros((19, 3), np.float32)
        keypoints[list(_KEYPOINT_INDICES), :2] = points_px[_LANDMARK_INDICES]
        keypoints[list(_KEYPOINT_INDICES), 2] = expit(points[_LANDMARK_INDICES, 3])
        joints3d[list(_KEYPOINT_INDICES)] = joints_m[_LANDMARK_INDICES]
        towards = points_px[_EDGE] - points_px[_CENTER]
        following = Window(
            points_px[_CENTER],
            float(1.25 * np.linalg.norm(towards)),
            float(np.arctan2(towards[0], -towards[1])),
        )
        return Landmarks(keypoints, joints3d, presence), following

    def _run(self, pixels):
        """(1, 256, 256, 3) -> landmarks (39, 5), their places in metres (39, 3), presence."""
        interpreter = self._idle.get()
        try:
            interpreter.set_tensor(self._input, pixels)
            interpreter.invoke()
            points, joints_m, presence = (
                interpreter.get_tensor(index)  # a copy
                for index in (self._points, self._joints_m, self._presence)
            )
        finally:
            self._idle.put(interpreter)
        points, joints_m = points.reshape(_NUM_LANDMARKS, 5), joints_m.reshape(_NUM_LANDMARKS, 3)
        return points, joints_m, float(presence.ravel()[0])


def window_of(keypoints_px):
    """The Window around (19, 3) keypoints, the torso upright in it where it is labelled."""
    points, has = keypoints_px[:, :2], keypoints_px[:, 2] > 0
    if has[_HIPS + _SHOULDERS].all():
        hips, shoulders = points[_HIPS].mean(axis=0), points[_SHOULDERS].mean(axis=0)
        up = shoulders - hips
        reach = np.linalg.norm(points[has] - hips, axis=1).max()
        radius = max(1.15 * reach, 1.5 * np.linalg.norm(up), 1.0)
        return Window(hips, float(radius), float(np.arctan2(up[0], -up[1])))
    low, high = points[has].min(axis=0), points[has].max(axis=0)
    center = (low + high) / 2
    reach = np.linalg.norm(points[has] - center, axis=1).max()
    return Window(center, float(1.3 * reach + 5), 0.0)


def _are_alike(window, following):
    """Whether the Window around detected landmarks has about the size of the first one."""
    return window.radius_px / 4 < following.radius_px < 4 * window.radius_px


def directions_of(joints3d, weights):
    """(B, 19, 3) joints and (B, 19) weights -> (B, D, 4) for `fitting.Fitter`.

    The weight of a direction is the smallest of its joints'.
    """
    units = fitting.unit_directions(np.asarray(joints3d, np.float32)).numpy()
    of_direction = [
        np.asarray(weights)[:, indices(names, KEYPOINTS)].min(axis=1)
        for names in fitting.DIRECTIONS
    ]
    return np.concatenate([units, np.stack(of_direction, axis=1)[..., None]], axis=-1)


def person_size_px(keypoints_px):
    """(19, 3) -> mean distance of the labelled keypoints from their middle, pixels."""
    points = keypoints_px[keypoints_px[:, 2] > 0, :2]
    return max(float(np.linalg.norm(points - points.mean(axis=0), axis=1).mean()), 1.0)


def _distance(keypoints_px, labels_px):
    """Mean distance where both have the keypoint, in sizes of the person, at most 1 each."""
    both = (keypoints_px[:, 2] > 0) & (labels_px[:, 2] > 0)
    if not both.any():
        return 1.0
    apart = np.linalg.norm(keypoints_px[both, :2] - labels_px[both, :2], axis=1)
    return np.minimum(apart / person_size_px(labels_px), 1).mean()


def _rotation2d(angle):
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _to_image(window):
    """(2, 3) affine transform from pixels of the input of BlazePose to the photograph."""
    transform = np.zeros((2, 3))
    transform[:, :2] = _rotation2d(window.angle) * (2 * window.radius_px / _SIZE)
    transform[:, 2] = window.center_px - transform[:, :2] @ [_SIZE / 2, _SIZE / 2]
    return transform

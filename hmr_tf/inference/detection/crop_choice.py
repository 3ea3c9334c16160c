"""Which crop of a detected person the network's prediction is taken from.

The network's error varies with the size of the crop by a third and more. A detected person is
predicted from a few crops. The prediction that fits the detector's keypoints best counts, its
camera moved and scaled towards them.
"""

from typing import NamedTuple, Optional

import numpy as np
import tensorflow as tf

from hmr_tf.body import camera, rotation, skeleton, theta
from hmr_tf.data import crop as crops
from hmr_tf.inference import person_crops
from hmr_tf.inference.detection.detector import MIN_CONFIDENCE
from hmr_tf.networks.prediction import prediction_as_dict, prediction_from_body

# Factors of the detected box, and whether the crop is mirrored.
VARIANTS = ((1.0, False), (1.0, True), (0.85, False), (1.2, False))
_MIN_SCALE = 1e-6  # of the camera
_FACE_WEIGHT = 0.5  # of keypoints of the face against those of the limbs
# The camera stays as predicted with the weight of so many keypoints of confidence 1.
_CAMERA_WEIGHT = 2.0
# A keypoint this far off, in shares of the person's diagonal, counts half.
_ROBUST_SHARE = 0.1
_NUM_STEPS = 5  # of reweighted least squares
_MIRRORED_KEYPOINTS = list(skeleton.mirror(skeleton.KEYPOINTS))
_IS_FACE = np.isin(skeleton.KEYPOINTS, skeleton.FACE_KEYPOINTS)
_MIRRORED_JOINTS = skeleton.mirror(skeleton.SMPL_JOINTS)
_MIRRORED_CAMERA = np.float32([1, -1, 1])  # s, tx, ty


class CropsOfPerson(NamedTuple):
    """The crops that one person is predicted from."""

    crops: list  # of `person_crops.PersonCrop`
    keypoints_px: Optional[np.ndarray] = None  # (17, 3) of `DetectedPerson`; None: one given crop


class Placement(NamedTuple):
    """How predicted keypoints are moved towards detected ones: scale * point + offset."""

    scale: np.ndarray  # (N,)
    offset: np.ndarray  # (N, 2) in the unit of the points
    error: np.ndarray  # (N,) mean distance left, in shares of the detected keypoints' diagonal


def crops_of_detection(image, detected, pinhole, image_size):
    """Cuts the crops of one detected person, whose `box` is the detected one in each.

    Args:
      image: (H, W, 3) uint8 RGB.
      detected: `detector.DetectedPerson`.
      pinhole: `camera.Pinhole` of the photograph.
      image_size: side of the crops.

    Returns:
      CropsOfPerson, a crop for each of `VARIANTS`.

    Raises:
      InputError: the person is too small for a crop.
    """
    x, y, width, height = detected.box
    made = {}
    for factor in {factor for factor, _ in VARIANTS}:
        corner = x - (factor - 1) * width / 2, y - (factor - 1) * height / 2
        box = (*corner, factor * width, factor * height)
        made[factor] = person_crops.crop_person(image, box, image_size)
    of_person = [
        person_crops.PersonCrop(
            made[factor][0][:, ::-1] if is_mirrored else made[factor][0],
            made[factor][1],
            detected.box,
            pinhole,
        )
        for factor, is_mirrored in VARIANTS
    ]
    return CropsOfPerson(of_person, detected.keypoints_px)


class CropChoice:
    """Predictions for the crops of detected people -> one prediction for each person."""

    def __init__(self, hmr):
        """Args: hmr: `networks.hmr.HMR`."""
        self._hmr = hmr

    def __call__(self, predicted, crops_of_people):
        """Chooses the predictions.

        Args:
          predicted: dict of arrays with a row for each crop, as of `prediction_as_dict`.
          crops_of_people: list of CropsOfPerson; a given crop stays as predicted.

        Returns:
          dict of arrays with a row for each person, and the list of their `PersonCrop`.
        """
        rows, chosen_crops, moved, first = [], [], [], 0
        for of_person, detected_px in crops_of_people:
            best = 0
            if detected_px is not None:
                some = slice(first, first + len(of_person))
                keypoints, cameras = predicted["keypoints2d_px"][some], predicted["camera"][some]
                best, weak_camera = self._best(keypoints, cameras, detected_px, of_person)
                moved.append((len(rows), weak_camera, VARIANTS[best][1]))
            rows.append(first + best)
            chosen_crops.append(of_person[best])
            first += len(of_person)
        result = {name: values[rows] for name, values in predicted.items()}
        if moved:
            self._set_cameras(result, *(np.array(values) for values in zip(*moved)))
        return result, chosen_crops

    def _best(self, keypoints_px, cameras, detected_px, of_person):
        """Number of the variant that fits the detected keypoints best, and its (3,) camera."""
        size = self._hmr.image_size
        mirrored = np.array([is_mirrored for _, is_mirrored in VARIANTS])
        points = 2 * keypoints_px / size - 1  # `camera.pixels_from_norm` inverted
        points[mirrored] = (points[mirrored] * [-1, 1])[:, _MIRRORED_KEYPOINTS]
        cameras = np.where(mirrored[:, None], cameras * _MIRRORED_CAMERA, cameras)
        targets, weights = _as_keypoints(detected_px)
        targets = np.stack([crops.to_crop(targets, each.crop) for each in of_person])
        placement = place(points, 2 * targets / size - 1, weights)
        best = int(placement.error.argmin())
        scale, translation = placement.scale[best] * cameras[best, 0], cameras[best, 1:]
        if abs(scale) > _MIN_SCALE:
            translation = translation + placement.offset[best] / scale
        return best, np.append(scale, translation).astype(np.float32)

    def _set_cameras(self, result, rows, cameras, is_mirrored):
        """Gives these rows other cameras; bodies of mirrored crops are mirrored back."""
        result["camera"][rows] = result["theta"][rows, :3] = cameras
        points_norm = camera.project(result["joints3d"][rows], cameras)
        result["keypoints2d_px"][rows] = camera.pixels_from_norm(points_norm, self._hmr.image_size)
        if not is_mirrored.any():
            return
        rows, cameras = rows[is_mirrored], cameras[is_mirrored]
        rotations = rotation.reflect(tf.constant(result["rotations"][rows]), _MIRRORED_JOINTS)
        pose = rotation.axis_angle_from_matrix(rotations).astype(np.float32)
        betas = result["betas"][rows]
        body = self._hmr.smpl(rotations, tf.constant(betas))
        prediction = prediction_from_body(theta.join(cameras, pose, betas), body)
        for name, values in prediction_as_dict(prediction, self._hmr.image_size).items():
            result[name][rows] = values


def _as_keypoints(detected_px):
    """(17, 3) of `COCO_KEYPOINTS` -> (19, 2) points and (19,) weights, 0 for those not detected."""
    converted = skeleton.convert(detected_px, skeleton.COCO_KEYPOINTS, skeleton.KEYPOINTS)
    converted = np.nan_to_num(converted)
    weights = np.where(converted[:, 2] > MIN_CONFIDENCE, converted[:, 2], 0.0)
    return converted[:, :2], weights * np.where(_IS_FACE, _FACE_WEIGHT, 1.0)


def place(points, targets, weights):
    """Scale and offset that move predicted points onto detected ones, by robust least squares.

    Args:
      points: (N, K, 2) predictions of the same person.
      targets: (N, K, 2) the detected keypoints in the same units.
      weights: (K,) of the detected keypoints.

    Returns:
      Placement. A prediction that is not finite has an infinite error.
    """
    is_finite = np.isfinite(points).all(axis=(1, 2))
    points = np.where(is_finite[:, None, None], points, 0.0)
    middle = points.mean(axis=1, keepdims=True)
    x, y = points - middle, targets - middle
    squared_size = np.maximum((x**2).sum(axis=2).mean(axis=1), 1e-12)
    diagonals = np.maximum(np.linalg.norm(np.ptp(x, axis=1), axis=-1), 1e-6)
    solution = np.tile([1.0, 0.0, 0.0], (len(points), 1))  # scale, offset of the middle
    for _ in range(_NUM_STEPS):
        apart = np.linalg.norm(solution[:, :1, None] * x + solution[:, None, 1:] - y, axis=-1)
        w = weights / (1 + (apart / diagonals[:, None] / _ROBUST_SHARE) ** 2)
        a, b = np.zeros((len(x), 3, 3)), np.zeros((len(x), 3))
        a[:, 0, 0] = np.einsum("nk,nkc,nkc->n", w, x, x) + _CAMERA_WEIGHT * squared_size
        a[:, 0, 1:] = a[:, 1:, 0] = np.einsum("nk,nkc->nc", w, x)
        a[:, 1, 1] = a[:, 2, 2] = w.sum(axis=1) + _CAMERA_WEIGHT
        b[:, 0] = np.einsum("nk,nkc,nkc->n", w, x, y) + _CAMERA_WEIGHT * squared_size
        b[:, 1:] = np.einsum("nk,nkc->nc", w, y)
        solution = np.linalg.solve(a, b[..., None])[..., 0]
    scale, offset = solution[:, 0], solution[:, 1:]
    apart = np.linalg.norm(scale[:, None, None] * x + offset[:, None] - y, axis=-1)
    sizes = np.linalg.norm(np.ptp(targets[:, weights > 0], axis=1), axis=-1)
    error = (apart @ weights) / max(weights.sum(), 1e-6) / np.maximum(sizes, 1e-6)
    offset = offset + (1 - scale[:, None]) * middle[:, 0]
    return Placement(scale, offset, np.where(is_finite, error, np.inf))

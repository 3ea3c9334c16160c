"""One prediction from several crops of a person.

The network's error varies with the size of the crop by a third and more, so a person without a
given box is predicted from a few crops. Where a detector gave keypoints, the prediction that fits
them best counts, its camera moved and scaled towards them; else the mean body of those that agree.
"""

from typing import NamedTuple, Optional

import numpy as np
import tensorflow as tf

from hmr_tf.body import camera, rotation, skeleton, theta
from hmr_tf.data import crop as crops
from hmr_tf.inference import person_crops
from hmr_tf.inference.detection.detector import MIN_CONFIDENCE
from hmr_tf.inference.detection.keypoint_placement import Placement, move_cameras, place
from hmr_tf.networks import flip_test
from hmr_tf.networks.prediction import prediction_as_dict, prediction_from_body

# Factors of the box, and whether the crop is mirrored. Where the network looked for the person
# itself, the size of its window is less certain.
DETECTED_VARIANTS = ((1.0, False), (1.0, True), (0.85, False), (1.2, False))
SEARCHED_VARIANTS = tuple(
    (factor, is_mirrored) for factor in (1.0, 1.2, 0.8, 0.65) for is_mirrored in (False, True)
)
# Of so many predictions the one that differs most from the others is left out of the mean body.
_PREDICTIONS_PER_OUTLIER = 4
_AVERAGED = ("keypoints2d_px", "rotations", "camera", "betas")
_FACE_WEIGHT = 0.5  # of keypoints of the face against those of the limbs
_MEAN_WEIGHT = 100.0  # of the mean keypoints, towards which a mean body's camera moves
_IS_FACE = np.isin(skeleton.KEYPOINTS, skeleton.FACE_KEYPOINTS)


class CropsOfPerson(NamedTuple):
    """The crops that one person is predicted from."""

    crops: list  # of `person_crops.PersonCrop`, with the same box
    variants: tuple = ((1.0, False),)  # factor of the box, whether mirrored, of each crop
    keypoints_px: Optional[np.ndarray] = None  # (17, 3) of `DetectedPerson`


def crops_of_person(image, box, pinhole, image_size, variants, keypoints_px=None):
    """Cuts the crops of one person.

    Args:
      image: (H, W, 3) uint8 RGB.
      box: (x, y, width, height) of the person in pixels.
      pinhole: `camera.Pinhole` of the photograph.
      image_size: side of the crops.
      variants: `DETECTED_VARIANTS` or `SEARCHED_VARIANTS`.
      keypoints_px: (17, 3) of `detector.DetectedPerson`, or None.

    Returns:
      CropsOfPerson.

    Raises:
      InputError: the box is empty or outside the photograph, or too small for a crop.
    """
    x, y, width, height = box
    made = {}
    for factor in {factor for factor, _ in variants}:
        corner = x - (factor - 1) * width / 2, y - (factor - 1) * height / 2
        scaled = (*corner, factor * width, factor * height)
        made[factor] = person_crops.crop_person(image, scaled, image_size)
    of_person = []
    for factor, is_mirrored in variants:
        pixels, crop = made[factor]
        pixels = pixels[:, ::-1] if is_mirrored else pixels
        of_person.append(person_crops.PersonCrop(pixels, crop, box, pinhole))
    return CropsOfPerson(of_person, variants, keypoints_px)


class CropChoice:
    """Predictions for all crops of people -> one prediction for each person."""

    def __init__(self, hmr):
        """Args: hmr: `networks.hmr.HMR`."""
        self._hmr = hmr

    def __call__(self, predicted, crops_of_people):
        """Chooses or averages the predictions.

        Args:
          predicted: dict of arrays with a row for each crop, as of `prediction_as_dict`.
          crops_of_people: list of CropsOfPerson; a person's only crop stays as predicted.

        Returns:
          dict of arrays with a row for each person, and the list of their `PersonCrop`.
        """
        rows, chosen_crops, moved, means, first = [], [], [], [], 0
        arrays = [(name, predicted[name]) for name in _AVERAGED]
        for person in crops_of_people:
            best, of_crops = 0, {name: x[first : first + len(person.crops)] for name, x in arrays}
            if person.keypoints_px is not None:
                best, weak_camera = self._best(self._mirrored_back(of_crops, person), person)
                moved.append((len(rows), weak_camera, person.variants[best][1]))
            elif len(person.crops) > 1 and any(_is_finite(of_crops)):
                means.append(
                    (len(rows), *self._mean(self._mirrored_back(of_crops, person), person))
                )
            rows.append(first + best)
            chosen_crops.append(person.crops[best])
            first += len(person.crops)
        result = {name: values[rows] for name, values in predicted.items()}
        if moved:
            self._set_cameras(result, *(np.array(values) for values in zip(*moved)))
        if means:
            self._set_means(result, *(np.array(values) for values in zip(*means)))
        return result, chosen_crops

    def _mirrored_back(self, of_crops, person):
        """Predictions of one person as if no crop were mirrored.

        Args:
          of_crops: dict of the arrays `_AVERAGED`, with a row for each of C crops.
          person: CropsOfPerson.

        Returns:
          dict of keypoints2d_px (C, 19, 2), rotations (C, 24, 3, 3), camera (C, 3), betas (C, 10).
        """
        mirrored = np.array([is_mirrored for _, is_mirrored in person.variants])
        keypoints_px, rotations = of_crops["keypoints2d_px"], of_crops["rotations"]
        other_px = flip_test.mirror_keypoints(keypoints_px, self._hmr.image_size)
        reflected = flip_test.mirror_rotations(rotations)
        camera_signs = np.where(mirrored[:, None], flip_test.MIRRORED_CAMERA, 1)
        return {
            "keypoints2d_px": np.where(mirrored[:, None, None], other_px, keypoints_px),
            "rotations": np.where(mirrored[:, None, None, None], reflected, rotations),
            "camera": camera_signs * of_crops["camera"],
            "betas": of_crops["betas"],
        }

    def _best(self, of_crops, person):
        """Number of the variant that fits the detected keypoints best, and its (3,) camera."""
        targets, weights = _as_keypoints(person.keypoints_px)
        targets = np.stack([crops.to_crop(targets, each.crop) for each in person.crops])
        points_norm = self._norm(of_crops["keypoints2d_px"])
        placement = place(points_norm, self._norm(targets), weights)
        best = int(placement.error.argmin())
        return best, move_cameras(of_crops["camera"], placement)[best]

    def _norm(self, points_px):
        """Pixels of the crop -> [-1, 1]: `camera.pixels_from_norm` inverted."""
        return 2 * points_px / self._hmr.image_size - 1

    def _set_cameras(self, result, rows, cameras, is_mirrored):
        """Gives these rows other cameras; bodies of mirrored crops are mirrored back.

        Args:
          result: dict of arrays with a row for each person, changed in place.
          rows: (M,) indices of people.
          cameras: (M, 3) weak perspective of the bodies mirrored back.
          is_mirrored: (M,) bool, whether the person's chosen crop is.
        """
        result["camera"][rows] = result["theta"][rows, :3] = cameras
        points_norm = camera.project(result["joints3d"][rows], cameras)
        result["keypoints2d_px"][rows] = camera.pixels_from_norm(points_norm, self._hmr.image_size)
        if is_mirrored.any():
            rows = rows[is_mirrored]
            rotations = flip_test.mirror_rotations(result["rotations"][rows])
            body = self._hmr.smpl(tf.constant(rotations), tf.constant(result["betas"][rows]))
            self._set_bodies(result, rows, body, cameras[is_mirrored], result["betas"][rows])

    def _mean(self, of_crops, person):
        """Means of the finite predictions of one person, without outliers.

        Args:
          of_crops: dict of arrays with a row for each crop, as of `_mirrored_back`.
          person: CropsOfPerson.

        Returns:
          (24, 3, 3) rotations, (10,) betas and, in the first crop, (19, 2) keypoints in pixels and
          the (3,) camera of the first prediction that counts.
        """
        first, finite = person.crops[0].crop, np.flatnonzero(_is_finite(of_crops))
        to_first = np.array(
            [
                crops.to_crop(crops.to_image(keypoints_px, each.crop), first)
                for keypoints_px, each in zip(of_crops["keypoints2d_px"], person.crops)
            ]
        )
        some = finite[_without_outliers(to_first[finite])]
        rotations = flip_test.mean_rotations(of_crops["rotations"][some])
        betas = of_crops["betas"][some].mean(axis=0)
        keypoints_px = to_first[some].mean(axis=0)
        number = some[0]
        ends_px = self._hmr.image_size * np.array([[0.0, 0.0], [0.5, 0.5]])
        ends_px = crops.to_crop(crops.to_image(ends_px, person.crops[number].crop), first)
        corner, middle = self._norm(ends_px)  # (-1, -1) and (0, 0) of that crop
        placement = Placement((middle - corner).mean(keepdims=True), middle[None], np.zeros(1))
        (weak_camera,) = move_cameras(of_crops["camera"][[number]], placement)
        return rotations, betas, keypoints_px, weak_camera

    def _set_means(self, result, rows, rotations, betas, targets_px, cameras):
        """Gives these rows mean bodies, their cameras moved towards their mean keypoints.

        Args:
          result: dict of arrays with a row for each person, changed in place.
          rows: (M,) indices of people.
          rotations, betas: (M, 24, 3, 3) and (M, 10) of their mean bodies.
          targets_px: (M, 19, 2) mean keypoints in pixels of their first crops.
          cameras: (M, 3) weak perspective to start from.
        """
        body = self._hmr.smpl(tf.constant(rotations), tf.constant(betas))
        points_norm = camera.project(body.joints3d, cameras).numpy()
        weights = np.full(len(skeleton.KEYPOINTS), _MEAN_WEIGHT)
        placement = place(points_norm, self._norm(targets_px), weights)
        self._set_bodies(result, rows, body, move_cameras(cameras, placement), betas)

    def _set_bodies(self, result, rows, body, cameras, betas):
        """Gives these rows other bodies, in all arrays.

        Args:
          result: dict of arrays with a row for each person, changed in place.
          rows: (M,) indices of people.
          body: `smpl.Body` of M bodies.
          cameras, betas: (M, 3) weak perspective and (M, 10).
        """
        pose = rotation.axis_angle_from_matrix(body.rotations).astype(np.float32)
        prediction = prediction_from_body(theta.join(cameras, pose, betas), body)
        for name, values in prediction_as_dict(prediction, self._hmr.image_size).items():
            result[name][rows] = values


def _is_finite(of_crops):
    """Which predictions are finite: those of a broken network are not."""
    flat = [values.reshape(len(values), -1) for values in of_crops.values()]
    return np.isfinite(np.concatenate(flat, axis=1)).all(axis=1)


def _without_outliers(keypoints_px):
    """Indices, ascending, of the (N, K, 2) predictions of a person that are nearest to the others.

    One of `_PREDICTIONS_PER_OUTLIER` is left out: with the greatest median distance to all.
    """
    apart = np.linalg.norm(keypoints_px[:, None] - keypoints_px, axis=-1).mean(axis=-1)
    nearest = np.median(apart, axis=1).argsort(kind="stable")
    num_outliers = len(keypoints_px) // _PREDICTIONS_PER_OUTLIER
    return np.sort(nearest[: len(keypoints_px) - num_outliers])


def _as_keypoints(detected_px):
    """(17, 3) of `COCO_KEYPOINTS` -> (19, 2) points and (19,) weights, 0 for those not detected."""
    converted = skeleton.convert(detected_px, skeleton.COCO_KEYPOINTS, skeleton.KEYPOINTS)
    converted = np.nan_to_num(converted)
    weights = np.where(converted[:, 2] > MIN_CONFIDENCE, converted[:, 2], 0.0)
    return converted[:, :2], weights * np.where(_IS_FACE, _FACE_WEIGHT, 1.0)

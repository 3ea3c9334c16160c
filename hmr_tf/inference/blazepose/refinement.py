"""Refines predictions: fits the network's bodies to BlazePose's landmarks, as SPIN and EFT do."""

from concurrent import futures
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from hmr_tf.body import fitting, theta
from hmr_tf.data import crop as crops
from hmr_tf.files import optional_models
from hmr_tf.inference.blazepose import landmark_fit, landmarks
from hmr_tf.networks import engines
from hmr_tf.networks.prediction import prediction_as_dict, prediction_from_body

NUM_STEPS = 100
MIN_PRESENCE = 0.5
# Weight of the network's keypoints where BlazePose has no landmark, as for neck and head.
NETWORK_WEIGHT = 0.1
MAX_ERROR_NORM = 0.1  # of a fit that is kept; half of the crop is 1


class Refined(NamedTuple):
    """Predictions after the fit."""

    predicted: dict  # of arrays with B rows, as `networks.prediction.prediction_as_dict`
    is_refined: np.ndarray  # (B,); the others are as the network predicted


class Refiner:
    """Fits a network's bodies; the first call traces, later ones are fast."""

    def __init__(self, hmr, folder=""):
        """Args:
        hmr: `networks.hmr.HMR`.
        folder: of BlazePose; empty: the one that was made.

        Raises:
          InputError: BlazePose was not made.
        """
        folder = optional_models.require_blazepose(folder)
        self._hmr = hmr
        self._num_threads = engines.calls_at_once()
        self.blazepose = landmarks.BlazePose(folder, self._num_threads)
        self._fitter = fitting.Fitter(
            hmr.smpl, weights=landmark_fit.WEIGHTS, stiffness=landmark_fit.stiffness()
        )

    def __call__(self, predicted, images, person_crops, motion=None):
        """Fits the bodies to BlazePose's landmarks in the photographs.

        Args:
          predicted: dict of arrays with B rows, as of `networks.prediction.prediction_as_dict`.
          images: list of B photographs, (H, W, 3) uint8 RGB.
          person_crops: list of B `data.crop.Crop`, where the network's crops lie in them.
          motion: `fitting.Motion` of successive frames; None: each person alone.

        Returns:
          Refined.
        """
        in_crops = predicted["keypoints2d_px"]
        in_images = [
            _with_weight(crops.to_image(*pair), 1.0) for pair in zip(in_crops, person_crops)
        ]
        with futures.ThreadPoolExecutor(self._num_threads) as pool:
            person_landmarks = list(pool.map(self.blazepose.detect_predicted, images, in_images))
        keypoints, directions = self._targets(in_crops, person_landmarks, person_crops)
        is_refined = np.array([s.presence > MIN_PRESENCE for s in person_landmarks])
        motion = None if motion is None else _between_detected(motion, is_refined)
        fit = self._fitter(keypoints, predicted["theta"], NUM_STEPS, directions, motion)
        is_refined &= fit.error_norm.numpy() < MAX_ERROR_NORM
        thetas = tf.where(is_refined[:, None], fit.theta, predicted["theta"])
        parts = theta.split(thetas)
        prediction = prediction_from_body(thetas, self._hmr.smpl(parts.pose, parts.betas))
        arrays = prediction_as_dict(prediction, self._hmr.image_size)
        return Refined({name: np.asarray(values) for name, values in arrays.items()}, is_refined)

    def _targets(self, in_crops, person_landmarks, person_crops):
        """(B, 19, 3) keypoints2d_norm and (B, D, 4) directions for `fitting.Fitter`."""
        size = self._hmr.image_size
        detected = np.stack(
            [
                _with_weight(crops.to_crop(s.keypoints_px[:, :2], crop), s.keypoints_px[:, 2:])
                for s, crop in zip(person_landmarks, person_crops)
            ]
        )
        weights = detected[..., 2]
        network = np.stack([_with_weight(keypoints, NETWORK_WEIGHT) for keypoints in in_crops])
        merged = np.where(weights[..., None] > NETWORK_WEIGHT, detected, network)
        merged[..., :2] = 2 * merged[..., :2] / size - 1  # `camera.pixels_from_norm` inverted
        joints3d = np.stack([s.joints3d for s in person_landmarks])
        return merged, landmarks.directions_of(joints3d, np.sqrt(weights))


def _between_detected(motion, is_detected):
    """The Motion without people that BlazePose does not detect: they would mislead the others."""
    linked = is_detected & is_detected[motion.previous]
    return motion._replace(
        previous=np.where(linked, motion.previous, np.arange(len(linked))),
        has_anchor=motion.has_anchor * is_detected,
    )


def _with_weight(points, weight):
    """(19, 2) -> (19, 3)."""
    return np.concatenate([points, np.broadcast_to(weight, (len(points), 1))], axis=-1)

"""Fits bodies to labelled keypoints and detected landmarks, where the two agree."""

from typing import NamedTuple

import numpy as np

from hmr_tf.body import fit_initialization, fitting, theta
from hmr_tf.body.skeleton import SMPL_JOINTS
from hmr_tf.data import crop as crops
from hmr_tf.inference.blazepose import landmarks

# A joint agrees if landmark and label are nearer than this share of the person's size.
AGREEING = 0.25
MIN_AGREEING_SHARE, MIN_COMPARED = 0.75, 5
MIN_PRESENCE = 0.5
MIN_LABELLED = 6
HIDDEN_WEIGHT = 0.4  # of keypoints that have only a landmark
FACE_WEIGHT = 0.6  # of the face's labels
MAX_ERROR_NORM, MAX_WORST_NORM = 0.06, 0.25  # of a good fit; half of the crop is 1
MAX_BETA = 4.0
_LIMBS = np.arange(12)  # of KEYPOINTS: without neck and head, which landmarks place otherwise
_FACE = np.arange(14, 19)
WEIGHTS = fitting.Weights(rest_pose=0.02, betas=0.02, hinges=0.03, directions=1.0)


def stiffness():
    """(24,) cost of bending each joint: high for spine, collars, hands and feet."""
    factors = dict.fromkeys(SMPL_JOINTS, 1.0)
    for side in ("left", "right"):
        factors.update({f"{side}_{name}": 0.15 for name in ("hip", "shoulder", "elbow", "knee")})
        factors.update({f"{side}_{name}": 3.0 for name in ("collar", "hand", "foot")})
    factors.update(dict.fromkeys(("spine1", "spine2", "spine3"), 3.0))
    return np.array([factors[name] for name in SMPL_JOINTS])


class Targets(NamedTuple):
    """What B bodies are fitted to, and where [-1, 1] lies in their pictures."""

    keypoints2d_norm: np.ndarray  # (B, 19, 3) x, y, weight
    directions: np.ndarray  # (B, len(fitting.DIRECTIONS), 4)
    is_consistent: np.ndarray  # (B,) whether the landmarks and the labels agree
    reasons: list  # of B str: why not, or ""
    centers_px: np.ndarray  # (B, 2) of [-1, 1]
    half_sides_px: np.ndarray  # (B,)


class Result(NamedTuple):
    """Fitted bodies."""

    theta: np.ndarray  # (B, 85), its camera over the square of Targets
    lsp_joints: np.ndarray  # (B, 14, 3)
    error_norm: np.ndarray  # (B,)
    is_good: np.ndarray  # (B,)
    reasons: list  # of B str: why not, or ""


def targets(keypoints_px, person_landmarks):
    """Puts labels and detected landmarks together.

    Args:
      keypoints_px: (B, 19, 3) x, y, weight as labelled; at least two of each person.
      person_landmarks: list of B `landmarks.Landmarks` in the same pixels.

    Returns:
      Targets.
    """
    labels = np.asarray(keypoints_px, np.float64)
    detected = np.stack([s.keypoints_px for s in person_landmarks]).astype(np.float64)
    joints3d = np.stack([s.joints3d for s in person_landmarks])
    presence = np.array([s.presence for s in person_landmarks])
    sizes = np.array([landmarks.person_size_px(person) for person in labels])
    is_labelled, is_detected = labels[..., 2] > 0, detected[..., 2] > 0
    apart = np.linalg.norm(detected[..., :2] - labels[..., :2], axis=-1) / sizes[:, None]
    agrees = (apart < AGREEING) & is_labelled & is_detected
    compared = (is_labelled & is_detected)[:, _LIMBS].sum(axis=1)
    share = agrees[:, _LIMBS].sum(axis=1) / np.maximum(compared, 1)
    reasons = [
        _rejection_reason(*person)
        for person in zip(is_labelled[:, :14].sum(axis=1), compared, presence, share)
    ]
    consistent = np.array([not reason for reason in reasons])
    centers, half_sides = _squares(labels)
    merged = np.where(is_labelled[..., None], labels, detected * [1, 1, HIDDEN_WEIGHT])
    merged[..., 2] *= is_labelled | consistent[:, None]
    merged[:, _FACE, 2] = np.where(is_labelled[:, _FACE], FACE_WEIGHT, merged[:, _FACE, 2])
    merged[..., :2] = (merged[..., :2] - centers[:, None]) / half_sides[:, None, None]
    weights = np.sqrt(detected[..., 2]) * consistent[:, None] * (agrees | ~is_labelled)
    directions = landmarks.directions_of(joints3d, weights)
    return Targets(merged, directions, consistent, reasons, centers, half_sides)


def _rejection_reason(num_labelled, num_compared, presence, share):
    if num_labelled < MIN_LABELLED or num_compared < MIN_COMPARED:
        return "few keypoints"
    if presence < MIN_PRESENCE:
        return "no person detected"
    return "" if share >= MIN_AGREEING_SHARE else "landmarks differ from labels"


def _squares(labels):
    """(B, 2) middles and (B,) half sides of crops with people as large as the network sees them."""
    boxes = [crops.box_of_labelled(person[:, :2], person[:, 2]) for person in labels]
    centers = np.array([(low + high) / 2 for low, high in boxes])
    diagonals = np.array([np.linalg.norm(high - low) for low, high in boxes])
    return centers, np.maximum(diagonals, 1.0) * crops.CROP_PX / crops.PERSON_PX / 2


class LandmarkFitter:
    """Fits bodies to Targets; the first call traces, later ones are fast."""

    def __init__(self, smpl):
        """Args: smpl: `body.smpl.SMPL`."""
        self._smpl = smpl
        self._fitter = fitting.Fitter(smpl, weights=WEIGHTS, stiffness=stiffness())

    def __call__(self, given, num_steps=250, initial_thetas=None):
        """Fits the bodies.

        Args:
          given: Targets.
          num_steps: of Adam, for each start.
          initial_thetas: list of (B, 85) starts, cameras over the squares of `given`; None: those
            of `fit_initialization`.

        Returns:
          Result.
        """
        if initial_thetas is None:
            initial_thetas = fit_initialization.initial_thetas(
                self._smpl, given.keypoints2d_norm, given.directions
            )
        fit = self._fitter.best_of(
            given.keypoints2d_norm, initial_thetas, num_steps, given.directions
        )
        error, worst = fit.error_norm.numpy(), self._worst(fit, given)
        parts = theta.split(fit.theta)
        is_met = (error < MAX_ERROR_NORM) & (worst < MAX_WORST_NORM)
        is_met &= np.abs(parts.betas).max(axis=1) < MAX_BETA
        reasons = [
            reason or ("" if met else "fit misses the keypoints")
            for reason, met in zip(given.reasons, is_met)
        ]
        return Result(
            theta=fit.theta.numpy(),
            lsp_joints=fit.body.lsp_joints.numpy(),
            error_norm=error,
            is_good=is_met & given.is_consistent,
            reasons=reasons,
        )

    def _worst(self, fit, given):
        """(B,) largest distance of a limb's keypoint that counts fully."""
        weak = theta.split(fit.theta).camera.numpy()
        projected = weak[:, None, :1] * (fit.body.joints3d.numpy()[..., :2] + weak[:, None, 1:])
        apart = np.linalg.norm(projected - given.keypoints2d_norm[..., :2], axis=-1)
        counts = given.keypoints2d_norm[..., 2] >= 1
        return np.where(counts, apart, 0.0)[:, _LIMBS].max(axis=1)

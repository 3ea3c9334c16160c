"""Theta from given 2D keypoints, by gradient descent: SMPLify's role in the paper, in batches.

The energy is reprojection + prior + shape, after Bogo et al. 2016 (SMPLify), with the network's
weak-perspective camera and Adam. Where keypoints are hidden, the prior alone decides.
"""

from typing import NamedTuple

import tensorflow as tf

from hmr_tf.body import camera, theta
from hmr_tf.body.skeleton import SMPL_JOINTS
from hmr_tf.body.smpl import Body

# Joints that bend one way only: joint, axis of its axis-angle, sign of the forbidden way (SMPLify's
# `smplify/fit_3d.py`: elbows about y, knees about x).
_HINGES = (
    ("left_elbow", 1, 1.0),
    ("right_elbow", 1, -1.0),
    ("left_knee", 0, -1.0),
    ("right_knee", 0, -1.0),
)
# Half of the crop is 1: keypoints further off than this count little more (Geman-McClure).
_ROBUST_NORM = 0.3
# Of Adam: radians, and units of camera and betas, a step.
_LEARNING_RATE, _BETA_1, _BETA_2 = 0.02, 0.9, 0.999


class Weights(NamedTuple):
    """How much each term counts, beside the mean squared reprojection error times 100."""

    prior: float = 0.02
    rest_pose: float = 0.003
    hinges: float = 0.03
    betas: float = 0.01


class Fit(NamedTuple):
    """What was found; B people."""

    theta: tf.Tensor  # (B, 85)
    body: Body  # without the mesh
    error_norm: tf.Tensor  # (B,) mean distance of the labelled keypoints, half the crop is 1


class Fitter:
    """Fits bodies of one model under one prior; the first call traces, the others are fast."""

    def __init__(self, smpl, prior=None, weights=None):
        """Args:
        smpl: `body.smpl.SMPL`.
        prior: (B, 23, 3, 3) rotations, (B, 10) betas -> (B,), the less the more human; or None.
        weights: Weights.
        """
        self._smpl = smpl
        self._prior = prior
        self._weights = weights or Weights()

    def __call__(self, keypoints2d_norm, start, num_steps=250):
        """Finds the bodies whose keypoints fall on the given ones.

        First the camera and the global rotation alone (a fifth of the steps), then everything.

        Args:
          keypoints2d_norm: (B, 19, 3) x, y in [-1, 1] crop coordinates and a weight, 0 where
            unlabelled.
          start: (B, 85) theta to begin with: the network's answer, or the mean.
          num_steps: of Adam.

        Returns:
          Fit.
        """
        keypoints2d_norm = tf.cast(keypoints2d_norm, tf.float32)
        found = theta.split(tf.cast(start, tf.float32))
        only_root = tf.one_hot([0], len(SMPL_JOINTS))[0][:, None]
        for count, of_pose, of_betas in (
            (num_steps // 5, only_root, 0.0),
            (num_steps - num_steps // 5, tf.ones_like(only_root), 1.0),
        ):
            moved = theta.Theta(1.0, of_pose, of_betas)
            found = theta.Theta(*self._descend(keypoints2d_norm, *found, *moved, count))
        return self._finish(keypoints2d_norm, *found)

    @tf.function(
        input_signature=[
            *(tf.TensorSpec([None, *shape]) for shape in ((19, 3), (3,), (24, 3), (10,))),
            *(tf.TensorSpec(shape) for shape in ((), (24, 1), ())),
            tf.TensorSpec([], tf.int32),
        ]
    )
    def _descend(self, keypoints2d_norm, camera_, pose, betas, of_camera, of_pose, of_betas, count):
        """So many steps of Adam; the factors `of_...` say what is moved."""
        found, factors = (camera_, pose, betas), (of_camera, of_pose, of_betas)
        first = second = tuple(tf.zeros_like(value) for value in found)
        for step in tf.range(1, count + 1):
            with tf.GradientTape() as tape:
                tape.watch(found)
                energy = self._energy(*found, keypoints2d_norm)
            slopes = tape.gradient(energy, found)
            first = tuple(_BETA_1 * m + (1 - _BETA_1) * g for m, g in zip(first, slopes))
            second = tuple(_BETA_2 * v + (1 - _BETA_2) * g * g for v, g in zip(second, slopes))
            power = tf.cast(step, tf.float32)
            rate = _LEARNING_RATE * tf.sqrt(1 - _BETA_2**power) / (1 - _BETA_1**power)
            found = tuple(
                value - factor * rate * m / (tf.sqrt(v) + 1e-8)
                for value, factor, m, v in zip(found, factors, first, second)
            )
        return found

    def _energy(self, camera_, pose, betas, keypoints2d_norm):
        """Sum over the people of what each one's theta costs."""
        body, weights = self._smpl.joints_only(pose, betas), self._weights
        away = _squared_distance(body, camera_, keypoints2d_norm)
        robust = away / (1.0 + away / _ROBUST_NORM**2)
        energy = 100.0 * _mean_labelled(robust, keypoints2d_norm)
        energy += weights.betas * tf.reduce_sum(tf.square(betas), axis=-1)
        energy += weights.rest_pose * tf.reduce_sum(tf.square(pose[:, 1:]), axis=[1, 2])
        energy += weights.hinges * _hinges(pose)
        if self._prior is not None:
            energy += weights.prior * self._prior(body.rotations[:, 1:], betas)
        return tf.reduce_sum(energy)

    def _finish(self, keypoints2d_norm, camera_, pose, betas):
        body = self._smpl.joints_only(pose, betas)
        distance = tf.sqrt(_squared_distance(body, camera_, keypoints2d_norm))
        flat_pose = tf.reshape(pose, [-1, theta.NUM_POSE])
        answer = tf.concat([camera_, flat_pose, betas], axis=-1)
        return Fit(answer, body, _mean_labelled(distance, keypoints2d_norm))


def _hinges(pose):
    """(B,) cost of elbows and knees that bend the wrong way: about 0 for the right one."""
    bent = [sign * pose[:, SMPL_JOINTS.index(joint), axis] for joint, axis, sign in _HINGES]
    return tf.reduce_sum(tf.exp(5.0 * tf.minimum(tf.stack(bent, axis=-1), 2.0)), axis=-1)


def _squared_distance(body, camera_, keypoints2d_norm):
    projected = camera.project(body.joints3d, camera_)
    return tf.reduce_sum(tf.square(projected - keypoints2d_norm[..., :2]), axis=-1)


def _mean_labelled(values, keypoints2d_norm):
    weight = keypoints2d_norm[..., 2]
    return tf.math.divide_no_nan(
        tf.reduce_sum(values * weight, axis=-1), tf.reduce_sum(weight, axis=-1)
    )

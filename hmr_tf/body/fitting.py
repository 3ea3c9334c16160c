"""Fits theta to 2D keypoints and 3D directions by gradient descent: SMPLify's role, in batches.

The energy is reprojection + prior + shape, after Bogo et al. 2016 (SMPLify), with the network's
weak-perspective camera and Adam. Where keypoints are hidden, only the prior counts. Optional
3D limb directions constrain depth, which 2D keypoints do not.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from hmr_tf.body import camera, theta
from hmr_tf.body.skeleton import KEYPOINTS, SMPL_JOINTS
from hmr_tf.body.smpl import Body

# Joints that bend one way only: joint, axis of its axis-angle, sign of the forbidden way (SMPLify's
# `smplify/fit_3d.py`: elbows about y, knees about x).
_HINGES = (
    ("left_elbow", 1, 1.0),
    ("right_elbow", 1, -1.0),
    ("left_knee", 0, -1.0),
    ("right_knee", 0, -1.0),
)
# Directions in 3D from the second keypoint, or the middle of several, to the first.
DIRECTIONS = (
    *(("right_ankle", "right_knee"), ("right_knee", "right_hip")),
    *(("left_ankle", "left_knee"), ("left_knee", "left_hip")),
    *(("right_wrist", "right_elbow"), ("right_elbow", "right_shoulder")),
    *(("left_wrist", "left_elbow"), ("left_elbow", "left_shoulder")),
    *(("right_hip", "left_hip"), ("right_shoulder", "left_shoulder")),
    *(("right_hip", "right_shoulder"), ("left_hip", "left_shoulder")),
    *(("right_hip", "left_shoulder"), ("left_hip", "right_shoulder")),
    ("nose", "left_ear", "right_ear"),
)
# Keypoints further off than this count little more (Geman-McClure); half of the crop is 1.
_ROBUST_NORM = 0.3
# Adam; the learning rate in radians, and units of camera and betas, per step.
_LEARNING_RATE, _BETA_1, _BETA_2, _EPSILON = 0.02, 0.9, 0.999, 1e-8
# Batches from this size on are compiled by XLA: a third of the time, but seconds for each new size,
# so they are padded to powers of two.
_MIN_COMPILED = 16


class Motion(NamedTuple):
    """Which of B bodies are successive frames of one person, whose rotations change little."""

    previous: np.ndarray  # (B,) int, its row in the frame before; itself where there is none
    anchors: np.ndarray  # (B, 24, 3, 3) rotations that stay, of a frame that is not in the batch
    has_anchor: np.ndarray  # (B,) 1 where the anchor counts, else 0


_ADAM_ARGUMENTS = [
    tf.TensorSpec([None, 19, 3]),
    tf.TensorSpec([None, len(DIRECTIONS), 4]),
    Motion(
        tf.TensorSpec([None], tf.int32),
        tf.TensorSpec([None, len(SMPL_JOINTS), 3, 3]),
        tf.TensorSpec([None]),
    ),
    theta.Theta(*(tf.TensorSpec([None, *shape]) for shape in ((3,), (24, 3), (10,)))),
    theta.Theta(*(tf.TensorSpec(shape) for shape in ((), (24, 1), ()))),
    tf.TensorSpec([], tf.int32),
]


class Weights(NamedTuple):
    """How much each term counts, beside the mean squared reprojection error times 100."""

    prior: float = 0.02
    rest_pose: float = 0.003
    hinges: float = 0.03
    betas: float = 0.01
    directions: float = 1.0  # beside 1 - cosine of the angle, summed over the directions
    motion: float = 1.0  # beside the squared change of rotation matrices from frame to frame


class Fit(NamedTuple):
    """The fitted bodies of B people."""

    theta: tf.Tensor  # (B, 85)
    body: Body  # without the mesh
    error_norm: tf.Tensor  # (B,) mean distance of the labelled keypoints; half of the crop is 1
    energy: tf.Tensor  # (B,) what was minimized


class Fitter:
    """Fits bodies of one model under one prior; the first call traces, later ones are fast."""

    def __init__(self, smpl, prior=None, weights=None, stiffness=None):
        """Args:
        smpl: `body.smpl.SMPL`.
        prior: (B, 23, 3, 3) rotations, (B, 10) betas -> (B,), lower for more human bodies; or None.
        weights: Weights.
        stiffness: (24,) factors of the rest-pose term, higher for stiffer joints; None: 1.
        """
        self._smpl = smpl
        factors = np.ones(len(SMPL_JOINTS)) if stiffness is None else stiffness
        self._stiffness = tf.constant(factors[1:, None], tf.float32)
        self._prior = prior
        self._weights = weights or Weights()
        self._adam, self._compiled_adam = (
            tf.function(
                self._adam_steps,
                input_signature=_ADAM_ARGUMENTS,
                autograph=False,
                jit_compile=compiled,
            )
            for compiled in (None, True)
        )

    def __call__(
        self, keypoints2d_norm, initial_theta, num_steps=250, directions=None, motion=None
    ):
        """Fits bodies whose projected keypoints are near the given ones.

        A fifth of the steps moves the camera and the global rotation only, the rest all of theta.

        Args:
          keypoints2d_norm: (B, 19, 3) x, y in [-1, 1] crop coordinates and a weight, 0 where
            unlabelled.
          initial_theta: (B, 85), such as the network's prediction or the mean theta.
          num_steps: of Adam.
          directions: (B, len(DIRECTIONS), 4) unit vectors in the camera's axes, each with a weight,
            0 where it is not known; None: none is known.
          motion: Motion; None: each row is another person.

        Returns:
          Fit.
        """
        keypoints2d_norm = tf.cast(keypoints2d_norm, tf.float32)
        motion = _motion_tensors(motion or no_motion(len(keypoints2d_norm)))
        if directions is None:
            directions = tf.zeros([len(keypoints2d_norm), len(DIRECTIONS), 4])
        directions = tf.cast(directions, tf.float32)
        targets = (keypoints2d_norm, directions, motion)
        parts = theta.split(tf.cast(initial_theta, tf.float32))
        root_only = tf.one_hot([0], len(SMPL_JOINTS))[0][:, None]
        everything = tf.ones_like(root_only)
        for count, pose_factor, betas_factor in (
            (num_steps // 5, root_only, 0.0),
            (num_steps - num_steps // 5, everything, 1.0),
        ):
            factors = theta.Theta(camera=1.0, pose=pose_factor, betas=betas_factor)
            parts = self._minimize(targets, parts, factors, count)
        return self._finish(targets, parts)

    def best_of(self, keypoints2d_norm, initial_thetas, num_steps=250, directions=None):
        """Fits from several starts: of each person the one with the lowest energy is finished.

        Args:
          initial_thetas: list of (B, 85); with several, each has a third of the steps.
          keypoints2d_norm, num_steps, directions: as for one start.

        Returns:
          Fit.
        """
        best = initial_thetas[0]
        if len(initial_thetas) > 1:
            tries = num_steps // 3
            num_steps -= tries
            fits = [self(keypoints2d_norm, x, tries, directions) for x in initial_thetas]
            lowest = tf.argmin(tf.stack([fit.energy for fit in fits]), axis=0)
            thetas = tf.stack([fit.theta for fit in fits], axis=1)
            best = tf.gather(thetas, lowest, axis=1, batch_dims=1)
        return self(keypoints2d_norm, best, num_steps, directions)

    def _minimize(self, targets, parts, factors, num_steps):
        """`num_steps` of Adam on the Theta `parts`; each update is multiplied by `factors`.

        `targets` are keypoints2d_norm, directions and motion.
        """
        count = len(parts.betas)
        if count < _MIN_COMPILED:
            return self._adam(*targets, parts, factors, num_steps)
        size = 1 << (count - 1).bit_length()
        *targets, parts = tf.nest.map_structure(lambda x: _pad(x, size - count), (*targets, parts))
        previous = tf.concat([targets[2].previous[:count], tf.range(count, size)], axis=0)
        targets[2] = targets[2]._replace(previous=previous)
        result = self._compiled_adam(*targets, parts, factors, num_steps)
        return theta.Theta(*(part[:count] for part in result))

    def _adam_steps(self, keypoints2d_norm, directions, motion, parts, factors, num_steps):
        """As `_minimize`, for a graph."""
        targets = (keypoints2d_norm, directions, motion)

        def step(number, parts, m, v):
            with tf.GradientTape() as tape:
                tape.watch(parts)
                energy = tf.reduce_sum(self._energy(parts, *targets))
            gradients = tape.gradient(energy, parts)
            m = _moving_average(m, gradients, _BETA_1)
            v = _moving_average(v, theta.Theta(*(g * g for g in gradients)), _BETA_2)
            power = tf.cast(number, tf.float32)
            learning_rate = _LEARNING_RATE * tf.sqrt(1 - _BETA_2**power) / (1 - _BETA_1**power)
            parts = theta.Theta(
                *(
                    part - factor * learning_rate * first / (tf.sqrt(second) + _EPSILON)
                    for part, factor, first, second in zip(parts, factors, m, v)
                )
            )
            return number + 1, parts, m, v

        zeros = tf.nest.map_structure(tf.zeros_like, parts)
        # No `for` over tf.range: AutoGraph would need what Python 3.15 no longer allows.
        return tf.while_loop(
            lambda number, *_: number <= num_steps, step, (1, parts, zeros, zeros)
        )[1]

    def _energy(self, parts, keypoints2d_norm, directions, motion):
        """(B,) the energies of the people."""
        body, weights = self._smpl.joints_only(parts.pose, parts.betas), self._weights
        squared = _squared_distance(body, parts.camera, keypoints2d_norm)
        robust = squared / (1.0 + squared / _ROBUST_NORM**2)
        energy = 100.0 * _mean_labelled(robust, keypoints2d_norm)
        energy += weights.betas * tf.reduce_sum(tf.square(parts.betas), axis=-1)
        bending = tf.square(parts.pose[:, 1:]) * self._stiffness
        energy += weights.rest_pose * tf.reduce_sum(bending, axis=[1, 2])
        energy += weights.hinges * _hinges(parts.pose)
        cosines = tf.reduce_sum(unit_directions(body.joints3d) * directions[..., :3], axis=-1)
        energy += weights.directions * tf.reduce_sum((1 - cosines) * directions[..., 3], axis=-1)
        energy += weights.motion * _changes(body.rotations, motion)
        if self._prior is not None:
            energy += weights.prior * self._prior(body.rotations[:, 1:], parts.betas)
        return energy

    def _finish(self, targets, parts):
        keypoints2d_norm = targets[0]
        body = self._smpl.joints_only(parts.pose, parts.betas)
        distance = tf.sqrt(_squared_distance(body, parts.camera, keypoints2d_norm))
        return Fit(
            theta=theta.join(*parts),
            body=body,
            error_norm=_mean_labelled(distance, keypoints2d_norm),
            energy=self._energy(parts, *targets),
        )


def unit_directions(joints3d):
    """(B, 19, 3) keypoints in 3D -> (B, len(DIRECTIONS), 3) unit vectors along `DIRECTIONS`."""
    vectors = tf.einsum("dk,bkc->bdc", _direction_matrix(), joints3d)
    return vectors / (tf.norm(vectors, axis=-1, keepdims=True) + 1e-6)


def _direction_matrix():
    """(len(DIRECTIONS), 19): 1 for the first keypoint, -1 shared by the others."""
    matrix = np.zeros((len(DIRECTIONS), len(KEYPOINTS)), np.float32)
    for row, (end, *beginnings) in zip(matrix, DIRECTIONS):
        row[KEYPOINTS.index(end)] = 1
        for name in beginnings:
            row[KEYPOINTS.index(name)] = -1 / len(beginnings)
    return matrix


def no_motion(count):
    """The Motion of `count` people of which none is the other in another frame."""
    anchors = np.zeros((count, len(SMPL_JOINTS), 3, 3))
    return Motion(np.arange(count), anchors, np.zeros(count))


def _motion_tensors(motion):
    anchors, has_anchor = (tf.cast(x, tf.float32) for x in motion[1:])
    return Motion(tf.cast(motion.previous, tf.int32), anchors, has_anchor)


def _changes(rotations, motion):
    """(B,) squared changes of the rotations since the frame before, summed over the joints."""
    squared = tf.square(rotations - tf.gather(rotations, motion.previous))
    to_anchors = tf.square(rotations - motion.anchors) * motion.has_anchor[:, None, None, None]
    return tf.reduce_sum(squared + to_anchors, axis=[1, 2, 3])


def _pad(values, count):
    """(B, ...) -> (B + count, ...): the first row again."""
    return tf.concat([values, tf.repeat(values[:1], count, axis=0)], axis=0)


def _moving_average(average, values, decay):
    """Adam's moment estimate: both arguments and the result are Theta."""
    return theta.Theta(*(decay * old + (1 - decay) * new for old, new in zip(average, values)))


def _hinges(pose):
    """(B,) cost of elbows and knees that bend the wrong way; about 0 for the right one."""
    bent = [sign * pose[:, SMPL_JOINTS.index(joint), axis] for joint, axis, sign in _HINGES]
    return tf.reduce_sum(tf.exp(5.0 * tf.minimum(tf.stack(bent, axis=-1), 2.0)), axis=-1)


def _squared_distance(body, weak_camera, keypoints2d_norm):
    """(B, 19) of the projected keypoints to the given ones."""
    projected = camera.project(body.joints3d, weak_camera)
    return tf.reduce_sum(tf.square(projected - keypoints2d_norm[..., :2]), axis=-1)


def _mean_labelled(values, keypoints2d_norm):
    """(B, 19) -> (B,) mean by the weights of the keypoints."""
    weight = keypoints2d_norm[..., 2]
    return tf.math.divide_no_nan(
        tf.reduce_sum(values * weight, axis=-1), tf.reduce_sum(weight, axis=-1)
    )

"""Morph targets of glTF: offsets of the rest body's vertices, with a weight in every frame."""

from typing import NamedTuple

import numpy as np


class Morphs(NamedTuple):
    """T targets over N frames."""

    names: tuple  # T
    offsets: np.ndarray  # (T, V, 3) metres, in the rest pose
    weights: np.ndarray  # (N, T)


def morph_targets(motion, body, shape, num_pose):
    """The morph targets of one person's shape and pose blend shapes.

    Args:
      motion: `motion.Motion`.
      body: `body_model.BodyModel`.
      shape: whether to add the ten betas as beta0..beta9 with weight 0, on top of the mesh's shape.
      num_pose: largest number of targets for the pose blend shapes, pose0, pose1, ...

    Returns:
      Morphs, or None without targets.
    """
    parts = [_pose_morphs(motion, body, num_pose)] if num_pose else []
    if shape:
        offsets = np.moveaxis(body.shapedirs, -1, 0)
        parts.insert(0, (offsets, np.zeros((len(motion.frames), len(offsets)))))
    names = [f"beta{i}" for i in range(body.shapedirs.shape[-1] if shape else 0)]
    names += [f"pose{i}" for i in range(len(parts[-1][0]) if num_pose else 0)]
    if not names:
        return None
    offsets, weights = zip(*parts)
    return Morphs(tuple(names), np.concatenate(offsets), np.concatenate(weights, axis=1))


def _pose_morphs(motion, body, num_pose):
    """(T, V, 3) targets and (N, T) weights: the best approximation of all pose offsets with T.

    The offsets are linear in 207 features, so a principal component analysis of the features is
    enough: multiplied by the root of the offsets' Gram matrix, they have the offsets' distances.
    The first target has weight 1 in every frame, so that the others lie between 0 and 1: Blender
    clips weights.
    """
    num_frames = len(motion.frames)
    features = (motion.rotations[:, 1:] - np.eye(3)).reshape(num_frames, -1)
    basis = body.posedirs.reshape(-1, features.shape[1])  # (V * 3, 207)
    squares, directions = np.linalg.eigh(basis.T @ basis)
    lengths = np.sqrt(np.maximum(squares, 0))
    unit = np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 1e-9 * lengths.max())
    points = features @ (directions * lengths)
    center = points.mean(axis=0)
    left, strength, axes = np.linalg.svd(points - center, full_matrices=False)
    count = min(num_pose, num_frames) - 1
    weights, axes = left[:, :count] * strength[:count], axes[:count]
    low, span = weights.min(axis=0), np.maximum(np.ptp(weights, axis=0), 1e-12)
    targets = np.concatenate([(center + low @ axes)[None], axes * span[:, None]])
    offsets = targets @ (basis @ (directions * unit)).T
    shares = np.concatenate([np.ones((num_frames, 1)), (weights - low) / span], axis=1)
    return offsets.reshape(len(targets), -1, 3), shares

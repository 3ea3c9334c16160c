"""Mean person, principal shapes and skinning weights of the decimated mesh, all symmetric."""

import numpy as np
from scipy import sparse

from hmr_tf.body import skeleton

REFLECT = np.array([-1.0, 1.0, 1.0])


def symmetrised(points, mirror):
    """Mean of (..., V, 3) points and their reflection in x = 0; exactly symmetric."""
    return (points + points[..., mirror, :] * REFLECT) / 2


def principal_shapes(people, count):
    """Principal component analysis of aligned people.

    Args:
      people: (N, V, 3) metres.
      count: number of directions.

    Returns:
      mean (V, 3); directions (V, 3, count), each one standard deviation long, signed so that it
      makes the body taller; the share of the variance that they explain.
    """
    mean = people.mean(0)
    offsets = (people - mean).reshape(len(people), -1)
    # N x N, with the same eigenvalues as the covariance of all 3 V coordinates.
    variances, coefficients = np.linalg.eigh(offsets @ offsets.T / (len(people) - 1))
    order = np.argsort(-variances)[:count]
    # For unit u with X X' u = (N - 1) var u, the vector X' u is sqrt((N - 1) var) long.
    directions = coefficients[:, order].T @ offsets / np.sqrt(len(people) - 1)
    directions = np.moveaxis(directions.reshape(count, *mean.shape), 0, -1)
    growth = np.array(
        [_height(mean + step) - _height(mean) for step in np.moveaxis(directions, -1, 0)]
    )
    explained = variances[order].sum() / variances.sum()
    return mean, directions * np.where(growth < 0, -1.0, 1.0), explained


def skin_weights(weights, faces, mirror, rounds=4, most=4, least=0.005):
    """Smooths and prunes MakeHuman's weights for the decimated mesh.

    Args:
      weights: (V, 24) weights of the kept vertices.
      faces: (F, 3) of the decimated mesh.
      mirror: (V,) index of each vertex's reflection.
      rounds: smoothing steps in which a vertex takes half its weights from its neighbours.
      most: largest number of joints of a vertex.
      least: smallest weight.

    Returns:
      (V, 24) mirror-symmetric weights, rows sum to 1.
    """
    sides = list(skeleton.mirror(skeleton.SMPL_JOINTS))
    edges = np.concatenate([faces, np.roll(faces, -1, axis=1)], axis=None).reshape(2, -1)
    adjacent = sparse.csr_matrix((np.ones(edges.shape[1]), edges), shape=[len(weights)] * 2)
    neighbours = np.asarray(adjacent.sum(1))
    for _ in range(rounds):
        weights = (weights + adjacent @ weights / neighbours) / 2
    weights = (weights + weights[mirror][:, sides]) / 2
    # Equal weights of left and right are kept or removed together.
    first_too_many = np.sort(weights, axis=1)[:, -most - 1, None]
    weights[(weights <= first_too_many) | (weights < least)] = 0.0
    return weights / weights.sum(1, keepdims=True)


def _height(points):
    return np.ptp(points[:, 1])

"""Decimation of the mesh, and which vertices are hidden."""

import numpy as np
import pytest

from tests.fakes import meshes
from tools.cc0_body import decimate, hidden, makehuman, shape_space


def test_cc0_body_thinned_ball_is_closed_symmetric_and_of_the_same_shape():
    points, faces, mirror = meshes.solid_ball()
    assert meshes.is_closed(faces)
    kept, thin = decimate.decimate(points, faces, mirror, 150)
    assert len(kept) == 150
    assert meshes.is_closed(thin)
    assert meshes.volume(points[kept], thin) == pytest.approx(
        meshes.volume(points, faces), rel=0.04
    )


@pytest.mark.parametrize("seed", range(8))
def test_cc0_body_no_order_of_collapses_tears_the_surface(seed):
    points, faces, mirror = meshes.solid_ball()
    shaken = points + np.random.default_rng(seed).normal(0.0, 0.05, points.shape)
    points = shape_space.symmetrised(shaken, mirror)
    hidden_ones = np.ones(len(points), bool)  # nothing but the shape of the net forbids a collapse
    kept, thin = decimate.decimate(points, faces, mirror, 24, hidden=hidden_ones)
    assert meshes.is_closed(thin)
    new_mirror = makehuman.mirror_map(points[kept])
    assert {frozenset(face) for face in new_mirror[thin].tolist()} == {
        *map(frozenset, thin.tolist())
    }


@pytest.mark.parametrize("seed", range(4))
def test_cc0_body_no_order_of_collapses_folds_a_face_inwards(seed):
    points, faces, mirror = meshes.solid_ball()
    cost = np.exp(np.random.default_rng(seed).normal(0.0, 3.0, len(points)))
    kept, thin = decimate.decimate(points, faces, mirror, 100, (cost + cost[mirror]) / 2)
    a, b, c = np.moveaxis(points[kept][thin], 1, 0)
    assert np.sum(np.cross(b - a, c - a) * (a + b + c), axis=1).min() > -1e-9


@pytest.mark.parametrize("count", [200, 201])
def test_cc0_body_odd_and_even_counts_are_met(count):
    points, faces, mirror = meshes.solid_ball()
    kept, thin = decimate.decimate(points, faces, mirror, count)
    assert (len(kept), len(thin)) == (count, 2 * count - 4)


def test_cc0_body_hidden_vertices_go_first_and_important_ones_stay():
    points, faces, mirror = meshes.solid_ball()
    bottom, top = points[:, 1] < -0.8, points[:, 1] > 0.5
    importance = np.where(top, 1e6, 1.0)
    kept, thin = decimate.decimate(points, faces, mirror, 200, importance, bottom)
    assert not bottom[kept].any()
    assert top[kept].sum() == top.sum()
    assert meshes.is_closed(thin)


def test_cc0_body_refuses_a_mesh_that_cannot_be_thinned():
    points, faces, mirror = meshes.solid_ball()
    with pytest.raises(ValueError, match="cannot remove"):
        decimate.decimate(points, faces, mirror, 4)


def test_cc0_body_faces_across_the_middle_are_refused():
    points, quads = meshes.ball(size=7)
    with pytest.raises(ValueError, match="cross the plane"):
        decimate.triangulate(points, quads, makehuman.mirror_map(points))


def test_cc0_body_only_the_inner_of_two_shells_is_hidden():
    points, faces, _ = meshes.solid_ball()
    both = np.concatenate([points, points / 2])
    mirror = makehuman.mirror_map(both)
    both_faces = np.concatenate([faces, faces + len(points)])
    is_hidden = hidden.hidden_vertices(both, both_faces, np.zeros(3), 1.1, mirror, num_views=18)
    np.testing.assert_array_equal(is_hidden, np.arange(len(both)) >= len(points))


def test_cc0_body_other_objects_may_hide_the_mesh():
    points, faces, mirror = meshes.solid_ball()
    both_faces = np.concatenate([faces, faces + len(points)])
    both = np.concatenate([points / 2, points])
    assert hidden.hidden_vertices(both, both_faces, np.zeros(3), 1.1, mirror, num_views=6).all()

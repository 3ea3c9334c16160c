"""Principal shapes, skin weights and regressors."""

import numpy as np
import pytest

from hmr_tf.body import body_model, skeleton
from tests.fakes import meshes
from tools.cc0_body import makehuman, regressors, shape_space

J = skeleton.SMPL_JOINTS.index


def test_cc0_body_principal_shapes_find_what_people_were_mixed_from(rng):
    mean = rng.normal(size=(40, 3))
    directions, _ = np.linalg.qr(rng.normal(size=(120, 6)))
    betas = rng.normal(size=(300, 6)) * [3.0, 2.5, 2.0, 1.5, 1.0, 0.5]
    crowd = mean + (betas @ directions.T).reshape(300, 40, 3)
    principal_mean, principal, explained = shape_space.principal_shapes(crowd, 6)
    assert explained == pytest.approx(1.0)
    np.testing.assert_allclose(principal_mean, crowd.mean(0))
    offsets = (crowd - principal_mean).reshape(300, -1)
    unit = principal.reshape(-1, 6)
    coordinates = offsets @ np.linalg.pinv(unit).T
    np.testing.assert_allclose(coordinates.std(0, ddof=1), 1.0)  # one beta, one deviation
    np.testing.assert_allclose(coordinates @ unit.T, offsets, atol=1e-9)
    for step in np.moveaxis(principal, -1, 0):
        assert np.ptp((principal_mean + step)[:, 1]) >= np.ptp(principal_mean[:, 1])


def test_cc0_body_skin_weights_come_out_symmetric_short_and_whole(rng):
    points, faces, mirror = meshes.solid_ball()
    weights = shape_space.skin_weights(rng.dirichlet(np.ones(24), len(points)), faces, mirror)
    np.testing.assert_allclose(weights.sum(1), 1.0)
    assert (weights > 0).sum(1).max() <= 4
    sides = list(skeleton.mirror(skeleton.SMPL_JOINTS))
    np.testing.assert_allclose(weights[mirror][:, sides], weights)


def test_cc0_body_smoothing_leaves_even_weights_alone():
    points, faces, mirror = meshes.solid_ball()
    even = np.zeros([len(points), 24])
    even[:, [J("pelvis"), J("spine1")]] = 0.75, 0.25
    np.testing.assert_allclose(shape_space.skin_weights(even, faces, mirror), even)


def test_cc0_body_regress_recovers_the_shares(rng):
    crowd = rng.normal(size=(30, 12, 3))
    shares = np.zeros(12)
    shares[[2, 5, 7]] = 0.5, 0.3, 0.2
    row = regressors.regress(crowd, np.einsum("c,ncx->nx", shares, crowd))
    np.testing.assert_allclose(row, shares, atol=1e-6)


def test_cc0_body_regress_never_gives_a_negative_share(rng):
    crowd = rng.normal(size=(30, 12, 3))
    row = regressors.regress(crowd, 3 * crowd[:, 0] - 2 * crowd[:, 1])
    assert row.min() >= 0
    assert row.sum() == pytest.approx(1.0)


def test_cc0_body_joint_regressor_finds_the_built_in_bodys_joints(rng):
    model = body_model.read_model()
    crowd = model.v_template + np.einsum("vcs,ns->nvc", model.shapedirs, rng.normal(size=(20, 10)))
    goals = np.einsum("jv,nvc->njc", model.joint_regressor, crowd)
    mirror = makehuman.mirror_map(model.v_template)
    body = regressors.MeanBody(crowd.mean(0), model.lbs_weights, mirror)
    rows = regressors.joint_regressor(body, crowd, goals)
    assert np.linalg.norm(rows @ crowd - goals, axis=-1).mean() < 1e-3
    np.testing.assert_allclose(rows.sum(1), 1.0)

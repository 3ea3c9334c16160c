"""Pose blend shapes that bring linear skinning near dual quaternions."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hmr_tf.body import body_model, skeleton
from tools.cc0_body import makehuman, pose_blend

J = skeleton.SMPL_JOINTS.index


def bent_tube(num_rings=15, around=12):
    """A tube along x about the origin, whose right half rotates; (V, 3) points, (V,) shares."""
    x, angle = np.meshgrid(
        np.linspace(-0.2, 0.2, num_rings), np.linspace(0, 2 * np.pi, around, endpoint=False)
    )
    points = np.stack([x, 0.05 * np.cos(angle), 0.05 * np.sin(angle)], -1).reshape(-1, 3)
    return points, np.clip(points[:, 0] / 0.1 + 0.5, 0.0, 1.0)


def test_cc0_body_skinning_is_exact_where_a_point_follows_one_bone(rng):
    points, _ = bent_tube()
    centre = np.array([0.1, 0.2, 0.3])
    rotations = Rotation.random(5, random_state=1).as_matrix()
    rotated = np.einsum("nab,vb->nva", rotations, points - centre) + centre
    still = np.broadcast_to(points, rotated.shape)
    for skin in (pose_blend.linear_skin, pose_blend.dual_quaternion_skin):
        ones = np.ones(len(points))
        np.testing.assert_allclose(skin(points, ones, centre, rotations), rotated, atol=1e-12)
        np.testing.assert_allclose(skin(points, 0 * ones, centre, rotations), still, atol=1e-12)


def test_cc0_body_twisted_tube_keeps_its_girth_with_dual_quaternions_only():
    points, moved = bent_tube()
    twist = Rotation.from_rotvec([[np.radians(120), 0, 0]]).as_matrix()
    middle = np.abs(points[:, 0]) < 1e-9

    def girth(skin):
        return np.linalg.norm(skin(points, moved, np.zeros(3), twist)[0, middle, 1:], axis=1)

    np.testing.assert_allclose(girth(pose_blend.dual_quaternion_skin), 0.05)
    np.testing.assert_allclose(girth(pose_blend.linear_skin), 0.05 * np.cos(np.radians(60)))


@pytest.mark.parametrize(
    "limits", [((-60, 60), (-5, 5), (-5, 5)), ((-10, 10), (0, 140), (-10, 10))]
)
def test_cc0_body_fitted_offsets_bring_skinning_closer_to_the_reference(rng, limits):
    points, moved = bent_tube()
    centre = np.zeros(3)
    offsets = pose_blend.fit_joint(
        points, moved, centre, pose_blend.draw_rotations(rng, limits, 200)
    )
    fresh = pose_blend.draw_rotations(rng, limits, 50)
    reference = pose_blend.dual_quaternion_skin(points, moved, centre, fresh)
    plain = pose_blend.linear_skin(points, moved, centre, fresh)
    corrected = np.stack(
        [
            pose_blend.linear_skin(
                points + offsets @ (rotation - np.eye(3)).ravel(), moved, centre, rotation[None]
            )[0]
            for rotation in fresh
        ]
    )

    def error(skinned):
        return np.linalg.norm(skinned - reference, axis=-1).mean()

    assert error(corrected) < 0.5 * error(plain)


def test_cc0_body_reflecting_offsets_twice_changes_nothing(rng):
    offsets = rng.normal(size=(4, 3, 23, 9))
    mirror = np.array([1, 0, 2, 3])
    once = pose_blend.reflected(offsets, mirror)
    assert np.abs(once - offsets).max() > 0.1
    np.testing.assert_array_equal(pose_blend.reflected(once, mirror), offsets)


def test_cc0_body_reflected_offsets_belong_to_the_reflected_pose(rng):
    mirror, flip = np.array([1, 0]), np.array([-1.0, 1, 1])
    offsets = rng.normal(size=(2, 3, 23, 9))
    rotations = Rotation.random(23, random_state=2).as_matrix()
    sides = np.array(skeleton.mirror(skeleton.SMPL_JOINTS))[1:] - 1
    mirrored_rotations = rotations[sides] * flip[:, None] * flip

    def moved(directions, matrices):
        return np.einsum("vcjp,jp->vc", directions, (matrices - np.eye(3)).reshape(23, 9))

    np.testing.assert_allclose(
        moved(pose_blend.reflected(offsets, mirror), mirrored_rotations),
        moved(offsets, rotations)[mirror] * flip,
    )


@pytest.fixture(scope="module")
def fitted_body():
    """The built-in body and offsets fitted to it with few poses."""
    model = body_model.read_model()
    mirror = makehuman.mirror_map(model.v_template)
    joints = model.joint_regressor @ model.v_template
    rng = np.random.default_rng(3)
    offsets = pose_blend.fit(model.v_template, joints, model.lbs_weights, mirror, rng, num_poses=40)
    return model, mirror, joints, offsets


def test_cc0_body_offsets_of_a_whole_body_are_symmetric(fitted_body):
    _, mirror, _, offsets = fitted_body
    assert offsets.shape == (6890, 3, 207)
    again = pose_blend.reflected(offsets.reshape(-1, 3, 23, 9), mirror).reshape(offsets.shape)
    np.testing.assert_allclose(again, offsets, atol=1e-12)


@pytest.mark.parametrize(
    ("joint", "below", "angle_deg"),
    [
        ("left_elbow", ("left_elbow", "left_wrist", "left_hand"), (0, -110, 0)),
        ("right_elbow", ("right_elbow", "right_wrist", "right_hand"), (0, 110, 0)),
        ("neck", ("neck", "head"), (30, 20, 0)),
        ("head", ("head",), (0, 35, 10)),
    ],
)
def test_cc0_body_offsets_close_most_of_the_gap(fitted_body, joint, below, angle_deg):
    model, _, joints, offsets = fitted_body
    moved = model.lbs_weights[:, list(skeleton.indices(below, skeleton.SMPL_JOINTS))].sum(1)
    rotation = Rotation.from_rotvec([np.radians(angle_deg)]).as_matrix()
    columns = slice(9 * (J(joint) - 1), 9 * J(joint))
    corrected = model.v_template + offsets[:, :, columns] @ (rotation[0] - np.eye(3)).ravel()
    centre = joints[J(joint)]
    reference = pose_blend.dual_quaternion_skin(model.v_template, moved, centre, rotation)

    def gap(points):
        return np.linalg.norm(pose_blend.linear_skin(points, moved, centre, rotation) - reference)

    assert gap(corrected) < 0.4 * gap(model.v_template)

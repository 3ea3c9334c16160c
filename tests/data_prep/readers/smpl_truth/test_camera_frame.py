"""World to camera: rotations by hand, the rest pelvis from joints and from projections."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from data_prep.readers.smpl_truth import camera_frame
from data_prep.readers.smpl_truth.camera_frame import Bodies
from tests.fakes import truth_fakes


def test_camera_frame_of_a_quarter_rotation():
    """The camera looks along the world's x axis, from two metres behind the origin."""
    extrinsics = np.eye(4)[None]
    extrinsics[0, :3] = [[0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 2]]
    bodies = Bodies(np.zeros((1, 24, 3)), np.array([[1.0, 0.25, 0.5]]))
    in_camera = camera_frame.to_camera(bodies, np.array([0.0, -0.25, 0.0]), extrinsics)
    # The pelvis is at (1, 0, 0.5) in the world: 3 m before the camera, 0.5 m above its axis.
    np.testing.assert_allclose(in_camera.transl, [[0, -0.5 + 0.25, 3]], atol=1e-12)
    np.testing.assert_allclose(
        Rotation.from_rotvec(in_camera.pose[0, 0]).as_matrix(), extrinsics[0, :3, :3], atol=1e-12
    )
    assert not in_camera.pose[0, 1:].any()
    assert not bodies.pose.any()  # the input is as it was


def test_camera_frame_is_rigid_only_for_rotations():
    matrices = np.tile(np.eye(4), (6, 1, 1))
    matrices[1, 0] *= -1  # mirrored
    matrices[2, :3, :3] = 0
    matrices[3, :3, :3] *= 1.1  # scaled
    matrices[4, 0, 3] = np.nan
    matrices[5, 1, 1] = 1e300
    assert camera_frame.are_rigid(matrices).tolist() == [True] + [False] * 5


@pytest.mark.parametrize("num_frames", [2, 3, 50])
def test_camera_frame_rest_pelvis_is_exact(num_frames, rng):
    scene = truth_fakes.scene(rng, num_frames)
    expected = scene.joints[0, 0] - scene.transl[0]
    from_joints, distances = camera_frame.rest_pelvis_from_joints(scene.joints[:, 0], scene.transl)
    np.testing.assert_allclose(from_joints, expected, atol=1e-12)
    assert distances.max() < 1e-12
    from_projections, misfits_px = camera_frame.rest_pelvis_from_projections(
        scene.joints_px[:, 0], scene.transl, scene.extrinsics, truth_fakes.INTRINSICS
    )
    np.testing.assert_allclose(from_projections, expected, atol=1e-8)
    assert misfits_px.max() < 1e-6


def test_camera_frame_rest_pelvis_of_one_frame_lies_on_its_ray(rng):
    scene = truth_fakes.scene(rng, 1)
    arguments = scene.transl, scene.extrinsics, truth_fakes.INTRINSICS
    rest, misfits_px = camera_frame.rest_pelvis_from_projections(scene.joints_px[:, 0], *arguments)
    in_camera = camera_frame.points_to_camera((rest + scene.transl)[:, None], scene.extrinsics)
    np.testing.assert_allclose(
        truth_fakes.project(in_camera[0, 0]), scene.joints_px[0, 0], atol=1e-6
    )
    assert misfits_px.max() < 1e-6
    assert np.linalg.norm(rest) <= np.linalg.norm(scene.joints[0, 0] - scene.transl[0]) + 1e-9

"""Sampled poses: key poses, joint limits, symmetry, seeds."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from data_prep.synthesis.key_poses import JOINT_LIMITS, KEY_POSES, NOISE
from data_prep.synthesis.pose_sampler import joint_limits, key_poses, sample_poses
from hmr_tf.body import body_model, skeleton

MODEL = body_model.read_model()


def posed_joints(pose):
    """(24, 3) joints of the template in a pose, the kinematic chain written out."""
    rest = MODEL.joint_regressor @ MODEL.v_template
    rotations, joints = [Rotation.from_rotvec(pose[0])], [rest[0]]
    for joint, parent in enumerate(MODEL.parents[1:], 1):
        joints.append(joints[parent] + rotations[parent].apply(rest[joint] - rest[parent]))
        rotations.append(rotations[parent] * Rotation.from_rotvec(pose[joint]))
    return dict(zip(skeleton.SMPL_JOINTS, joints))


def key_pose(name):
    return posed_joints(key_poses()[list(KEY_POSES).index(name)])


def test_pose_sampler_standing_hangs_the_arms():
    body = key_pose("stand")
    for side, outward in (("left", 1), ("right", -1)):
        arm = body[f"{side}_wrist"] - body[f"{side}_shoulder"]
        assert arm[1] < -0.4
        assert 0 < outward * arm[0] < 0.2


@pytest.mark.parametrize(
    ("pose", "joint", "origin", "direction"),
    [
        ("walk, left foot in front", "left_ankle", "right_ankle", (0, 0, 1)),
        ("walk, left foot in front", "right_wrist", "right_elbow", (0, 0, 1)),
        ("sit on a chair", "left_knee", "left_hip", (0, 0, 1)),
        ("sit on a chair", "left_ankle", "left_knee", (0, -1, 0)),
        ("arms up", "right_wrist", "right_shoulder", (0, 1, 0)),
        ("point forward", "left_wrist", "left_shoulder", (0, 0, 1)),
        ("throw with the right", "right_wrist", "right_elbow", (0, 1, 0)),
        ("kick with the right", "right_ankle", "right_hip", (0, 0, 1)),
        ("star jump", "left_ankle", "right_ankle", (1, 0, 0)),
        ("bend down", "neck", "pelvis", (0, 0, 1)),
        ("arms crossed", "left_wrist", "left_elbow", (-1, 0, 0)),
        ("hands on hips", "right_elbow", "right_wrist", (-1, 0, 0)),
        ("kneel", "left_ankle", "left_knee", (0, 0, -1)),
        ("stand, weight on the left leg", "neck", "pelvis", (0, 1, 0)),
    ],
)
def test_pose_sampler_key_poses_point_where_their_names_say(pose, joint, origin, direction):
    body = key_pose(pose)
    bone = body[joint] - body[origin]
    assert bone @ np.array(direction) > 0.5 * np.linalg.norm(bone)


def test_pose_sampler_key_poses_are_within_the_limits():
    low, high = joint_limits()
    for name, pose in zip(KEY_POSES, key_poses()):
        inside = (pose >= low - 1e-9) & (pose <= high + 1e-9)
        assert inside.all(), (name, np.argwhere(~inside))


def test_pose_sampler_samples_are_poses_within_the_limits(rng):
    poses = sample_poses(rng, 500)
    assert poses.shape == (500, 24, 3)
    assert poses.dtype == np.float32
    assert not poses[:, 0].any()
    low, high = joint_limits()
    assert (poses >= low.astype(np.float32)).all()
    assert (poses <= high.astype(np.float32)).all()
    assert np.linalg.norm(poses, axis=-1).max() < np.pi


def test_pose_sampler_knees_and_elbows_bend_one_way(rng):
    poses = sample_poses(rng, 500)
    bends = {
        name: poses[:, skeleton.SMPL_JOINTS.index(name)]
        for name in ("left_knee", "right_knee", "left_elbow", "right_elbow")
    }
    slack = np.radians(5)
    assert (bends["left_knee"][:, 0] > -slack).all()
    assert (bends["right_knee"][:, 0] > -slack).all()
    assert (bends["left_elbow"][:, 1] < slack).all()
    assert (bends["right_elbow"][:, 1] > -slack).all()


def test_pose_sampler_left_and_right_are_alike(rng):
    poses = sample_poses(rng, 4000)
    mirrored = poses[:, skeleton.mirror(skeleton.SMPL_JOINTS)] * np.float32([1, -1, -1])
    np.testing.assert_allclose(poses.mean(0), mirrored.mean(0), atol=0.05)
    assert np.abs(poses - mirrored).max(axis=(1, 2)).min() > 0.01  # but none is symmetric


def test_pose_sampler_samples_differ_and_hanging_arms_are_common(rng):
    poses = sample_poses(rng, 1000)
    assert len(np.unique(poses[:, 1:].reshape(1000, -1).round(3), axis=0)) == 1000
    for name in skeleton.SMPL_JOINTS[1:]:
        deviation = poses[:, skeleton.SMPL_JOINTS.index(name)].std(0).max()
        assert deviation > np.radians(1.5), name
    left_shoulder = poses[:, skeleton.SMPL_JOINTS.index("left_shoulder")]
    assert (left_shoulder[:, 2] < np.radians(-50)).mean() > 0.4


def test_pose_sampler_same_seed_same_poses():
    one, same, other = (sample_poses(np.random.default_rng(seed), 20) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.1


def test_pose_sampler_tables_name_every_joint():
    kinds = {name.replace("left_", "").replace("right_", "") for name in skeleton.SMPL_JOINTS[1:]}
    assert set(JOINT_LIMITS) == set(NOISE) == kinds

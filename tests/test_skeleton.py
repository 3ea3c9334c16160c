import numpy as np
import tensorflow as tf

from hmr_tf.body import theta
from hmr_tf.body.skeleton import (
    KEYPOINT_BONES,
    KEYPOINTS,
    LSP_JOINTS,
    SMPL_JOINTS,
    SMPL_PARENTS,
    indices,
    mirror,
)


def test_orders_are_those_of_the_original():
    assert KEYPOINTS[:14] == LSP_JOINTS
    assert LSP_JOINTS[0] == "right_ankle"
    assert LSP_JOINTS[13] == "head_top"
    expected = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)
    assert expected == SMPL_PARENTS


def test_mirror_is_the_original_swap():
    # data_utils.py:273 and :337 of the original
    swap = [5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6, 12, 13, 14, 16, 15, 18, 17]
    assert list(mirror(KEYPOINTS)) == swap
    assert list(mirror(LSP_JOINTS)) == swap[:14]


def test_mirroring_twice_changes_nothing():
    for names in (KEYPOINTS, LSP_JOINTS, SMPL_JOINTS):
        swap = np.array(mirror(names))
        assert (swap[swap] == np.arange(len(names))).all()


def test_bones_name_keypoints():
    ends = {name for bone in KEYPOINT_BONES for name in bone}
    assert ends == set(KEYPOINTS)
    assert indices(("neck", "right_knee"), LSP_JOINTS) == (12, 1)


def test_theta_is_camera_then_pose_then_betas():
    numbers = tf.reshape(tf.range(170, dtype=tf.float32), [2, 85])
    parts = theta.split(numbers)
    np.testing.assert_array_equal(parts.camera, numbers[:, :3])
    np.testing.assert_array_equal(parts.pose[1], np.arange(85 + 3, 85 + 75).reshape(24, 3))
    np.testing.assert_array_equal(parts.betas, numbers[:, 75:])

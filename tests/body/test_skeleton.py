"""Names of joints: orders, mirrors, conversions; the order of theta."""

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf.body import skeleton, theta
from hmr_tf.body.skeleton import (
    KEYPOINT_BONES,
    KEYPOINTS,
    LSP_JOINTS,
    SMPL_JOINTS,
    SMPL_PARENTS,
    indices,
    mirror,
)


def test_skeleton_orders_are_those_of_the_original():
    assert KEYPOINTS[:14] == LSP_JOINTS
    assert LSP_JOINTS[0] == "right_ankle"
    assert LSP_JOINTS[13] == "head_top"
    expected = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)
    assert expected == SMPL_PARENTS


def test_skeleton_mirror_is_the_originals_swap():
    # data_utils.py:273 and :337 of the original
    swap = [5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6, 12, 13, 14, 16, 15, 18, 17]
    assert list(mirror(KEYPOINTS)) == swap
    assert list(mirror(LSP_JOINTS)) == swap[:14]


def test_skeleton_mirror_twice_changes_nothing():
    for names in (KEYPOINTS, LSP_JOINTS, SMPL_JOINTS):
        swap = np.array(mirror(names))
        assert (swap[swap] == np.arange(len(names))).all()


def test_skeleton_bones_are_between_keypoints():
    ends = {name for bone in KEYPOINT_BONES for name in bone}
    assert ends == set(KEYPOINTS)
    assert indices(("neck", "right_knee"), LSP_JOINTS) == (12, 1)


def test_theta_is_camera_then_pose_then_betas():
    numbers = tf.reshape(tf.range(170, dtype=tf.float32), [2, 85])
    parts = theta.split(numbers)
    np.testing.assert_array_equal(parts.camera, numbers[:, :3])
    np.testing.assert_array_equal(parts.pose[1], np.arange(85 + 3, 85 + 75).reshape(24, 3))
    np.testing.assert_array_equal(parts.betas, numbers[:, 75:])
    np.testing.assert_array_equal(theta.join(*parts), numbers)


def test_centred_on_hips_moves_arrays_and_tensors_alike(rng):
    joints = rng.normal(size=(2, 14, 3)).astype(np.float32)
    centred = skeleton.centred_on_hips(joints)
    np.testing.assert_array_equal(skeleton.centred_on_hips(tf.constant(joints)), centred)
    hips = [LSP_JOINTS.index(name) for name in ("left_hip", "right_hip")]
    np.testing.assert_allclose(centred[:, hips].sum(axis=1), 0, atol=1e-6)
    right, left = (LSP_JOINTS.index(f"{side}_ankle") for side in ("right", "left"))
    np.testing.assert_allclose(
        centred[:, right] - centred[:, left], joints[:, right] - joints[:, left], atol=1e-6
    )


def test_skeleton_convert_goes_by_name(rng):
    points = rng.normal(size=(2, 19, 3))
    coco = skeleton.convert(points, skeleton.KEYPOINTS, skeleton.COCO_KEYPOINTS)
    assert coco.shape == (2, 17, 3)
    wrist = [names.index("left_wrist") for names in (skeleton.COCO_KEYPOINTS, KEYPOINTS)]
    assert wrist[0] == 9  # COCO's tenth point
    np.testing.assert_array_equal(coco[:, wrist[0]], points[:, wrist[1]])
    back = skeleton.convert(coco, skeleton.COCO_KEYPOINTS, skeleton.KEYPOINTS)
    known = [name not in ("neck", "head_top") for name in skeleton.KEYPOINTS]
    np.testing.assert_array_equal(back[:, known], points[:, known])
    assert np.isnan(back[:, np.logical_not(known)]).all()


def test_skeleton_convert_refuses_another_number_of_points():
    with pytest.raises(ValueError, match=r"points must be \(\.\.\., 19, C\); received \(5, 3\)"):
        skeleton.convert(np.zeros((5, 3)), skeleton.KEYPOINTS, skeleton.COCO_KEYPOINTS)


def test_skeleton_convert_takes_two_sources(rng):
    joints, smpl_joints = rng.normal(size=(19, 3)), rng.normal(size=(24, 3))
    names = skeleton.KEYPOINTS + skeleton.SMPL_JOINTS
    points = np.concatenate([joints, smpl_joints])
    openpose = skeleton.convert(points, names, skeleton.OPENPOSE_KEYPOINTS)
    by_name = dict(zip(skeleton.OPENPOSE_KEYPOINTS, openpose))
    np.testing.assert_array_equal(by_name["pelvis"], smpl_joints[SMPL_JOINTS.index("pelvis")])
    np.testing.assert_array_equal(by_name["neck"], joints[KEYPOINTS.index("neck")])  # not SMPL's


@pytest.mark.parametrize(
    ("vocabulary", "size"),
    [
        (skeleton.COCO_KEYPOINTS, 17),
        (skeleton.OPENPOSE_KEYPOINTS, 25),
        (skeleton.H36M_JOINTS, 17),
        (skeleton.MPI_INF_3DHP_JOINTS, 17),
    ],
)
def test_skeleton_vocabularies_have_no_name_twice_and_a_mirror(vocabulary, size):
    assert len(set(vocabulary)) == len(vocabulary) == size
    mirror = skeleton.mirror(vocabulary)
    assert [mirror[mirror[i]] for i in range(size)] == list(range(size))


def test_lsp_joints_are_the_keypoints_of_their_names(rng):
    keypoints = rng.normal(size=(2, 19, 3))
    expected = keypoints[:, skeleton.indices(skeleton.LSP_JOINTS, skeleton.KEYPOINTS)]
    np.testing.assert_array_equal(skeleton.lsp_joints_from_keypoints(keypoints), expected)

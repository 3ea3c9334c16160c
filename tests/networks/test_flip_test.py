"""Flip test: the mean body of a crop and its mirror image."""

import numpy as np
import tensorflow as tf

from hmr_tf.body import rotation, skeleton, theta
from hmr_tf.networks import engines
from hmr_tf.networks.flip_test import mean_of_mirrored, mirror_keypoints


def random_prediction(rng, count):
    pose = rng.normal(0, 0.6, (count, 24, 3)).astype(np.float32)
    return {
        "rotations": rotation.matrix_from_axis_angle(tf.constant(pose)).numpy(),
        "betas": rng.normal(size=(count, 10)).astype(np.float32),
        "camera": rng.normal(size=(count, 3)).astype(np.float32),
    }


def mirrored(prediction):
    joints = skeleton.mirror(skeleton.SMPL_JOINTS)
    return {
        "rotations": rotation.reflect(tf.constant(prediction["rotations"]), joints).numpy(),
        "betas": prediction["betas"],
        "camera": prediction["camera"] * np.float32([1, -1, 1]),
    }


def joined(first, second):
    return {name: np.concatenate([first[name], second[name]]) for name in first}


def test_flip_test_of_mirrored_predictions_that_agree_changes_nothing(rng):
    prediction = random_prediction(rng, 4)
    rotations, mean = mean_of_mirrored(joined(prediction, mirrored(prediction)))
    np.testing.assert_allclose(rotations, prediction["rotations"], atol=2e-6)
    camera, pose, betas = theta.split(mean)
    np.testing.assert_allclose(camera, prediction["camera"])
    np.testing.assert_allclose(betas, prediction["betas"])
    np.testing.assert_allclose(
        rotation.matrix_from_axis_angle(pose), prediction["rotations"], atol=2e-6
    )


def test_flip_test_keypoints_of_a_mirror_image_swap_sides(rng):
    keypoints_px = rng.uniform(0, 16, size=(2, 19, 2))
    mirror_px = mirror_keypoints(keypoints_px, 16)
    left, right = (skeleton.KEYPOINTS.index(f"{side}_wrist") for side in ("left", "right"))
    np.testing.assert_array_equal(mirror_px[:, left, 0], 16 - keypoints_px[:, right, 0])
    np.testing.assert_array_equal(mirror_px[:, left, 1], keypoints_px[:, right, 1])
    np.testing.assert_allclose(mirror_keypoints(mirror_px, 16), keypoints_px)


def test_flip_test_takes_the_rotation_halfway():
    """A left elbow bent by 0.2 in the crop; by 0.6 in the mirror image, where it is the right."""
    left, right = (skeleton.SMPL_JOINTS.index(f"{side}_elbow") for side in ("left", "right"))
    pose = np.zeros((2, 24, 3), np.float32)
    pose[0, left] = (0, -0.2, 0)
    pose[1, right] = (0, 0.6, 0)
    both = {
        "rotations": rotation.matrix_from_axis_angle(tf.constant(pose)).numpy(),
        "betas": np.float32([[1] * 10, [3] * 10]),
        "camera": np.float32([[1, 0.1, 0.2], [2, 0.3, 0.4]]),
    }
    _, mean = mean_of_mirrored(both)
    camera, pose, betas = theta.split(mean)
    expected = np.zeros((1, 24, 3))
    expected[0, left] = (0, -0.4, 0)
    np.testing.assert_allclose(pose, expected, atol=1e-6)
    np.testing.assert_allclose(camera, [[1.5, -0.1, 0.3]], atol=1e-6)
    np.testing.assert_allclose(betas, [[2] * 10])


def test_flip_test_gives_mirror_images_mirrored_bodies(hmr, images):
    engine = engines.make(hmr, "tensorflow", flip_test=True)
    body, mirror_image = engine.predict(images), engine.predict(images[:, :, ::-1])
    expected = mirrored(mirror_image)
    for name, value in expected.items():
        np.testing.assert_allclose(body[name], value, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(
        engine.for_threads.predict(images)["theta"], body["theta"], atol=1e-5
    )
    assert {name: value.shape for name, value in body.items()} == {
        name: value.shape for name, value in engines.in_tensorflow(hmr).predict(images).items()
    }


def test_flip_test_mesh_and_keypoints_are_those_of_its_theta(hmr, images):
    body = engines.make(hmr, "tensorflow", flip_test=True).predict(images)
    (expected,) = hmr.predictions_from_thetas([tf.constant(body["theta"])])
    np.testing.assert_allclose(body["joints3d"], expected.joints3d, atol=1e-5)
    vertices = hmr.with_mesh(expected).vertices
    np.testing.assert_allclose(body["vertices"], vertices, atol=1e-5)


def test_flip_test_is_part_of_the_digest_of_predictions(hmr):
    differences = {
        engines.make(hmr, "tensorflow", precision, flip_test=flip).difference
        for precision in engines.PRECISIONS
        for flip in (False, True)
    }
    assert len(differences) == 4
    assert "" in differences

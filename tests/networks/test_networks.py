import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from hmr_tf.body import body_model, camera, theta
from hmr_tf.networks import build
from hmr_tf.networks.discriminator import JUDGED, Discriminator
from hmr_tf.networks.encoder import NUM_FEATURES, resnet_v2_50
from hmr_tf.networks.hmr import IterativeRegressor, mean_theta
from tests.fakes import tiny_body


@pytest.fixture(scope="module")
def hmr(tmp_path_factory):
    path = tiny_body.write(tmp_path_factory.mktemp("body") / "tiny.npz")
    keras.utils.set_random_seed(0)
    return build.build(build.Architecture(img_size=64), body_model.read_model(path))


@pytest.fixture
def images(rng):
    return tf.constant(rng.uniform(-1, 1, size=(2, 64, 64, 3)), tf.float32)


def test_encoder_has_the_variables_of_slim():
    """Counts of the released checkpoint: 270 variables in resnet_v2_50, 23.5 million weights."""
    encoder = resnet_v2_50(64)
    assert len(encoder.weights) == 270
    assert len(encoder.trainable_weights) == 172
    assert sum(int(np.prod(w.shape)) for w in encoder.trainable_weights) == 23_519_360
    assert encoder.output_shape == (None, NUM_FEATURES)


def test_encoder_pads_as_slim():
    """Even sizes: conv1 pads 3 on both sides; pool1 pads nothing on top and left."""
    encoder = resnet_v2_50(64)
    assert encoder.get_layer("conv1_pad").padding == ((3, 3), (3, 3))
    assert encoder.get_layer("pool1").padding == "same"
    pad = encoder.get_layer("block1_unit_3_bottleneck_v2_conv2_pad")
    assert pad.padding == ((1, 1), (1, 1))
    strides = {
        layer.name: layer.strides[0]
        for layer in encoder.layers
        if layer.name.endswith("conv2") and layer.strides[0] > 1
    }
    assert set(strides) == {
        f"block{b}_unit_{u}_bottleneck_v2_conv2" for b, u in ((1, 3), (2, 4), (3, 6))
    }


def test_batch_norm_is_slims():
    norms = [x for x in resnet_v2_50(64).layers if isinstance(x, keras.layers.BatchNormalization)]
    assert len(norms) == 49
    assert {(n.epsilon, n.momentum) for n in norms} == {(1e-5, 0.997)}


def test_start_is_upright_and_faces_the_viewer():
    start = theta.split(mean_theta(pose=np.ones(72), betas=np.full(10, 2.0)))
    np.testing.assert_allclose(start.camera, [[0.9, 0, 0]])
    np.testing.assert_allclose(start.pose[0, 0], [np.pi, 0, 0])
    np.testing.assert_allclose(start.pose[0, 1:], 1)
    np.testing.assert_allclose(start.betas, 2)


def test_regressor_adds_its_corrections_to_the_start(rng):
    regressor = IterativeRegressor(mean_theta(), num_stage=3)
    features = tf.constant(rng.normal(size=(2, NUM_FEATURES)), tf.float32)
    regressor(features)
    correction = rng.normal(size=85).astype(np.float32)
    regressor.fc3.kernel.assign(tf.zeros_like(regressor.fc3.kernel))
    regressor.fc3.bias.assign(correction)
    for stage, answer in enumerate(regressor(features), 1):
        np.testing.assert_allclose(answer, mean_theta() + [stage * correction] * 2, atol=1e-5)


def test_regressor_drops_what_the_dice_say(rng):
    """Another mask in every stage and layer, the kept units twice as strong, none without dice."""
    keras.utils.set_random_seed(0)
    regressor = IterativeRegressor(mean_theta(), num_stage=2)
    features = tf.constant(rng.normal(size=(1, NUM_FEATURES)), tf.float32)
    noise = np.ones(regressor.noise_shape(1), np.float32)
    kept = [answer.numpy() for answer in regressor(features, noise=noise)]
    plain = [answer.numpy() for answer in regressor(features)]
    assert not np.allclose(kept[0], plain[0])
    for stage in range(2):
        for layer in range(2):
            dropped = noise.copy()
            dropped[:, stage, layer] = 0.0
            answers = [answer.numpy() for answer in regressor(features, noise=dropped)]
            assert np.array_equal(answers[0], kept[0]) == (stage == 1)
            assert not np.allclose(answers[1], kept[1])
    x = tf.concat([features, mean_theta()], axis=-1)
    for fc in (regressor.fc1, regressor.fc2):
        x = 2.0 * fc(x)
    np.testing.assert_allclose(kept[0], mean_theta() + regressor.fc3(x), atol=1e-5)


def test_prediction_agrees_with_itself(hmr, images):
    stages = hmr(images)
    assert len(stages) == 3
    last = hmr.with_mesh(stages[-1])
    parts = theta.split(last.theta)
    np.testing.assert_array_equal(parts.camera, last.camera)
    body = hmr.smpl(parts.pose, parts.betas)
    np.testing.assert_allclose(last.vertices, body.vertices, atol=1e-5)
    np.testing.assert_allclose(last.joints3d, body.joints3d, atol=1e-5)
    np.testing.assert_allclose(
        last.keypoints2d_norm, camera.project(body.joints3d, parts.camera), atol=1e-5
    )


def test_untrained_regressor_stays_close_to_the_start(rng):
    """fc3 starts small (the original's models.py:81-88)."""
    features = tf.constant(rng.normal(size=(2, NUM_FEATURES)), tf.float32)
    assert np.abs(IterativeRegressor(mean_theta())(features)[-1] - mean_theta()).max() < 1.5


def test_calibrated_norms_tame_random_weights(rng):
    encoder = resnet_v2_50(64)
    images = tf.constant(rng.uniform(-1, 1, size=(16, 64, 64, 3)), tf.float32)
    assert np.std(encoder(images)) > 10
    build.calibrate_batch_norm(encoder, images)
    assert np.std(encoder(images)) < 2 * np.std(encoder(images, training=True))
    assert encoder.get_layer("postnorm").momentum == 0.997


def test_discriminator_has_an_output_for_each_joint_pose_and_shape(rng):
    discriminator = Discriminator()
    assert len(JUDGED) == 25
    assert (JUDGED[0], JUDGED[22]) == ("left_hip", "right_hand")
    assert len(discriminator.trainable_variables) == 62
    rotations = tf.constant(rng.normal(size=(3, 23, 3, 3)), tf.float32)
    betas = tf.constant(rng.normal(size=(3, 10)), tf.float32)
    scores = discriminator((rotations, betas)).numpy()
    assert scores.shape == (3, 25)

    moved = rotations.numpy()
    moved[:, JUDGED.index("left_elbow")] += 1
    changed = np.abs(discriminator((moved, betas)) - scores).max(axis=0) > 1e-6
    assert {JUDGED[i] for i in np.flatnonzero(changed)} == {"left_elbow", "all_joints"}
    changed = np.abs(discriminator((rotations, betas + 1)) - scores).max(axis=0) > 1e-6
    assert {JUDGED[i] for i in np.flatnonzero(changed)} == {"betas"}


def test_joints_share_their_embedding(rng):
    """Same rotation, same discriminator weights: same score, whichever joint it is."""
    discriminator = Discriminator()
    for out in discriminator.pose_out[1:]:
        out.set_weights(discriminator.pose_out[0].get_weights())
    rotations = tf.tile(tf.constant(rng.normal(size=(2, 1, 3, 3)), tf.float32), [1, 23, 1, 1])
    scores = discriminator((rotations, tf.zeros([2, 10])))[:, :23].numpy()
    np.testing.assert_allclose(scores, scores[:, :1] * np.ones(23), atol=1e-6)

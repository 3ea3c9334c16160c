"""Three trainings on the same features, with and without 3D labels and prior."""

import json

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.results import prior_ablation
from hmr_tf.body import body_model
from hmr_tf.cli.options import Options
from hmr_tf.files.errors import InputError
from hmr_tf.networks import build, checkpoint
from hmr_tf.networks.encoder import NUM_FEATURES
from tests.fakes import tiny_body, tiny_hmr

OPTIONS = Options(batch_size=4, encoder="resnet50", img_size=32)


@pytest.fixture(scope="module")
def body(tmp_path_factory):
    path = tmp_path_factory.mktemp("body") / "body.npz"
    tiny_body.write(path)
    return body_model.read_model(path)


@pytest.fixture
def people(rng):
    batch = {name: value.numpy() for name, value in tiny_hmr.data(rng, batch_size=8)[0].items()}
    features = rng.normal(size=(8, NUM_FEATURES)).astype(np.float32)
    return {
        **batch,
        "image": features,
        "has_joints": np.ones(8, bool),
        "has_smpl": np.ones(8, bool),
    }


@pytest.fixture
def bodies(rng):
    rotations = np.tile(np.eye(3, dtype=np.float32), (24, 23, 1, 1))
    return {"rotations": rotations, "betas": rng.normal(size=(24, 10)).astype(np.float32)}


def test_prior_ablation_hides_3d_labels_from_two_of_three(people, bodies):
    for variant in prior_ablation.VARIANTS:
        batch, mocap = next(iter(prior_ablation._dataset(people, bodies, OPTIONS, variant)))
        labelled = variant == "3d_and_prior"
        for name in ("has_joints", "has_smpl"):
            np.testing.assert_array_equal(batch[name], np.full(4, labelled))
        assert bool(mocap) == (variant != "neither")
        if mocap:
            assert mocap["betas"].shape == (3 * 4, 10)


def test_prior_ablation_features_are_those_of_the_fixed_encoder(people, bodies):
    network = tf.keras.Sequential(
        [tf.keras.Input((6, 6, 3)), tf.keras.layers.GlobalAveragePooling2D()]
    )
    images = tf.random.stateless_uniform([8, 6, 6, 3], [0, 1])
    batches = tf.data.Dataset.from_tensor_slices({**people, "image": images}).batch(4)
    mocap = tf.data.Dataset.from_tensor_slices(bodies).batch(12)
    joined, joined_bodies = prior_ablation.features_and_labels(
        network, tf.data.Dataset.zip((batches, mocap)), num_batches=2
    )
    np.testing.assert_allclose(joined["image"], tf.reduce_mean(images, [1, 2]), rtol=1e-5)
    np.testing.assert_array_equal(joined["keypoints2d_norm"], people["keypoints2d_norm"])
    np.testing.assert_array_equal(joined_bodies["betas"], bodies["betas"])


def test_prior_ablation_trains_and_saves_a_network_for_evaluation(people, bodies, body, tmp_path):
    tiny_body.write(tmp_path / "body.npz")
    architecture = build.Architecture(str(tmp_path / "body.npz"), "", "resnet50", 32, 2)
    options = Options(batch_size=4, **architecture._asdict())
    hmr = build.build(architecture, body)
    trained = prior_ablation.train(people, bodies, body, options, "neither", num_steps=10)
    assert np.abs(trained.mean.numpy() - prior_ablation.mean_theta()).max() > 1e-5
    prior_ablation.save(tmp_path / "run", trained, hmr, body, options)
    assert prior_ablation.architecture_of(tmp_path / "run") == architecture
    loaded = checkpoint.load(tmp_path / "run")
    for ours, expected in zip(loaded.regressor.get_weights(), trained.get_weights()):
        np.testing.assert_array_equal(ours, expected)
    for ours, expected in zip(loaded.encoder.get_weights(), hmr.encoder.get_weights()):
        np.testing.assert_array_equal(ours, expected)
    params = json.loads((tmp_path / "run" / checkpoint.PARAMS).read_text())
    assert params[checkpoint.BODY_DIGEST] == body_model.digest(body)


def test_prior_ablation_refuses_an_output_that_is_a_file_before_it_trains(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(checkpoint, "load_with_body", None)  # never called
    monkeypatch.setattr("sys.argv", ["x", "--data_dir=d", f"--output={tmp_path}/file"])
    with pytest.raises(InputError, match=r"--output=.*file cannot be written"):
        prior_ablation.main()

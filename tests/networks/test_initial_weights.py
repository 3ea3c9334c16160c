"""Initial weights: each kind of weight file into its network, strictly."""

import h5py
import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from hmr_tf.files.errors import InputError
from hmr_tf.networks import encoder, initial_weights
from tests.fakes import tiny_hmr
from tests.golden import golden_checkpoint

SIZE = 64


@pytest.fixture(scope="module")
def weight_file(tmp_path_factory):
    """As keras.applications publishes them, with the classifier; and the network they are of."""
    keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    source = keras.applications.ResNet50(weights=None, input_shape=(SIZE, SIZE, 3), classes=3)
    for layer in source.layers:  # a fresh batch norm does nothing
        layer.set_weights([w + 0.1 * random.random(w.shape) for w in layer.get_weights()])
    path = tmp_path_factory.mktemp("keras") / "resnet50.h5"
    source.save_weights(path)
    return path, source


def test_initial_weights_of_keras_with_their_classifier(weight_file, rng):
    """Features of our [-1, 1] crops are those of Keras's preprocessing and network."""
    path, source = weight_file
    network = encoder.resnet50(SIZE)
    initial_weights.read_keras(path, network)
    images = rng.uniform(-1, 1, (2, SIZE, SIZE, 3)).astype(np.float32)
    fed = keras.applications.resnet.preprocess_input((images + 1) * 127.5)
    features = keras.Model(source.input, source.get_layer("avg_pool").output)(fed)
    np.testing.assert_allclose(network(images), features, rtol=1e-4, atol=1e-4)


def test_initial_weights_of_another_network_are_refused(weight_file, tmp_path):
    path, _ = weight_file
    with pytest.raises(InputError, match=r"another network: it lacks .*, and the network is"):
        initial_weights.read_keras(path, encoder.resnet50v2(SIZE))
    damaged = tmp_path / "damaged.h5"
    damaged.write_bytes(path.read_bytes())
    with h5py.File(damaged, "a") as file:
        del file["conv1_conv/conv1_conv/bias:0"]
        file["conv1_conv/conv1_conv/bias:0"] = np.zeros(3)
    with pytest.raises(InputError, match=r"conv1_conv is .*\(3,\)"):
        initial_weights.read_keras(damaged, encoder.resnet50(SIZE))
    (tmp_path / "text.h5").write_text("no weights")
    for name in ("text.h5", "none.h5"):
        with pytest.raises(InputError, match=rf"{name} is not a Keras weight file"):
            initial_weights.load(str(tmp_path / name), "resnet50", tiny_hmr.build(tmp_path))


def test_encoder_momentum_reaches_every_batch_norm():
    for make in encoder.ENCODERS.values():
        norms = [
            x for x in make(SIZE, 0.9).layers if isinstance(x, keras.layers.BatchNormalization)
        ]
        assert {norm.momentum for norm in norms} == {0.9}


def test_initial_weights_file_decides_what_is_assigned(tmp_path, monkeypatch):
    """A ResNet alone sets the encoder, the original's checkpoint all that it holds."""
    hmr, assigned = tiny_hmr.build(tmp_path), []
    for name in ("assign_slim", "assign_hmr"):
        monkeypatch.setattr(
            initial_weights.tf1_checkpoint, name, lambda *_, name=name: assigned.append(name)
        )
    for prefix, name in (("slim.ckpt", "conv1/weights"), ("hmr.ckpt", "3D_module/fc1/weights")):
        golden_checkpoint.write(tmp_path / prefix, {name: np.zeros(3, np.float32)})
        initial_weights.load(str(tmp_path / prefix), "resnet_v2_50", hmr)
    assert assigned == ["assign_slim", "assign_hmr"]


@pytest.mark.parametrize(
    ("path", "name", "message"),
    [
        ("imagenet", "resnet_v2_50", "Keras has no weights of resnet_v2_50"),
        ("model.ckpt-5", "resnet50", r"is not a \.h5 file, which --encoder=resnet50 needs"),
        ("none.ckpt", "resnet_v2_50", "No checkpoint at none.ckpt"),
    ],
)
def test_initial_weights_refuse_a_path_that_does_not_fit(tmp_path, path, name, message):
    with pytest.raises(InputError, match=message):
        initial_weights.load(path, name, tiny_hmr.build(tmp_path))


def test_initial_weights_without_internet_are_refused(tmp_path, monkeypatch):
    def refuse(**_):
        raise Exception("URL fetch failure")  # as Keras does

    monkeypatch.setitem(initial_weights._KERAS, "resnet50", refuse)
    with pytest.raises(InputError, match=r"cannot be downloaded \(URL fetch failure\)"):
        initial_weights.load("imagenet", "resnet50", tiny_hmr.build(tmp_path))


def test_initial_weights_download_reaches_the_encoder(tmp_path, monkeypatch):
    hmr, source = tiny_hmr.build(tmp_path), tiny_hmr.encoder(tiny_hmr.SIZE)
    source.set_weights([tf.random.normal(w.shape) for w in source.weights])
    monkeypatch.setitem(initial_weights._KERAS, "resnet50", lambda **_: source)
    initial_weights.load("imagenet", "resnet50", hmr)
    for ours, theirs in zip(hmr.encoder.weights, source.weights):
        np.testing.assert_array_equal(ours, theirs)

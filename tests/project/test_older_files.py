"""Files written before version 1.1 still load, with the same numbers: golden/before_1_1."""

import tarfile
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

import hmr_tf
from hmr_tf.cli.options import Options
from hmr_tf.data import record
from hmr_tf.networks import checkpoint, discriminator, encoder, hmr
from hmr_tf.training import run
from tests.golden.compare import FOLDER

OLD = FOLDER / "before_1_1"
UNITS = 16  # of all layers that have 1024 or 2048


def small_encoder(size, bn_momentum=0.99):
    image = keras.Input((size, size, 3))
    pooled = keras.layers.AveragePooling2D(size // 4)(image)
    normed = keras.layers.BatchNormalization(momentum=bn_momentum)(pooled)
    return keras.Model(image, keras.layers.Dense(UNITS)(keras.layers.Flatten()(normed)))


def small(layer_class):
    return lambda units, **options: layer_class(UNITS if units == 1024 else units, **options)


@pytest.fixture
def small_networks(monkeypatch):
    monkeypatch.setitem(encoder.ENCODERS, "resnet_v2_50", small_encoder)
    monkeypatch.setattr(hmr, "NUM_HIDDEN", UNITS)
    monkeypatch.setattr(hmr, "NUM_FEATURES", UNITS)
    monkeypatch.setattr(discriminator, "layers", SimpleNamespace(Dense=small(keras.layers.Dense)))
    monkeypatch.setattr(discriminator, "_ColumnDense", small(discriminator._ColumnDense))


@pytest.fixture(scope="module")
def predictions():
    with np.load(OLD / "predictions.npz") as content:
        return dict(content)


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved_model")
    with tarfile.open(OLD / "saved_model.tar.xz") as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # not in every 3.9
        archive.extractall(folder)
    return tf.saved_model.load(str(folder / "1")).signatures


def assert_equal(predicted, expected, prefix):
    names = {name.split("/")[1] for name in expected if name.startswith(f"{prefix}/")}
    assert set(predicted) == names
    for name in names:
        np.testing.assert_allclose(
            predicted[name], expected[f"{prefix}/{name}"], rtol=1e-4, atol=1e-5, err_msg=name
        )


def test_old_checkpoint_gives_the_same_theta(small_networks, predictions):
    network = checkpoint.load(str(OLD / "run"))
    theta = network(predictions["images"], training=False)[-1].theta
    np.testing.assert_allclose(theta, predictions["theta"], rtol=1e-5, atol=1e-6)


def test_old_discriminator_loads(small_networks):
    loaded = checkpoint.load_discriminator(str(OLD / "run"))
    assert loaded.all_joints[0].units == UNITS


def test_old_run_predicts_the_same_people(small_networks, predictions):
    model = hmr_tf.load(str(OLD / "run"))
    people = model.predict(str(OLD / "photo.png"), boxes=predictions["boxes"].tolist())
    assert len(people) == 2
    names = {name for name in people[0] if not name.endswith("joint_names")}
    joined = {name: np.stack([person[name] for person in people]) for name in names}
    assert_equal(joined, predictions, "person")


def test_old_run_resumes_with_the_same_steps(small_networks, predictions, tmp_path):
    """Two more steps, from the same records in the same order with the same dropout."""
    options = Options(
        mode="train",
        load_path=str(OLD / "run"),
        model_dir=str(tmp_path / "run"),
        data_dir=str(OLD / "tfrecords"),
        datasets=("coco", "h36m"),
        mocap_datasets=("CMU",),
        img_size=16,
        num_stage=2,
        batch_size=4,
        e_lr=1e-3,
        d_lr=1e-3,
        num_steps=5,
        log_step=1,
        log_img_step=0,
    )
    run.train(options)
    prefix = checkpoint.find(tmp_path / "run")
    assert prefix.endswith("ckpt-5")
    theta = checkpoint.load(prefix)(predictions["images"], training=False)[-1].theta
    np.testing.assert_allclose(theta, predictions["theta_resumed"], atol=1e-5)
    assert np.abs(predictions["theta_resumed"] - predictions["theta"]).max() > 1e-3


@pytest.mark.parametrize("dataset", ["coco", "tf_records_human36m_wjoints", "mpi_inf_3dhp"])
def test_old_records_decode(dataset):
    (path,) = (OLD / "tfrecords" / dataset).rglob("*.tfrecord")
    rows = [record.decode(serialized) for serialized in tf.data.TFRecordDataset(str(path))]
    with np.load(OLD / "decoded.npz") as expected:
        for name in rows[0]:
            decoded = np.stack([row[name].numpy() for row in rows])
            np.testing.assert_array_equal(
                decoded.astype(expected[f"{dataset}/{name}"].dtype), expected[f"{dataset}/{name}"]
            )


def test_old_reference_joints_decode():
    (path,) = (OLD / "tfrecords" / "mpi_inf_3dhp").rglob("*.tfrecord")
    (serialized,) = tf.data.TFRecordDataset(str(path))
    with np.load(OLD / "decoded.npz") as expected:
        for name, value in record.decode_reference(serialized).items():
            np.testing.assert_array_equal(value, expected[f"reference/{name}"])


def test_old_mocap_records_decode():
    (path,) = (OLD / "tfrecords" / "mocap_neutrMosh").glob("*.tfrecord")
    rows = [record.decode_mocap(serialized) for serialized in tf.data.TFRecordDataset(str(path))]
    with np.load(OLD / "decoded.npz") as expected:
        for name in ("pose", "betas"):
            decoded = np.stack([row[name] for row in rows])
            np.testing.assert_array_equal(decoded, expected[f"mocap/{name}"])


def test_old_saved_model_gives_the_same_numbers(saved_model, predictions):
    photo, boxes = (OLD / "photo.png").read_bytes(), tf.constant(predictions["boxes"])
    crops = saved_model["serving_default"](image=tf.constant(predictions["images"]))
    people = saved_model["predict_image_bytes"](image_bytes=tf.constant([photo]), boxes=boxes)
    bodies = saved_model["body"](
        pose=tf.constant(predictions["pose"]), betas=tf.constant(predictions["betas"])
    )
    assert_equal(crops, predictions, "serving_default")
    assert_equal(people, predictions, "predict_image_bytes")
    assert_equal(bodies, predictions, "body")


def test_old_saved_model_is_what_the_export_writes_today(small_networks, predictions, tmp_path):
    """The same signatures, output names and numbers."""
    from hmr_tf.serving import saved_model as exporter

    exporter.export(checkpoint.load(str(OLD / "run")), tmp_path / "1")
    signatures = tf.saved_model.load(str(tmp_path / "1")).signatures
    crops = signatures["serving_default"](image=tf.constant(predictions["images"]))
    people = signatures["predict_image_bytes"](
        image_bytes=tf.constant([(OLD / "photo.png").read_bytes()]),
        boxes=tf.constant(predictions["boxes"]),
    )
    assert_equal(crops, predictions, "serving_default")
    assert_equal(people, predictions, "predict_image_bytes")

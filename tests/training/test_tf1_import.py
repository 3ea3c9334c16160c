"""The import of the original's checkpoints: every variable, by name; anything else is refused."""

import json
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf

import hmr_tf
from hmr_tf.files.errors import InputError
from hmr_tf.networks import build, checkpoint, encoder, tf1_checkpoint
from hmr_tf.networks.discriminator import Discriminator
from hmr_tf.training import build_trainer
from hmr_tf.training.tf1_import import import_tf1
from hmr_tf.training.trainer import Trainer, adam
from tests.golden import body as golden_body
from tests.golden import compare, golden_checkpoint, golden_inputs


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """SMPL file, and a checkpoint of each of the original's graphs."""
    path = tmp_path_factory.mktemp("original")
    golden_body.write_pickle(path / "smpl.pkl")
    golden_checkpoint.write(path / "model.ckpt-667589", golden_checkpoint.inference_values())
    golden_checkpoint.write(path / "training.ckpt", golden_checkpoint.training_values())
    return path


@pytest.fixture(scope="module")
def inference(folder):
    import_tf1(folder / "model.ckpt-667589", folder / "inference", str(folder / "smpl.pkl"))
    return folder / "inference"


@pytest.fixture(scope="module")
def training(folder):
    import_tf1(
        folder / "training.ckpt", folder / "training", str(folder / "smpl.pkl"), keep_optimizer=True
    )
    return folder / "training"


@pytest.fixture(scope="module")
def hmr(inference):
    return checkpoint.load(str(inference))


def stored_body(model_dir):
    """TF1's name -> value, of the six variables of the body."""
    with np.load(model_dir / "smpl.npz") as file:
        arrays = {**file}
    return {name: layout(arrays) for name, layout in golden_body.TF1_LAYOUT.items()}


def equal_names(values, golden):
    """The names of `values`, which must equal the golden ones to the last bit."""
    for name, value in values.items():
        np.testing.assert_array_equal(
            np.asarray(value), golden[name].reshape(np.shape(value)), err_msg=name
        )
    return set(values)


def test_tf1_import_reads_all_283_variables_of_the_inference_graph(inference, hmr):
    golden = golden_checkpoint.inference_values()
    assert len(golden) == 283
    assert checkpoint.find(inference).endswith("ckpt-667589")
    names = equal_names(tf1_checkpoint.variables(hmr), golden)
    assert names | equal_names(stored_body(inference), golden) == set(golden)
    np.testing.assert_array_equal(hmr.smpl.faces, golden_body.arrays()["f"])


def test_tf1_import_predicts_what_the_original_predicted(inference, folder):
    golden = compare.load("runmodel_600")
    model = hmr_tf.load(inference, folder / "smpl.pkl")
    predicted = model.predict_crops(golden_inputs.images(2), stages=True)
    vertices_bar, theta_bar = (
        compare.BARS[f"runmodel.{name}"] for name in ("verts/joints3d (m)", "theta_stages")
    )
    for number, stage in enumerate(predicted["stages"]):
        for ours, key, bar in (
            (stage["theta"], "theta_stages", theta_bar),
            (stage["camera"], "cams_stages", theta_bar),
            (stage["joints3d"], "joints3d_stages", vertices_bar),
            (stage["vertices"][:, golden["vert_ids"]], "verts_stages", vertices_bar),
        ):
            assert compare.max_abs(ours, golden[key][number]) <= bar, (key, number)
    error = compare.max_abs(predicted["keypoints2d_px"], golden["predict_joints"])
    assert error <= compare.BARS["runmodel.predict_joints (px)"]
    error = compare.max_abs(predicted["smpl_joints"], golden["J_transformed_last"])
    assert error <= vertices_bar
    last = model.predict_crops(golden_inputs.images(2))
    assert set(last) == set(predicted) - {"stages"}
    for name, value in last.items():
        np.testing.assert_allclose(value, predicted["stages"][-1][name], rtol=2e-6, atol=1e-6)


def test_tf1_import_reads_all_832_variables_of_the_training_graph(training):
    golden = golden_checkpoint.training_values()
    assert len(golden) == 832
    prefix = checkpoint.find(training)
    architecture = checkpoint.read_architecture(prefix)
    trainer = Trainer(build.build(architecture, build.read_body(architecture)), Discriminator())
    trainer.compile(adam(1e-5), adam(1e-4))
    checkpoint.restore(prefix, build_trainer.checkpoint_parts(trainer))
    names = tf1_checkpoint.variables(trainer.hmr, trainer.discriminator)
    values = {**names, **stored_body(training)}
    for optimizer, trainable in (
        (trainer.encoder_optimizer, trainer.hmr.trainable_variables),
        (trainer.discriminator_optimizer, trainer.discriminator.trainable_variables),
    ):
        values.update(tf1_checkpoint.slots(optimizer, trainable, names))
        assert int(optimizer.iterations) == golden["global_step"] == 1234
    assert trainer.step == 1234
    powers = {name for name in golden if name.startswith(("beta1_power", "beta2_power"))}
    assert equal_names(values, golden) | powers | {"global_step"} == set(golden)


def test_tf1_import_takes_body_from_checkpoint_and_faces_from_file(folder, tmp_path):
    """As in the original, whose Saver restores the body over that of the pickle."""
    values = golden_checkpoint.inference_values()
    values["v_template"] = values["v_template"] + np.float32(0.25)
    prefix = golden_checkpoint.write(tmp_path / "moved.ckpt", values)
    lines = import_tf1(prefix, tmp_path / "moved")
    assert "has no faces" in lines[-1]
    architecture = checkpoint.read_architecture(checkpoint.find(tmp_path / "moved"))
    assert len(build.read_body(architecture).faces) == 0
    hmr = checkpoint.load(str(tmp_path / "moved"), str(folder / "smpl.pkl"))
    np.testing.assert_array_equal(hmr.smpl.faces, golden_body.arrays()["f"])
    body = hmr.smpl(tf.zeros([1, 24, 3]), tf.zeros([1, 10]))
    template = golden_body.arrays()["v_template"] + 0.25
    np.testing.assert_allclose(body.vertices[0], template, atol=1e-6)


def test_tf1_import_of_a_training_graph_without_its_optimizer(folder, tmp_path):
    lines = import_tf1(folder / "training.ckpt", tmp_path / "model", str(folder / "smpl.pkl"))
    assert lines[0] == "345 of 832 variables read, step 1234"
    assert lines[1].startswith("Not needed: 482 moments of Adam")
    powers = [f"beta{beta}_power{suffix}" for beta in (1, 2) for suffix in ("", "_1")]
    assert lines[2:] == [f"Not needed: {', '.join(powers)}, global_step"]
    prefix = checkpoint.find(tmp_path / "model")
    assert prefix.endswith("ckpt-1234")
    assert checkpoint.stored_parts(prefix) >= {"encoder", "regressor", checkpoint.DISCRIMINATOR}
    assert "encoder_optimizer" not in checkpoint.stored_parts(prefix)
    params = json.loads((tmp_path / "model" / checkpoint.PARAMS).read_text())
    assert params[checkpoint.IMPORTED] == str(folder / "training.ckpt")


def changed(name, value):
    """The inference graph's values with one changed, or left out (None), or added."""
    values = {**golden_checkpoint.inference_values(), name: value}
    return {key: value for key, value in values.items() if value is not None}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("3D_module/fc3/biases", None, r"lacks the variable 3D_module/fc3/biases$"),
        ("mean_param", None, r"lacks the variable mean_param$"),
        ("3D_module/fc4/biases", np.zeros(3), r"holds the variable 3D_module/fc4/biases$"),
        ("mean_param", np.zeros((1, 82)), r"mean_param is \(1, 82\), not \(1, 85\)"),
        ("resnet_v2_50/postnorm/gamma", np.full(2048, np.nan), "postnorm/gamma.*not finite"),
    ],
)
def test_tf1_import_refuses_another_network_by_name(hmr, tmp_path, name, value, message):
    if value is not None:
        value = value.astype(np.float32)
    prefix = golden_checkpoint.write(tmp_path / "other.ckpt", changed(name, value))
    with pytest.raises(InputError, match=message) as error:
        tf1_checkpoint.assign_hmr(tf1_checkpoint.CheckpointReader(prefix), hmr)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["posedirs", "v_template"])
def test_tf1_import_refuses_a_checkpoint_without_its_body(tmp_path, name):
    prefix = golden_checkpoint.write(tmp_path / "other.ckpt", changed(name, None))
    with pytest.raises(InputError, match=f"lacks the variable {name}"):
        import_tf1(prefix, tmp_path / "model")
    assert not list(tmp_path.glob("model*"))


def test_tf1_import_refuses_incomplete_files(folder, tmp_path):
    with pytest.raises(InputError, match=r"No checkpoint at .*none: give the path without"):
        import_tf1(tmp_path / "none", tmp_path / "model")
    data = "model.ckpt-667589.data-00000-of-00001"
    shutil.copy(folder / "model.ckpt-667589.index", tmp_path)
    for content in (None, (folder / data).read_bytes()[:10_000_000], b""):
        if content is not None:
            (tmp_path / data).write_bytes(content)
        with pytest.raises(InputError, match=r"cannot be read .* all of its \.data files"):
            import_tf1(tmp_path / "model.ckpt-667589", tmp_path / "model")
    (tmp_path / "broken.index").write_bytes(b"no index")
    with pytest.raises(InputError, match="cannot be read"):
        import_tf1(tmp_path / "broken", tmp_path / "model")
    assert not list(tmp_path.glob("model")) + list(tmp_path.glob("model.part"))


def test_tf1_checkpoint_with_a_missing_shard_is_refused(tmp_path):
    values = {f"v{number}": np.zeros(3, np.float32) for number in range(4)}
    writer = tf.raw_ops.ShardedFilename
    names = [
        writer(basename=str(tmp_path / "s.ckpt_temp"), shard=i, num_shards=2).numpy()
        for i in (0, 1)
    ]
    for i, name in enumerate(names):
        half = sorted(values)[2 * i : 2 * i + 2]
        golden_checkpoint.write(name.decode(), {key: values[key] for key in half})
    tf.raw_ops.MergeV2Checkpoints(
        checkpoint_prefixes=names, destination_prefix=str(tmp_path / "s.ckpt")
    )
    whole = tf1_checkpoint.CheckpointReader(tmp_path / "s.ckpt")
    shapes, unneeded = {name: (3,) for name in values}, re.compile("global_step")
    assert set(whole.read(shapes, unneeded)) == set(values)
    (tmp_path / "s.ckpt.data-00001-of-00002").unlink()
    with pytest.raises(InputError, match=r"cannot be read.*data-00001-of-00002"):
        tf1_checkpoint.CheckpointReader(tmp_path / "s.ckpt").read(
            shapes, tf1_checkpoint._SLIM_UNNEEDED
        )


def test_tf1_import_leaves_a_folder_with_content_alone(folder, inference):
    before = sorted(path.name for path in inference.iterdir())
    with pytest.raises(InputError, match="holds something already"):
        import_tf1(folder / "model.ckpt-667589", inference)
    assert sorted(path.name for path in inference.iterdir()) == before


def test_read_faces_refuses_an_smpl_file_of_another_size(folder, tmp_path):
    with pytest.raises(InputError, match=r"cc0_body\.npz has 6890 vertices.*600"):
        checkpoint.read_faces(checkpoint.body_model.BUILT_IN, 600)


@pytest.mark.parametrize("is_v1", [False, True], ids=["V2", "V1"])
def test_tf1_checkpoint_reads_slims_imagenet_weights(tmp_path, is_v1):
    """The published resnet_v2_50.ckpt is one file of the older format, with a classifier in it."""
    values = {
        name: value
        for name, value in golden_checkpoint.inference_values().items()
        if name.startswith("resnet_v2_50/")
    }
    network = encoder.resnet_v2_50(64)
    more = {"resnet_v2_50/logits/weights": np.zeros((1, 1, 2048, 1001), np.float32)}
    more["global_step"] = np.array(5, np.int64)
    path = tmp_path / "resnet_v2_50.ckpt"
    everything = {**values, **more}
    if is_v1:
        names = sorted(everything)
        tf.raw_ops.Save(
            filename=str(path), tensor_names=names, data=[everything[name] for name in names]
        )
        assert path.is_file()
    else:
        golden_checkpoint.write(path, everything)
    source = tf1_checkpoint.CheckpointReader(path)
    assert not source.is_hmr
    tf1_checkpoint.assign_slim(source, network)
    assert equal_names(tf1_checkpoint.encoder_variables(network), values) == set(values)

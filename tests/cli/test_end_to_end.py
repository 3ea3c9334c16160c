"""All modes on a few synthetic people: convert, train, evaluate, export, predict."""

import json

import cv2
import numpy as np
import pytest
import tensorflow as tf
from absl import flags
from absl.testing import flagsaver

from data_prep import to_tfrecords
from hmr_tf import main
from hmr_tf.cli import predict, quickstart
from hmr_tf.files.errors import InputError
from hmr_tf.networks import checkpoint, encoder, released_weights
from tests.fakes import tiny_hmr
from tests.fakes.commands import run_command

SIZE = 64


def run(**values):
    """One command, as from a shell."""
    with flagsaver.flagsaver(**values):
        main.main(["main"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """TFRecords of a few people, and a model trained on them for two steps."""
    if not flags.FLAGS.is_parsed():
        flags.FLAGS(["test"])
    root = tmp_path_factory.mktemp("end_to_end")
    data = str(root / "data")
    for dataset, split, limit in (
        ("synthetic", "train", 8),
        ("synthetic", "test", 3),
        ("synthetic_mocap", "train", 20),
    ):
        counts = {"limit": limit, "records_per_shard": 4}
        run_command(to_tfrecords, dataset=dataset, split=split, output_dir=data, **counts)
    train(root, num_steps=2)
    return root


def train(root, **changes):
    options = {
        "mode": "train",
        "data_dir": str(root / "data"),
        "model_dir": str(root / "model"),
        "datasets": ["synthetic"],
        "mocap_datasets": ["synthetic"],
        "val_datasets": ["synthetic"],
        "img_size": SIZE,
        "batch_size": 4,
        "log_step": 1,
        "log_img_step": 2,
        **changes,
    }
    run(**options)


def test_train_writes_checkpoints_and_params(folder):
    model = folder / "model"
    assert checkpoint.find(model).endswith("ckpt-2")
    assert (model / "ckpt-0.index").is_file()
    params = json.loads((model / "params.json").read_text())
    assert (params["img_size"], params["datasets"]) == (SIZE, ["synthetic"])


def test_train_writes_tensorboard_scalars_and_pictures(folder):
    events = sorted((folder / "model" / "tensorboard").glob("events*"))
    tags, plugin_data = {}, {}
    for path in events:
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                tags.setdefault(value.tag, []).append(event.step)
                plugin_data[value.tag] = value.metadata.plugin_data.content
    assert tags["train/encoder/keypoints"][:2] == [1, 2]
    assert tags["train/discriminator/real"][:2] == [1, 2]
    assert tags["validation/pa_mpjpe_mm"] == [0, 1, 2]
    assert tags["people/validation"][:2] == tags["people/validation/mesh_VERTEX"][:2] == [0, 2]
    for tag in ("weighted/keypoints", "train/camera/scale_std"):
        assert tags[tag][:2] == [1, 2]
    assert tags["speed/images_per_second"][0] == 2  # the first step builds the graph
    assert tags["discriminator_fake/left_elbow"] == tags["discriminator_real/all_joints"] == [2]
    assert tags["_hparams_/session_start_info"] == [0]
    flags = plugin_data["_hparams_/session_start_info"]
    assert b"e_3d_weight" in flags
    assert b"synthetic" in flags
    assert b"img_path" not in flags  # nothing to do with training


def test_evaluate_writes_results(folder, capsys):
    run(
        mode="evaluate",
        data_dir=str(folder / "data"),
        datasets=["synthetic"],
        load_path=str(folder / "model"),
        output_dir=str(folder / "results"),
        batch_size=2,
    )
    results = json.loads((folder / "results" / "results.json").read_text())
    assert results["people"] == 3
    assert all(np.isfinite(results[key]) for key in ("keypoints_px", "mpjpe_mm", "vertices_mm"))
    assert results["pa_mpjpe_mm"] <= results["mpjpe_mm"]
    assert "MPJPE" in capsys.readouterr().out


def test_evaluate_with_the_flip_test_predicts_again_and_says_so(folder, tmp_path):
    common = dict(
        mode="evaluate",
        data_dir=str(folder / "data"),
        datasets=["synthetic"],
        load_path=str(folder / "model"),
        output_dir=str(tmp_path),
        batch_size=2,
    )
    errors = {}
    for flip_test in (False, True):
        run(**common, flip_test=flip_test)
        results = json.loads((tmp_path / "results.json").read_text())
        assert results["flip_test"] is flip_test
        errors[flip_test] = results["mpjpe_mm"]
    assert errors[True] != errors[False]


def test_export_saved_model_gives_the_same_numbers(folder, rng):
    run(mode="export", load_path=str(folder / "model"), output_dir=str(folder / "saved/1"))
    served = tf.saved_model.load(str(folder / "saved/1")).signatures["serving_default"]
    images = tf.constant(rng.uniform(-1, 1, size=(3, SIZE, SIZE, 3)), tf.float32)
    hmr = checkpoint.load(str(folder / "model"))
    body = hmr.with_mesh(hmr(images)[-1])
    predicted = served(image=images)
    np.testing.assert_allclose(predicted["theta"], body.theta, atol=1e-4)
    np.testing.assert_allclose(predicted["vertices"], body.vertices, atol=1e-4)
    assert predicted["vertices"].shape == (3, 6890, 3)


def test_predict_writes_picture_mesh_and_arrays(folder, rng):
    photo = folder / "photo.png"
    cv2.imwrite(str(photo), rng.integers(0, 256, size=(60, 80, 3), dtype=np.uint8))
    out = folder / "prediction"
    run(mode="predict", load_path=str(folder / "model"), img_path=str(photo), output_dir=str(out))
    assert sorted(path.name for path in out.iterdir()) == [
        "photo.npz",
        "photo.obj",
        "photo_overlay.png",
    ]


def test_predict_refuses_an_output_dir_that_cannot_be_written(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(predict, "predict_photographs", None)  # never called
    cv2.imwrite(str(tmp_path / "photo.png"), np.zeros((9, 9, 3), np.uint8))
    (tmp_path / "file").touch()
    message = r"--output_dir=.*deeper cannot be written: Not a directory"
    with pytest.raises(InputError, match=message):
        run(
            mode="predict",
            load_path=str(folder / "model"),
            img_path=str(tmp_path / "photo.png"),
            output_dir=str(tmp_path / "file" / "deeper"),
        )


def test_train_resumes_from_load_path(folder, tmp_path, monkeypatch):
    """With a small encoder, to save the time of tracing the large one twice more."""
    monkeypatch.setitem(encoder.ENCODERS, "resnet_v2_50", lambda *_: tiny_hmr.encoder(SIZE))
    first, more = str(tmp_path / "first"), str(tmp_path / "more")
    train(folder, model_dir=first, num_steps=2)
    train(folder, load_path=first, model_dir=more, num_steps=3)
    assert checkpoint.find(more).endswith("ckpt-3")
    with pytest.raises(InputError, match="is at step 3"):
        train(folder, load_path=more, model_dir=more, num_steps=3)


def test_train_names_a_corrupt_record(folder, tmp_path):
    broken = tmp_path / "data" / "synthetic"
    broken.mkdir(parents=True)
    source = folder / "data" / "synthetic" / "train_000.tfrecord"
    content = bytearray(source.read_bytes())
    content[-100] ^= 0xFF
    (broken / "train_000.tfrecord").write_bytes(content)
    with pytest.raises(InputError, match=r"train_000\.tfrecord.*record"):
        train(
            tmp_path,
            encoder_only=True,
            val_datasets=[],
            model_dir=str(tmp_path / "model"),
            num_steps=5,
        )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"mode": "train", "data_dir": ""}, "--data_dir is missing"),
        ({"mode": "train", "data_dir": "/nowhere"}, "/nowhere"),
        ({"mode": "predict", "img_path": "x.jpg"}, "no such file"),
        ({"mode": "predict", "load_path": "x", "img_path": "none.jpg"}, "no such file"),
        ({"mode": "predict", "load_path": "x"}, "needs one of --img_path, .*; none given"),
        ({"mode": "predict", "load_path": "x", "img_path": "a", "write": ()}, "--write= is not"),
        ({"mode": "predict", "load_path": "x", "video_path": "none.mp4"}, "no such file"),
        ({"mode": "export", "load_path": "/nowhere/ckpt-1"}, "No checkpoint at"),
        ({"mode": "evaluate", "load_path": "x", "data_dir": "/nowhere"}, "/nowhere"),
    ],
)
def test_modes_refuse_wrong_input_in_one_line(values, message):
    with pytest.raises(InputError, match=message) as error:
        run(**values)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "values",
    [
        {"mode": "predict", "img_path": str(quickstart.PHOTO)},
        {"mode": "export"},
        {"mode": "evaluate"},
        {"mode": "fit"},
        {"mode": "train", "load_path": "released"},
    ],
)
def test_modes_without_load_path_need_the_released_network(folder, tmp_path, monkeypatch, values):
    monkeypatch.setattr(released_weights, "PATH", tmp_path / "network.npz")
    reading = {"data_dir": str(folder / "data"), "datasets": ["synthetic"]}
    reading["mocap_datasets"] = ["synthetic"]
    with pytest.raises(InputError, match=r"no released network .*pass --load_path=FOLDER"):
        run(**reading, **values, output_dir=str(tmp_path / "out"))
    assert not list(tmp_path.iterdir())


def test_checkpoint_damaged_or_of_another_network_is_refused(folder, tmp_path):
    prefix = checkpoint.find(folder / "model")
    for path in (folder / "model").glob("ckpt-2*"):
        (tmp_path / path.name).write_bytes(path.read_bytes()[:1000])
    (tmp_path / "params.json").write_bytes((folder / "model" / "params.json").read_bytes())
    with pytest.raises(InputError, match="ckpt-2"):
        checkpoint.load(str(tmp_path / "ckpt-2"))
    (tmp_path / "params.json").unlink()
    with pytest.raises(InputError, match=r"params\.json"):
        checkpoint.load(str(tmp_path / "ckpt-2"))
    with pytest.raises(InputError, match="does not fit"):
        checkpoint.restore(prefix, {"encoder": tf.train.Checkpoint(x=tf.Variable(1.0))})

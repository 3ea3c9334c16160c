"""Training runs with an encoder of one layer: initial weights, resuming, wrong input."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf.data import record
from hmr_tf.files.errors import InputError
from hmr_tf.networks import build, checkpoint, encoder, initial_weights
from hmr_tf.networks.build import Architecture
from hmr_tf.training import run
from hmr_tf.training.trainer import Trainer
from tests.fakes import full_disk, tiny_hmr, tiny_run


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """Eight people with 2D labels, twenty bodies of motion capture, and a body model."""
    return tiny_run.write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(autouse=True)
def _small_encoder(monkeypatch):
    monkeypatch.setitem(encoder.ENCODERS, "resnet_v2_50", lambda size, *_: tiny_hmr.encoder(size))


def state(trainer):
    """The state of a training run: lists of numpy arrays."""
    groups = {
        "encoder": trainer.hmr.encoder.weights,
        "regressor": trainer.hmr.regressor.weights,
        checkpoint.DISCRIMINATOR: trainer.discriminator.weights,
        "encoder_optimizer": trainer.encoder_optimizer.variables(),
        checkpoint.DISCRIMINATOR_OPTIMIZER: trainer.discriminator_optimizer.variables(),
    }
    return {name: [v.numpy() for v in variables] for name, variables in groups.items()}


def test_resume_restores_the_whole_state_bit_for_bit(data_dir, tmp_path, monkeypatch):
    """Weights, batch norms, Adam's moments and step counts; the second run stops before it fits."""
    runs, fit = [], Trainer.fit

    def recording_fit(trainer, *args, **kwargs):
        runs.append((trainer, state(trainer), trainer._first_step))
        if len(runs) == 1:
            fit(trainer, *args, **kwargs)

    monkeypatch.setattr(Trainer, "fit", recording_fit)
    first, more = tmp_path / "first", tmp_path / "more"
    run.train(tiny_run.options(data_dir, first))
    moved = {"smpl_model_path": shutil.copy(data_dir / "body.npz", tmp_path / "moved.npz")}
    run.train(tiny_run.options(data_dir, more, load_path=str(first), num_steps=4, **moved))
    params = [json.loads((folder / checkpoint.PARAMS).read_text()) for folder in (first, more)]
    assert params[0][checkpoint.BODY_DIGEST] == params[1][checkpoint.BODY_DIGEST]
    (trainer, fresh, _), (resumed, restored, begun) = runs
    saved = state(trainer)
    assert checkpoint.find(first).endswith("ckpt-2")
    for name, arrays in saved.items():
        assert len(restored[name]) == len(arrays)
        for ours, theirs in zip(restored[name], arrays):
            np.testing.assert_array_equal(ours, theirs, err_msg=name)
        # The comparison is not trivial: the first run changed every part of the training.
        assert any(map(np.any, map(np.subtract, arrays, fresh[name])))
    # The step count, and two moments for every variable.
    assert len(saved["encoder_optimizer"]) == 1 + 2 * len(trainer.hmr.trainable_variables)
    assert len(saved[checkpoint.DISCRIMINATOR_OPTIMIZER]) == 1 + 2 * len(
        trainer.discriminator.trainable_variables
    )
    assert resumed.step == int(resumed.discriminator_optimizer.iterations) == 2
    assert begun == (1, 0)


def imported(data_dir, folder):
    """Writes a model as --mode=import_tf1 does, without optimizers; returns its network."""
    architecture = Architecture(str(data_dir / "body.npz"), img_size=tiny_hmr.SIZE, num_stage=2)
    hmr = build.build(architecture, build.read_body(architecture))
    folder.mkdir()
    params = {**architecture._asdict(), checkpoint.IMPORTED: "model.ckpt-667589"}
    (folder / checkpoint.PARAMS).write_text(json.dumps(params))
    checkpoint.manager(checkpoint.hmr_parts(hmr), folder).save(checkpoint_number=667589)
    return hmr


def test_imported_model_begins_a_new_training(data_dir, tmp_path, monkeypatch):
    trained = []
    monkeypatch.setattr(Trainer, "fit", lambda trainer, *_, **__: trained.append(trainer))
    hmr = imported(data_dir, tmp_path / "imported")
    more = {"load_path": str(tmp_path / "imported"), "smpl_model_path": ""}
    with pytest.raises(InputError, match=r"imported without its optimizers.*pass --model_dir"):
        run.train(tiny_run.options(data_dir, "", **more))
    run.train(tiny_run.options(data_dir, tmp_path / "new", **more))
    assert trained[0].step == 0
    for ours, theirs in zip(trained[0].hmr.weights, hmr.weights):
        np.testing.assert_array_equal(ours, theirs)
    params = json.loads((tmp_path / "new" / checkpoint.PARAMS).read_text())
    assert params["smpl_model_path"] == str(data_dir / "body.npz")


def test_initial_weights_keep_their_batch_norms(data_dir, tmp_path, monkeypatch):
    trained, loaded = [], []
    monkeypatch.setattr(Trainer, "fit", lambda trainer, *_, **__: trained.append(trainer))
    monkeypatch.setattr(initial_weights, "load", lambda *arguments: loaded.append(arguments))
    run.train(tiny_run.options(data_dir, tmp_path / "run", pretrained_model_path="some.ckpt"))
    (path, name, hmr, discriminator), trainer = loaded[0], trained[0]
    assert (path, name) == ("some.ckpt", "resnet_v2_50")
    assert hmr is trainer.hmr
    assert discriminator is trainer.discriminator
    norm = hmr.encoder.get_layer("norm")
    np.testing.assert_array_equal(norm.moving_mean, np.zeros(3))


@pytest.mark.parametrize("flag", [{"num_stage": 3}, {"img_size": 32}])
def test_resume_refuses_another_network(data_dir, tmp_path, flag):
    imported(data_dir, tmp_path / "first")
    with pytest.raises(InputError, match=f"--{next(iter(flag))}=.*was trained with"):
        run.train(
            tiny_run.options(data_dir, tmp_path / "more", load_path=str(tmp_path / "first"), **flag)
        )


def test_resume_does_not_overwrite_another_training(data_dir, tmp_path):
    for name in ("first", "second"):
        imported(data_dir, tmp_path / name)
    flags = {"load_path": str(tmp_path / "first"), "smpl_model_path": ""}
    with pytest.raises(InputError, match=r"--model_dir=.*second holds a training run already"):
        run.train(tiny_run.options(data_dir, tmp_path / "second", **flags))


def test_ctrl_c_saves_a_checkpoint(data_dir, tmp_path, monkeypatch):
    def stop(trainer, *args, **kwargs):
        trainer.steps_done.assign(5)
        raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "fit", stop)
    with pytest.raises(KeyboardInterrupt):
        run.train(tiny_run.options(data_dir, tmp_path / "run"))
    assert checkpoint.find(tmp_path / "run").endswith("ckpt-5")


# Wrong input


def test_run_refuses_a_model_dir_that_cannot_be_written(data_dir, tmp_path):
    (tmp_path / "file").write_text("no folder")
    for folder in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(InputError, match=r"--model_dir=.*file.* cannot be written: ") as error:
            run.train(tiny_run.options(data_dir, folder))
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["tensorboard", "params.json"])
def test_run_refuses_a_model_dir_that_holds_another_thing_of_that_name(data_dir, tmp_path, name):
    if name == "tensorboard":
        (tmp_path / name).write_text("no folder")
    else:
        (tmp_path / name).mkdir()
    with pytest.raises(InputError, match=rf"--model_dir=.* cannot be written: .*\({name}\)$"):
        run.train(tiny_run.options(data_dir, tmp_path))


def test_run_on_a_full_disk_is_one_line(data_dir, tmp_path):
    with (
        full_disk.room_for(60_000),
        pytest.raises(InputError, match="disk of --model_dir is full: make room, resume with"),
    ):
        run.train(tiny_run.options(data_dir, tmp_path / "run"))
    assert not checkpoint.newest(tmp_path / "run")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"use_3d_label": True}, "no records with 3D labels.*--nouse_3d_label"),
        ({"mocap_datasets": ("jointLim",)}, "neutrSMPL_jointLim.*--encoder_only"),
        ({"distribute": "multi_worker"}, "TF_CONFIG"),
    ],
)
def test_run_refuses_wrong_input_and_leaves_no_folder(data_dir, tmp_path, flags, message):
    with pytest.raises(InputError, match=message) as error:
        run.train(tiny_run.options(data_dir, tmp_path / "run", **flags))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


def test_run_refuses_an_odd_batch_with_3d_labels(data_dir, tmp_path):
    labels = {"lsp_joints": np.ones((14, 3)), "pose": np.ones((24, 3)), "betas": np.ones(10)}
    shard = tmp_path / "mpi_inf_3dhp" / "train" / "0.tfrecord"
    shard.parent.mkdir(parents=True)
    (tmp_path / "coco").symlink_to(data_dir / "coco")
    with tf.io.TFRecordWriter(str(shard)) as writer:
        writer.write(record.encode(tiny_run.person(np.random.default_rng(0), 1, **labels)))
    flags = {"datasets": ("coco", "mpi_inf_3dhp"), "use_3d_label": True, "batch_size": 5}
    smpl = str(data_dir / "body.npz")
    with pytest.raises(InputError, match="--batch_size=5 is odd"):
        run.train(
            tiny_run.options(
                tmp_path, tmp_path / "run", **flags, encoder_only=True, smpl_model_path=smpl
            )
        )

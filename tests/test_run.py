"""Training runs and what watches them, with an encoder of one layer; prediction's input."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf.config import Config
from hmr_tf.data import record
from hmr_tf.data.crop import Crop
from hmr_tf.errors import InputError
from hmr_tf.networks import build, checkpoint, encoder, pretrained
from hmr_tf.networks.build import Architecture
from hmr_tf.training import callbacks, run
from hmr_tf.training.trainer import Trainer
from tests import tiny_body, tiny_hmr

NUM_PEOPLE, BATCH = 8, 4


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """Eight people with 2D labels, twenty bodies of motion capture, and a body model."""
    folder, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    tiny_body.write(folder / "body.npz")
    (folder / "coco").mkdir()
    with tf.io.TFRecordWriter(str(folder / "coco" / "train_000.tfrecord")) as writer:
        for number in range(NUM_PEOPLE):
            image = rng.integers(0, 256, size=(224, 224, 3), dtype=np.uint8)
            person = record.ImageRecord(
                jpeg=tf.io.encode_jpeg(image).numpy(),
                filename=f"{number}.jpg",
                crop=Crop(np.ones(2), np.zeros(2, int), (224, 224)),
                center_px=np.array([112, 112]),
                keypoints_px=rng.uniform(0, 224, size=(19, 2)),
                labelled=np.ones(19, int),
                has_face=True,
            )
            writer.write(record.encode(person))
    (folder / "mocap_neutrMosh").mkdir()
    path = folder / "mocap_neutrMosh" / "neutrSMPL_CMU_000.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for _ in range(20):
            writer.write(record.encode_mocap(rng.normal(size=72), rng.normal(size=10)))
    return folder


@pytest.fixture(autouse=True)
def _small_encoder(monkeypatch):
    monkeypatch.setitem(encoder.ENCODERS, "resnet_v2_50", lambda size, *_: tiny_hmr.encoder(size))


def config(data_dir, model_dir, **changes):
    options = {
        "mode": "train",
        "data_dir": str(data_dir),
        "model_dir": str(model_dir),
        "smpl_model_path": str(data_dir / "body.npz"),
        "datasets": ("coco",),
        "mocap_datasets": ("CMU",),
        "use_3d_label": False,
        "img_size": tiny_hmr.SIZE,
        "num_stage": 2,
        "batch_size": BATCH,
        "log_img_step": 0,
        "num_steps": 2,
        **changes,
    }
    return Config(**options)


def state(trainer):
    """Everything a training goes on with: lists of numpy arrays."""
    groups = {
        "encoder": trainer.hmr.encoder.weights,
        "regressor": trainer.hmr.regressor.weights,
        "critic": trainer.critic.weights,
        "encoder_optimizer": trainer.encoder_optimizer.variables(),
        "critic_optimizer": trainer.critic_optimizer.variables(),
    }
    return {name: [v.numpy() for v in variables] for name, variables in groups.items()}


def test_resuming_starts_from_what_was_saved_bit_for_bit(data_dir, tmp_path, monkeypatch):
    """Weights, batch norms, Adam's moments and step counts; the second run stops before it fits."""
    runs, fit = [], Trainer.fit

    def watched(trainer, *args, **kwargs):
        runs.append((trainer, state(trainer), kwargs["initial_epoch"]))
        if len(runs) == 1:
            fit(trainer, *args, **kwargs)

    monkeypatch.setattr(Trainer, "fit", watched)
    first, more = tmp_path / "first", tmp_path / "more"
    run.train(config(data_dir, first))
    run.train(config(data_dir, more, load_path=str(first), num_steps=4))
    (trainer, fresh, _), (resumed, restored, first_epoch) = runs
    saved = state(trainer)
    assert checkpoint.find(first).endswith("ckpt-2")
    for name, arrays in saved.items():
        assert len(restored[name]) == len(arrays)
        for ours, theirs in zip(restored[name], arrays):
            np.testing.assert_array_equal(ours, theirs, err_msg=name)
        # The comparison means something: the first run moved every part of the training.
        assert any(map(np.any, map(np.subtract, arrays, fresh[name])))
    # The step count, and two moments for every variable.
    assert len(saved["encoder_optimizer"]) == 1 + 2 * len(trainer.hmr.trained)
    assert len(saved["critic_optimizer"]) == 1 + 2 * len(trainer.critic.trainable_variables)
    assert resumed.step == int(resumed.critic_optimizer.iterations) == 2
    assert first_epoch == 1


def imported(data_dir, folder):
    """A model as --mode=import_tf1 leaves it, without optimizers; and its network."""
    made_of = Architecture(str(data_dir / "body.npz"), img_size=tiny_hmr.SIZE, num_stage=2)
    hmr = build.build(made_of, build.read_body(made_of))
    folder.mkdir()
    params = {**made_of._asdict(), checkpoint.IMPORTED: "model.ckpt-667589"}
    (folder / checkpoint.PARAMS).write_text(json.dumps(params))
    checkpoint.manager(checkpoint.trained_parts(hmr), folder).save(checkpoint_number=667589)
    return hmr


def test_an_imported_model_begins_a_new_training(data_dir, tmp_path, monkeypatch):
    trained = []
    monkeypatch.setattr(Trainer, "fit", lambda trainer, *_, **__: trained.append(trainer))
    hmr = imported(data_dir, tmp_path / "imported")
    more = {"load_path": str(tmp_path / "imported"), "smpl_model_path": ""}
    with pytest.raises(InputError, match=r"imported without its optimizers.*pass --model_dir"):
        run.train(config(data_dir, "", **more))
    run.train(config(data_dir, tmp_path / "new", **more))
    assert trained[0].step == 0
    for ours, theirs in zip(trained[0].hmr.weights, hmr.weights):
        np.testing.assert_array_equal(ours, theirs)
    params = json.loads((tmp_path / "new" / checkpoint.PARAMS).read_text())
    assert params["smpl_model_path"] == str(data_dir / "body.npz")


def test_pretrained_weights_are_not_calibrated_away(data_dir, tmp_path, monkeypatch):
    trained, asked = [], []
    monkeypatch.setattr(Trainer, "fit", lambda trainer, *_, **__: trained.append(trainer))
    monkeypatch.setattr(pretrained, "load", lambda *arguments: asked.append(arguments))
    run.train(config(data_dir, tmp_path / "run", pretrained_model_path="some.ckpt"))
    (path, name, hmr, critic), trainer = asked[0], trained[0]
    assert (path, name) == ("some.ckpt", "resnet_v2_50")
    assert hmr is trainer.hmr
    assert critic is trainer.critic
    (norm,) = (x for x in hmr.encoder.layers if "batch_norm" in x.name)
    np.testing.assert_array_equal(norm.moving_mean, np.zeros(3))


@pytest.mark.parametrize("flag", [{"num_stage": 3}, {"keypoint_regressor": "other.npy"}])
def test_going_on_with_another_network_is_refused(data_dir, tmp_path, flag):
    imported(data_dir, tmp_path / "first")
    with pytest.raises(InputError, match=f"--{next(iter(flag))}=.*was trained with"):
        run.train(config(data_dir, tmp_path / "more", load_path=str(tmp_path / "first"), **flag))


def test_a_stopped_training_is_saved_where_it_stood(data_dir, tmp_path, monkeypatch):
    def stop(trainer, *args, **kwargs):
        trainer.encoder_optimizer.iterations.assign(5)
        raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "fit", stop)
    with pytest.raises(KeyboardInterrupt):
        run.train(config(data_dir, tmp_path / "run"))
    assert checkpoint.find(tmp_path / "run").endswith("ckpt-5")


@pytest.mark.parametrize(
    ("options", "done", "expected"),
    [
        # 10 people in batches of 4: two steps an epoch, the rest comes in another one
        ({"epoch": 3}, 0, (2, 3, 0, 6)),
        ({"epoch": 3}, 2, (2, 3, 1, 6)),
        ({"epoch": 3}, 3, (2, 3, 1, 6)),
        ({"epoch": 3, "num_steps": 5}, 0, (2, 3, 0, 5)),
        ({"num_steps": 1}, 0, (1, 1, 0, 1)),
        ({"num_steps": 5}, 3, (2, 3, 1, 5)),
        # fewer people than a batch
        ({"epoch": 2, "batch_size": 64}, 0, (1, 2, 0, 2)),
    ],
)
def test_steps_and_epochs(options, done, expected):
    plan = run._Steps.plan(10, Config(**{"batch_size": BATCH, **options}), done)
    assert (plan.per_epoch, plan.epochs, plan.first_epoch, plan.end) == expected
    # The epochs that are left have room for the steps that are left.
    assert (plan.epochs - plan.first_epoch) * plan.per_epoch >= plan.end - done


@pytest.mark.parametrize("options", [{"epoch": 3}, {"num_steps": 6}, {"num_steps": 4}])
def test_a_training_that_is_done_says_so(options):
    with pytest.raises(InputError, match=r"is at step 6.*--epoch or --num_steps"):
        run._Steps.plan(10, Config(batch_size=BATCH, **options), 6)


# What watches a training


def watched_by(callback, model):
    callback.set_model(model)
    return callback


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float32("nan")])
def test_a_loss_that_is_not_finite_stops_the_training(value):
    writer = tf.summary.create_noop_writer()
    scalars = watched_by(callbacks.Scalars(writer, every=10), SimpleNamespace(step=7))
    scalars.on_train_batch_end(6, {"encoder/joints": 1.0, "encoder/keypoints": 2.0})
    with pytest.raises(InputError, match=r"encoder/joints is (nan|inf) at step 7.*--e_lr") as error:
        scalars.on_train_batch_end(6, {"encoder/keypoints": 2.0, "encoder/joints": value})
    assert "\n" not in str(error.value)


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    """The loss of a step is taken before it, and can be finite where its gradient is not."""
    trainer = tiny_hmr.trainer(tmp_path)
    manager = tf.train.CheckpointManager(
        tf.train.Checkpoint(regressor=trainer.hmr.regressor), str(tmp_path / "run"), 3
    )
    saver = watched_by(callbacks.Checkpoints(manager, every=1), trainer)
    saver.on_train_batch_end(0)
    saved = manager.latest_checkpoint
    trainer.hmr.regressor.fc3.bias.assign(tf.fill([85], np.nan))
    trainer.encoder_optimizer.iterations.assign(1)
    with pytest.raises(InputError, match=r"bias.* not finite after step 1"):
        saver.on_train_batch_end(1)
    assert manager.latest_checkpoint == saved


@pytest.mark.parametrize(("step", "stops"), [(2, False), (3, True), (4, True)])
def test_stops_at_the_step_asked_for(step, stops):
    model = SimpleNamespace(step=step, stop_training=False)
    watched_by(callbacks.StopAt(3), model).on_train_batch_end(0)
    assert model.stop_training is stops

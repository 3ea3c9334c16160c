"""No dead flags: whatever steers a training changes what two steps leave, or what they see."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf.cli import options
from hmr_tf.data import record
from hmr_tf.files.errors import InputError
from hmr_tf.networks import encoder
from hmr_tf.training import assembly, distribution, inputs
from hmr_tf.training.trainer import Trainer
from tests.fakes import tiny_hmr, tiny_run

# Flag -> another value than the tests' own; what the network and its steps are made of, ...
OF_STEPS = {
    "encoder": "resnet50",
    "num_stage": 1,
    "bn_momentum": 0.5,
    "critic_spectral_norm": True,
    "encoder_only": True,
    "e_lr": 1e-2,
    "d_lr": 1e-2,
    "e_loss_weight": 6.0,
    "d_loss_weight": 0.5,
    "e_3d_weight": 6.0,
    "clip_gradients": 0.01,
    "freeze_backbone": True,
    "seed": 1,
    "mixed_precision": "bfloat16",
}
# ... and of what they are given.
OF_INPUT = {
    "img_size": 32,
    "datasets": ("mpi_inf_3dhp",),
    "mocap_datasets": ("H3.6",),
    "val_datasets": ("coco",),
    "use_3d_label": False,
    "trans_max": 0,
    "scale_max": 0.9,
    "scale_min": 1.2,
    "augment_occlusion": True,
    "augment_color": True,
    "batch_size": 2,
    "seed": 1,
}
# --xla and --distribute give the same losses, which other tests say; --deterministic too, on a CPU.
# --tf_data_service changes the order. --val_shards needs --val_datasets.
TESTED_ELSEWHERE = {"xla", "distribute", "deterministic", "tf_data_service", "val_shards"}
NEEDS_ADDONS = ("critic_spectral_norm", "augment_occlusion", "augment_color")


def test_every_steering_flag_is_here():
    assert {*OF_STEPS, *OF_INPUT} == {*options.steering()} - TESTED_ELSEWHERE


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """coco with 2D labels, mpi_inf_3dhp with 3D ones, two sets of motion capture."""
    folder, rng = tiny_run.write_data(tmp_path_factory.mktemp("data")), np.random.default_rng(1)
    labels = {"lsp_joints": np.ones((14, 3)), "pose": np.ones((24, 3)), "betas": np.ones(10)}
    (folder / "mpi_inf_3dhp" / "train").mkdir(parents=True)
    with tf.io.TFRecordWriter(str(folder / "mpi_inf_3dhp" / "train" / "0.tfrecord")) as writer:
        for number in range(4):
            writer.write(record.encode(tiny_run.person(rng, number, **labels)))
    other = folder / "mocap_neutrMosh" / "neutrSMPL_H3.6_000.tfrecord"
    with tf.io.TFRecordWriter(str(other)) as writer:
        for _ in range(20):
            writer.write(record.encode_mocap(rng.normal(size=72), rng.normal(size=10)))
    return folder


@pytest.fixture(autouse=True)
def _small_encoders(monkeypatch):
    monkeypatch.setitem(encoder.ENCODERS, "resnet_v2_50", tiny_hmr.encoder)
    monkeypatch.setitem(
        encoder.ENCODERS, "resnet50", lambda *args: tiny_hmr.encoder(*args, batch_norm=False)
    )


def made(data_dir, **changes):
    own = {"datasets": ("coco", "mpi_inf_3dhp"), "use_3d_label": True, "e_lr": 1e-3, **changes}
    return tiny_run.config(data_dir, "", **own)


def trainer_of(options):
    return assembly.build_trainer(options, assembly.read_body(options))


def steps(data_dir, **changes):
    """Yields the trainer and its logs after each of two steps."""
    options = made(data_dir, **changes)
    tf.keras.utils.set_random_seed(options.seed)
    trainer = trainer_of(options)
    batch, mocap = tiny_hmr.data(np.random.default_rng(0), num_stage=options.num_stage)
    for _ in range(2):
        logs = trainer.train_step((batch, {} if options.encoder_only else mocap))
        yield trainer, tiny_hmr.numbers(logs)


def left(trainer):
    """Every number that training moves, in one array: weights and moments."""
    optimizers = [trainer.encoder_optimizer, trainer.discriminator_optimizer]
    moments = [variable for optimizer in optimizers for variable in optimizer.variables()]
    return np.concatenate([np.ravel(variable) for variable in trainer.learned + moments])


@pytest.fixture(scope="module")
def usual(data_dir):
    """What is left, and the losses, after each step."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(encoder.ENCODERS, "resnet_v2_50", tiny_hmr.encoder)
        return [(left(trainer), logs) for trainer, logs in steps(data_dir)]


def test_without_a_change_nothing_changes(data_dir, usual):
    for (trainer, logs), (numbers, losses) in zip(steps(data_dir), usual):
        np.testing.assert_array_equal(left(trainer), numbers)
        assert logs == losses


@pytest.mark.parametrize("flag", OF_STEPS)
def test_two_steps_leave_something_else(data_dir, usual, flag, request):
    if flag in NEEDS_ADDONS:
        request.getfixturevalue("tensorflow_addons")
    changed = steps(data_dir, **{flag: OF_STEPS[flag]})
    assert any(
        not np.array_equal(left(trainer), numbers)
        for (trainer, _), (numbers, _) in zip(changed, usual)
    )


def seen(data_dir, **changes):
    """The first batch and its motion capture, as a list of arrays."""
    options = made(data_dir, **changes)
    ((batch, mocap),) = itertools.islice(inputs.plain(options, inputs.find(options)), 1)
    return [np.array(value) for value in tf.nest.flatten((batch, mocap))]


@pytest.fixture(scope="module")
def usually_seen(data_dir):
    return seen(data_dir)


@pytest.mark.parametrize("flag", OF_INPUT)
def test_a_batch_is_another_one(data_dir, usually_seen, flag, request):
    if flag in NEEDS_ADDONS:
        request.getfixturevalue("tensorflow_addons")
    found = seen(data_dir, **{flag: OF_INPUT[flag]})
    assert not all(map(np.array_equal, found, usually_seen))


# What some of them are to do


def test_a_frozen_encoder_stays_as_it_is_and_the_regressor_does_not(data_dir):
    trainer, _ = next(steps(data_dir, freeze_backbone=True))
    tf.keras.utils.set_random_seed(0)
    fresh = trainer_of(made(data_dir))
    for ours, theirs in zip(trainer.hmr.encoder.weights, fresh.hmr.encoder.weights):
        np.testing.assert_array_equal(ours, theirs)
    for ours, theirs in zip(trainer.hmr.regressor.weights, fresh.hmr.regressor.weights):
        assert not np.array_equal(ours, theirs)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_only_the_encoder_computes_with_fewer_bits(data_dir, usual, precision):
    trainer, logs = next(steps(data_dir, mixed_precision=precision))
    assert trainer.hmr.encoder.output.dtype == precision
    assert {variable.dtype for variable in trainer.hmr.trainable_variables} == {tf.float32}
    stages = trainer.hmr(tf.zeros([1, tiny_hmr.SIZE, tiny_hmr.SIZE, 3]))
    assert {part.dtype for part in stages[-1] if part is not None} == {tf.float32}
    assert tf.keras.mixed_precision.global_policy().name == "float32"
    assert logs["encoder/total"] == pytest.approx(usual[0][1]["encoder/total"], rel=0.02)
    if precision == "float16":
        assert trainer.encoder_optimizer.loss_scale > 1


def test_an_update_that_overflows_is_left_out_and_the_step_counted(data_dir):
    options = made(data_dir, mixed_precision="float16", e_loss_weight=1e9)
    trainer = trainer_of(options)
    encoders = trainer.hmr.trainable_variables
    discriminators = trainer.discriminator.trainable_variables
    before = [[variable.numpy() for variable in group] for group in (encoders, discriminators)]
    scale = float(trainer.encoder_optimizer.loss_scale)
    trainer.train_step(tiny_hmr.data(np.random.default_rng(0), num_stage=2))
    assert trainer.step == 1
    assert float(trainer.encoder_optimizer.loss_scale) == scale / 2
    for group, values, moves in ((encoders, before[0], False), (discriminators, before[1], True)):
        same = [np.array_equal(*pair) for pair in zip(group, values)]
        assert not any(same) if moves else all(same)


def test_several_steps_in_one_execution_are_heard_of_at_its_end(data_dir, monkeypatch):
    def step(trainer, data):
        trainer.steps_done.assign_add(1)
        return {"encoder/total": tf.constant(0.0)}

    heard = []
    watcher = tf.keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda *_: heard.append((trainer.step, trainer.is_due(4)))
    )
    monkeypatch.setattr(Trainer, "train_step", step)
    trainer = trainer_of(made(data_dir, steps_per_execution=3))
    trainer.start_at(1, 2)
    data = tf.data.Dataset.from_tensors(0).repeat()
    trainer.fit(data, steps_per_epoch=5, epochs=3, initial_epoch=1, callbacks=[watcher], verbose=0)
    # The first epoch begins with its third step; what is left of an epoch is an execution, too.
    assert [step for step, _ in heard] == [3, 6, 8]
    assert [due for _, due in heard] == [False, True, True]


@pytest.mark.parametrize("text", ["", "{}", "no json", '{"cluster": {"worker": ["a:1"]}}'])
def test_several_workers_need_to_know_each_other(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(InputError, match="needs the environment variable TF_CONFIG, as '") as error:
        distribution.strategy("multi_worker")
    assert "\n" not in str(error.value)

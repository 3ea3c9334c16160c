"""No dead flags: a flag that affects a training run changes two steps of it, or their batch."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf.cli.options import training_flags
from hmr_tf.data import record
from hmr_tf.files.errors import InputError
from hmr_tf.networks import encoder
from hmr_tf.training import build_trainer, distribution, inputs
from hmr_tf.training.trainer import Trainer
from tests.fakes import tiny_hmr, tiny_run

# Flag -> another value than in the tests: flags that change the network and its steps, ...
STEP_FLAGS = {
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
# ... and flags that change the batches.
INPUT_FLAGS = {
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
    "augment_truncation": 1.0,
    "augment_rotation": 45.0,
    "batch_size": 2,
    "seed": 1,
}
# --xla, --distribute and (on a CPU) --deterministic give the same losses, as other tests check.
# --tf_data_service changes the order. --val_shards needs --val_datasets. --e_lr_end is a callback,
# --frozen_stages needs a ResNet.
TESTED_ELSEWHERE = {"xla", "distribute", "deterministic", "tf_data_service", "val_shards"}
TESTED_ELSEWHERE |= {"e_lr_end", "frozen_stages"}
NEEDS_ADDONS = ("critic_spectral_norm", "augment_occlusion", "augment_color")


def test_training_flags_are_all_tested():
    assert {*STEP_FLAGS, *INPUT_FLAGS} == {*training_flags()} - TESTED_ELSEWHERE


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


def options_with(data_dir, **changes):
    values = {"datasets": ("coco", "mpi_inf_3dhp"), "use_3d_label": True, "e_lr": 1e-3, **changes}
    return tiny_run.options(data_dir, "", **values)


def trainer_of(options):
    return build_trainer.build_trainer(options, build_trainer.read_body(options))


def steps(data_dir, **changes):
    """Yields the trainer and its logs after each of two steps."""
    options = options_with(data_dir, **changes)
    tf.keras.utils.set_random_seed(options.seed)
    trainer = trainer_of(options)
    batch, mocap = tiny_hmr.data(np.random.default_rng(0), num_stage=options.num_stage)
    for _ in range(2):
        logs = trainer.train_step((batch, {} if options.encoder_only else mocap))
        yield trainer, tiny_hmr.numbers(logs)


def trained_numbers(trainer):
    """Weights, batch norm statistics and moments in one array."""
    optimizers = [trainer.encoder_optimizer, trainer.discriminator_optimizer]
    moments = [variable for optimizer in optimizers for variable in optimizer.variables()]
    return np.concatenate([np.ravel(variable) for variable in trainer.trained_state + moments])


@pytest.fixture(scope="module")
def usual(data_dir):
    """`trained_numbers` and the losses after each step."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(encoder.ENCODERS, "resnet_v2_50", tiny_hmr.encoder)
        return [(trained_numbers(trainer), logs) for trainer, logs in steps(data_dir)]


def test_training_steps_are_reproducible(data_dir, usual):
    for (trainer, logs), (numbers, losses) in zip(steps(data_dir), usual):
        np.testing.assert_array_equal(trained_numbers(trainer), numbers)
        assert logs == losses


@pytest.mark.parametrize("flag", STEP_FLAGS)
def test_training_flag_changes_two_steps(data_dir, usual, flag, request):
    if flag in NEEDS_ADDONS:
        request.getfixturevalue("tensorflow_addons")
    changed = steps(data_dir, **{flag: STEP_FLAGS[flag]})
    assert any(
        not np.array_equal(trained_numbers(trainer), numbers)
        for (trainer, _), (numbers, _) in zip(changed, usual)
    )


def first_batch(data_dir, **changes):
    """The first batch and its motion capture, as a list of arrays."""
    options = options_with(data_dir, **changes)
    ((batch, mocap),) = itertools.islice(inputs.training_dataset(options, inputs.find(options)), 1)
    return [np.array(value) for value in tf.nest.flatten((batch, mocap))]


@pytest.fixture(scope="module")
def usual_batch(data_dir):
    return first_batch(data_dir)


@pytest.mark.parametrize("flag", INPUT_FLAGS)
def test_training_flag_changes_the_batch(data_dir, usual_batch, flag, request):
    if flag in NEEDS_ADDONS:
        request.getfixturevalue("tensorflow_addons")
    changed = first_batch(data_dir, **{flag: INPUT_FLAGS[flag]})
    assert not all(map(np.array_equal, changed, usual_batch))


# What some of them do


def test_freeze_backbone_trains_the_regressor_only(data_dir):
    trainer, _ = next(steps(data_dir, freeze_backbone=True))
    tf.keras.utils.set_random_seed(0)
    fresh = trainer_of(options_with(data_dir))
    for ours, theirs in zip(trainer.hmr.encoder.weights, fresh.hmr.encoder.weights):
        np.testing.assert_array_equal(ours, theirs)
    for ours, theirs in zip(trainer.hmr.regressor.weights, fresh.hmr.regressor.weights):
        assert not np.array_equal(ours, theirs)


def test_frozen_stages_are_frozen_in_the_encoder(data_dir, monkeypatch):
    calls = []
    monkeypatch.setattr(encoder, "freeze", lambda *arguments: calls.append(arguments))
    trainer = trainer_of(options_with(data_dir, frozen_stages=3))
    assert calls == [(trainer.hmr.encoder, 3)]


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_mixed_precision_is_of_the_encoder_only(data_dir, usual, precision):
    trainer, logs = next(steps(data_dir, mixed_precision=precision))
    assert trainer.hmr.encoder.output.dtype == precision
    assert {variable.dtype for variable in trainer.hmr.trainable_variables} == {tf.float32}
    stages = trainer.hmr(tf.zeros([1, tiny_hmr.SIZE, tiny_hmr.SIZE, 3]))
    assert {part.dtype for part in stages[-1] if part is not None} == {tf.float32}
    assert tf.keras.mixed_precision.global_policy().name == "float32"
    assert logs["encoder/total"] == pytest.approx(usual[0][1]["encoder/total"], rel=0.02)
    if precision == "float16":
        assert trainer.encoder_optimizer.loss_scale > 1


def test_float16_skips_an_update_that_overflows(data_dir):
    options = options_with(data_dir, mixed_precision="float16", e_loss_weight=1e9)
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


def test_steps_per_execution_calls_back_at_the_end_of_each_execution(data_dir, monkeypatch):
    def step(trainer, data):
        trainer.steps_done.assign_add(1)
        return {"encoder/total": tf.constant(0.0)}

    calls = []
    callback = tf.keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda *_: calls.append((trainer.step, trainer.is_due(4)))
    )
    monkeypatch.setattr(Trainer, "train_step", step)
    trainer = trainer_of(options_with(data_dir, steps_per_execution=3))
    trainer.start_at(1, 2)
    data = tf.data.Dataset.from_tensors(0).repeat()
    trainer.fit(data, steps_per_epoch=5, epochs=3, initial_epoch=1, callbacks=[callback], verbose=0)
    # The first epoch begins with its third step; the last execution of an epoch is shorter.
    assert [step for step, _ in calls] == [3, 6, 8]
    assert [due for _, due in calls] == [False, True, True]


@pytest.mark.parametrize("text", ["", "{}", "no json", '{"cluster": {"worker": ["a:1"]}}'])
def test_multi_worker_needs_a_valid_tf_config(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(InputError, match=r"TF_CONFIG.*, with another index on each") as error:
        distribution.strategy("multi_worker")
    assert "\n" not in str(error.value)

"""Callbacks of a training run: scalars, histograms, failure checks, checkpoints, pictures."""

import contextlib
import errno
import io
import os
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf.files import atomic
from hmr_tf.files.errors import InputError
from hmr_tf.networks.discriminator import OUTPUT_NAMES
from hmr_tf.training import inputs, losses
from hmr_tf.training.callbacks import (
    build_callbacks,
    checkpoints,
    failure_checks,
    learning_rate,
    progress,
    tensorboard_images,
    tensorboard_scalars,
    validation,
)
from hmr_tf.training.trainer import Trainer
from tests.fakes import tiny_hmr, tiny_run


def model(step=0, steps_per_execution=1, **more):
    """The attributes of the Trainer that callbacks use."""
    made = SimpleNamespace(
        step=step, steps_per_execution=steps_per_execution, stop_training=False, **more
    )
    made.is_due = lambda every: Trainer.is_due(made, every)
    return made


def attached(callback, trainer):
    callback.set_model(trainer)
    return callback


GOOD = {
    "encoder/joints": 1.0,
    "encoder/keypoints": 2.0,
    "encoder/total": 3.0,
    "discriminator/real": 5.0,
    "discriminator/fake": 5.0,
    "camera/scale_mean": 0.9,
    "camera/scale_std": 0.05,
    "betas/std": 0.1,
    "pose/upright": 1.0,
    "scores/real": np.zeros((6, 25)),
    "scores/fake": np.zeros((6, 25)),
}


# Learning rate


def test_linear_learning_rate_depends_on_the_step_alone():
    optimizer = SimpleNamespace(learning_rate=None)
    trainer = model(encoder_optimizer=optimizer)
    falling = attached(learning_rate.LinearLearningRate(4e-4, 1e-4, 300), trainer)
    for step, expected in ((0, 4e-4), (100, 3e-4), (299, 1.01e-4), (300, 1e-4), (500, 1e-4)):
        trainer.step = step  # 300 is reached, as in a resumed run that was asked for more
        falling.on_train_batch_begin(0)
        assert optimizer.learning_rate == pytest.approx(expected)


# Guards


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float32("nan")])
def test_stop_on_non_finite_loss_names_the_batch(value):
    names = {5: ([f"{n}.jpg" for n in range(12)], []), 6: (["a.jpg", "b.jpg"], [])}

    def guard_after(file_names, num_steps):
        trainer = model(7 - num_steps, steps_per_execution=5)
        guard = attached(failure_checks.StopOnNonFiniteLoss(file_names), trainer)
        guard.on_train_batch_begin(0)
        trainer.step = 7
        return guard

    guard = guard_after(names.get, 1)
    guard.on_train_batch_end(6, GOOD)
    broken = {**GOOD, "encoder/joints": value, "encoder/total": value}
    message = r"^encoder/joints is (nan|inf) at step 7: .*The batch: a\.jpg, b\.jpg\. Lower --e_lr"
    with pytest.raises(InputError, match=message) as error:
        guard.on_train_batch_end(6, broken)
    assert "\n" not in str(error.value)

    # Two steps in one execution; many people; one with broken labels
    guard = guard_after(names.get, 2)
    with pytest.raises(InputError, match=r"0\.jpg, 1\.jpg.*7\.jpg and 6 more"):
        guard.on_train_batch_end(6, broken)
    guard = guard_after(lambda _: (["a.jpg", "b.jpg"], ["b.jpg"]), 1)
    with pytest.raises(InputError, match=r"Labels that are not finite: b\.jpg\."):
        guard.on_train_batch_end(6, broken)


@pytest.mark.parametrize(
    ("logs", "message"),
    [
        ({"camera/scale_std": 1e-4}, "camera's scale was the same"),
        ({"betas/std": 1e-5}, "betas were the same"),
        ({"discriminator/real": 0.1, "discriminator/fake": 0.1}, "--d_lr"),
        ({"pose/upright": -0.9}, "upside down"),
    ],
)
def test_collapse_is_warned_of_once_after_some_steps(logs, message, caplog):
    trainer = model()
    guard = attached(failure_checks.WarnOfCollapse(patience=10), trainer)

    def steps(number, logs_of_step):
        for _ in range(number):
            trainer.step += 1
            guard.on_train_batch_end(0, logs_of_step)

    collapsed = {**GOOD, **logs}
    steps(10, collapsed)
    steps(1, GOOD)
    steps(10, collapsed)
    assert not caplog.records
    steps(30, collapsed)
    assert len(caplog.records) == 1
    assert message in caplog.text
    steps(1, GOOD)
    steps(11, collapsed)
    assert len(caplog.records) == 2


@pytest.mark.parametrize(("batch_size", "is_guarded"), [(1, False), (2, True)])
def test_collapse_is_not_looked_for_with_one_person_per_batch(tmp_path, batch_size, is_guarded):
    options = tiny_run.options(tmp_path, "", batch_size=batch_size)
    callbacks = build_callbacks.build_callbacks(
        options=options,
        files=inputs.Files({}, {}, {}),
        folder=tmp_path,
        last_step=1,
        batch=None,
        parts={},
        stop=None,
        strategy=tf.distribute.get_strategy(),
    )
    assert any(isinstance(x, failure_checks.WarnOfCollapse) for x in callbacks) is is_guarded


def test_collapse_of_the_discriminator_needs_a_discriminator(caplog):
    guard = attached(failure_checks.WarnOfCollapse(patience=0), model(5))
    guard.on_train_batch_end(
        0, {k: v for k, v in GOOD.items() if not k.startswith("discriminator")}
    )
    assert not caplog.records


# Saving


def manager(folder, trainer):
    parts = tf.train.Checkpoint(bias=trainer.hmr.regressor.fc3.bias)
    return tf.train.CheckpointManager(parts, str(folder), 2)


def test_checkpoints_are_saved_by_steps_by_minutes_and_at_the_end(tmp_path):
    trainer, now, saved = model(trained_state=[]), [0.0], []
    files = SimpleNamespace(
        save=lambda checkpoint_number: saved.append(checkpoint_number), latest_checkpoint="x"
    )
    saver = attached(
        checkpoints.SaveCheckpoints(files, every=5, minutes=1.0, clock=lambda: now[0]), trainer
    )
    for trainer.step in range(1, 9):
        now[0] += 25.0  # a minute is over at step 3 and, after the save at step 5, at step 8
        saver.on_train_batch_end(0)
    assert saved == [3, 5, 8]
    saver.on_train_end()
    assert saved == [3, 5, 8]
    trainer.step = 9
    saver.on_train_end()
    assert saved == [3, 5, 8, 9]


def test_is_due_once_in_every_interval_with_several_steps_per_execution():
    """Executions of three steps, due every five: after the first execution at or after 5, 10."""
    due = [step for step in range(3, 31, 3) if model(step, steps_per_execution=3).is_due(5)]
    assert due == [6, 12, 15, 21, 27, 30]


def test_checkpoints_with_non_finite_weights_are_not_saved(tmp_path):
    """The loss of a step is taken before it, and can be finite where its gradient is not."""
    trainer = tiny_hmr.trainer(tmp_path)
    files = manager(tmp_path / "run", trainer)
    saver = attached(checkpoints.SaveCheckpoints(files, every=1), trainer)
    saver.on_train_batch_end(0)
    saved = files.latest_checkpoint
    trainer.hmr.regressor.fc3.bias.assign(tf.fill([85], np.nan))
    trainer.steps_done.assign(1)
    with pytest.raises(InputError, match=r"bias.* not finite after step 1"):
        saver.on_train_batch_end(1)
    assert files.latest_checkpoint == saved


@pytest.mark.parametrize(("step", "stops"), [(2, False), (3, True), (4, True)])
def test_stop_at_step_stops_there(step, stops):
    trainer = model(step)
    attached(checkpoints.StopAtStep(3), trainer).on_train_batch_end(0)
    assert trainer.stop_training is stops


def test_best_checkpoint_is_kept_over_restarts(tmp_path):
    (tmp_path / "params.json").write_text("{}\n")
    weight = tf.Variable(0.0)
    for step, error, kept in ((1, 50.0, 1), (2, 60.0, 1), (3, 40.0, 3)):
        best = validation.BestCheckpoint({"weight": weight}, tmp_path)
        best.save_if_better({"keypoints_px": error, "people": 3}, model(step, trained_state=[]))
        assert tf.train.latest_checkpoint(str(tmp_path / "best")).endswith(f"ckpt-{kept}")
    best.save_if_better({"keypoints_px": 90.0, "pa_mpjpe_mm": 70.0}, model(4, trained_state=[]))
    assert tf.train.latest_checkpoint(str(tmp_path / "best")).endswith("ckpt-4")
    assert (tmp_path / "best" / "params.json").read_text() == "{}\n"
    # Of several workers the chief decides: all save, or none.
    worker = validation.BestCheckpoint({"weight": weight}, tmp_path, agree=lambda is_better: False)
    worker.save_if_better({"pa_mpjpe_mm": 1.0}, model(5, trained_state=[]))
    assert tf.train.latest_checkpoint(str(tmp_path / "best")).endswith("ckpt-4")


@pytest.mark.parametrize("name", ["best", "params.json", validation.RECORD])
def test_best_checkpoint_that_cannot_be_written_is_one_line(tmp_path, monkeypatch, name):
    """On a full disk, while a part is written; or where a file has the folder's name."""

    def on_full_disk(path, text, write=atomic.write_text):
        if path.name == name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        write(path, text)

    (tmp_path / "params.json").write_text("{}\n")
    if name == "best":
        (tmp_path / "best").write_text("no folder")
    monkeypatch.setattr(atomic, "write_text", on_full_disk)
    best = validation.BestCheckpoint({"weight": tf.Variable(0.0)}, tmp_path)
    with pytest.raises(InputError, match=r"best cannot be written: .*--load_path=") as error:
        best.save_if_better({"keypoints_px": 1.0}, model(1, trained_state=[]))
    assert "\n" not in str(error.value)


# TensorBoard and console


def summaries(folder):
    """Tag -> list of (step, summary value)."""
    values = {}
    for path in sorted(folder.rglob("events*")):
        for serialized in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(serialized)
            for value in event.summary.value:
                values.setdefault(value.tag, []).append((event.step, value.tensor))
    return values


def test_scalars_are_weighted_losses_and_speed(tmp_path):
    now, lines = [10.0], []
    optimizer = SimpleNamespace(learning_rate=0.5)
    trainer = model(
        loss_weights=losses.LossWeights(60.0, 30.0, 1.0),
        encoder_optimizer=optimizer,
        discriminator_optimizer=optimizer,
        discriminator=object(),
    )
    callback = attached(
        tensorboard_scalars.WriteScalars(
            tf.summary.create_file_writer(str(tmp_path)),
            every=2,
            batch_size=8,
            log_line=lambda *line: lines.append(line),
            clock=lambda: now[0],
        ),
        trainer,
    )
    callback.on_train_begin()
    # The first step builds the graph; between the steps there are validation and the like.
    for seconds, between in ((90.0, 5.0), (2.0, 40.0), (3.0, 0.0), (5.0, 0.0), (2.0, 7.0)):
        callback.on_train_batch_begin(0)
        now[0] += seconds
        trainer.step += 1
        callback.on_train_batch_end(0, {**GOOD, "input/wait_seconds": seconds / 4})
        now[0] += between
    (first, _), (step, numbers) = lines
    assert (first, step) == (2, 4)
    speeds = [values["speed/images_per_second"] for _, values in lines]
    assert speeds == pytest.approx([8 / 2.0, 2 * 8 / 8.0])
    assert numbers["train/encoder/keypoints"] == 2.0
    assert (numbers["weighted/keypoints"], numbers["weighted/joints"]) == (120.0, 30.0)
    assert numbers["learning_rate/discriminator"] == 0.5
    assert numbers["speed/input_wait_share"] == pytest.approx(0.25)
    steps = {tag: [at for at, _ in values] for tag, values in summaries(tmp_path).items()}
    assert steps == {tag: [2, 4] for tag in numbers}
    line = progress.line(step, numbers, 10)
    assert line.startswith(
        "step 4/10: discriminator/fake 5, discriminator/real 5, encoder/joints 1, "
    )
    assert line.endswith("; 2.0 images/s, input 25 %")


def test_scalars_have_the_speed_of_a_short_execution_but_not_of_the_first(tmp_path):
    """Three steps an execution; at the end of an epoch two are left. The first has no speed."""
    now, lines = [0.0], []
    optimizer = SimpleNamespace(learning_rate=0.5)
    trainer = model(
        steps_per_execution=3,
        loss_weights=losses.LossWeights(),
        encoder_optimizer=optimizer,
        discriminator=None,
    )
    writer = tf.summary.create_file_writer(str(tmp_path))
    callback = tensorboard_scalars.WriteScalars(
        writer,
        every=1,
        batch_size=8,
        log_line=lambda *line: lines.append(line),
        clock=lambda: now[0],
    )
    attached(callback, trainer).on_train_begin()
    for steps in (3, 2):
        callback.on_train_batch_begin(0)
        now[0] += steps
        trainer.step += steps
        callback.on_train_batch_end(0, {**GOOD, "input/wait_seconds": 0.5})
    (_, first), (step, numbers) = lines
    assert not any(name.startswith("speed/") for name in first)
    assert progress.line(3, first, 9).endswith("encoder/total 3")
    assert step == 5
    assert numbers["speed/images_per_second"] == pytest.approx(8.0)
    assert numbers["speed/input_wait_share"] == pytest.approx(0.5)


def test_histograms_are_per_joint_not_per_person(tmp_path):
    """The original's per-joint summaries index the batch (its trainer.py:372)."""
    real = np.arange(25.0)[None] + np.zeros((6, 1))
    logs = {**GOOD, "scores/real": real, "scores/fake": -real}
    writer = tf.summary.create_file_writer(str(tmp_path))
    attached(tensorboard_scalars.WriteHistograms(writer, 1), model(1)).on_train_batch_end(0, logs)
    written = summaries(tmp_path)
    assert len(written) == 50
    for number, name in enumerate(OUTPUT_NAMES):
        for kind, sign in (("real", 1.0), ("fake", -1.0)):
            ((_, tensor),) = written[f"discriminator_{kind}/{name}"]
            buckets = tf.make_ndarray(tensor)  # left, right, count
            filled = buckets[buckets[:, 2] > 0]
            assert filled[:, 2].sum() == 6
            assert filled[0, 0] <= sign * number <= filled[-1, 1]


def test_pictures_are_a_row_for_each_person(tmp_path, rng):
    hmr = tiny_hmr.build(tmp_path, num_stage=2)
    batch, _ = tiny_hmr.data(rng, batch_size=2, num_stage=2)
    batch["keypoints2d_norm"] *= [0.3, 0.3, 1.0]
    stages = [hmr.with_mesh(stage) for stage in hmr(batch["image"])]
    picture = tensorboard_images.people_picture(batch, stages, hmr.smpl.faces)
    size = tiny_hmr.SIZE
    assert picture.shape == (2 * size, 5 * size, 3)
    inputs = np.clip((batch["image"].numpy() + 1) * 127.5, 0, 255).astype(np.uint8)
    for person in range(2):
        row = picture[person * size : (person + 1) * size]
        columns = np.split(row, 5, axis=1)
        np.testing.assert_array_equal(columns[0], inputs[person])
        for drawn in columns[1:4]:
            assert (drawn != inputs[person]).any()
        assert (columns[1] == 255).all(axis=-1).any()  # the predicted keypoints
        assert (columns[4] == 255).all(axis=-1).any()  # the side view's background


@pytest.mark.parametrize(
    ("steps_per_execution", "steps", "expected"),
    [
        (1, (2, 3), [1, "on", 2, 3, "off", 4]),
        (3, (5, 5), [1, "on", 4, "off", 7]),  # executions of 1 to 3, 4 to 6, 7 to 9
        (3, (4, 6), [1, "on", 4, "off", 7]),
    ],
)
def test_profiler_records_whole_executions(
    tmp_path, monkeypatch, steps_per_execution, steps, expected
):
    recorded, trainer = [], model(0, steps_per_execution=steps_per_execution)
    monkeypatch.setattr(tf.profiler.experimental, "start", lambda _: recorded.append("on"))
    monkeypatch.setattr(tf.profiler.experimental, "stop", lambda: recorded.append("off"))
    profile = attached(
        tensorboard_scalars.ProfileSteps(tmp_path, first=steps[0], last=steps[1]), trainer
    )
    for _ in range(len(expected) - 2):
        profile.on_train_batch_begin(0)
        recorded.append(trainer.step + 1)
        trainer.step += steps_per_execution
        profile.on_train_batch_end(0)
    profile.on_train_end()
    assert recorded == expected


def test_progress_bar_counts_from_the_step_that_is_resumed():
    trainer, out = model(4), io.StringIO()
    bar = attached(progress.ProgressBar(10), trainer)
    with contextlib.redirect_stderr(out):
        bar.on_train_begin()
        for trainer.step in (5, 6):
            bar.on_train_batch_end(0, GOOD)
        bar.on_train_end()
    assert "6/10" in out.getvalue()
    assert "encoder/total=3" in out.getvalue()


def test_summary_has_data_steps_and_folder(tmp_path):
    from hmr_tf.training import resume

    (tmp_path / "data").mkdir()
    data = tiny_run.write_data(tmp_path / "data")
    options = tiny_run.options(data, tmp_path / "run", val_datasets=("coco",), num_steps=9)
    trainer = tiny_hmr.trainer(tmp_path)
    steps = resume.Steps.plan(4, options, 3)
    text = progress.summary(
        options=options,
        steps=steps,
        files=inputs.find(options),
        trainer=trainer,
        machine="1 CPU",
        folder=tmp_path / "run",
    )
    assert "coco 4; validation 4; motion capture 20" in text
    assert "9 from step 3, 1 an epoch, batch 4" in text
    assert f"tensorboard --logdir {tmp_path / 'run'}" in text

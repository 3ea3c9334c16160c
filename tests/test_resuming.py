"""A training that was stopped goes on as if it had not been."""

import random
import signal

import numpy as np
import pytest

from hmr_tf.config import Config
from hmr_tf.errors import InputError
from hmr_tf.networks import checkpoint, encoder
from hmr_tf.training import run
from hmr_tf.training.resuming import Steps
from tests import tiny_hmr, tiny_run


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return tiny_run.write_data(tmp_path_factory.mktemp("data"), num_people=10)


@pytest.fixture(autouse=True)
def _small_encoder(monkeypatch):
    monkeypatch.setitem(encoder.ENCODERS, "resnet_v2_50", lambda size, *_: tiny_hmr.encoder(size))


def until_step(process, number):
    """Reads what a training says, up to its line of that step."""
    said = []
    for text in process.stdout:
        said.append(text)
        if f"step {number}/" in text:
            return
    pytest.fail("".join(said[-20:]))


def losses(model_dir):
    """Losses by step; of a step that was trained twice, both must be the same."""
    found = {}
    for tag, values in tiny_run.curves(model_dir).items():
        if tag.startswith(("train/", "weighted/")):
            for step, numbers in values.items():
                assert len(set(map(float, numbers))) == 1, (tag, step, numbers)
                found[tag, step] = float(numbers[0])
    return found


def test_a_killed_training_goes_on_to_the_same_losses(data_dir, tmp_path):
    """kill -9 in the middle of an epoch, at a step of its own in each run of this test."""
    killed_at = random.randint(4, 9)
    broken, whole = tmp_path / "broken", tmp_path / "whole"
    process = tiny_run.start(
        tiny_run.options(data_dir, broken, num_steps=1000, save_step=3, num_stage=1)
    )
    until_step(process, killed_at)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()
    saved = int(checkpoint.find(broken).rpartition("-")[2])
    assert saved >= 3
    flags = {"num_steps": killed_at + 6, "num_stage": 1}
    run.train(tiny_run.config(data_dir, "", **flags, load_path=str(broken)))
    run.train(tiny_run.config(data_dir, whole, **flags))
    ours, theirs = losses(broken), losses(whole)
    assert {step for _, step in theirs} == set(range(1, killed_at + 7))
    assert set(theirs) <= set(ours)
    assert {name: ours[name] for name in theirs} == theirs


def test_sigterm_saves_and_is_no_failure(data_dir, tmp_path):
    process = tiny_run.start(tiny_run.options(data_dir, tmp_path / "run", num_steps=100_000))
    until_step(process, 2)
    process.terminate()
    said = process.stdout.read()
    process.stdout.close()
    assert process.wait() == 0, said
    assert "Stopped by SIGTERM: go on with --load_path=" in said
    assert int(checkpoint.find(tmp_path / "run").rpartition("-")[2]) >= 2


@pytest.fixture(scope="module")
def trained(data_dir, tmp_path_factory):
    """A run of one step."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(encoder.ENCODERS, "resnet_v2_50", lambda size, *_: tiny_hmr.encoder(size))
        run.train(tiny_run.config(data_dir, folder, num_steps=1))
    return folder


def test_changed_flags_are_shown_and_refused(data_dir, trained, tmp_path, caplog):
    changes = {"e_lr": 0.25, "batch_size": 8, "freeze_backbone": True, "num_steps": 2}
    flags = {**changes, "load_path": str(trained)}
    with pytest.raises(InputError, match=r"\(3, shown above\).*--allow_changed_flags") as error:
        run.train(tiny_run.config(data_dir, tmp_path / "more", **flags))
    assert "\n" not in str(error.value)
    table = [line.split() for line in caplog.text.splitlines()]
    for row in (["--e_lr", "1e-05", "0.25"], ["--batch_size", "4", "8"]):
        assert row in table
    assert not (tmp_path / "more").exists()

    more = tmp_path / "more"
    run.train(tiny_run.config(data_dir, more, **flags, allow_changed_flags=True))
    assert checkpoint.find(more).endswith("ckpt-2")
    ((rate,),) = tiny_run.curves(more)["learning_rate/encoder"].values()
    assert rate == np.float32(0.25)
    assert checkpoint.read_params(checkpoint.find(more))["batch_size"] == 8


def test_where_things_are_and_how_long_it_takes_may_change(data_dir, trained, tmp_path):
    flags = {"num_steps": 2, "log_step": 7, "save_minutes": 1.0, "keep_checkpoints": 1}
    run.train(tiny_run.config(data_dir, tmp_path / "a", load_path=str(trained), **flags))
    assert checkpoint.find(tmp_path / "a").endswith("ckpt-2")


@pytest.mark.parametrize(
    ("options", "done", "expected"),
    [
        # 10 people in batches of 4: two steps an epoch, the rest comes in another one
        ({"epoch": 3}, 0, (2, 3, 0, 0, 6)),
        ({"epoch": 3}, 2, (2, 3, 1, 0, 6)),
        ({"epoch": 3}, 3, (2, 3, 1, 1, 6)),
        ({"epoch": 3, "num_steps": 5}, 0, (2, 3, 0, 0, 5)),
        ({"num_steps": 1}, 0, (2, 1, 0, 0, 1)),
        ({"num_steps": 5}, 3, (2, 3, 1, 1, 5)),
        # fewer people than a batch
        ({"epoch": 2, "batch_size": 64}, 0, (1, 2, 0, 0, 2)),
    ],
)
def test_steps_and_epochs(options, done, expected):
    plan = Steps.plan(10, Config(**{"batch_size": 4, **options}), done)
    assert (plan.per_epoch, plan.epochs, plan.first_epoch, plan.first_step, plan.end) == expected
    # The epochs that are left have room for the steps that are left.
    assert plan.epochs * plan.per_epoch >= plan.end


@pytest.mark.parametrize("options", [{"epoch": 3}, {"num_steps": 6}, {"num_steps": 4}])
def test_a_training_that_is_done_says_so(options):
    with pytest.raises(InputError, match=r"is at step 6.*--epoch or --num_steps"):
        Steps.plan(10, Config(batch_size=4, **options), 6)

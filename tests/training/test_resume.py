"""A training run that was stopped is resumed to the same losses."""

import json
import signal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf.body import body_model
from hmr_tf.cli.options import Options
from hmr_tf.files.errors import InputError
from hmr_tf.networks import checkpoint, encoder
from hmr_tf.networks.build import Architecture
from hmr_tf.training import build_trainer, resume, run
from hmr_tf.training.callbacks import validation
from hmr_tf.training.resume import Steps
from hmr_tf.training.trainer import Trainer
from tests.fakes import tiny_body, tiny_hmr, tiny_run


@pytest.fixture(scope="module", autouse=True)
def _small_encoder():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(encoder.ENCODERS, "resnet_v2_50", lambda size, *_: tiny_hmr.encoder(size))
        yield


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return tiny_run.write_data(tmp_path_factory.mktemp("data"), num_people=10)


# Without it a sum may be taken in another order on a busy machine.
EXACT = {"num_steps": 1000, "save_step": 4, "deterministic": True}


@pytest.fixture(scope="module", params=[7, 11])
def killed(data_dir, tmp_path_factory, request):
    """A run in a child process, killed after a checkpoint; and the step of the checkpoint."""
    folder = tmp_path_factory.mktemp("killed") / "run"
    process = tiny_run.start(tiny_run.flag_values(data_dir, folder, **EXACT))
    until_step(process, request.param)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()
    return folder, int(checkpoint.find(folder).rpartition("-")[2])


def until_step(process, number):
    """Reads the output of a training run up to the line of that step."""
    lines = []
    for text in process.stdout:
        lines.append(text)
        if f"step {number}/" in text:
            return
    pytest.fail("".join(lines[-20:]))


@pytest.fixture(scope="module")
def resumed(data_dir, killed):
    """That run, resumed until it got SIGTERM; its exit code, and the last step before the kill."""
    folder, saved = killed
    last = max(step for tag, step in losses(folder))
    flags = {**EXACT, "save_step": 1000, "load_path": str(folder)}
    process = tiny_run.start(tiny_run.flag_values(data_dir, "", **flags))
    until_step(process, last + 1)
    process.terminate()
    process.stdout.read()
    process.stdout.close()
    return folder, saved, last, process.wait()


def losses(model_dir):
    """(tag, step) -> values: one, or two where the step was repeated after a checkpoint."""
    values_of = {}
    for tag, values in tiny_run.curves(model_dir).items():
        if tag.startswith(("train/", "weighted/")):
            values_of.update({(tag, step): list(map(float, v)) for step, v in values.items()})
    return values_of


def test_resume_of_a_killed_training_gives_the_same_losses(resumed):
    """kill -9 in the middle of an epoch; the steps after the checkpoint are repeated."""
    folder, saved, last, _ = resumed
    values_of = losses(folder)
    again = {step for (_, step), values in values_of.items() if len(values) == 2}
    assert again == set(range(saved + 1, last + 1))
    assert len(again) >= 3
    assert len({tag for tag, _ in values_of}) > 15
    for tag_and_step, values in values_of.items():
        assert len(set(values)) == 1, (tag_and_step, values)
    assert {step for _, step in values_of} >= set(range(1, last + 2))


def test_sigterm_saves_and_exits_with_0(resumed):
    folder, _, last, code = resumed
    assert code == 0
    stopped = max(step for _, step in losses(folder))
    assert last < stopped < 1000
    assert checkpoint.find(folder).endswith(f"ckpt-{stopped}")


def test_resume_shows_and_refuses_changed_flags(data_dir, resumed, tmp_path, caplog, monkeypatch):
    changes = {"e_lr": 0.25, "batch_size": 8, "freeze_backbone": True, "num_steps": 2000}
    flags = {**changes, "load_path": str(resumed[0])}
    with pytest.raises(InputError, match=r"\(4, shown above\).*--allow_changed_flags") as error:
        run.train(tiny_run.options(data_dir, tmp_path / "more", **flags))
    assert "\n" not in str(error.value)
    table = [line.split() for line in caplog.text.splitlines()]
    changed = ["--e_lr 1e-05 0.25", "--batch_size 4 8", "--deterministic True False"]
    for row in map(str.split, changed):
        assert row in table
    assert not (tmp_path / "more").exists()

    trained = []
    monkeypatch.setattr(Trainer, "fit", lambda trainer, *_, **__: trained.append(trainer))
    run.train(tiny_run.options(data_dir, tmp_path / "more", **flags, allow_changed_flags=True))
    (trainer,) = trained
    assert float(trainer.encoder_optimizer.learning_rate) == 0.25
    assert trainer.step == int(checkpoint.find(resumed[0]).rpartition("-")[2])
    moved = trainer.encoder_optimizer.get_slot(trainer.hmr.regressor.fc1.kernel, "m")
    assert np.abs(moved).max() > 0
    assert json.loads((tmp_path / "more" / checkpoint.PARAMS).read_text())["batch_size"] == 8


def test_resume_allows_other_folders_and_lengths(data_dir, killed, tmp_path):
    flags = {"num_steps": 2, "log_step": 7, "save_minutes": 1.0, "keep_checkpoints": 1}
    flags["deterministic"] = True
    moved = tiny_run.options(data_dir, tmp_path / "elsewhere", **flags)
    params = resume.find(str(killed[0])).params
    assert resume.changed_flags(moved, params) == []
    changed = tiny_run.options(data_dir, "", datasets=("coco", "lsp"), xla=True, deterministic=True)
    assert resume.changed_flags(changed, params) == [
        ("datasets", ["coco"], ["coco", "lsp"]),
        ("xla", None, True),
    ]


def trained_with(folder, body, **params):
    """Writes params.json and the index of a checkpoint; returns the prefix."""
    architecture = {**Architecture()._asdict(), "smpl_model_path": str(body), **params}
    (folder / checkpoint.PARAMS).write_text(json.dumps(architecture))
    (folder / "ckpt-1.index").touch()
    return str(folder / "ckpt-1")


def body_of(load_path, path="", **flags):
    """Reads the body as a resumed training does."""
    options = Options(load_path=load_path, smpl_model_path=str(path), **flags)
    resumed = resume.find(load_path)
    return build_trainer.read_body(build_trainer.with_model_files(options, resumed), resumed)


def test_resume_accepts_a_moved_body_and_refuses_another(tmp_path):
    body = tiny_body.write(tmp_path / "body.npz")
    single = {k: v.astype("f4") for k, v in tiny_body.arrays().items() if v.dtype == float}
    same = tiny_body.write(tmp_path / "same.npz", **single)
    template = tiny_body.arrays()["v_template"]
    other = tiny_body.write(tmp_path / "other.npz", v_template=1.1 * template)
    regressor = tmp_path / "regressor.npy"
    np.save(regressor, np.full((19, 60), 1 / 60))
    known = {checkpoint.BODY_DIGEST: body_model.digest(body_model.read_model(body))}

    gone = trained_with(tmp_path, tmp_path / "gone.npz", **known)
    for path in (body, same):
        assert len(body_of(gone, path).v_template) == 60
    with pytest.raises(InputError, match=r"not found: .*gone\.npz.*--smpl_model_path"):
        body_of(gone)
    for flags in ({"path": other}, {"path": body, "keypoint_regressor": str(regressor)}):
        with pytest.raises(InputError, match=r"another body than --load_path.*gone\.npz") as error:
            body_of(gone, **flags)
        assert "\n" not in str(error.value)

    changed = trained_with(tmp_path, other, **known)
    with pytest.raises(InputError, match="another body"):
        body_of(changed)
    # An imported model has no digest; its body is in the file beside it.
    imported = trained_with(tmp_path, "body.npz")
    for path in ("", same):
        assert len(body_of(imported, path).v_template) == 60
    with pytest.raises(InputError, match="another body"):
        body_of(imported, other)


def test_resume_takes_the_built_in_body_that_the_run_states(tmp_path):
    new = body_model.digest(body_model.read_model())
    for stated, expected in (
        ({checkpoint.BODY_DIGEST: body_model.DIGEST_1_0}, body_model.DIGEST_1_0),
        ({checkpoint.BODY_DIGEST: new}, new),
        ({}, body_model.DIGEST_1_0),  # older than the digest
    ):
        load_path = trained_with(tmp_path, "", **stated)
        assert body_model.digest(body_of(load_path)) == expected
    former = trained_with(tmp_path, "", **{checkpoint.BODY_DIGEST: body_model.DIGEST_1_0})
    with pytest.raises(InputError, match="another body than --load_path"):
        body_of(former, body_model.BUILT_IN)


def test_resume_from_the_best_checkpoint_needs_a_new_folder(tmp_path):
    run_folder, weight = tmp_path / "run", tf.Variable(0.0)
    checkpoint.manager({"weight": weight}, run_folder).save(checkpoint_number=5)
    (run_folder / checkpoint.PARAMS).write_text(json.dumps(Architecture()._asdict()))
    best = validation.BestCheckpoint({"weight": weight}, run_folder)
    best.save_if_better({"keypoints_px": 1.0}, SimpleNamespace(step=4, trained_state=[]))

    def folder(load_path, model_dir=""):
        options = Options(load_path=str(load_path), model_dir=str(model_dir))
        return resume.run_folder(options, resume.find(options.load_path))

    for load_path in (run_folder, run_folder / "ckpt-5"):
        assert folder(load_path) == folder(load_path, run_folder) == run_folder
    for load_path in (run_folder / "best", run_folder / "best" / "ckpt-4"):
        assert folder(load_path).parent == Path("logs")
        assert folder(load_path, tmp_path / "new") == tmp_path / "new"
        for taken in (run_folder, run_folder / "best"):
            with pytest.raises(InputError, match=f"--model_dir={taken} holds a training run"):
                folder(load_path, taken)


@pytest.mark.parametrize(
    ("options", "done", "expected"),
    [
        # 10 people in batches of 4: two steps an epoch, two people left for the next one
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
def test_steps_plan_counts_steps_and_epochs(options, done, expected):
    plan = Steps.plan(10, Options(**{"batch_size": 4, **options}), done)
    assert (plan.per_epoch, plan.epochs, plan.first_epoch, plan.first_step, plan.end) == expected
    # The epochs that are left have room for the steps that are left.
    assert plan.epochs * plan.per_epoch >= plan.end


@pytest.mark.parametrize("options", [{"epoch": 3}, {"num_steps": 6}, {"num_steps": 4}])
def test_steps_plan_refuses_a_training_that_is_done(options):
    with pytest.raises(InputError, match=r"is at step 6.*--epoch or --num_steps"):
        Steps.plan(10, Options(batch_size=4, **options), 6)


def test_resume_finds_and_reads_the_checkpoint_once(data_dir, tmp_path, monkeypatch):
    """So that a checkpoint that another run saves meanwhile does not mix with it."""
    monkeypatch.setattr(Trainer, "fit", lambda *_, **__: None)
    run.train(tiny_run.options(data_dir, tmp_path / "run"))
    calls = []

    def count(name):
        function = getattr(checkpoint, name)
        monkeypatch.setattr(
            checkpoint, name, lambda *arguments: [calls.append(name), function(*arguments)][1]
        )

    for name in ("find", "read_params"):
        count(name)
    run.train(tiny_run.options(data_dir, "", load_path=str(tmp_path / "run"), num_steps=3))
    assert sorted(calls) == ["find", "read_params"]


@pytest.mark.parametrize("name", ["run [v2]", "a*b", "what?", "back\\slash"])
def test_resume_refuses_folders_that_tensorflow_takes_for_patterns(data_dir, tmp_path, name):
    """Before it trains: such a run could not be loaded, and the next would overwrite it."""
    folder = tmp_path / name / "run"
    for flags in ({}, {"load_path": str(folder)}):
        options = tiny_run.options(data_dir, folder, **flags)
        with pytest.raises(InputError, match=r"takes \[ \* \? .* for a pattern; rename ") as error:
            run.train(options)
        assert f"rename {name}, or" in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["run (v2) #1 $HOME %41", "a]b", "{a,b}", "ümlaut ~"])
def test_resume_in_folders_of_other_unusual_names(data_dir, tmp_path, name):
    """Trained, kept to two checkpoints, not overwritten, resumed, loaded."""
    folder = tmp_path / name
    options = {"save_step": 1, "keep_checkpoints": 2}
    run.train(tiny_run.options(data_dir, folder, num_steps=3, **options))
    assert len(list(folder.glob("ckpt-*.data*"))) == 2
    with pytest.raises(InputError, match="holds a training run already"):
        run.train(tiny_run.options(data_dir, folder, num_steps=4, **options))
    run.train(tiny_run.options(data_dir, folder, num_steps=4, load_path=str(folder), **options))
    assert checkpoint.steps_done(checkpoint.find(folder)) == 4
    assert checkpoint.load(folder).image_size == tiny_hmr.SIZE

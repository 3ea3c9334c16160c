"""Killed in the middle: no half of a file under its name; the next run removes what was left."""

import contextlib
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf.cli import mode_steps, predict
from hmr_tf.evaluation import cached_predictions
from hmr_tf.files import atomic, png
from hmr_tf.inference import fit_records
from hmr_tf.inference.model import Model
from hmr_tf.networks import engines
from hmr_tf.serving import saved_model
from tests.fakes import tiny_hmr, tiny_run

ENDED_PROCESS = 4_194_999  # above the largest number that Linux gives
FORMATS = ("overlay", "obj", "npz", "glb", "bvh", "amass")
# Mode -> the renaming at which it is killed.
MODES = {"predict": 4, "evaluate": 2, "fit": 2, "export": 1}


class OfEndedProcess:
    """The module `os` of another process, which has ended."""

    getpid = staticmethod(lambda: ENDED_PROCESS)

    def __getattr__(self, name):
        return getattr(os, name)


class Killed(BaseException):
    """Ends a run as SIGKILL does: nothing catches it, nothing is cleaned up."""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return Model(*tiny_hmr.with_body(tmp_path_factory.mktemp("body")))


@pytest.fixture(scope="module")
def jobs(model, tmp_path_factory):
    """dict: mode -> function of a folder that writes its files there."""
    folder = tmp_path_factory.mktemp("input")
    data = tiny_run.write_data(folder, num_people=4)
    shards = sorted((data / "coco").iterdir())
    picture = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    photographs = [folder / f"{name}.png" for name in "ab"]
    for path in photographs:
        png.write_png(path, picture)
    boxes = {path: [(10.0, 5.0, 40.0, 50.0)] for path in photographs}

    def evaluate(out):
        files = SimpleNamespace(paths=shards)
        predict_crops = engines.in_tensorflow(model.hmr).predict
        cached_predictions.predict_files(
            predict_crops, model.hmr.image_size, "digest", files, out / "predictions", 4
        )
        atomic.write_text(out / "results.json", "{}")

    return {
        "predict": lambda out: predict.predict_photographs(
            model, photographs, out, FORMATS, boxes=boxes
        ),
        "evaluate": evaluate,
        "fit": lambda out: fit_records.fit_dataset(model.hmr, None, shards, data, out, 4, 5),
        "export": lambda out: saved_model.export(model.hmr, out / "1"),
    }


@contextlib.contextmanager
def killed_at(number, monkeypatch):
    """Kills the process before its `number`-th renaming of a file or folder, from 1."""
    count, rename = 0, os.replace

    def replace(source, target):
        nonlocal count
        count += 1
        if count == number:
            raise Killed
        return rename(source, target)

    with monkeypatch.context() as patch, contextlib.suppress(Killed):
        patch.setattr(atomic, "os", OfEndedProcess())  # not of `Model`, which refuses to be forked
        patch.setattr(os, "replace", replace)
        patch.setattr(Path, "replace", lambda path, target: os.replace(path, target))
        patch.setattr(Path, "unlink", lambda *_, **__: None)
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)
        yield


def files_of(folder):
    """dict: path below the folder -> bytes, without unfinished ones; and the unfinished ones."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    names = {path: path.relative_to(folder).as_posix() for path in paths}
    whole = {n: p.read_bytes() for p, n in names.items() if atomic.UNFINISHED not in n}
    return whole, [path for path, name in names.items() if atomic.UNFINISHED in name]


@pytest.mark.parametrize("mode", MODES)
def test_killed_run_leaves_whole_files_and_the_next_run_removes_the_rest(
    mode, jobs, tmp_path, monkeypatch
):
    if mode == "export":  # TensorFlow's part takes long and writes into a new folder

        def save(module, folder, signatures):
            Path(folder, "saved_model.pb").write_text("model")

        monkeypatch.setattr(tf.saved_model, "save", save)
    (tmp_path / "whole").mkdir()
    jobs[mode](tmp_path / "whole")
    expected, left = files_of(tmp_path / "whole")
    assert expected
    assert not left
    folder = tmp_path / "killed"
    folder.mkdir()
    with killed_at(MODES[mode], monkeypatch):
        jobs[mode](folder)
    whole, left = files_of(folder)
    assert left
    assert len(whole) == MODES[mode] - 1
    assert all(expected[name] == content for name, content in whole.items())
    with mode_steps.new_folder(folder):
        jobs[mode](folder)
    whole, left = files_of(folder)
    assert not left
    assert set(whole) == set(expected)

"""The two lines that each mode prints before TensorFlow is loaded."""

import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from hmr_tf.cli.mode_steps import announcement
from hmr_tf.cli.option_groups.file_options import MODES
from hmr_tf.cli.options import Options
from hmr_tf.files.errors import InputError
from tests.fakes import without_tensorflow

# A command of each mode, in the folder below. TensorFlow cannot be imported there.
COMMANDS = {
    "train": ["--data_dir=data", "--datasets=lsp", "--mocap_datasets=CMU"],
    "evaluate": ["--data_dir=data", "--datasets=lsp"],
    "predict": ["--img_path=photos"],
    "fit": ["--data_dir=data", "--datasets=lsp"],
    "export": ["--load_path=trained"],
    "import_tf1": ["--load_path=model.ckpt-1", "--model_dir=imported"],
    "quickstart": ["--skip_training"],
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with records, photographs and the params.json of a training run, and a CPU."""
    without_tensorflow.write_shard(tmp_path / "data" / "lsp" / "train_000.tfrecord", 1000)
    without_tensorflow.write_shard(tmp_path / "data" / "lsp" / "test_000.tfrecord", 30)
    without_tensorflow.write_shard(
        tmp_path / "data" / "mocap_neutrMosh" / "neutrSMPL_CMU_000.tfrecord", 2000
    )
    (tmp_path / "photos").mkdir()
    (tmp_path / "trained").mkdir()
    checkpoint = ("trained/checkpoint", "trained/ckpt-4.index", "model.ckpt-1.index")
    for name in checkpoint:
        (tmp_path / name).touch()
    for name in "ab":
        cv2.imwrite(str(tmp_path / "photos" / f"{name}.jpg"), np.zeros((9, 9, 3), np.uint8))
    params = {"encoder": "resnet50", "img_size": 128}
    (tmp_path / "trained" / "params.json").write_text(json.dumps(params))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    environment = without_tensorflow.environment(tmp_path / "blocked")
    monkeypatch.setenv("PYTHONPATH", environment["PYTHONPATH"])
    return tmp_path


@pytest.mark.parametrize("mode", MODES)
def test_announcement_comes_before_tensorflow_is_loaded(mode, folder):
    command = [sys.executable, "-m", "hmr_tf.main", f"--mode={mode}", *COMMANDS[mode]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    first, second, *rest = done.stderr.splitlines()
    assert first.endswith(" on the CPU.")
    assert second.startswith("Network: ")
    assert " Output: " in second
    assert "ImportError: none is loaded here" in rest


@pytest.mark.parametrize(
    ("options", "work", "network"),
    [
        (
            {"mode": "train", "datasets": ("lsp",), "mocap_datasets": ("CMU",), "num_steps": 9},
            "Trains on 1,000 people (lsp) and 2,000 bodies (CMU), 9 steps, 64 people a step",
            "resnet_v2_50, 224 px, from random weights. Output: logs/HMR_",
        ),
        (
            {"mode": "train", "datasets": ("lsp",), "encoder_only": True, "load_path": "trained"},
            "Trains on 1,000 people (lsp), 55 epochs",
            "resnet_v2_50, 224 px, from trained. Output: trained.",
        ),
        (
            {"mode": "evaluate", "datasets": ("lsp",), "load_path": "trained/ckpt-4"},
            "Measures body_errors on 30 people (lsp; test)",
            "trained/ckpt-4 (resnet50, 128 px). Output: results.json and report.html in output.",
        ),
        (
            {"mode": "evaluate", "compare": ("a.json", "b.json")},
            "Compares a.json, b.json",
            "none is needed. Output: comparison.html in output.",
        ),
        (
            {"mode": "predict", "img_path": "photos", "boxes": "people.csv"},
            "Predicts the people in 2 photographs (photos), boxes of people.csv",
            "the released one. Output: overlay, obj, npz in output.",
        ),
        (
            {"mode": "predict", "video_path": "walk.mp4", "write": ("glb",)},
            "Predicts the people in walk.mp4",
            "the released one. Output: glb in output.",
        ),
        (
            {"mode": "export", "load_path": "elsewhere", "export_format": "tflite"},
            "Exports a TFLite file in float32",
            "elsewhere. Output: output.",
        ),
    ],
)
def test_announcement_states_data_network_and_output(options, work, network, folder):
    options = Options(**{"data_dir": "data", **options})
    first, second = announcement(options, num_photographs=2).splitlines()
    assert first.startswith(work)
    assert second.startswith(f"Network: {network}")


@pytest.mark.parametrize("mode", ["train", "evaluate", "fit"])
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"data_dir": "none"}, "is not a folder"),
        ({"datasets": ()}, "--datasets is empty"),
        ({"datasets": ("coco",)}, "no shards match"),
    ],
)
def test_announcement_refuses_missing_data(mode, changes, reason, folder):
    options = Options(**{"mode": mode, "data_dir": "data", "datasets": ("lsp",), **changes})
    with pytest.raises(InputError, match=reason):
        announcement(options)


def test_announcement_names_no_device_where_only_tensorflow_knows_it(folder, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setattr("os.path.exists", lambda path: path == "/dev/nvidiactl")
    assert announcement(Options(mode="export")).startswith("Exports a SavedModel in float32.\n")


@pytest.mark.parametrize(("level", "shown"), [("3", False), ("0", True)])
def test_announcement_is_not_followed_by_messages_of_the_import(level, shown, folder, capfd):
    """TensorFlow 2.21 writes some before it reads its log level; who lowers that sees them."""
    module = folder / "blocked" / "tensorflow.py"
    module.write_text("import os; os.write(2, b'I0000 no cuda drivers')")
    code = (
        "from hmr_tf.cli import mode_steps; from hmr_tf.cli.options import Options; "
        "mode_steps.announce_and_load_tensorflow(Options(mode='quickstart', skip_training=True))"
    )
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": level}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert ("cuda" in capfd.readouterr().err) == shown

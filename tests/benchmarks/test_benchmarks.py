"""Commands of benchmarks/: wrong input is one line and exit code 2; files for the peers."""

import importlib
import pickle
import sys

import numpy as np
import pytest

import benchmarks
from benchmarks import smpl_speed
from hmr_tf.body import body_model

NAMES = (
    "conversion_speed",
    "inference_speed",
    "input_pipeline",
    "metrics_speed",
    "render_speed",
    "smpl_speed",
    "training_step",
    "video_speed",
)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("input_pipeline", ["--data_dir=nowhere"], "--data_dir=nowhere is not a folder"),
        ("results.learning_curves", [], "--model_dirs"),
        *((name, ["--sise=3"], "--sise=3 (--help lists the flags)") for name in NAMES),
        ("serving_load", ["--url=http://h", "--sise=3"], "--sise=3 (--help lists the flags)"),
        ("serving_load", [], "--saved_model --url --service_ms is required"),
        ("serving_load", ["--saved_model=nowhere"], "--saved_model=nowhere holds no saved_model"),
        ("serving_load", ["--url=localhost:8501"], "--url=localhost:8501 is not an address"),
        ("serving_load", ["--url=http://localhost:99999"], "--url=http://localhost:99999 is not"),
        ("serving_load", ["--url=http://localhost:1"], "--url=http://localhost:1: No server at"),
        ("serving_load", ["--service_ms=4"], "'4' is not FIXED,EACH in milliseconds"),
        ("serving_load", ["--service_ms=4,-1"], "'4,-1' is not FIXED,EACH in milliseconds"),
        ("smpl_speed", ["--batch_sizes=64,"], "--batch_sizes: '' is not a whole number from 1 on"),
        ("video_speed", ["--load_path=nowhere"], "--load_path=nowhere"),
    ],
)
def test_benchmarks_refuse_wrong_input_in_one_line(monkeypatch, capsys, name, arguments, message):
    command = importlib.import_module(f"benchmarks.{name}")
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    with pytest.raises(SystemExit) as stopped:
        benchmarks.run(command.main)
    assert stopped.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    assert message in printed.err


def test_smpl_speed_writes_the_body_for_its_peers(tmp_path):
    body = body_model.read_model()
    smpl_speed.write_for_peers(body, tmp_path)
    content = pickle.loads((tmp_path / "SMPL_NEUTRAL.pkl").read_bytes())
    np.testing.assert_array_equal(content["v_template"], body.v_template)
    np.testing.assert_array_equal(content["kintree_table"][0], body.parents)
    assert np.load(tmp_path / "kid_template.npy").shape == body.v_template.shape

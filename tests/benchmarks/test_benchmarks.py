"""Wrong input to the commands of benchmarks/ ends with one line, before anything is measured."""

import importlib
import json
import sys

import pytest

import benchmarks
from benchmarks import training_step
from hmr_tf.networks import checkpoint
from hmr_tf.networks.build import Architecture

LEARNED = ["--load_path=a", "--data_dir=nowhere", "--datasets=lsp"]
CURVE = ["--tag=a", "--label=b", "--output=c.svg"]


def refused(monkeypatch, capsys, name, *arguments):
    """What a command says that must not begin its work."""
    command = importlib.import_module(f"benchmarks.{name}")
    monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        benchmarks.run(command.main)
    assert stopped.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    return said.err


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("conversion_speed", ["--data_dir=nowhere"], "nowhere"),
        ("conversion_speed", ["--people=0"], "--people: '0' is no whole number from 1 on"),
        ("learning_curves", ["--model_dirs=nowhere", *CURVE], "no a in nowhere"),
        ("learning_curves", CURVE, "--model_dirs"),
        ("inference_speed", ["--load_path=nowhere"], "--load_path=nowhere"),
        ("inference_speed", ["--img_path=nowhere"], "nowhere"),
        ("inference_speed", ["--batch_sizes=1,a"], "--batch_sizes: 'a' is no whole number"),
        ("input_pipeline", ["--data_dir=nowhere"], "--data_dir=nowhere is not a folder"),
        ("input_pipeline", ["--images=8"], "--images=8 is less than a batch, 64"),
        ("learned", LEARNED, "nowhere"),
        ("learned", [*LEARNED, "--pictures=nowhere"], "--pictures=nowhere is not a folder"),
        ("metrics_speed", ["--frames=-1"], "--frames: '-1' is no whole number"),
        ("render_speed", ["--size=3"], "unrecognized arguments: --size=3 (--help lists the flags)"),
        ("smpl_speed", ["--batch_sizes=64,"], "--batch_sizes: '' is no whole number"),
        ("training_step", ["--repeats=many"], "--repeats: 'many' is no whole number"),
        ("video_speed", ["--frames=3"], "--frames: '3' is no whole number from 16 on"),
        ("video_speed", ["--load_path=nowhere"], "--load_path=nowhere"),
    ],
)
def test_wrong_input_is_one_line(monkeypatch, capsys, name, arguments, said):
    assert said in refused(monkeypatch, capsys, name, *arguments)


def test_a_folder_of_coco_without_people_is_said(monkeypatch, capsys, tmp_path):
    (tmp_path / "annotations").mkdir()
    (tmp_path / "images" / "train2014").mkdir(parents=True)
    content = {"images": [], "annotations": [], "categories": []}
    path = tmp_path / "annotations" / "person_keypoints_train2014.json"
    path.write_text(json.dumps(content))
    said = refused(monkeypatch, capsys, "conversion_speed", f"--data_dir={tmp_path}")
    assert "has nobody to convert" in said


def test_another_encoder_than_the_peers_know_is_said(monkeypatch, capsys, tmp_path):
    params = Architecture(encoder="resnet50")._asdict()
    (tmp_path / checkpoint.PARAMS).write_text(json.dumps(params))
    (tmp_path / "ckpt-1.index").touch()
    said = refused(monkeypatch, capsys, "inference_speed", f"--load_path={tmp_path / 'ckpt-1'}")
    assert "encoder resnet50" in said


def test_a_part_of_no_name_is_said(monkeypatch, capsys):
    monkeypatch.setattr(training_step, "steps_of", lambda data: {"bare, float32": None})
    said = refused(monkeypatch, capsys, "training_step", "--batch_size=1", "--only=tf32")
    assert "--only=tf32 is part of none of: 'bare, float32'" in said


def test_a_curve_that_cannot_be_written_is_said(monkeypatch, capsys, tmp_path):
    from benchmarks import learning_curves

    monkeypatch.setattr(learning_curves, "read", lambda model_dir, tag: ([1, 2], [3.0, 4.0]))
    output = tmp_path / "nowhere" / "a.svg"
    arguments = ["--model_dirs=a", *CURVE[:2], f"--output={output}"]
    said = refused(monkeypatch, capsys, "learning_curves", *arguments)
    assert f"--output={output} cannot be written: No such file" in said

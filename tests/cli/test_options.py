"""Options from flags; --help of one mode; the modes of each flag."""

import ast
import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
from absl import flags
from absl.testing import flagsaver

from hmr_tf import main
from hmr_tf.body.skeleton import LSP_JOINTS, MPI_INF_3DHP_JOINTS
from hmr_tf.cli import option_flags, options
from hmr_tf.cli.option_groups import (
    evaluation_options,
    file_options,
    machine_options,
    training_options,
)
from hmr_tf.files.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
FIELDS = {field.name: field for field in dataclasses.fields(options.Options)}


def parsed(*arguments):
    values = flags.FlagValues()
    option_flags.define(options.Options, values)
    values(["program", *arguments])
    return option_flags.parsed(options.Options, values)


def test_options_defaults_are_the_papers():
    made = parsed()
    assert made == options.Options()
    assert (made.batch_size, made.epoch, made.num_stage, made.img_size) == (64, 55, 3, 224)
    assert (made.e_lr, made.d_lr) == (1e-5, 1e-4)
    assert (made.e_loss_weight, made.e_3d_weight, made.d_loss_weight) == (60, 60, 1)
    assert (made.trans_max, made.scale_min, made.scale_max) == (20, 0.8, 1.23)


def test_options_hold_the_flags():
    made = parsed("--mode=train", "--datasets=lsp,coco", "--nouse_3d_label", "--e_lr=0.1", "--xla")
    assert made.mode == "train"
    assert made.datasets == ("lsp", "coco")
    assert made.use_3d_label is False
    assert made.e_lr == 0.1
    assert made.xla is True


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("--box=1,2.5,30,40", (1.0, 2.5, 30.0, 40.0)),
        ("--principal_px=80,-3", (80.0, -3.0)),
        ("--profile_steps=100,110", (100, 110)),
        ("--trials=1,0", (0, 1)),
        ("--joints=14", LSP_JOINTS),
        ("--joints=17", MPI_INF_3DHP_JOINTS),
        ("--joints=neck,head_top,left_hip", ("neck", "head_top", "left_hip")),
    ],
)
def test_options_are_parsed_to_numbers_and_names(argument, value):
    name = argument[2:].partition("=")[0]
    assert getattr(parsed(argument), name) == value


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--box=1,2,3", "--box=1,2,3 is not x,y,width,height in pixels"),
        ("--box=1,2,3,inf", "--box=1,2,3,inf is not x,y,width,height in pixels"),
        ("--principal_px=a,b", "--principal_px=a,b is not x,y in pixels"),
        *(
            (f"--profile_steps={steps}", "--profile_steps=.* as 100,110")
            for steps in ("100", "a,b", "5,4", "0,2", "1,2,3")
        ),
        ("--trials=2", "--trials=2: give 0, 1 or 0,1"),
        ("--e_lr=nan", "--e_lr=nan is not a finite number"),
        ("--scale_min=2", "--scale_min=2.0 and --scale_max=1.23"),
    ],
)
def test_options_refuse_wrong_numbers_in_one_line(argument, message):
    with pytest.raises(InputError, match=message) as error:
        parsed(argument)
    assert "\n" not in str(error.value)


def test_options_without_effect_in_a_mode_are_named():
    values = flags.FlagValues()
    option_flags.define(options.Options, values)
    values(["program", "--mode=predict", "--batch_size=3", "--img_path=a.jpg", "--noskip_training"])
    names = option_flags.without_effect(options.Options, "predict", values)
    assert names == ["skip_training", "batch_size"]
    assert option_flags.without_effect(options.Options, "train", values) == [
        "skip_training",
        "img_path",
    ]


@pytest.mark.parametrize(
    "argument", ["--mode=fly", "--batch_size=0", "--batch_size=x", "--e_lr=-1", "--nonsense=1"]
)
def test_options_refuse_values_out_of_range(argument):
    with pytest.raises(flags.Error):
        parsed(argument)


@pytest.mark.parametrize("path", sorted((ROOT / "flags").glob("*.flags")), ids=lambda p: p.name)
def test_recipes_parse(path):
    made = parsed(f"--flagfile={path}")
    assert made.datasets
    assert "python -m hmr_tf.main" in path.read_text() or "make quickstart" in path.read_text()


def test_recipes_are_the_papers():
    paper = parsed(f"--flagfile={ROOT / 'flags' / 'paper.flags'}")
    assert paper == parsed()
    assert parsed(f"--flagfile={ROOT / 'flags' / 'no_3d.flags'}").use_3d_label is False
    assert parsed(f"--flagfile={ROOT / 'flags' / 'encoder_only.flags'}").encoder_only is True


def test_help_imports_no_tensorflow():
    code = (
        "import sys; sys.argv = ['main', '--help', '--mode=train']\n"
        "from hmr_tf import main\nfrom hmr_tf.cli import command_line\n"
        "try: command_line.run(main.main, help_text=main.help_text)\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "--batch_size=NUMBER (default: 64)" in done.stdout


def flags_in(text):
    """Names of the flags that a --help text describes."""
    lines = [line.split() for line in text.splitlines() if line.startswith("  --")]
    return {line[0].lstrip("-").replace("[no]", "").partition("=")[0] for line in lines}


def test_help_lists_the_modes():
    text = main.help_text(["--help"])
    for mode in file_options.MODES:
        assert f"\n  --mode={mode} " in text
        assert f"python -m hmr_tf.main --mode={mode} {main.EXAMPLES[mode]}\n" in text
    assert "--help --mode=MODE" in text
    assert "--batch_size" not in text


def test_help_is_shown_without_arguments(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["hmr"])
    with pytest.raises(SystemExit) as end:
        main.run()
    assert not end.value.code
    assert capsys.readouterr().out == main.help_text(["--help"])


@pytest.mark.parametrize("arguments", [["--help", "--mode=predict"], ["--mode", "predict", "-h"]])
def test_help_of_a_mode_lists_its_flags_only(arguments):
    text = main.help_text(arguments)
    assert {"img_path", "box", "smooth", "load_path", "output_dir"} <= flags_in(text)
    assert not {"batch_size", "mode", "protocol", "fit_steps"} & flags_in(text)
    assert "Prediction:\n" in text
    assert "Training:" not in text


def test_help_of_all_modes_has_every_flag_in_its_group():
    text = main.help_text(["--helpfull"])
    assert flags_in(text) == set(FIELDS)
    assert "--fit_steps=NUMBER (default: 250)  [fit]" in text
    titles = [text.index(f"{title}:\n") for title in option_flags.groups(options.Options) if title]
    assert titles == sorted(titles)


def test_help_refuses_another_mode():
    message = "--mode=predikt is not one of train, .*: did you mean --mode=predict"
    with pytest.raises(InputError, match=message):
        main.help_text(["--help", "--mode=predikt"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--image=a.jpg"], "--image is not a flag: did you mean --img_path?"),
        (["--output", "a"], "--output is not a flag: did you mean --output_dir?"),
        (["--checkpoint=a"], "--checkpoint is not a flag: did you mean --load_path?"),
        (["--data=a"], "--data is not a flag: did you mean --data_dir?"),
        (
            ["--mode=predikt"],
            "--mode=predikt is not one of train, evaluate, predict, fit, export, ",
        ),
        (["predict"], "'predict' is not a flag: every option is --name=value, did you mean --mode"),
        (["--mode=export", "a.jpg"], "'a.jpg' is not a flag: every option is --name=value, as --"),
        (["--img_path=a.jpg"], "--mode is missing: one of train, "),
    ],
)
def test_options_with_other_names_get_a_suggestion(arguments, message, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["hmr", *arguments])
    with flagsaver.flagsaver(), pytest.raises(SystemExit) as end:
        main.run()
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {message}")
    assert error.count("\n") == 1


def options_read(path):
    """Fields of `options` that a module reads, from attributes and `require_flags(...)`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "options":
            yield node.attr
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "require_flags":
            yield from (argument.value for argument in node.args[1:])


@pytest.mark.parametrize("mode", file_options.MODES)
def test_options_that_a_mode_reads_are_in_its_help(mode):
    package = ROOT / "hmr_tf"
    paths = [package / "cli" / f"{mode}.py"]
    if mode == "train":
        paths += (package / "training").rglob("*.py")
    read = {name for path in paths for name in options_read(path) if name in FIELDS}
    assert read
    assert {name for name in read if mode not in FIELDS[name].metadata["modes"]} == set()


def test_options_encoders_have_builders():
    from hmr_tf.networks import encoder

    assert set(training_options.ENCODERS) == set(encoder.ENCODERS)


def test_options_bn_momentum_is_the_encoders():
    from hmr_tf.networks import encoder

    assert FIELDS["bn_momentum"].default == encoder.BN_MOMENTUM


def test_options_protocols_are_those_of_evaluation():
    from hmr_tf.evaluation.protocols import protocol_registry

    assert evaluation_options.PROTOCOLS == tuple(protocol_registry.PROTOCOLS)


def test_options_variants_are_those_of_evaluation():
    from hmr_tf.evaluation.protocols import smpl_variants

    assert evaluation_options.VARIANTS == tuple(smpl_variants.VARIANTS_3DPW)


def test_options_engines_are_those_of_networks():
    from hmr_tf.networks import engines

    assert machine_options.ENGINES == engines.ENGINES
    assert machine_options.ENGINE_PRECISIONS == engines.PRECISIONS

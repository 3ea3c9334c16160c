import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
from absl import flags

from hmr_tf.cli import option_flags, options

ROOT = Path(__file__).resolve().parents[2]


def parsed(*arguments):
    values = flags.FlagValues()
    option_flags.define(values)
    values(["program", *arguments])
    return option_flags.parsed(values)


def test_defaults_are_the_papers():
    made = parsed()
    assert made == dataclasses.replace(options.Config(), mode=None, protocol=None, root=None)
    assert (made.batch_size, made.epoch, made.num_stage, made.img_size) == (64, 55, 3, 224)
    assert (made.e_lr, made.d_lr) == (1e-5, 1e-4)
    assert (made.e_loss_weight, made.e_3d_weight, made.d_loss_weight) == (60, 60, 1)
    assert (made.trans_max, made.scale_min, made.scale_max) == (20, 0.8, 1.23)


def test_flags_reach_the_config():
    made = parsed("--mode=train", "--datasets=lsp,coco", "--nouse_3d_label", "--e_lr=0.1", "--xla")
    assert made.mode == "train"
    assert made.datasets == ("lsp", "coco")
    assert made.use_3d_label is False
    assert made.e_lr == 0.1
    assert made.xla is True


@pytest.mark.parametrize(
    "argument", ["--mode=fly", "--batch_size=0", "--batch_size=x", "--e_lr=-1", "--nonsense=1"]
)
def test_values_out_of_range_are_refused(argument):
    with pytest.raises(flags.Error):
        parsed(argument)


@pytest.mark.parametrize("path", sorted((ROOT / "flags").glob("*.flags")), ids=lambda p: p.name)
def test_every_recipe_parses(path):
    made = parsed(f"--flagfile={path}")
    assert made.datasets
    assert "python -m hmr_tf.main" in path.read_text() or "make quickstart" in path.read_text()


def test_recipes_say_the_papers_numbers():
    paper = parsed(f"--flagfile={ROOT / 'flags' / 'paper.flags'}")
    assert paper == parsed()
    assert parsed(f"--flagfile={ROOT / 'flags' / 'no_3d.flags'}").use_3d_label is False
    assert parsed(f"--flagfile={ROOT / 'flags' / 'encoder_only.flags'}").encoder_only is True


def test_help_imports_no_tensorflow():
    code = (
        "import sys; sys.argv = ['main', '--help']\n"
        "from hmr_tf import main\nfrom hmr_tf.cli import command_line\n"
        "try: command_line.run(main.main)\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "--batch_size=NUMBER (default: 64)" in done.stdout


def test_every_encoder_has_a_builder():
    from hmr_tf.networks import encoder

    assert set(options.ENCODERS) == set(encoder.ENCODERS)


def test_every_format_has_a_writer():
    from hmr_tf.exporters import outputs

    assert set(options.PHOTO_FORMATS) == set(outputs.OF_PHOTOGRAPHS)
    assert set(options.MOTION_FORMATS) == set(outputs.OF_MOTION)


def test_the_protocols_are_those_there_are():
    from hmr_tf.evaluation.protocols import published

    assert options.PROTOCOLS == tuple(published.PROTOCOLS)

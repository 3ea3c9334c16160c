"""Every command fails in one line and exit code 2; a bug keeps its traceback."""

import argparse
import os
import signal

import pytest
from absl import flags

from hmr_tf.cli import command_line
from hmr_tf.files import atomic
from hmr_tf.files.errors import InputError, printable


@pytest.fixture
def options():
    values = flags.FlagValues()
    module = {"flag_values": values, "module_name": "hmr_tf.example"}
    flags.DEFINE_integer("count", 3, "How many.", lower_bound=1, **module)
    flags.DEFINE_enum("fruit", "fig", ["fig", "kiwi"], "Which one.", **module)
    flags.DEFINE_bool("ripe", True, "Only ripe ones.", **module)
    flags.DEFINE_list("farms", ["a", "b"], "Where from.", **module)
    flags.DEFINE_string("other", "", "Not ours.", flag_values=values, module_name="absl.app")
    return values


def run(options, main, *arguments, **more):
    with pytest.raises(SystemExit) as exit:
        command_line.run(main, options, argv=["prog", *arguments], **more)
    return exit.value.code


def test_command_gets_flags_and_other_arguments(options):
    def main(argv):
        assert (options.count, options.ripe, argv[1:]) == (7, False, ["rest"])

    assert not run(options, main, "--count=7", "--noripe", "rest")


@pytest.mark.parametrize(
    ("argument", "reason"),
    [
        ("--cuont=2", "--cuont is not a flag: did you mean --count? (--help lists the flags)"),
        ("--far=x", "--far is not a flag: did you mean --farms?"),
        ("--xyz", "--xyz is not a flag (--help lists the flags)"),
        ("--image=x", "--image is not a flag (--help lists the flags)"),  # it has no --img_path
        ("--count=many", "--count=many is not a number (--help lists the flags)"),
        ("--count=0", "--count=0 is not a positive integer"),
        ("--ripe=5", "--ripe=5: pass --ripe or --noripe, without a value"),
        ("--fruit=kivi", "--fruit=kivi is not one of fig, kiwi: did you mean --fruit=kiwi?"),
        ("--fruit=nut", "--fruit=nut is not one of fig, kiwi."),
        ("--flagfile=none.flags", "--flagfile=none.flags: no such file"),
        ("--count", "--count has no value: every option is --name=value"),
    ],
)
def test_command_with_a_wrong_flag_is_one_line_and_exit_2(argument, reason, options, capsys):
    assert run(options, lambda argv: 0, argument) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {reason}")
    assert error.count("\n") == 1


def test_command_removes_unfinished_files_on_sigterm(options, tmp_path, capsys):
    def main(argv):
        with atomic.atomic_write(tmp_path / "me.obj") as unfinished:
            unfinished.write_text("half")
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()

    before = signal.getsignal(signal.SIGTERM)
    assert run(options, main) == 143
    assert capsys.readouterr().err == "stopped\n"
    assert not list(tmp_path.iterdir())
    assert signal.getsignal(signal.SIGTERM) == before


def test_command_with_wrong_input_is_one_line_and_exit_2(options, capsys):
    def main(argv):
        raise InputError("no file X:\nuse Y")

    assert run(options, main) == 2
    assert capsys.readouterr().err == "error: no file X: use Y\n"


def test_command_with_a_name_that_is_too_long_is_one_line_and_exit_2(options, capsys):
    name = "a" * 300
    assert run(options, lambda _: open(name)) == 2
    assert capsys.readouterr().err == f"error: {name} cannot be used: File name too long.\n"


def test_command_in_a_deleted_folder_is_one_line_and_exit_2(options, capsys, tmp_path, monkeypatch):
    folder = tmp_path / "deleted"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    assert run(options, lambda argv: os.getcwd()) == 2
    assert capsys.readouterr().err == "error: the current folder was deleted: cd to another one.\n"


def test_command_without_docstrings_is_one_line_and_exit_2(options, capsys, monkeypatch):
    """TensorFlow cannot be imported with Python's -OO."""
    monkeypatch.setattr(command_line.sys, "flags", argparse.Namespace(optimize=2))
    assert run(options, lambda argv: 0) == 2
    assert capsys.readouterr().err.startswith("error: Python's option -OO (PYTHONOPTIMIZE=2) ")


def test_command_keeps_the_traceback_of_a_bug(options):
    def main(argv):
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        command_line.run(main, options, argv=["prog"])


def test_command_exits_with_130_on_ctrl_c(options):
    def main(argv):
        raise KeyboardInterrupt

    assert run(options, main) == 130


def test_command_exits_with_the_code_of_main(options):
    assert run(options, lambda argv: 1) == 1


@pytest.mark.parametrize("argument", ["--help", "-h", "-help", "--helpfull"])
def test_help_shows_our_flags_in_order(argument, options, capsys):
    def main(argv):
        raise AssertionError("must not run")

    assert run(options, main, argument) == 0
    text = capsys.readouterr().out
    assert "--other" not in text
    assert text.startswith(__doc__)
    order = ["--count=NUMBER (default: 3)", "--fruit=fig|kiwi (default: fig)"]
    order += ["Which one.", "--[no]ripe (default: true)", "--farms=LIST (default: a,b)"]
    places = [text.index(part) for part in order]
    assert places == sorted(places)


def test_help_of_another_form_gets_the_arguments(options, capsys):
    def main(argv):
        raise AssertionError("must not run")

    assert run(options, main, "--help", "--count=5", help_text=lambda x: f"{x[1]}\n") == 0
    assert capsys.readouterr().out == "--count=5\n"


def test_printable_messages_cannot_steer_a_terminal():
    assert printable(InputError("a\nb\x1b[31m\0 人")) == "a b?[31m? 人"

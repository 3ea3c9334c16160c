"""Runs a command of data_prep in this process."""

import pytest
from absl.testing import flagsaver

from hmr_tf.cli import command_line


def run_command(module, **options):
    """Runs `module.main` with the flags `options`; returns the exit code."""
    argv = [module.__name__, *(f"--{key}={value}" for key, value in options.items())]
    saved = flagsaver.save_flag_values(module.OPTIONS)
    try:
        with pytest.raises(SystemExit) as exit:
            command_line.run(module.main, module.OPTIONS, argv=argv)
    finally:
        flagsaver.restore_flag_values(saved, module.OPTIONS)
    return exit.value.code or 0

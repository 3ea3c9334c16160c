"""python -m hmr_tf.main --mode=MODE [flags]

Recipes are in flags/*.flags, for --flagfile=FILE; README.md shows every mode at work.
"""

from absl import logging

from hmr_tf.cli import command_line, option_flags
from hmr_tf.cli.evaluate import evaluate
from hmr_tf.cli.export import export
from hmr_tf.cli.fit import fit
from hmr_tf.cli.import_tf1 import import_tf1
from hmr_tf.cli.options import Options
from hmr_tf.cli.predict import predict
from hmr_tf.cli.quickstart import quickstart
from hmr_tf.cli.train import train
from hmr_tf.files.errors import InputError

option_flags.define(Options)

RUN = {f.__name__: f for f in (train, evaluate, predict, fit, export, import_tf1, quickstart)}


def main(argv):
    if len(argv) > 1:
        raise InputError(f"{argv[1]!r} is not a flag: every option is --name=value; see --help.")
    logging.set_verbosity(logging.INFO)
    logging.get_absl_handler().setFormatter(None)  # messages alone, without file and time
    options = option_flags.parsed(Options)
    if not options.mode:
        raise InputError(f"--mode is missing: one of {', '.join(RUN)}; see --help.")
    return RUN[options.mode](options)


def help_text(arguments):
    """--help: the modes, each with the first line of its docstring, or the flags of one."""
    summaries = {name: mode.__doc__.splitlines()[0] for name, mode in RUN.items()}
    return option_flags.help_text(Options, __doc__.strip(), summaries, arguments)


def run():
    """The console command `hmr`."""
    command_line.run(main, help_text=help_text)


if __name__ == "__main__":
    run()

"""python -m hmr_tf.main --mode=MODE [flags]: trains, evaluates, predicts, exports, imports.

Recipes stand in flags/*.flags, for --flagfile=FILE; README.md shows every mode at work.
"""

from absl import logging

from hmr_tf.cli import command_line, option_flags, options
from hmr_tf.cli.evaluate import evaluate
from hmr_tf.cli.export import export
from hmr_tf.cli.fit import fit
from hmr_tf.cli.import_tf1 import import_tf1
from hmr_tf.cli.predict import predict
from hmr_tf.cli.quickstart import quickstart
from hmr_tf.cli.train import train
from hmr_tf.files.errors import InputError

option_flags.define()


RUN = {f.__name__: f for f in (train, evaluate, predict, fit, export, import_tf1, quickstart)}


def main(argv):
    if len(argv) > 1:
        raise InputError(f"{argv[1]!r} is no flag: every option is --name=value; see --help.")
    logging.set_verbosity(logging.INFO)
    logging.get_absl_handler().setFormatter(None)  # messages alone, without file and time
    options = option_flags.parsed()
    if not options.mode:
        raise InputError(f"--mode is missing: one of {', '.join(RUN)}; see --help.")
    return RUN[options.mode](options)


def run():
    """The console command `hmr`."""
    command_line.run(main, headings=options.headings())


if __name__ == "__main__":
    run()

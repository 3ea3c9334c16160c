"""python -m hmr_tf.main --mode=MODE [flags]

Recipes are in flags/*.flags, for --flagfile=FILE; README.md shows every mode at work.
"""

import sys

from absl import logging

from hmr_tf.cli import command_line, option_flags
from hmr_tf.cli.checks import flag_errors
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
# The flags of one use of each mode, for --help.
EXAMPLES = {
    "train": "--flagfile=flags/no_3d.flags --data_dir=tfrecords --model_dir=logs/mine",
    "evaluate": "--data_dir=tfrecords --datasets=synthetic",
    "predict": "--img_path=photo.jpg",
    "fit": "--load_path=logs/mine --data_dir=tfrecords --datasets=coco --output_dir=fitted",
    "export": "--output_dir=saved_model/1",
    "import_tf1": "--load_path=models/model.ckpt-667589 --model_dir=models/hmr",
    "quickstart": "--output_dir=quickstart",
}


def main(argv):
    if len(argv) > 1:
        mode = flag_errors.closest(argv[1], list(RUN))
        meant = f"did you mean --mode={mode}?" if mode else "as --img_path=photo.jpg; see --help."
        raise InputError(f"{argv[1]!r} is not a flag: every option is --name=value, {meant}")
    logging.set_verbosity(logging.INFO)
    logging.get_absl_handler().setFormatter(None)  # messages alone, without file and time
    options = option_flags.parsed(Options)
    if not options.mode:
        raise InputError(f"--mode is missing: one of {', '.join(RUN)}; see --help.")
    ignored = option_flags.without_effect(Options, options.mode)
    if ignored:
        names = ", ".join(f"--{name}" for name in ignored)
        sys.stderr.write(f"No effect in --mode={options.mode}: {names}.\n")
    return RUN[options.mode](options)


def help_text(arguments):
    """--help: the modes, each with what it does and an example, or the flags of one."""
    modes = {name: (run.__doc__.splitlines()[0], EXAMPLES[name]) for name, run in RUN.items()}
    return option_flags.help_text(Options, __doc__.strip(), modes, arguments)


def run():
    """The console command `hmr`; without arguments it shows the modes and ends with code 0.

    As `pip` does: who types only the name asks what there is. Without --mode but with
    other flags something was forgotten: one line and exit code 2.
    """
    argv = sys.argv if len(sys.argv) > 1 else [*sys.argv, "--help"]
    command_line.run(main, argv=argv, help_text=help_text)


if __name__ == "__main__":
    run()

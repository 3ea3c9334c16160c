"""Measurements of the speed table and of the results page."""

import argparse
import sys

from hmr_tf.cli import command_line
from hmr_tf.files.errors import InputError

command_line.set_environment()  # before TensorFlow and OpenCV read it


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        raise InputError(f"{message} (--help lists the flags)")


def parser(doc):
    """argparse.ArgumentParser of a module's docstring, for `run`."""
    return _Parser(description=doc.splitlines()[0])


def at_least(number):
    """For `add_argument(type=...)`: a whole number from this one on."""

    def read(text):
        try:
            if int(text) >= number:
                return int(text)
        except ValueError:
            pass
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {number} on")

    return read


positive = at_least(1)


def positives(text):
    """For `add_argument(type=...)`: positive numbers with commas between."""
    return [positive(part) for part in text.split(",")]


def run(main):
    """Calls main(); wrong input ends it with one line and exit code 2, Ctrl-C with code 130."""
    try:
        main()
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        sys.exit(130)
    except InputError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)

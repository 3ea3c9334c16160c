"""What TensorFlow says that is no business of whoever typed a command."""

import contextlib
import logging
import os
import sys
import tempfile


@contextlib.contextmanager
def no_notes():
    """Its notes are not printed, its warnings are: it would name files that get another name."""
    loggers = [logging.getLogger(name) for name in ("tensorflow", "absl")]
    for logger in loggers:  # their levels would not do: TensorFlow sets those while it saves
        logger.addFilter(_is_warning)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(_is_warning)


def _is_warning(record):
    return record.levelno >= logging.WARNING


@contextlib.contextmanager
def held_back():
    """Nothing that C++ prints is seen; where the block fails all of it is, on standard error."""
    with tempfile.TemporaryFile() as said:
        try:
            with _into(said):
                yield
        except BaseException:
            said.seek(0)
            sys.stderr.write(said.read().decode("utf-8", "replace"))
            raise


@contextlib.contextmanager
def _into(file):
    """What goes to standard output and standard error goes to a file."""
    streams, numbers = (sys.stdout, sys.stderr), (1, 2)
    for stream in streams:
        stream.flush()
    saved = [os.dup(number) for number in numbers]
    try:
        for number in numbers:
            os.dup2(file.fileno(), number)
        yield
    finally:
        for stream in streams:
            stream.flush()
        for number, copy in zip(numbers, saved):
            os.dup2(copy, number)
            os.close(copy)

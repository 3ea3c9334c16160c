"""Hides TensorFlow's output that does not concern the user of a command."""

import contextlib
import logging
import os
import sys
import tempfile


@contextlib.contextmanager
def hide_info_logs():
    """Hides TensorFlow's info messages, which name temporary files, but not its warnings."""
    loggers = [logging.getLogger(name) for name in ("tensorflow", "absl")]
    for logger in loggers:  # not their levels: TensorFlow changes them while it saves
        logger.addFilter(_is_warning)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(_is_warning)


def _is_warning(record):
    return record.levelno >= logging.WARNING


@contextlib.contextmanager
def suppress_output_unless_failed(numbers=(1, 2)):
    """Hides all output, that of C++ too; if the block fails, it goes to standard error.

    Args:
      numbers: file descriptors that are hidden: 1 standard output, 2 standard error.
    """
    with tempfile.TemporaryFile() as output:
        try:
            with _redirected(output, numbers):
                yield
        except BaseException:
            output.seek(0)
            sys.stderr.write(output.read().decode("utf-8", "replace"))
            raise


@contextlib.contextmanager
def _redirected(file, numbers):
    """Redirects file descriptors to a file."""
    streams = (sys.stdout, sys.stderr)
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

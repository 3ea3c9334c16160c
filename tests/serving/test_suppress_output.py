"""TensorFlow's messages are kept from users who cannot act on them, and not lost."""

import os
import subprocess
import sys

import pytest
import tensorflow as tf
from absl import logging as absl_logging

from hmr_tf.serving import suppress_output


def test_quiet_hides_output_of_a_success(capfd):
    os.write(1, b"before\n")
    with suppress_output.suppress_output_unless_failed():
        os.write(1, b"from C++\n")
        os.write(2, b"a note of C++\n")
        subprocess.run([sys.executable, "-c", "print('another program')"], check=True)
    os.write(1, b"after\n")
    assert capfd.readouterr() == ("before\nafter\n", "")


def test_quiet_shows_output_after_a_failure(capfd):
    with (
        pytest.raises(ValueError, match="the reason"),
        suppress_output.suppress_output_unless_failed(),
    ):
        fail_with_a_note()
    os.write(1, b"after\n")
    assert capfd.readouterr() == ("after\n", "what C++ knew, \ufffd\n")


def fail_with_a_note():
    os.write(2, b"what C++ knew, \xff\n")
    raise ValueError("the reason")


def test_quiet_drops_info_and_keeps_warnings(tmp_path, monkeypatch):
    loggers = [tf.get_logger(), absl_logging.get_absl_logger()]
    heard = []
    for logger in loggers:
        monkeypatch.setattr(logger, "callHandlers", lambda record: heard.append(record.msg))
    module = tf.Module()
    module.same = tf.function(lambda x: x, input_signature=[tf.TensorSpec([])])
    absl_logging.set_verbosity(absl_logging.INFO)
    with suppress_output.hide_info_logs():
        tf.saved_model.save(module, str(tmp_path), signatures=module.same)
        for logger in loggers:
            logger.warning("a warning")
    assert heard == ["a warning"] * 2
    absl_logging.info("a note")
    assert heard[2:] == ["a note"]

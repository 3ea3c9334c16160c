"""What TensorFlow says is kept from those whom it does not concern, and not lost."""

import os
import subprocess
import sys

import pytest
import tensorflow as tf
from absl import logging

from hmr_tf import quiet


def test_nobody_is_heard_while_all_goes_well(capfd):
    os.write(1, b"before\n")
    with quiet.held_back():
        os.write(1, b"from C++\n")
        os.write(2, b"a note of C++\n")
        subprocess.run([sys.executable, "-c", "print('another program')"], check=True)
    os.write(1, b"after\n")
    assert capfd.readouterr() == ("before\nafter\n", "")


def test_all_is_heard_after_a_fault(capfd):
    with pytest.raises(ValueError, match="the reason"), quiet.held_back():
        fail_with_a_note()
    os.write(1, b"after\n")
    assert capfd.readouterr() == ("after\n", "what C++ knew, \ufffd\n")


def fail_with_a_note():
    os.write(2, b"what C++ knew, \xff\n")
    raise ValueError("the reason")


def test_warnings_are_still_heard(caplog):
    levels = tf.get_logger().level, logging.get_absl_logger().level
    with quiet.no_notes():
        for logger in (tf.get_logger(), logging.get_absl_logger()):
            logger.info("a note")
            logger.warning("a warning")
    assert {record.message for record in caplog.records} == {"a warning"}
    assert levels == (tf.get_logger().level, logging.get_absl_logger().level)

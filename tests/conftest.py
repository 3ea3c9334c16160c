"""Fixtures shared by the suite: seeded numpy, the samples beside the project where there are."""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.pop("SMPL_MODEL_PATH", None)  # the tests know which body they mean

import numpy as np
import pytest
from absl import logging

from hmr_tf.cli import command_line

command_line.set_environment()  # as every command does, before TensorFlow and OpenCV read it
ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(autouse=True)
def logging_as_imported():
    """absl's logger as a new process has it: commands of earlier tests set its level."""
    logger = logging.get_absl_logger()
    logger.setLevel("NOTSET")
    logger.propagate = True


@pytest.fixture(autouse=True)
def without_openvino(request, monkeypatch):
    """TensorFlow computes, also where OpenVINO is installed, except in tests named after it."""
    if "openvino" not in request.node.name:
        monkeypatch.setitem(sys.modules, "openvino", None)


@pytest.fixture(scope="session")
def shared():
    """The folder of dataset samples that CI has beside the checkout; a user does not."""
    if not SHARED.is_dir():
        pytest.skip(
            f"no dataset samples at {SHARED}: real files, which are not part of the project"
        )
    return SHARED


@pytest.fixture
def tensorflow_addons():
    """Skips where TensorFlow Addons has no wheel; on the reference Pythons it must be there."""
    if sys.version_info >= (3, 12):
        pytest.skip("TensorFlow Addons has no wheel for Python 3.12 and later")


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """The tiny HMR and the folder of its SavedModel: made once, never changed."""
    from tensorflow import keras

    from hmr_tf.serving import saved_model
    from tests.fakes import tiny_hmr

    keras.utils.set_random_seed(0)
    hmr = tiny_hmr.build(tmp_path_factory.mktemp("body"))
    folder = tmp_path_factory.mktemp("export") / "1"
    saved_model.export(hmr, folder)
    return hmr, folder


@pytest.fixture(scope="session")
def served(exported):
    """The signatures of the SavedModel, loaded."""
    import tensorflow as tf

    return tf.saved_model.load(str(exported[1])).signatures

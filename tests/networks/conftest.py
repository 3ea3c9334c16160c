"""A tiny network and crops for it; fresh weights are the same in every run."""

import numpy as np
import pytest
from tensorflow import keras

from tests.fakes import tiny_hmr


@pytest.fixture(autouse=True)
def seeded_weights():
    keras.utils.set_random_seed(0)


@pytest.fixture
def hmr(tmp_path):
    return tiny_hmr.build(tmp_path)


@pytest.fixture
def images(rng):
    return rng.uniform(-1, 1, (3, tiny_hmr.SIZE, tiny_hmr.SIZE, 3)).astype(np.float32)

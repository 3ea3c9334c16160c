"""Fresh weights are the same in every run."""

import pytest
from tensorflow import keras


@pytest.fixture(autouse=True)
def seeded_weights():
    keras.utils.set_random_seed(0)

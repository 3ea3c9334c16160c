"""People to convert."""

import numpy as np
import pytest

from data_prep.reader_items import LabelledPerson
from tests.fakes.dataset_fakes import write_image


@pytest.fixture
def people(tmp_path, rng):
    """Five people in three frames of two sequences."""
    people = []
    for frame, (sequence, number) in enumerate([("S9_a_0_cam0", 2), ("S9_a_0_cam0", 1), ("b", 2)]):
        path = tmp_path / "source" / f"{frame}.jpg"
        write_image(path, 40, 30, seed=frame)
        for _ in range(number):
            points = rng.uniform(1, 29, (19, 2))
            people.append(LabelledPerson(str(path), points, np.ones(19, int), sequence=sequence))
    return people

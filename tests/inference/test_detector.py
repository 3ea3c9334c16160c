"""The person detector: boxes of confident people, and folders that hold no detector."""

import numpy as np
import pytest

from hmr_tf.files.errors import InputError
from hmr_tf.inference.detector import Detector
from tests.fakes import tiny_detector


def make_detector(folder, people):
    return Detector(tiny_detector.save(folder, people))


def test_detector_boxes_hold_the_confident_keypoints(tmp_path):
    """A picture of 512 x 300 becomes 256 x 150 and is padded to 256 x 160."""
    two_and_a_doubtful_one = [
        (0.1, 0.2, 0.3, 0.6, 0.5),
        (0.5, 0.0, 1.0, 1.0, 0.9),
        (0.0, 0.0, 1.0, 1.0, 0.1),
    ]
    detector = make_detector(tmp_path / "detector", two_and_a_doubtful_one)
    boxes = detector(np.zeros((300, 512, 3), np.uint8))
    assert detector._model.shape.numpy().tolist() == [1, 160, 256, 3]
    expected = [(256, 0, 256, 320), (51.2, 64, 102.4, 128)]
    np.testing.assert_allclose(boxes, expected, rtol=1e-5)


def test_detector_finds_no_person_in_a_landscape(tmp_path):
    assert make_detector(tmp_path / "detector", [])(np.zeros((300, 512, 3), np.uint8)) == []


def test_detector_refuses_other_folders(tmp_path):
    with pytest.raises(InputError, match=r"holds no detector: make it, `python -m tools"):
        Detector(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"no model")
    with pytest.raises(InputError, match="is damaged"):
        Detector(tmp_path)

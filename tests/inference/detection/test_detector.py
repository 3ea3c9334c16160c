"""The person detector: boxes of confident people, and folders that hold no detector."""

import numpy as np
import pytest

from hmr_tf.files.errors import InputError
from hmr_tf.inference.detection.detector import Detector, rotated_back
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
    expected = [(256, 0, 256, 300), (51.2, 64, 102.4, 128)]
    np.testing.assert_allclose(boxes, expected, rtol=1e-5)


def test_detector_finds_no_person_in_a_landscape(tmp_path):
    assert make_detector(tmp_path / "detector", [])(np.zeros((300, 512, 3), np.uint8)) == []


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_detector_keypoints_of_a_rotated_photograph_are_rotated_back(quarters):
    image = np.zeros((5, 8), np.uint8)
    image[1, 6] = 1
    ((row, column),) = np.argwhere(np.rot90(image, quarters))
    middle = np.array([[column + 0.5, row + 0.5, 0.7]])
    np.testing.assert_allclose(rotated_back(middle, quarters, 5, 8), [(6.5, 1.5, 0.7)])


@pytest.mark.parametrize(
    ("scores", "calls", "box"),
    [
        ((0.6, 0.9, 0.9, 0.9), 1, (10, 20, 40, 60)),  # confident: the others are not tried
        ((0.4, 0.44, 0.3, 0.44), 4, (10, 20, 40, 60)),  # hardly better: upright
        ((0.2, 0.3, 0.7, 0.5), 4, (450, 220, 40, 60)),  # upside down
        ((0.1, 0.22, 0.1, 0.2), 4, (420, 10, 60, 40)),
        ((0.1, 0.1, 0.1, 0.19), 4, None),
    ],
)
def test_detector_rotates_photographs_of_doubtful_people(tmp_path, monkeypatch, scores, calls, box):
    """The fake has one person between the same pixels of each rotation."""
    detector, images = make_detector(tmp_path / "detector", []), []

    def detect(image):
        images.append(image.shape[:2])
        keypoints = np.tile(np.array([10, 20, 0.5]), (6, 17, 1))
        keypoints[:, 0, :2] = (50, 80)
        return keypoints, np.array([scores[len(images) - 1], 0, 0, 0, 0, 0])

    monkeypatch.setattr(detector, "_detect_people", detect)
    boxes = detector(np.zeros((300, 500, 3), np.uint8))
    assert images == [(300, 500), (500, 300), (300, 500), (500, 300)][:calls]
    np.testing.assert_allclose(boxes, [box] if box else [])


def test_detector_boxes_end_at_the_edge_of_the_photograph(tmp_path):
    """The second person reaches into the padding below a picture of 256 x 150."""
    detector = make_detector(tmp_path / "detector", [(0.5, 0.0, 1.0, 1.0, 0.9)])
    ((_, top, _, height),) = detector(np.zeros((300, 512, 3), np.uint8))
    assert (top, height) == (0, 300)


def test_detector_leaves_out_people_without_an_area_in_the_photograph(tmp_path):
    """All confident keypoints of the second person lie beyond the lower edge."""
    people = [(0.1, 0.1, 0.4, 0.5, 0.9), (0.5, 1.2, 0.9, 1.6, 0.8)]
    detector = make_detector(tmp_path / "detector", people)
    ((left, top, width, height),) = detector(np.zeros((256, 256, 3), np.uint8))
    np.testing.assert_allclose((left, top, width, height), (25.6, 25.6, 76.8, 102.4), atol=1e-3)


def test_detector_refuses_other_folders(tmp_path):
    with pytest.raises(InputError, match=r"holds no detector: make it, `python -m tools"):
        Detector(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"no model")
    with pytest.raises(InputError, match="is damaged"):
        Detector(tmp_path)

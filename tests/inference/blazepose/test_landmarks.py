"""Which of BlazePose's two runs counts, with a BlazePose whose runs are scripted."""

import numpy as np
import pytest

from hmr_tf.inference.blazepose.landmarks import BlazePose, Landmarks, Window

IMAGE = np.zeros((50, 50, 3), np.uint8)


class ScriptedBlazePose(BlazePose):
    """Returns the given Landmarks and Windows, one pair a run."""

    def __init__(self, runs):
        self.runs, self.windows = list(runs), []

    def __call__(self, image, window):
        self.windows.append(window)
        return self.runs[len(self.windows) - 1]


@pytest.fixture
def keypoints_px(rng):
    return np.concatenate([rng.uniform(10, 40, size=(19, 2)), np.ones((19, 1))], axis=1)


def run(keypoints_px, shift, radius_px, presence=0.9):
    moved = np.add(keypoints_px, (shift, 0, 0))
    window = Window(np.array([25.0, 25]), radius_px, 0.3)
    return Landmarks(moved, np.zeros((19, 3)), presence), window


def test_landmarks_of_labelled_people_are_those_nearer_to_the_labels(keypoints_px):
    for shifts, best in (((1, 5), 0), ((5, 1), 1)):
        runs = [run(keypoints_px, shift, 20.0) for shift in shifts]
        blazepose = ScriptedBlazePose(runs)
        assert blazepose.detect(IMAGE, keypoints_px) is runs[best][0]
        assert blazepose.windows[1] is runs[0][1]


@pytest.mark.parametrize(
    ("presences", "best"),
    [((0.9, 0.8), 1), ((0.9, 0.3), 0), ((0.2, 0.3), 1)],
)
def test_landmarks_of_predicted_people_are_those_of_the_second_larger_window(
    keypoints_px, presences, best
):
    runs = [run(keypoints_px, n, 20.0 + n, presence) for n, presence in enumerate(presences)]
    blazepose = ScriptedBlazePose(runs)
    assert blazepose.detect_predicted(IMAGE, keypoints_px) is runs[best][0]
    (_, second) = blazepose.windows
    assert second.radius_px == pytest.approx(1.4 * 20)
    assert second.angle == runs[0][1].angle


@pytest.mark.parametrize("radius_px", [0.1, 1e4])
def test_landmarks_in_a_window_of_quite_another_size_are_not_looked_for(keypoints_px, radius_px):
    runs = [run(keypoints_px, 1, radius_px)]
    assert ScriptedBlazePose(runs).detect(IMAGE, keypoints_px) is runs[0][0]
    assert ScriptedBlazePose(runs).detect_predicted(IMAGE, keypoints_px) is runs[0][0]

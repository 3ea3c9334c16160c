"""BlazePose's runs: which of two counts, with scripted runs; calls from several threads."""

from concurrent import futures

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf.files import optional_models
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


@pytest.fixture(scope="module")
def blazepose_folder(tmp_path_factory):
    """A network of BlazePose's inputs and outputs: random sums over the rows and columns."""
    rng = np.random.default_rng(3)
    weights = {
        number: tf.constant(rng.normal(0, 0.1, (512, number)), tf.float32)
        for number in (5 * 39, 3 * 39, 1)
    }

    @tf.function(input_signature=[tf.TensorSpec([1, 256, 256, 3])])
    def network(pixels):
        sums = [tf.reduce_mean(pixels, axis=(axis, 3)) for axis in (1, 2)]
        return [tf.matmul(tf.concat(sums, axis=1), matrix) for matrix in weights.values()]

    concrete = network.get_concrete_function()
    content = tf.lite.TFLiteConverter.from_concrete_functions([concrete], network).convert()
    folder = tmp_path_factory.mktemp("blazepose")
    (folder / optional_models.BLAZEPOSE_FILE).write_bytes(content)
    return folder


@pytest.mark.parametrize("num_calls", [1, 3])
def test_landmarks_of_threads_are_those_of_one_thread(blazepose_folder, rng, num_calls):
    images = rng.integers(0, 256, size=(24, 60, 80, 3), dtype=np.uint8)
    window = Window(np.array([40.0, 30]), 30.0, 0.3)
    alone = BlazePose(blazepose_folder)
    expected = [alone(image, window)[0] for image in images]
    assert len({landmarks.presence for landmarks in expected}) == len(images)
    blazepose = BlazePose(blazepose_folder, num_calls)
    with futures.ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda image: blazepose(image, window)[0], images))
    for landmarks, wanted in zip(results, expected):
        np.testing.assert_array_equal(landmarks.keypoints_px, wanted.keypoints_px)
        np.testing.assert_array_equal(landmarks.joints3d, wanted.joints3d)
        assert landmarks.presence == wanted.presence

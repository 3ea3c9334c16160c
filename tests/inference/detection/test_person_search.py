"""The network that looks for the person itself, with one that sees bright rectangles."""

import numpy as np
import pytest
import tensorflow as tf
from absl import logging

from hmr_tf.body import skeleton
from hmr_tf.inference import model as models
from hmr_tf.inference import person_crops
from hmr_tf.inference.detection import person_search
from hmr_tf.inference.detection.person_search import PersonSearch, Windows
from tests.fakes import tiny_hmr

SIZE = 32


def places_in_rectangle():
    """(19, 2) from 0 to 1: right joints at its left edge, left ones opposite, others between."""
    names = [name.removeprefix("left_").removeprefix("right_") for name in skeleton.KEYPOINTS]
    rows = {name: number for number, name in enumerate(dict.fromkeys(names))}
    columns = [name.startswith("left_") - name.startswith("right_") for name in skeleton.KEYPOINTS]
    y = np.array([rows[name] for name in names]) / (len(rows) - 1)
    return np.stack([(np.array(columns) + 1) / 2, y], axis=1).astype(np.float32)


class RectangleNetwork:
    """An engine that predicts the 19 keypoints in the rectangle of a crop's bright pixels."""

    def __init__(self, bias=0.0):
        """Args: bias: added to keypoints where the rectangle is not whole in the crop."""
        self.bias = bias

    def __call__(self, images):
        bright = images[..., 0] > 0.5
        place = tf.linspace(-1.0, 1.0, SIZE)
        ends = []
        for axis in (1, 2):  # rows, columns
            is_bright = tf.reduce_any(bright, axis=axis)
            low = tf.reduce_min(tf.where(is_bright, place, 1.0), axis=1)
            high = tf.reduce_max(tf.where(is_bright, place, -1.0), axis=1)
            ends.append((low, high))
        low, high = (tf.stack([x[i] for x in ends], axis=-1) for i in (0, 1))
        whole = tf.reduce_all((low > -0.9) & (high < 0.9), axis=-1)[:, None, None]
        keypoints = low[:, None] + places_in_rectangle() * (high - low)[:, None]
        keypoints_norm = keypoints + tf.where(whole, 0.0, self.bias)
        return {"keypoints2d_px": ((keypoints_norm + 1) / 2 * SIZE).numpy()}


def photograph(box, size=(300, 500)):
    """Dark, with a bright rectangle (x, y, width, height)."""
    image = np.zeros((*size, 3), np.uint8)
    x, y, width, height = box
    image[y : y + height, x : x + width] = 255
    return image


def off_by(predicted, box):
    """Distance of the middles and ratio of the diagonals."""
    middles = [np.add(b[:2], np.divide(b[2:], 2)) for b in (predicted, box)]
    return np.linalg.norm(middles[0] - middles[1]), np.hypot(*predicted[2:]) / np.hypot(*box[2:])


@pytest.mark.parametrize("box", [(60, 40, 60, 180), (380, 90, 80, 200), (10, 100, 400, 90)])
@pytest.mark.parametrize("zoom", [1, 3])
def test_person_search_ends_around_the_person(box, zoom):
    box = tuple(zoom * value for value in box)
    image = photograph(box, (300 * zoom, 500 * zoom))
    result = PersonSearch(RectangleNetwork(), SIZE)(image)
    apart, ratio = off_by(result.box, box)
    assert apart < 0.06 * np.hypot(*box[2:])
    assert ratio == pytest.approx(person_search._ENLARGED, rel=0.15)
    assert result.box[2] / result.box[3] == pytest.approx(box[2] / box[3], rel=0.4)
    assert result.agreement > 0.5


def test_person_search_returns_a_box_that_is_cropped_alike():
    box = (60, 40, 60, 180)
    image = photograph(box)
    network = RectangleNetwork()
    result = PersonSearch(network, SIZE)(image)
    pixels, _ = person_crops.crop_person(image, result.box, SIZE)
    keypoints_px = network(pixels[None].astype(np.float32) / 127.5 - 1)["keypoints2d_px"]
    assert np.abs(np.mean(keypoints_px, axis=1) - SIZE / 2).max() < 0.05 * SIZE
    assert 0.25 * SIZE < np.ptp(keypoints_px, axis=1).max() < 0.7 * SIZE


def test_person_search_follows_the_person_of_the_frame_before():
    """Two rectangles, of which the search from scratch takes the one in the middle."""
    box, other = (200, 60, 80, 180), (20, 60, 60, 160)
    image = np.maximum(photograph(box), photograph(other))
    moved = tuple(np.add(other, (6, -4, 0, 0)))
    result = PersonSearch(RectangleNetwork(), SIZE)(image, box_before=moved)
    assert off_by(result.box, other)[0] < 12
    assert result.agreement >= models.MIN_AGREEMENT


@pytest.mark.parametrize("bias", [np.nan, np.inf, -1e9])
def test_person_search_with_a_broken_network_gives_a_box_in_the_photograph(bias):
    image = photograph((0, 0, 500, 300))
    result = PersonSearch(RectangleNetwork(bias=bias), SIZE)(image)
    assert 0 <= result.agreement <= 1
    pixels, _ = person_crops.crop_person(image, result.box, SIZE)
    assert pixels.shape == (SIZE, SIZE, 3)


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (1, 3000), (37, 12)])
def test_person_search_of_an_empty_photograph_gives_a_box_in_it(size):
    image = np.zeros((*size, 3), np.uint8)
    result = PersonSearch(RectangleNetwork(), SIZE)(image)
    pixels, _ = person_crops.crop_person(image, result.box, SIZE)
    assert pixels.shape == (SIZE, SIZE, 3)


def test_person_search_takes_keypoints_outside_the_photograph_out_of_the_window():
    keypoints = np.full((1, 19, 2), 50.0)
    keypoints[0, :8] = np.linspace(20, 80, 8)[:, None]
    keypoints[0, 8:10] = (50, 400)
    windows = person_search.around_keypoints(keypoints, height=100, width=100)
    np.testing.assert_allclose(windows.centers_px, [(50, 50)])
    keypoints[0, 3:] = 500
    windows = person_search.around_keypoints(keypoints, height=100, width=100)
    assert windows.centers_px.min() > 200


def test_person_search_bounds_its_windows():
    windows = Windows(np.array([(-50.0, 20), (100, 300)]), np.array([1e6, 0.0]))
    centers, sides = person_search.bounded(windows, height=100, width=200)
    np.testing.assert_array_equal(centers, [(0, 20), (100, 100)])
    np.testing.assert_array_equal(sides, [400, 25])


def test_person_search_prefers_what_most_windows_agree_on(rng):
    person_px = rng.uniform(0, 100, size=(19, 2))
    predictions = person_px + rng.normal(size=(6, 19, 2))
    predictions[[1, 4]] += 60
    best, agreement = person_search.most_agreed(predictions)
    assert best in (0, 2, 3, 5)
    assert agreement == pytest.approx(4 / 6)


def test_person_search_warns_once_and_names_better_ways(tmp_path, rng, caplog):
    model = models.Model(*tiny_hmr.with_body(tmp_path))
    picture = rng.integers(0, 256, size=(40, 60, 3), dtype=np.uint8)
    with caplog.at_level("WARNING", logger=logging.get_absl_logger().name):
        logging.get_absl_logger().addHandler(caplog.handler)
        try:
            people = [model.predict(picture) for _ in range(2)]
            model.predict(picture, (5, 5, 20, 30))
        finally:
            logging.get_absl_logger().removeHandler(caplog.handler)
    assert [len(one) for one in people] == [1, 1]
    messages = {r.getMessage() for r in caplog.records if r.name == "absl"}
    assert messages == {models.SEARCHED}
    assert "--box=x,y,width,height" in models.SEARCHED
    np.testing.assert_allclose(people[0][0].box, people[1][0].box)


def test_person_search_in_a_video_begins_where_the_frame_before_ended(tmp_path):
    model = models.Model(*tiny_hmr.with_body(tmp_path))
    calls = []

    def search(image, box_before=None):
        calls.append(box_before)
        return person_search.SearchResult((1.0, 2.0, 3.0, 4.0 + len(calls)), float(len(calls) != 3))

    model._search = search
    frames = [np.zeros((20, 20, 3), np.uint8)] * 3
    boxes = model.detect_in_frames(frames)
    # from scratch, followed, lost, from scratch
    assert calls == [None, (1, 2, 3, 5), (1, 2, 3, 6), None]
    assert boxes == [[(1, 2, 3, 5)], [(1, 2, 3, 6)], [(1, 2, 3, 8)]]


def test_person_search_starts_show_every_part_of_the_photograph():
    centers, sides = person_search.starts(height=300, width=500)
    low, high = centers - sides[:, None] / 2, centers + sides[:, None] / 2
    points = np.stack(np.meshgrid(np.arange(500), np.arange(300)), axis=-1).reshape(-1, 1, 2)
    shown = ((points >= low) & (points < high)).all(axis=-1)
    assert shown[:, 2:].any(axis=1).mean() > 0.95  # by those nearer than the whole photograph
    assert shown[:, :2].all()
    assert len(np.unique(np.c_[centers, sides], axis=0)) == len(centers) == 9


def test_person_search_predicts_mirrored_crops_as_others():
    image = photograph((190, 60, 80, 180))
    windows = Windows(np.array([(240.0, 150)]), np.array([300.0]))
    network = RectangleNetwork()
    search = PersonSearch(network, SIZE)
    plain, mirrored = (search._predict(image, windows, is_mirrored=m) for m in (False, True))
    np.testing.assert_allclose(mirrored, plain, atol=300 / SIZE)

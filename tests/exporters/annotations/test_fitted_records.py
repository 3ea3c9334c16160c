"""Fitted people as COCO keypoints over the images of their records."""

import contextlib
import io

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from hmr_tf.body import skeleton
from hmr_tf.body.skeleton import COCO_KEYPOINTS, KEYPOINTS
from hmr_tf.exporters.annotations import fitted_records
from tests.fakes.image_records import image_record, write

SIZE = 112  # of the crops: half of 224


def test_fitted_records_give_points_of_the_stored_images(tmp_path, rng):
    size, centre = (300, 260), np.array([140, 130])
    stored = [rng.uniform(60, 220, (19, 2)) for _ in range(3)]
    path = tmp_path / "train_000.tfrecord"
    images = [np.full((*size, 3), 60 * number, np.uint8) for number in range(3)]
    records = [
        image_record(image, points, center_px=centre) for image, points in zip(images, stored)
    ]
    write(path, records)
    in_crops = np.array([0.5 * points - 0.5 * centre + SIZE // 2 for points in stored])
    is_fitted = np.array([True, False, True])
    result = fitted_records.write(tmp_path, [path], in_crops, is_fitted, SIZE)
    with contextlib.redirect_stdout(io.StringIO()):
        content = COCO(str(result))
    assert [image["file_name"] for image in content.dataset["images"]] == [
        *("fits_images/train_000_000000.jpg", "fits_images/train_000_000002.jpg")
    ]
    for image, entry, number in zip(
        content.dataset["images"], content.dataset["annotations"], (0, 2), strict=True
    ):
        expected = skeleton.convert(stored[number], KEYPOINTS, COCO_KEYPOINTS)
        assert np.reshape(entry["keypoints"], (17, 3))[:, :2] == pytest.approx(expected, abs=1e-3)
        low, high = stored[number].min(0), stored[number].max(0)
        assert entry["bbox"] == pytest.approx([*low, *(high - low)], abs=1e-3)
        assert (image["height"], image["width"]) == size
        picture = cv2.imread(str(tmp_path / image["file_name"]))
        assert picture.shape[:2] == size
        assert picture.mean() == pytest.approx(60 * number, abs=2)

"""The crop in TensorFlow against the crop in numpy and OpenCV: the same pixels and places."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from hmr_tf.data import crop
from hmr_tf.inference import person_crops
from hmr_tf.serving import crop_ops

SIGNATURE = [tf.TensorSpec([None, None, 3], tf.uint8), tf.TensorSpec([None, 4], tf.float32)]
crop_224 = tf.function(lambda i, b: crop_ops.crop_boxes(i, b, 224), input_signature=SIGNATURE)
crop_63 = tf.function(lambda i, b: crop_ops.crop_boxes(i, b, 63), input_signature=SIGNATURE)


def random_boxes(rng, height, width, number):
    """Partly outside, down to a tenth and up to twice the image."""
    extent = rng.uniform(0.1, 2, (number, 2)) * (width, height)
    corner = rng.uniform(-0.9, 1, (number, 2)) * np.where(extent < (width, height), extent, 1)
    corner = np.where(corner + extent <= 1, 0, corner)
    return np.hstack([np.clip(corner, None, (width - 1, height - 1)), extent]).astype(np.float32)


def assert_same(crop_boxes, size, image, boxes):
    """Grey levels may differ by one in a thousandth of the pixels: OpenCV is built in many ways."""
    ours = crop_boxes(image, boxes)
    for i, box in enumerate(boxes.astype(float)):
        pixels, where = person_crops.crop_person(image, tuple(box), size)
        np.testing.assert_array_equal(ours.corner_px[i], where.corner_px)
        np.testing.assert_allclose(ours.scale_xy[i], where.scale_xy, rtol=1e-6)
        difference = np.abs(pixels.astype(int) - ours.pixels[i].numpy())
        assert difference.max() <= 1
        assert (difference > 0).mean() < 1e-3


@pytest.mark.parametrize(("height", "width"), [(333, 500), (1200, 1600), (37, 53), (600, 3)])
def test_crop_ops_give_the_pixels_of_numpy_and_opencv(height, width, rng):
    image = rng.integers(0, 256, (height, width, 3), np.uint8)
    boxes = random_boxes(rng, height, width, 8)
    edges = [[0, 0, width, height], [width - 2, height - 2, 50, 90], [-40, -70, 41, 71]]
    boxes = np.concatenate([boxes, np.float32(edges)])
    assert_same(crop_224, 224, image, boxes)


def test_crop_ops_odd_sizes_and_exact_halves(rng):
    image = rng.integers(0, 256, (300, 240, 3), np.uint8)
    boxes = random_boxes(rng, 300, 240, 8)
    boxes[0, 2:] = 51 / 0.5, 68 / 0.5
    assert_same(crop_63, 63, image, boxes)


def test_crop_ops_on_real_photographs(shared, rng):
    paths = sorted((shared / "lsp_ext" / "images").glob("*.jpg"))[:10]
    assert paths
    for path in paths:
        image = cv2.imread(str(path))
        assert_same(crop_224, 224, image, random_boxes(rng, *image.shape[:2], 3))


def test_crop_ops_points_return_as_in_numpy(rng):
    image = np.zeros((90, 160, 3), np.uint8)
    boxes, points = random_boxes(rng, 90, 160, 5), rng.uniform(0, 224, (5, 19, 2))
    crops = crop_224(image, boxes)
    back = crop.to_image(tf.constant(points, tf.float32), crops)
    for i in range(5):
        where = crop.Crop(crops.scale_xy[i].numpy(), crops.corner_px[i].numpy(), (224, 224))
        np.testing.assert_allclose(back[i], crop.to_image(points[i], where), rtol=1e-4)

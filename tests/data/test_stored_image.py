"""Parts of JPEGs: the pixels of the whole decoded image."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from hmr_tf.data import stored_image


def jpeg_of(rng, height, width, **options):
    colours = cv2.resize(rng.uniform(0, 255, (9, 12, 3)).astype("float32"), (width, height))
    image = np.clip(colours + rng.normal(0, 20, (height, width, 3)), 0, 255).astype("uint8")
    return tf.io.encode_jpeg(image, **options)


@pytest.mark.parametrize(
    "options",
    [{}, {"chroma_downsampling": False}, {"progressive": True}, {"quality": 60}],
    ids=["plain", "all_colours", "progressive", "low_quality"],
)
@pytest.mark.parametrize("size", [(97, 131), (64, 48), (3, 5), (1, 1)])
def test_stored_image_part_has_the_pixels_of_the_whole(rng, size, options):
    jpeg = jpeg_of(rng, *size, **options)
    whole = tf.io.decode_jpeg(jpeg, channels=3).numpy()
    for _ in range(12):
        first = rng.integers(0, size)
        end = rng.integers(first, size) + 1
        image = stored_image.part(stored_image.open_jpeg(jpeg), first, end)
        expected = whole[first[0] : end[0], first[1] : end[1]]
        np.testing.assert_array_equal(stored_image.pixels(image), expected)
        np.testing.assert_array_equal(stored_image.size_of(image), expected.shape[:2])


def test_stored_image_part_of_a_part(rng):
    jpeg = jpeg_of(rng, 40, 50)
    whole = tf.io.decode_jpeg(jpeg, channels=3)
    parts = []
    for image in (stored_image.open_jpeg(jpeg), whole):
        outer = stored_image.part(image, tf.constant([3, 7]), tf.constant([33, 41]))
        inner = stored_image.part(outer, tf.constant([4, 2]), tf.constant([20, 11]))
        parts.append(stored_image.pixels(inner))
    np.testing.assert_array_equal(parts[0], whole[7:23, 9:18])
    np.testing.assert_array_equal(parts[1], whole[7:23, 9:18])


def test_stored_image_of_a_grey_jpeg_has_three_channels(rng):
    jpeg = tf.io.encode_jpeg(rng.integers(0, 256, (20, 30, 1)).astype("uint8"))
    image = stored_image.part(
        stored_image.open_jpeg(jpeg), tf.constant([1, 2]), tf.constant([9, 9])
    )
    expected = tf.io.decode_jpeg(jpeg, channels=3)[1:9, 2:9]
    np.testing.assert_array_equal(stored_image.pixels(image), expected)


def test_stored_image_refuses_what_is_no_jpeg():
    png = tf.io.encode_png(np.zeros((4, 4, 3), "uint8"))
    with pytest.raises(tf.errors.InvalidArgumentError):
        stored_image.open_jpeg(png)

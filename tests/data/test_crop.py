"""The crop: where it lies, what is in it, and that points find their way back."""

import numpy as np
import pytest

from hmr_tf.data import crop
from hmr_tf.files.errors import InputError

HEIGHT, WIDTH = 333, 500


@pytest.fixture
def image(rng):
    return rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


@pytest.mark.parametrize("make", [crop.crop_inside, crop.crop_padded])
@pytest.mark.parametrize("center", [(250, 160), (3, 5), (499, 332)])
def test_crop_points_return_to_the_image(make, center, image, rng):
    _, where = make(image, 0.61, center, 224)
    points = rng.uniform(0, 300, (19, 2))
    np.testing.assert_allclose(crop.to_image(crop.to_crop(points, where), where), points, atol=1e-9)


def test_crop_moves_x_with_the_scale_of_x():
    image = np.zeros((10, 1000, 3), np.uint8)
    scaled, scale_xy = crop.scale_image(image, 0.75)
    assert scaled.shape[:2] == (7, 750)
    np.testing.assert_allclose(scale_xy, [0.75, 0.7])
    where = crop.Crop(scale_xy, np.array([10, 1]), (5, 5))
    np.testing.assert_allclose(crop.to_crop([100, 10], where), [65, 6])


@pytest.mark.parametrize("center", [(250, 160), (0, 0), (500, 333), (120.5, 31.5)])
def test_crop_padded_is_the_slice_of_the_edge_padded_image(center, image):
    """The original's `scale_and_crop`, written out: round half to even, pad 112, slice."""
    pixels, where = crop.crop_padded(image, 0.8, center, 224)
    scaled, scale_xy = crop.scale_image(image, 0.8)
    x, y = np.round(np.asarray(center) * scale_xy).astype(int)
    padded = np.pad(scaled, ((112, 112), (112, 112), (0, 0)), mode="edge")
    np.testing.assert_array_equal(pixels, padded[y : y + 224, x : x + 224])
    assert where.corner_px.tolist() == [x - 112, y - 112]


def test_crop_centre_rounds_half_to_even(image):
    for center, start in ((100.5, 100), (101.5, 102)):
        assert crop.crop_padded(image, 1.0, (center, center), 2)[1].corner_px[0] == start - 1


@pytest.mark.parametrize("center", [(-400, 20), (250, 5000), (1e6, -1e6)])
def test_crop_with_its_centre_outside_is_whole(center, image):
    pixels, where = crop.crop_padded(image, 1.0, center, 224)
    assert pixels.shape == (224, 224, 3) == (*where.size, 3)
    start = np.clip(center, 0, [WIDTH, HEIGHT]) - 112
    np.testing.assert_array_equal(where.corner_px, start)


@pytest.mark.parametrize("size", [223, 97])
def test_crop_keeps_odd_sizes(size, image):
    assert crop.crop_padded(image, 1.0, (250, 160), size)[0].shape == (size, size, 3)


def test_crop_inside_ends_where_the_image_ends(image):
    pixels, where = crop.crop_inside(image, 1.0, (30.7, 300.2), 100)
    np.testing.assert_array_equal(pixels, image[250:333, 0:80])
    assert where.corner_px.tolist() == [0, 250]
    assert where.size == (83, 80)
    np.testing.assert_allclose(crop.to_crop((30.7, 300.2), where), [30.7, 50.2])


def test_crop_shows_a_marked_pixel_at_its_place(image):
    image[:] = 0
    image[200:204, 300:304] = 255
    for make in (crop.crop_inside, crop.crop_padded):
        pixels, where = make(image, 0.5, (280, 190), 120)
        rows, columns = np.nonzero(pixels[..., 0] > 200)
        point = crop.to_image(np.array([columns.mean(), rows.mean()]), where)
        np.testing.assert_allclose(point, [301.5, 201.5], atol=1.01)


@pytest.mark.parametrize("center", [(-300, 100), (100, 600), (-5000, -5000)])
def test_crop_refuses_a_person_outside_the_image(center, image):
    with pytest.raises(InputError, match="outside"):
        crop.crop_inside(image, 1.0, center, 400)


def test_crop_refuses_a_person_of_a_pixel(image):
    with pytest.raises(InputError, match="too small"):
        crop.crop_padded(image, 1000.0, (250, 160), 224)


def test_crop_box_counts_labelled_points_only():
    points = np.array([[5.0, 9.0], [-70.0, 900.0], [7.0, 3.0]])
    low, high = crop.box_of_labelled(points, [1, 0, 2])
    assert low.tolist() == [5, 3]
    assert high.tolist() == [7, 9]


def test_crop_of_the_whole_image_moves_no_point(image, rng):
    points = rng.uniform(-50, 500, (19, 2))
    where = crop.whole_image(image)
    assert where.size == (HEIGHT, WIDTH)
    np.testing.assert_array_equal(crop.to_crop(points, where), points)


@pytest.mark.parametrize("scale", [0.13, 0.5, 0.61, 0.999, 1.0, 1.001, 1.0021, 1.5, 2.0, 3.7])
@pytest.mark.parametrize("center", [(250, 160), (20, 30), (480, 320)])
def test_crop_is_a_part_of_the_whole_image_scaled(scale, center, image):
    """Only the corner with the crop is resized, in the same pixels."""
    pixels, where = crop.crop_inside(image, scale, center, 100)
    scaled, scale_xy = crop.scale_image(image, scale)
    np.testing.assert_array_equal(scale_xy, where.scale_xy)
    x, y = where.corner_px
    height, width = where.size
    np.testing.assert_array_equal(pixels, scaled[y : y + height, x : x + width])

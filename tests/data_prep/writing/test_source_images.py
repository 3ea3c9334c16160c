"""Source images: made upright with their labels, scaled labels, other images."""

import cv2
import numpy as np
import pytest

from data_prep.reader_items import CropRule, LabelledPerson
from data_prep.writing import source_images
from tests.fakes.dataset_fakes import convert, with_orientation

HEIGHT, WIDTH = 120, 80
POINT = np.array([60.0, 25.0])  # a red square in the upright image
# Stored row and column -> how a viewer shows the image (EXIF 2.32, 4.6.4): numpy's inverse of it.
STORED = {
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: np.rot90(image),
    7: lambda image: image.swapaxes(0, 1)[::-1, ::-1],
    8: lambda image: np.rot90(image, -1),
}


def upright_image(scale=1):
    image = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    x, y = POINT.astype(int)
    image[y - 7 : y + 8, x - 7 : x + 8] = (0, 0, 255)  # OpenCV's red
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)


def write_photograph(path, orientation=1, scale=1):
    stored = np.ascontiguousarray(STORED[orientation](upright_image(scale)))
    encoded, jpeg = cv2.imencode(".jpg", stored, [cv2.IMWRITE_JPEG_QUALITY, 95])
    assert encoded
    path.write_bytes(with_orientation(jpeg.tobytes(), orientation))
    return str(path)


def person(path, point=POINT, **more):
    points = np.tile(point, (19, 1))
    points[1] = point + 1  # a person has some size
    values = {"labelled_size": (HEIGHT, WIDTH), "make_upright": True, **more}
    return LabelledPerson(path, points, np.ones(19, int), **values)


def assert_point_is_red(record):
    (jpeg,) = record["image/encoded"]
    pixels = cv2.imdecode(
        np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    )
    assert pixels.shape[:2] == (record["image/height"][0], record["image/width"][0])
    blue, green, red = pixels[round(record["image/y"][0]), round(record["image/x"][0])].astype(int)
    assert red > 180 > 100 > max(blue, green)


@pytest.mark.parametrize("orientation", STORED)
def test_source_images_photographs_are_made_upright(orientation, tmp_path):
    path = write_photograph(tmp_path / "a.jpg", orientation)
    (record,), tally = convert([person(path)])
    assert (record["image/height"], record["image/width"]) == ([HEIGHT], [WIDTH])
    assert_point_is_red(record)
    assert tally.notes == ({source_images.MADE_UPRIGHT: 1} if orientation > 1 else {})


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("crop_rule", [CropRule(), CropRule(window_px=50)])
def test_source_images_labels_of_the_stored_image_are_made_upright(
    orientation, crop_rule, tmp_path
):
    """Only where the size tells: a picture rotated by 180 degrees has the same size."""
    path = write_photograph(tmp_path / "a.jpg", orientation)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    row, column = (int(POINT[1]), int(POINT[0]))
    mask = STORED[orientation]((rows == row) & (columns == column))
    stored_point = np.argwhere(mask)[0][::-1].astype(float)
    is_rotated = orientation >= 5
    labels = {"labelled_size": mask.shape, "crop_rule": crop_rule}
    (record,), tally = convert([person(path, stored_point if is_rotated else POINT, **labels)])
    assert_point_is_red(record)
    assert (source_images.LABELS_MADE_UPRIGHT in tally.notes) == is_rotated


def test_source_images_published_datasets_keep_their_pixels(tmp_path):
    path = write_photograph(tmp_path / "a.jpg", 6)
    (record,), tally = convert([person(path, make_upright=False, labelled_size=(WIDTH, HEIGHT))])
    assert (record["image/height"], record["image/width"]) == ([WIDTH], [HEIGHT])
    assert not tally.notes


@pytest.mark.parametrize("scale", [0.5, 2, 0.34])
def test_source_images_labels_are_scaled_with_the_image(scale, tmp_path):
    path = write_photograph(tmp_path / "a.jpg", 6, scale)
    rule = CropRule(window_px=60)
    (record,), tally = convert([person(path, crop_rule=rule, scale=1.0)])
    assert_point_is_red(record)
    assert 50 <= record["image/height"][0] <= 60  # the person has its size again
    assert tally.notes == {source_images.MADE_UPRIGHT: 1, source_images.SCALED: 1}


@pytest.mark.parametrize("size", [(WIDTH, HEIGHT), (100, 100), (HEIGHT, WIDTH + 5)])
def test_source_images_another_image_is_a_problem(size, tmp_path):
    path = write_photograph(tmp_path / "a.jpg")
    records, tally = convert([person(path, labelled_size=size), person(path)])
    assert len(records) == 1
    assert tally.skipped == {"image of another size and shape than in the annotations": 1}
    assert tally.num_problems == 1


def test_source_images_labels_without_a_size_are_those_of_the_upright_image(tmp_path):
    path = write_photograph(tmp_path / "a.jpg", 8)
    (record,), _ = convert([person(path, labelled_size=None)])
    assert_point_is_red(record)


@pytest.mark.parametrize("extension", [".png", ".bmp", ".webp", ".tif"])
def test_source_images_read_what_photographs_come_in(extension, tmp_path):
    assert cv2.imwrite(str(tmp_path / f"a{extension}"), upright_image())
    (record,), _ = convert([person(str(tmp_path / f"a{extension}"))])
    assert record["image/encoded"][0].startswith(b"\xff\xd8")
    assert_point_is_red(record)


@pytest.mark.parametrize("content", [b"", b"no image", b"\xff\xd8", b"\0\0\0\x18ftypheic"])
def test_source_images_other_files_are_counted(content, tmp_path):
    (tmp_path / "a.jpg").write_bytes(content)
    records, tally = convert([person(str(tmp_path / "a.jpg"))])
    assert not records
    assert tally.skipped == {"image unreadable": 1}

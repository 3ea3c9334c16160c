"""A person's crop, and predictions in the photograph's pixels and camera."""

import numpy as np
import pytest
from absl import logging

from hmr_tf.body import camera
from hmr_tf.body.skeleton import KEYPOINTS, SMPL_JOINTS
from hmr_tf.data import crop as crops
from hmr_tf.files.errors import InputError
from hmr_tf.inference import person_crops
from hmr_tf.inference.model import Model
from tests.fakes import tiny_hmr

BOX = (40, 10, 30, 60)


@pytest.fixture
def picture(rng):
    return rng.integers(0, 256, size=(90, 160, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return Model(*tiny_hmr.with_body(tmp_path_factory.mktemp("body")))


def log_each(level, text, number, *values):
    """In place of absl's `log_first_n`, which logs once in a process."""
    logging.log(level, text, *values)


def projected(points, pinhole):
    return pinhole.focal_px * points[:, :2] / points[:, 2:] + pinhole.principal_px


def test_person_keypoints_are_in_the_photographs_pixels(model, picture):
    """A point's place in the crop and its place in the photograph show the same thing."""
    (prediction,) = model.predict(picture, BOX)
    _, crop = person_crops.crop_person(picture, BOX, tiny_hmr.SIZE)
    weak = camera.project(prediction.joints3d[None], prediction.camera[None])[0]
    expected = crops.to_image(camera.pixels_from_norm(weak, tiny_hmr.SIZE), crop)
    np.testing.assert_allclose(prediction.keypoints2d_px, expected, atol=1e-2)


def test_person_has_named_arrays(model, picture):
    first, second = model.predict(picture, [BOX, (0, 0, 50, 80)])
    assert first.joint_names == KEYPOINTS
    assert first.smpl_joint_names == SMPL_JOINTS
    np.testing.assert_array_equal(first["box"], BOX)
    np.testing.assert_array_equal(second.theta[3:75].reshape(24, 3), second.pose)
    np.testing.assert_array_equal(second.pose[0], second.global_orient)
    np.testing.assert_array_equal(second.pose[1:], second.body_pose)
    np.testing.assert_array_equal(second.theta[75:], second.betas)
    with pytest.raises(AttributeError, match="a person has no shape, only theta"):
        _ = first.shape


@pytest.mark.parametrize(
    "given", [{}, {"focal_px": 300.0}, {"focal_px": 900, "principal_px": (5, 99)}]
)
@pytest.mark.parametrize("box", [None, BOX])
def test_person_transl_projects_to_the_same_pixels(model, picture, box, given):
    """Points at the body's depth do for any camera; the others the better the longer it is."""
    (prediction,) = model.predict(picture, [box], **given)
    camera = [given.get(name) for name in ("focal_px", "principal_px")]
    pinhole = person_crops.pinhole_of(picture, *camera)
    assert prediction.focal_px == np.float32(pinhole.focal_px)
    np.testing.assert_array_equal(prediction.principal_px, np.float32(pinhole.principal_px))
    flat = prediction.joints3d * (1, 1, 0) + prediction.transl
    np.testing.assert_allclose(
        projected(flat, pinhole), prediction.keypoints2d_px, rtol=0.03, atol=1.0
    )
    (far,) = model.predict(picture, [box], focal_px=1e5)
    pixels = projected(far.joints3d + far.transl, person_crops.pinhole_of(picture, 1e5))
    np.testing.assert_allclose(pixels, prediction.keypoints2d_px, rtol=0.03, atol=1.0)


def test_person_pinhole_is_the_originals_for_a_whole_photograph():
    """500 px for 224 (`util/renderer.py:239`); all people share it, so that they can meet."""
    pinhole = person_crops.pinhole_of(np.zeros((448, 200, 3), np.uint8))
    assert pinhole == camera.Pinhole(1000.0, (100, 224))
    weak = np.float32([0.9, 0.1, -0.2])
    crop = crops.Crop(np.array([0.5, 0.5]), np.array([-62, 0]), (224, 224))
    place = crop.scale_xy[None], crop.corner_px[None]
    transl = camera.place_in_photograph(weak[None], 224, *place, pinhole)[0]
    expected = camera.perspective_translation(weak[None], 224)[0]
    np.testing.assert_allclose(transl, expected, rtol=1e-6)


def test_person_crop_has_the_box_in_its_middle(picture):
    _, crop = person_crops.crop_person(picture, BOX, 224)
    np.testing.assert_allclose(crops.to_crop((55, 40), crop), (112, 112), atol=1)
    corners = crops.to_crop([(40, 10), (70, 70)], crop)
    assert np.linalg.norm(corners[1] - corners[0]) == pytest.approx(crops.PERSON_PX, rel=0.02)


def test_person_crop_without_a_box_is_the_whole_photograph(picture):
    pixels, crop = person_crops.crop_person(picture, None, 224)
    assert pixels.shape == (224, 224, 3)
    corners = crops.to_crop([(0, 0), (160, 90)], crop)
    np.testing.assert_allclose(corners, [(0, 49), (224, 175)], atol=1)


@pytest.mark.parametrize(
    "box",
    [(0, 0, 0, 10), (500, 0, 10, 10), (0, -50, 10, 20), (0, 0, -1, 5), (np.nan, 0, 1, 1)],
)
def test_predict_refuses_boxes_without_pixels(model, picture, box):
    with pytest.raises(InputError, match="The box"):
        model.predict(picture, box)


def test_given_boxes_far_larger_than_the_photograph_are_refused(model, picture):
    """As boxes of a larger copy are; the body of a photographed face is nine times as large."""
    (person,) = model.predict(picture, (-500, -50, 1200, 1000))
    assert np.isfinite(person.vertices).all()
    with pytest.raises(InputError, match=r"more than 10 times as large as the 160 x 90 photograph"):
        model.predict(picture, (-2000, -50, 4000, 1000))


@pytest.mark.parametrize(
    ("camera", "text"),
    [
        ({"focal_px": 28}, "A focal length of 28 px is short for a photograph of 160 px"),
        ({"principal_px": (0.5, 0.5)}, "The principal point 0.5,0.5 is the photograph's corner"),
        ({"focal_px": 100, "principal_px": (80, 45)}, None),
    ],
)
def test_camera_in_other_units_is_warned_of(camera, text, picture, caplog, monkeypatch):
    monkeypatch.setattr(logging, "log_first_n", log_each)
    person_crops.pinhole_of(picture, **camera)
    assert len(caplog.messages) == (text is not None)
    assert not text or text in caplog.messages[0]


@pytest.mark.parametrize(
    ("box", "is_warned"),
    [((60, 20, 120, 80), True), ((60, 20, 60, 60), False), ((60, 20, 110, 40), False)],
)
def test_given_corners_are_warned_of(box, is_warned, model, picture, caplog, monkeypatch):
    monkeypatch.setattr(
        logging, "log_first_n", lambda level, text, n, *a: logging.log(level, text, *a)
    )
    model.predict(picture, box)
    texts = [text for text in caplog.messages if "Are these the corners x1, y1, x2, y2?" in text]
    assert len(texts) == is_warned

"""`Model.predict` and `Model.predict_crops`: input, batches, errors."""

import copy
import os
import pickle

import numpy as np
import pytest

from hmr_tf.files.errors import InputError
from hmr_tf.inference.model import Model
from hmr_tf.networks import engines
from tests.fakes import tiny_hmr


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return Model(*tiny_hmr.with_body(tmp_path_factory.mktemp("body")))


@pytest.mark.parametrize(
    "image",
    [
        *(np.zeros((5, 5)), np.zeros((5, 5, 3)), np.zeros((1, 5, 5, 3))),
        np.zeros((0, 5, 3), np.uint8),
        None,
    ],
)
def test_predict_refuses_arrays_that_are_no_image(model, image):
    with pytest.raises(ValueError, match=r"image must be \(H, W, 3\) uint8 RGB; received"):
        model.predict(image)


def test_predict_crops_refuses_another_shape(model):
    with pytest.raises(ValueError, match=r"images must be \(B, 16, 16, 3\)"):
        model.predict_crops(np.zeros((1, 224, 224, 3)))


def test_predict_crops_refuses_pixels_that_are_not_scaled(model):
    with pytest.raises(ValueError, match=r"float32 in \[-1, 1\]: pixels / 127.5 - 1"):
        model.predict_crops(np.full((1, 16, 16, 3), 255, np.uint8))


@pytest.mark.parametrize("colour", [255.0, -3.0, np.nan])
def test_predict_crops_refuses_colours_that_are_not_scaled(model, colour):
    images = np.zeros((2, 16, 16, 3), np.float32)
    images[1, 3, 4, 0] = colour
    with pytest.raises(ValueError, match=r"images must lie in \[-1, 1\]: pixels / 127.5 - 1; one"):
        model.predict_crops(images)


def warnings(caplog):
    """Messages of hmr_tf, without TensorFlow's."""
    return [record.getMessage() for record in caplog.records if record.name == "absl"]


def test_predict_crops_warns_of_colours_from_0_to_1(model, rng, caplog):
    images = rng.random((2, 16, 16, 3), np.float32)
    model.predict_crops(2 * images - 1)
    model.predict_crops(np.zeros_like(images))
    assert not warnings(caplog)
    model.predict_crops(images)
    (line,) = warnings(caplog)
    assert "Are they in 0..1? Then pass 2 * images - 1." in line


def test_predict_does_not_warn_of_a_bright_photograph(model, caplog):
    model.predict(np.full((40, 30, 3), 200, np.uint8), [(5, 5, 20, 30)])
    assert not caplog.messages


@pytest.mark.parametrize(
    ("camera", "message"),
    [
        ({"focal_px": -500}, "focal_px must be above 0; received -500"),
        ({"focal_px": np.nan}, r"focal_px must be 1 finite number\(s\); received nan"),
        ({"principal_px": 5}, r"principal_px must be 2 finite number\(s\); received 5"),
        ({"principal_px": (1, 2, 3)}, "principal_px must be 2 finite"),
    ],
)
def test_predict_refuses_a_camera_that_is_none(model, camera, message):
    image = np.zeros((60, 60, 3), np.uint8)
    with pytest.raises(ValueError, match=message):
        model.predict(image, boxes=[(10, 10, 20, 40)], **camera)


def test_model_says_what_it_is(model):
    assert repr(model) == "hmr_tf Model: crops of 16 px, tensorflow in float32"


def test_predict_refuses_a_folder_and_half_a_box(model, tmp_path):
    with pytest.raises(InputError, match=r"^[^-].*: a folder; give a JPEG"):
        model.predict(tmp_path)
    with pytest.raises(InputError, match="The box 40,30 is not four numbers: x, y, width, height"):
        model.predict(np.zeros((60, 60, 3), np.uint8), boxes=[(40, 30)])


@pytest.mark.parametrize(
    "boxes", ["280,40,220,340", ["280,40,220,340"], [{"x": 1, "y": 2}], [b"1234"], [7], [None, "a"]]
)
def test_predict_refuses_boxes_that_are_no_numbers(model, boxes):
    image = np.zeros((60, 60, 3), np.uint8)
    with pytest.raises(ValueError, match=r"four numbers, x, y, width, height in pixels; received"):
        model.predict(image, boxes=boxes)


def test_predict_batch_refuses_boxes_of_fewer_images(model):
    image = np.zeros((60, 60, 3), np.uint8)
    with pytest.raises(ValueError, match="boxes must be one list or None for each of 2 images"):
        model.predict_batch([image, image], [None])


def test_predict_takes_the_camera_of_an_earlier_prediction(model, rng):
    image = rng.integers(0, 256, (60, 80, 3), np.uint8)
    (before,) = model.predict(image, boxes=np.array([[10, 10, 20, 40]]), focal_px=np.array([90.0]))
    camera = {"focal_px": before.focal_px, "principal_px": before.principal_px[None]}
    (after,) = model.predict(image, boxes=np.array([10, 10, 20, 40], np.float32), **camera)
    assert before.focal_px == 90
    np.testing.assert_allclose(after.transl, before.transl, atol=1e-5)


def test_model_refuses_to_predict_in_a_forked_process(model, monkeypatch):
    monkeypatch.setattr(os, "getpid", lambda: -1)
    image, crops = np.zeros((60, 60, 3), np.uint8), np.zeros((1, 16, 16, 3), np.float32)
    for predict in (lambda: model.predict(image), lambda: model.predict_crops(crops)):
        with pytest.raises(RuntimeError, match=r"forked .*: call hmr_tf\.load\(\) in each process"):
            predict()


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_model_is_not_copied(model, copied):
    with pytest.raises(TypeError, match=r"not copied, pickled or sent .* hmr_tf\.load\(\) in each"):
        copied(model)


def test_predict_takes_an_image_of_one_pixel(model):
    (person,) = model.predict(np.full((1, 1, 3), 99, np.uint8))
    assert np.isfinite(person.vertices).all()


@pytest.mark.parametrize("options", [{"flip_test": True}, {"precision": "bfloat16"}])
def test_predict_crops_refuses_stages_that_would_be_of_other_numbers(model, options):
    engine = engines.make(model.hmr, "tensorflow", **options)
    other = Model(model.hmr, model.body, engine=engine)
    with pytest.raises(ValueError, match="stages=True is for float32 without the flip test: load"):
        other.predict_crops(np.zeros((1, 16, 16, 3)), stages=True)


def test_predict_crops_stages_end_with_the_prediction(model, rng):
    images = rng.uniform(-1, 1, size=(2, 16, 16, 3)).astype(np.float32)
    predicted = model.predict_crops(images, stages=True)
    assert len(predicted.pop("stages")) == model.hmr.regressor.num_stage
    for name, value in model.predict_crops(images).items():
        np.testing.assert_allclose(predicted[name], value, atol=1e-5, err_msg=name)


def test_predict_crops_does_not_depend_on_the_batch(model, rng):
    images = rng.uniform(-1, 1, size=(3, 16, 16, 3)).astype(np.float32)
    together = model.predict_crops(images)["theta"]
    alone = [model.predict_crops(images[i : i + 1])["theta"][0] for i in range(3)]
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_predict_gives_the_network_rgb_from_minus_one_to_one(model, monkeypatch, rng):
    """Parity fact 1 of the original: 2 * (x / 255 - 0.5), as in training."""
    crops, predict = [], model.engine.predict
    engine = model.engine._replace(predict=lambda x: [crops.append(x), predict(x)][1])
    monkeypatch.setattr(model, "engine", engine)
    picture = rng.integers(0, 256, size=(tiny_hmr.SIZE, tiny_hmr.SIZE, 3), dtype=np.uint8)
    picture[0, :3] = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    model.predict(picture, [None])
    assert crops[0].dtype == np.float32
    np.testing.assert_allclose(crops[0][0], picture / 127.5 - 1.0, atol=1e-6)

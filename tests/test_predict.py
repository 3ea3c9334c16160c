import cv2
import numpy as np
import pytest
import tensorflow as tf

from hmr_tf.body import camera
from hmr_tf.data import crop as crops
from hmr_tf.errors import InputError
from hmr_tf.output import mesh, predict
from tests import tiny_hmr


@pytest.fixture
def photo(rng):
    return rng.integers(0, 256, size=(90, 160, 3), dtype=np.uint8)


@pytest.fixture
def hmr(tmp_path):
    return tiny_hmr.build(tmp_path)


def test_keypoints_come_back_in_the_photographs_pixels(hmr, photo):
    """A point's place in the crop and its place in the photograph show the same thing."""
    result = predict.predict(hmr, photo, (40, 10, 30, 60))
    _, crop = predict.crop_person(photo, (40, 10, 30, 60), tiny_hmr.SIZE)
    weak = camera.project(result["joints3d"][None], result["camera"][None])[0]
    expected = crops.to_image(camera.pixels_from_norm(weak, tiny_hmr.SIZE), crop)
    np.testing.assert_allclose(result["keypoints2d_px"], expected, atol=1e-2)


def test_the_person_box_ends_in_the_middle_of_the_crop(photo):
    _, crop = predict.crop_person(photo, (40, 10, 30, 60), 224)
    np.testing.assert_allclose(crops.to_crop((55, 40), crop), (112, 112), atol=1)
    corners = crops.to_crop([(40, 10), (70, 70)], crop)
    assert np.linalg.norm(corners[1] - corners[0]) == pytest.approx(crops.PERSON_PX, rel=0.02)


def test_without_a_box_the_whole_photograph_is_seen(photo):
    pixels, crop = predict.crop_person(photo, None, 224)
    assert pixels.shape == (224, 224, 3)
    corners = crops.to_crop([(0, 0), (160, 90)], crop)
    np.testing.assert_allclose(corners, [(0, 49), (224, 175)], atol=1)


def test_perspective_placement_falls_on_the_weak_perspective_keypoints(hmr, photo):
    """Points at the body's own depth: nearer and farther ones differ by perspective."""
    result = predict.predict(hmr, photo)
    joints = result["joints3d"] * (1, 1, 0) + result["transl"]
    pixels = result["focal_px"] * joints[:, :2] / joints[:, 2:] + result["principal_px"]
    np.testing.assert_allclose(pixels, result["keypoints2d_px"], rtol=0.02, atol=0.5)


@pytest.mark.parametrize("box", [(0, 0, 0, 10), (500, 0, 10, 10), (0, -50, 10, 20), (0, 0, -1, 5)])
def test_boxes_with_nothing_in_them_are_refused(photo, box):
    with pytest.raises(InputError, match="--box"):
        predict.crop_person(photo, box, 224)


def test_reads_grey_alpha_and_16_bit_as_rgb(tmp_path, photo):
    grey, alpha = photo[..., 0], np.dstack([photo, photo[..., :1]])
    for name, image in (("grey", grey), ("alpha", alpha), ("deep", photo.astype(np.uint16) * 257)):
        path = tmp_path / f"{name}.png"
        cv2.imwrite(str(path), image)
        read = predict.read_image(path)
        assert (read.shape, read.dtype) == ((90, 160, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "colour.png"), photo[..., ::-1])
    np.testing.assert_array_equal(predict.read_image(tmp_path / "colour.png"), photo)


@pytest.mark.parametrize("content", [b"", b"no image", b"\xff\xd8\xff\xe0 half a jpeg"])
def test_refuses_what_is_no_image(tmp_path, content):
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"photo\.jpg"):
        predict.read_image(path)


def test_refuses_half_a_photograph(tmp_path, photo):
    _, whole = cv2.imencode(".jpg", photo)
    (tmp_path / "half.jpg").write_bytes(whole.tobytes()[: len(whole) // 2])
    with pytest.raises(InputError, match=r"half\.jpg is damaged"):
        predict.read_image(tmp_path / "half.jpg")


def test_written_files_open_elsewhere(tmp_path, hmr, photo):
    result = predict.predict(hmr, photo)
    overlay, obj, npz = predict.write(tmp_path / "out", "me", photo, result, hmr.smpl.faces)
    assert cv2.imread(str(overlay)).shape == photo.shape
    lines = obj.read_text().splitlines()
    assert sum(line.startswith("v ") for line in lines) == len(result["vertices"])
    assert max(int(n) for line in lines if line[0] == "f" for n in line.split()[1:]) == 60
    with np.load(npz) as arrays:
        assert arrays["theta"].shape == (85,)
        np.testing.assert_array_equal(arrays["vertices"], result["vertices"])


def test_obj_counts_vertices_from_one(tmp_path):
    mesh.write_obj(tmp_path / "a.obj", np.eye(3), np.array([[0, 1, 2]]))
    assert (tmp_path / "a.obj").read_text().splitlines()[-1] == "f 1 2 3"


def test_prediction_does_not_depend_on_the_batch(hmr, rng):
    images = tf.constant(rng.uniform(-1, 1, size=(3, 16, 16, 3)), tf.float32)
    together = hmr(images)[-1].theta
    alone = [hmr(images[i : i + 1])[-1].theta[0] for i in range(3)]
    np.testing.assert_allclose(together, alone, atol=1e-5)

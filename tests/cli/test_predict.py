"""From photographs to bodies and back to their pixels; folders, boxes, files."""

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from hmr_tf.body import camera
from hmr_tf.body.skeleton import KEYPOINTS, SMPL_JOINTS
from hmr_tf.cli import options
from hmr_tf.cli import predict as mode
from hmr_tf.data import crop as crops
from hmr_tf.exporters import mesh, outputs
from hmr_tf.files.errors import InputError
from hmr_tf.inference import boxes as box_files
from hmr_tf.inference import person, photo
from hmr_tf.inference.model import Model
from hmr_tf.rendering import scene
from tests.fakes import tiny_hmr

BOX = (40, 10, 30, 60)


@pytest.fixture
def picture(rng):
    return rng.integers(0, 256, size=(90, 160, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return Model(*tiny_hmr.with_body(tmp_path_factory.mktemp("body")))


def seen_by(points, pinhole):
    return pinhole.focal_px * points[:, :2] / points[:, 2:] + pinhole.principal_px


def test_keypoints_come_back_in_the_photographs_pixels(model, picture):
    """A point's place in the crop and its place in the photograph show the same thing."""
    (found,) = model.predict(picture, BOX)
    _, crop = person.crop_person(picture, BOX, tiny_hmr.SIZE)
    weak = camera.project(found.joints3d[None], found.camera[None])[0]
    expected = crops.to_image(camera.pixels_from_norm(weak, tiny_hmr.SIZE), crop)
    np.testing.assert_allclose(found.keypoints2d_px, expected, atol=1e-2)


def test_a_person_has_named_results(model, picture):
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
def test_the_placed_body_falls_on_the_same_pixels(model, picture, box, given):
    """Points at the body's own depth do for any camera; the others the better the longer it is."""
    (found,) = model.predict(picture, [box], **given)
    pinhole = person.pinhole_of(picture, *(given.get(k) for k in ("focal_px", "principal_px")))
    assert found.focal_px == np.float32(pinhole.focal_px)
    np.testing.assert_array_equal(found.principal_px, np.float32(pinhole.principal_px))
    flat = found.joints3d * (1, 1, 0) + found.transl
    np.testing.assert_allclose(seen_by(flat, pinhole), found.keypoints2d_px, rtol=0.03, atol=1.0)
    (far,) = model.predict(picture, [box], focal_px=1e5)
    pixels = seen_by(far.joints3d + far.transl, person.pinhole_of(picture, 1e5))
    np.testing.assert_allclose(pixels, found.keypoints2d_px, rtol=0.03, atol=1.0)


def test_the_whole_photograph_has_the_originals_camera():
    """500 px for 224 (`util/renderer.py:239`); all people share it, so that they can meet."""
    pinhole = person.pinhole_of(np.zeros((448, 200, 3), np.uint8))
    assert pinhole == camera.Pinhole(1000.0, (100, 224))
    weak = np.float32([0.9, 0.1, -0.2])
    crop = crops.Crop(np.array([0.5, 0.5]), np.array([-62, 0]), (224, 224))
    place = crop.scale_xy[None], crop.corner_px[None]
    transl = camera.place_in_photograph(weak[None], 224, *place, pinhole)[0]
    expected = camera.perspective_translation(weak[None], 224)[0]
    np.testing.assert_allclose(transl, expected, rtol=1e-6)


def test_the_person_box_ends_in_the_middle_of_the_crop(picture):
    _, crop = person.crop_person(picture, BOX, 224)
    np.testing.assert_allclose(crops.to_crop((55, 40), crop), (112, 112), atol=1)
    corners = crops.to_crop([(40, 10), (70, 70)], crop)
    assert np.linalg.norm(corners[1] - corners[0]) == pytest.approx(crops.PERSON_PX, rel=0.02)


def test_without_a_box_the_whole_photograph_is_seen(picture):
    pixels, crop = person.crop_person(picture, None, 224)
    assert pixels.shape == (224, 224, 3)
    corners = crops.to_crop([(0, 0), (160, 90)], crop)
    np.testing.assert_allclose(corners, [(0, 49), (224, 175)], atol=1)


@pytest.mark.parametrize(
    "box",
    [(0, 0, 0, 10), (500, 0, 10, 10), (0, -50, 10, 20), (0, 0, -1, 5), (np.nan, 0, 1, 1)],
)
def test_boxes_with_nothing_in_them_are_refused(model, picture, box):
    with pytest.raises(InputError, match="The box"):
        model.predict(picture, box)


@pytest.mark.parametrize("image", [np.zeros((5, 5)), np.zeros((5, 5, 3)), np.zeros((1, 5, 5, 3))])
def test_what_is_no_picture_is_refused(model, image):
    with pytest.raises(ValueError, match=r"image must be \(H, W, 3\) uint8 RGB; received"):
        model.predict(image)


def test_crops_of_another_shape_are_refused(model):
    with pytest.raises(ValueError, match=r"images must be \(B, 16, 16, 3\)"):
        model.predict_crops(np.zeros((1, 224, 224, 3)))


def test_reads_grey_alpha_and_16_bit_as_rgb(tmp_path, picture):
    grey, alpha = picture[..., 0], np.dstack([picture, picture[..., :1]])
    deep = picture.astype(np.uint16) * 257
    for name, image in (("grey", grey), ("alpha", alpha), ("deep", deep)):
        path = tmp_path / f"{name}.png"
        cv2.imwrite(str(path), image)
        read = photo.read_image(path)
        assert (read.shape, read.dtype) == ((90, 160, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "colour.png"), picture[..., ::-1])
    np.testing.assert_array_equal(photo.read_image(tmp_path / "colour.png"), picture)


def test_a_picture_of_one_pixel(model):
    (found,) = model.predict(np.full((1, 1, 3), 99, np.uint8))
    assert np.isfinite(found.vertices).all()


@pytest.mark.parametrize("content", [b"", b"no image", b"\xff\xd8\xff\xe0 half a jpeg"])
def test_refuses_what_is_no_image(tmp_path, content):
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"photo\.jpg"):
        photo.read_image(path)


@pytest.mark.parametrize("ending", [".png", ".bmp"])
def test_photo_refuses_more_pixels_than_memory_should_hold(tmp_path, picture, ending):
    """The header alone says so: nothing is decoded, whatever limits OpenCV was started with."""
    content = bytearray(cv2.imencode(ending, picture)[1].tobytes())
    place, order = (16, ">II") if ending == ".png" else (18, "<II")
    struct.pack_into(order, content, place, 20000, 20000)
    path = tmp_path / f"huge{ending}"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"huge.* has 20000 x 20000 pixels: .* at most 128 Mi"):
        photo.read_image(path)


@pytest.mark.parametrize("ending", photo.ENDINGS)
def test_refuses_half_a_photograph_and_nobody_else_speaks(tmp_path, picture, ending, capfd):
    _, whole = cv2.imencode(ending.replace(".jfif", ".jpg"), picture)
    path = tmp_path / f"half{ending}"
    path.write_bytes(whole.tobytes()[: len(whole) // 2])
    with pytest.raises(InputError, match=rf"half\{ending} is (damaged|no image)"):
        photo.read_image(path)
    lines = capfd.readouterr().err.splitlines()
    assert not [line for line in lines if "tensorflow/core" not in line]  # main.py mutes that


def test_a_file_a_folder_and_a_pattern(tmp_path):
    for name in ("b.png", "a.JPG", "c.txt", "d.bmp", ".half.png"):
        (tmp_path / name).touch()
    assert [p.name for p in photo.find(tmp_path)] == ["a.JPG", "b.png", "d.bmp"]
    assert [p.name for p in photo.find(f"{tmp_path}/*.b*")] == ["d.bmp"]
    assert photo.find("none.jpg") == [Path("none.jpg")]
    for path, said in (
        (f"{tmp_path}/*.gif", "matches no file"),
        (tmp_path / "x", "no photographs"),
    ):
        (tmp_path / "x").mkdir(exist_ok=True)
        with pytest.raises(InputError, match=said):
            photo.find(path)


def test_photo_folder_is_read_by_content_and_names_what_cannot_be(tmp_path, picture):
    """Endings decide nothing for pictures; what is no picture is left alone."""
    encode = {ending: cv2.imencode(ending, picture)[1].tobytes() for ending in (".jpg", ".webp")}
    heic = struct.pack(">I4s4sI", 24, b"ftyp", b"heic", 0) + b"mif1heic" + bytes(40)
    contents = {
        "a.jfif": encode[".jpg"],
        "b": encode[".webp"],
        "c.JPG_large": encode[".jpg"],
        "d.HEIC": heic,
        "e.jpg": heic,
        "f.gif": b"GIF89a" + bytes(40),
        "g.NEF": b"II*\0" + bytes(40),
        "h.txt": b"BMI and other texts",
        "i.json": b"{}",
        "j.avi": b"RIFF" + bytes(4) + b"AVI LIST",
        "k.mp4": struct.pack(">I4s4s", 24, b"ftyp", b"isom") + bytes(40),
        "._a.jpg": b"\0\5\x16\7",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "l.jpg").mkdir()
    found = photo.find(tmp_path)
    assert [path.name for path in found] == [
        name for name in contents if name[:2] in "a.bc.d.e.f.g."
    ]
    for path in found[:3]:
        assert photo.read_image(path).shape == picture.shape
    for path, said in zip(
        found[3:], ("HEIC, which is not read: .*heif-convert", "HEIC", "GIF", "camera raw")
    ):
        with pytest.raises(InputError, match=rf"{path.name} is {said}"):
            photo.read_image(path)


def test_written_files_open_elsewhere(tmp_path, model, picture):
    found = model.predict(picture, [BOX, (80, 5, 60, 80)])
    photograph = outputs.Scene(picture, found, model.body)
    written = outputs.write(tmp_path / "out", "me", photograph, outputs.PHOTO_WRITERS)
    paths = dict(zip(outputs.PHOTO_WRITERS, written))
    assert cv2.imread(str(paths["overlay"])).shape == picture.shape
    assert cv2.imread(str(paths["transparent"]), cv2.IMREAD_UNCHANGED).shape == (90, 160, 4)
    assert cv2.imread(str(paths["panels"])).shape == (2 * (90 + 24), 3 * 160, 3)
    lines = paths["obj"].read_text().splitlines()
    assert sum(line.startswith("v ") for line in lines) == 2 * len(found[0].vertices)
    assert max(int(n) for line in lines if line[0] == "f" for n in line.split()[1:]) == 120
    assert paths["ply"].read_bytes().startswith(b"ply")
    with np.load(paths["npz"]) as arrays:
        assert arrays["theta"].shape == (2, 85)
        np.testing.assert_array_equal(arrays["vertices"][1], found[1].vertices)
        assert tuple(arrays["joint_names"]) == KEYPOINTS


def test_a_command_that_writes_nothing_leaves_no_folder(tmp_path, model, picture, monkeypatch):
    monkeypatch.setattr(mode, "_drawing_model", lambda options: model)
    outputs.write_png(tmp_path / "me.png", picture)
    given = {"mode": "predict", "load_path": "x", "img_path": str(tmp_path / "me.png")}
    asked = options.Options(**given, box=(500.0, 5.0, 20.0, 30.0), output_dir=str(tmp_path / "out"))
    with pytest.raises(InputError, match=r"The box .* lies outside"):
        mode.predict(asked)
    assert [path.name for path in tmp_path.iterdir()] == ["me.png"]


def test_obj_counts_vertices_from_one(tmp_path):
    mesh.write_obj(tmp_path / "a.obj", [np.eye(3), np.eye(3)], np.array([[0, 1, 2]]))
    lines = (tmp_path / "a.obj").read_text().splitlines()
    assert [line for line in lines if line[0] in "of"] == [
        *("o person_0", "f 1 2 3"),
        *("o person_1", "f 4 5 6"),
    ]


def test_one_bad_file_among_others(tmp_path, model, picture):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(10):
        outputs.write_png(folder / f"{number}.png", picture)
    (folder / "4.png").write_bytes(b"no image")
    boxes = {str(number): [BOX] * (number != 7) for number in range(10)}
    written, problems = mode.predict_photographs(
        model, photo.find(folder), tmp_path / "out", ["npz"], box_files.BoxesByName(boxes)
    )
    assert [path.name for path in written] == [f"{n}.npz" for n in range(10) if n not in (4, 7)]
    assert "4.png is no image" in problems[0]
    assert "7.png: --boxes has no box" in problems[1]
    alone = model.predict(picture, BOX)[0]
    with np.load(written[-1]) as arrays:
        np.testing.assert_allclose(arrays["theta"][0], alone.theta, atol=1e-5)


def test_photographs_of_one_name_do_not_overwrite_each_other(tmp_path, model, picture):
    paths = [tmp_path / name for name in ("a.png", "a.bmp", "x/b.png", "y/b.png")]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), picture)
    written, _ = mode.predict_photographs(model, paths, tmp_path / "out", ["npz"])
    assert [path.stem for path in written] == ["a_png", "a_bmp", "x_b_png", "y_b_png"]


@pytest.mark.parametrize("degrees", [60.0, -60.0, 180.0])
def test_turned_people_are_all_in_the_picture(degrees):
    """One far behind another who stands at the edge; each is a tetrahedron."""
    corners = np.float32([(0, -0.8, 0), (-0.5, 0.8, -0.3), (0.5, 0.8, -0.3), (0, 0.8, 0.6)])
    faces = np.array([(0, 1, 2), (0, 2, 3), (0, 3, 1), (1, 3, 2)])
    pinhole = {"focal_px": np.float32(400.0), "principal_px": np.float32([100, 80])}
    people = [
        person.Person(vertices=corners, transl=np.float32(place), **pinhole)
        for place in ((-0.9, 0, 4), (2, 1, 12))
    ]
    _, mask = scene.draw(people, faces, (160, 200), degrees=degrees)
    count, *_ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    assert count - 1 == 2
    assert not mask[[0, -1]].any()
    assert not mask[:, [0, -1]].any()


def test_a_turned_person_who_is_in_the_picture_stays_where_he_is():
    pinhole = camera.Pinhole(200.0, (50.0, 40.0))
    points = np.float32([(-0.1, 0, 4), (0.3, 0.2, 4.2)])
    moved, seen = scene._all_in_view(points, pinhole, (80, 100))
    np.testing.assert_array_equal(moved, points)
    np.testing.assert_allclose(seen.principal_px, pinhole.principal_px, atol=1e-5)


def test_prediction_does_not_depend_on_the_batch(model, rng):
    images = rng.uniform(-1, 1, size=(3, 16, 16, 3)).astype(np.float32)
    together = model.predict_crops(images)["theta"]
    alone = [model.predict_crops(images[i : i + 1])["theta"][0] for i in range(3)]
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_the_network_sees_rgb_from_minus_one_to_one(model, monkeypatch, rng):
    """Parity fact 1 of the original: 2 * (x / 255 - 0.5), as in training."""
    seen, answer = [], model.predict_crops
    monkeypatch.setattr(model, "predict_crops", lambda x: [seen.append(x), answer(x)][1])
    picture = rng.integers(0, 256, size=(tiny_hmr.SIZE, tiny_hmr.SIZE, 3), dtype=np.uint8)
    picture[0, :3] = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    model.predict(picture, [None])
    assert seen[0].dtype == np.float32
    np.testing.assert_allclose(seen[0][0], picture / 127.5 - 1.0, atol=1e-6)


def with_orientation(jpeg, orientation):
    """The JPEG with an EXIF block of that one entry: tag 0x0112, one 16-bit number."""
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    tiff = b"II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 0)
    exif = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_a_photograph_is_turned_upright(tmp_path, orientation, turns):
    """`turns`: quarters of a turn to the left; 6, a camera held upright, is one to the right."""
    stored = np.zeros((32, 48, 3), np.uint8)
    stored[:, :24] = (255, 0, 0)
    stored[16:, 24:] = (0, 0, 255)
    path = tmp_path / "photo.jpg"
    encoded = cv2.imencode(".jpg", stored[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 100])[1]
    path.write_bytes(with_orientation(encoded.tobytes(), orientation))
    image = photo.read_image(path)
    expected = np.rot90(stored, turns)
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).mean() < 8

"""Photographs: which files are listed, and how they are read."""

import struct

import cv2
import numpy as np
import pytest

from hmr_tf.exporters import output_formats
from hmr_tf.files.errors import InputError
from hmr_tf.inference import photo


@pytest.fixture
def picture(rng):
    return rng.integers(0, 256, size=(90, 160, 3), dtype=np.uint8)


def test_photo_reads_grey_alpha_and_16_bit_as_rgb(tmp_path, picture):
    grey, alpha = picture[..., 0], np.dstack([picture, picture[..., :1]])
    deep = picture.astype(np.uint16) * 257
    for name, image in (("grey", grey), ("alpha", alpha), ("deep", deep)):
        path = tmp_path / f"{name}.png"
        cv2.imwrite(str(path), image)
        read = photo.read_image(path)
        assert (read.shape, read.dtype) == ((90, 160, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "colour.png"), picture[..., ::-1])
    np.testing.assert_array_equal(photo.read_image(tmp_path / "colour.png"), picture)


@pytest.mark.parametrize("kind", [np.float32, np.int16])
@pytest.mark.parametrize("num_channels", [1, 3])
def test_photo_refuses_tiff_of_measurements(tmp_path, picture, kind, num_channels):
    """Fractions or numbers with a sign: which of them is white is unknown."""
    path = tmp_path / "depth.tif"
    cv2.imwrite(str(path), picture[..., :num_channels].astype(kind))
    with pytest.raises(InputError, match=r"depth\.tif is not an .* TIFF of 8 or 16 bits without"):
        photo.read_image(path)


def test_photo_of_12_bits_in_16_is_warned_of(tmp_path, picture, caplog):
    for name, factor in (("dark", 16), ("whole", 257), ("black", 0)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture.astype(np.uint16) * factor)
        assert photo.read_image(tmp_path / f"{name}.png").shape == picture.shape
    (line,) = caplog.messages
    assert "dark.png is nearly black: its brightest colour is 15 of 255" in line


@pytest.mark.parametrize("content", [b"", b"no image", b"\xff\xd8\xff\xe0 half a jpeg"])
def test_photo_refuses_what_is_no_image(tmp_path, content):
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"photo\.jpg"):
        photo.read_image(path)


@pytest.mark.parametrize("extension", [".png", ".bmp"])
def test_photo_refuses_more_pixels_than_memory_should_hold(tmp_path, picture, extension):
    """The header alone says so: nothing is decoded, whatever limits OpenCV was started with."""
    content = bytearray(cv2.imencode(extension, picture)[1].tobytes())
    offset, order = (16, ">II") if extension == ".png" else (18, "<II")
    struct.pack_into(order, content, offset, 20000, 20000)
    path = tmp_path / f"huge{extension}"
    path.write_bytes(content)
    with pytest.raises(
        InputError, match=r"huge.* has 20000 x 20000 pixels: .* at most 134 megapixels"
    ):
        photo.read_image(path)


@pytest.mark.parametrize("extension", photo.EXTENSIONS)
def test_photo_refuses_half_a_file_without_other_output(tmp_path, picture, extension, capfd):
    _, whole = cv2.imencode(extension.replace(".jfif", ".jpg"), picture)
    path = tmp_path / f"half{extension}"
    path.write_bytes(whole.tobytes()[: len(whole) // 2])
    with pytest.raises(InputError, match=rf"half\{extension} is (damaged|not an image)"):
        photo.read_image(path)
    assert capfd.readouterr().err == ""


def test_photo_paths_of_a_file_a_folder_and_a_pattern(tmp_path):
    for name in ("b.png", "a.JPG", "c.txt", "d.bmp", ".half.png"):
        (tmp_path / name).touch()
    assert [p.name for p in photo.find(tmp_path)] == ["a.JPG", "b.png", "d.bmp"]
    assert [p.name for p in photo.find(f"{tmp_path}/*.b*")] == ["d.bmp"]
    assert photo.find(tmp_path / "c.txt") == [tmp_path / "c.txt"]
    folder = tmp_path / "[v2] *"
    folder.mkdir()
    (folder / "[a].png").touch()
    for pattern in (folder, folder / "[a].png", folder / "*.png", f"{tmp_path}/*v2*/*"):
        assert photo.find(pattern) == [folder / "[a].png"]
    for path, message in (
        (f"{tmp_path}/*.gif", "matches no file"),
        (f"{tmp_path}/none.jpg", "no such file"),
        (tmp_path / "x", "no photographs"),
    ):
        (tmp_path / "x").mkdir(exist_ok=True)
        with pytest.raises(InputError, match=message):
            photo.find(path)


def test_photo_folder_is_read_by_content_and_names_what_cannot_be(tmp_path, picture):
    """Extensions decide nothing for pictures; what is not a picture is left alone."""
    encode = {name: cv2.imencode(name, picture)[1].tobytes() for name in (".jpg", ".webp")}
    heic = struct.pack(">I4s4sI", 24, b"ftyp", b"heic", 0) + b"mif1heic" + bytes(40)
    contents = {
        "a.jfif": encode[".jpg"],
        "b": encode[".webp"],
        "c.JPG_large": encode[".jpg"],
        "d.HEIC": heic,
        "e.jpg": heic,
        "f.gif": b"GIF89a" + bytes(40),
        "g.NEF": b"II*\0" + bytes(40),
        "h.big": b"MM\0\x2b" + bytes(40),
        "h.txt": b"BMI and other texts",
        "i.json": b"{}",
        "j.avi": b"RIFF" + bytes(4) + b"AVI LIST",
        "k.mp4": struct.pack(">I4s4s", 24, b"ftyp", b"isom") + bytes(40),
        "._a.jpg": b"\0\5\x16\7",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "l.jpg").mkdir()
    files = photo.find(tmp_path)
    assert [path.name for path in files] == [
        name for name in contents if name[:2] in "a.bc.d.e.f.g.h." and name != "h.txt"
    ]
    for path in files[:3]:
        assert photo.read_image(path).shape == picture.shape
    for path, message in zip(
        files[3:],
        ("HEIC, which is not read: .*heif-convert", "HEIC", "GIF", "camera raw", "BigTIFF"),
    ):
        with pytest.raises(InputError, match=rf"{path.name} is {message}"):
            photo.read_image(path)


def test_photo_folder_names_broken_links_and_pictures_of_other_kinds(tmp_path, picture):
    jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
    for name in ("a.dng", "b.heic"):  # read by content
        (tmp_path / name).write_bytes(jpeg)
    for name in ("c.exr", "d.HIF", "e.ppm", "f.x3f", "labels.csv", "notes"):
        (tmp_path / name).write_bytes(b"another kind")
    for name, target in (("g.jpg", "moved.jpg"), ("h.jpg", "h.jpg"), ("i", "moved"), ("j", ".")):
        (tmp_path / name).symlink_to(target)
    files = photo.find(tmp_path)
    assert "".join(path.stem for path in files) == "abcdefgh"
    assert [photo.read_image(path).shape for path in files[:2]] == [picture.shape] * 2
    for path in files[2:6]:
        with pytest.raises(InputError, match=f"{path.name} is not an image that can be read"):
            photo.read_image(path)
    for path in files[6:]:
        with pytest.raises(InputError, match=f"{path.name}: no such file"):
            photo.read_image(path)


@pytest.mark.parametrize("read", [photo.read_image, photo.read_size])
def test_photo_without_permission_says_so(tmp_path, picture, monkeypatch, read):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    cv2.imwrite(str(tmp_path / "a.png"), picture)
    monkeypatch.setattr(type(tmp_path), "read_bytes", refuse)
    monkeypatch.setattr(type(tmp_path), "iterdir", refuse)
    with pytest.raises(InputError, match=r"--img_path=.* cannot be read: Permission denied"):
        photo.find(tmp_path)
    with pytest.raises(InputError, match=r"a\.png cannot be read: Permission denied"):
        read(tmp_path / "a.png")


def with_orientation(jpeg, orientation):
    """The JPEG with an EXIF block of that one entry: tag 0x0112, one 16-bit number."""
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    tiff = b"II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 0)
    exif = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


@pytest.mark.parametrize(("orientation", "quarters"), [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_photo_is_rotated_upright(tmp_path, orientation, quarters):
    """`quarters`: of 90 degrees to the left; 6, a camera held upright, is one to the right."""
    stored = np.zeros((32, 48, 3), np.uint8)
    stored[:, :24] = (255, 0, 0)
    stored[16:, 24:] = (0, 0, 255)
    path = tmp_path / "photo.jpg"
    encoded = cv2.imencode(".jpg", stored[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 100])[1]
    path.write_bytes(with_orientation(encoded.tobytes(), orientation))
    image = photo.read_image(path)
    expected = np.rot90(stored, quarters)
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).mean() < 8


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("https://example.com/a.jpg", r"a\.jpg: an address, not a file: download it; give a JPEG"),
        ("file:///home/me/a.jpg", "an address, not a file"),
        ("/dev/null", "/dev/null: not a file on a disk, such as a pipe"),
    ],
)
def test_photo_addresses_and_pipes_are_named_as_such(name, message):
    for read in (photo.read_image, photo.read_size):
        with pytest.raises(InputError, match=message):
            read(name)


def test_photo_that_is_a_video_is_named_so(tmp_path):
    (tmp_path / "walk.MP4").write_bytes(b"\0\0\0\x20ftypisom" + bytes(50))
    with pytest.raises(InputError, match=r"walk\.MP4 is a video: pass it as --video_path\.$"):
        photo.read_size(tmp_path / "walk.MP4")


@pytest.mark.parametrize(
    ("image", "remedy"),
    [
        (None, "cv2.imread returns None for a file that it cannot read"),
        (["a.jpg", "b.jpg"], "pass one path after the other"),
        (b"\xff\xd8", "decode the file's bytes first, or pass its path"),
        (np.zeros((5, 6, 3)), r"np\.clip\(image \* 255, 0, 255\)\.astype\(np\.uint8\)"),
        (np.zeros((5, 6, 3), np.uint16), r"\(image // 257\)\.astype\(np\.uint8\)"),
        (np.zeros((5, 6), np.uint8), r"np\.repeat\(image\.reshape"),
        (np.zeros((5, 6, 1), np.uint8), r"np\.repeat\(image\.reshape"),
        (np.zeros((1, 5, 6, 3), np.uint8), "one photograph of the batch after the other"),
        (np.zeros((5, 6, 4), np.uint8), r"image\[\.\.\., :3\]"),
        (np.zeros((3, 5, 6), np.uint8), r"image\.transpose\(1, 2, 0\)"),
    ],
)
def test_photo_arrays_of_other_forms_are_refused_with_a_remedy(image, remedy):
    with pytest.raises(ValueError, match=rf"^image must be \(H, W, 3\) uint8 RGB.*: .*{remedy}"):
        photo.check_array(np.asarray(image))


def test_photo_remedies_give_the_same_photograph(picture):
    """What the messages say is done, word for word."""
    forms = {
        "np.clip(image * 255, 0, 255).astype(np.uint8)": (picture / 255).astype(np.float64),
        "(image // 257).astype(np.uint8)": picture.astype(np.uint16) * 257,
        "image[..., :3]": np.dstack([picture, picture[..., :1]]),
        "image.transpose(1, 2, 0)": picture.transpose(2, 0, 1),
    }
    for code, image in forms.items():
        with pytest.raises(ValueError, match="image must be") as error:
            photo.check_array(image)
        assert code in str(error.value)
        result = eval(code, {"np": np, "image": image})
        photo.check_array(result)
        np.testing.assert_allclose(result.astype(int), picture, atol=1)
    grey = picture[..., 0]
    photo.check_array(np.repeat(grey.reshape(*grey.shape[:2], 1), 3, axis=2))


def test_photo_folder_without_the_pictures_of_earlier_predictions(tmp_path, picture, caplog):
    written = ("a_overlay", "a_panels", "a_transparent", "a_person_0_measures")
    photographs = ("a.jpg", "b_overlay.png", "c_overlay.jpg", "c.png")
    for name in (*photographs, *(f"{name}.png" for name in written)):
        cv2.imwrite(str(tmp_path / name), picture)
    assert [path.name for path in photo.find(tmp_path)] == sorted(photographs)
    (line,) = caplog.messages
    assert line == "4 pictures of earlier predictions are left out, as a_overlay.png."


def test_photo_knows_the_names_of_all_pictures_of_predictions():
    for name in ("overlay", "panels", "transparent"):
        assert name in output_formats.names("photo")
        assert photo._WRITTEN.fullmatch(f"me_{name}.png")

"""Photographs and folders of them: read as they are in the world."""

import glob
from pathlib import Path

import cv2
import tensorflow as tf

from hmr_tf.files.errors import InputError
from hmr_tf.files.image_size import image_size

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp")
MAX_PIXELS = 1 << 27  # 0.4 GB of RGB


def read_image(path):
    """(H, W, 3) uint8 RGB, turned upright as the EXIF says; InputError if it is no image."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"--img_path={path}: no such file; give a JPEG, PNG or BMP photograph.")
    unreadable = InputError(
        f"--img_path={path} is no image that can be read: give a JPEG, PNG or BMP."
    )
    try:
        content = path.read_bytes()
        size = image_size(content)
        if size is None:
            raise unreadable
        if size[0] * size[1] > MAX_PIXELS:
            raise InputError(
                f"--img_path={path} has {size[1]} x {size[0]} pixels: give a photograph of at most "
                f"{MAX_PIXELS >> 20} Mi pixels."
            )
        _check_whole(content)
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    except (cv2.error, OSError, tf.errors.InvalidArgumentError) as error:
        raise InputError(
            f"--img_path={path} is damaged or too large: give another photograph."
        ) from error
    if image is None:
        raise unreadable
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _check_whole(content):
    """InvalidArgumentError for half a JPEG, which OpenCV fills with grey, or half a PNG.

    OpenCV's libraries also write lines of their own about damaged files; TensorFlow only raises.
    """
    if content.startswith(b"\xff\xd8"):
        tf.io.decode_jpeg(content)
    elif content.startswith(b"\x89PNG"):
        tf.io.decode_png(content, channels=1)  # grey takes the least memory


def find(img_path):
    """Paths of the photographs that --img_path means: a file, a folder or a pattern.

    Returns:
      sorted list of Path; whether each can be read, `read_image` says.

    Raises:
      InputError: nothing there.
    """
    path = Path(img_path)
    if path.is_dir():
        seen = [p for p in path.iterdir() if not p.name.startswith(".")]  # as a pattern does
        found = sorted(p for p in seen if p.suffix.lower() in ENDINGS)
        if not found:
            raise InputError(f"--img_path={path} holds no photographs ({', '.join(ENDINGS)}).")
        return found
    if path.exists() or not glob.has_magic(str(img_path)):
        return [path]
    found = sorted(Path(name) for name in glob.glob(str(img_path)))
    if not found:
        raise InputError(f"--img_path={img_path} matches no file.")
    return found

"""Photographs and folders of them: read as they are in the world."""

import glob
from pathlib import Path

import cv2
import tensorflow as tf

from hmr_tf.errors import InputError

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp")


def read_image(path):
    """(H, W, 3) uint8 RGB, turned upright as the EXIF says; InputError if it is no image."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"--img_path={path}: no such file; give a JPEG, PNG or BMP photograph.")
    try:
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        content = path.read_bytes()
        if content.startswith(b"\xff\xd8"):
            tf.io.decode_jpeg(content)  # OpenCV fills what a truncated file lacks with grey
    except (cv2.error, OSError, tf.errors.InvalidArgumentError) as error:
        raise InputError(
            f"--img_path={path} is damaged or too large: give another photograph."
        ) from error
    if image is None:
        raise InputError(
            f"--img_path={path} is no image that can be read: give a JPEG, PNG or BMP."
        )
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def find(img_path):
    """Paths of the photographs that --img_path means: a file, a folder or a pattern.

    Returns:
      sorted list of Path; whether each can be read, `read_image` says.

    Raises:
      InputError: nothing there.
    """
    path = Path(img_path)
    if path.is_dir():
        found = sorted(p for p in path.iterdir() if p.suffix.lower() in ENDINGS)
        if not found:
            raise InputError(f"--img_path={path} holds no photographs ({', '.join(ENDINGS)}).")
        return found
    if path.exists() or not glob.has_magic(str(img_path)):
        return [path]
    found = sorted(Path(name) for name in glob.glob(str(img_path)))
    if not found:
        raise InputError(f"--img_path={img_path} matches no file.")
    return found

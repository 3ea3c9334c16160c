"""Finds and reads photographs: files, folders and patterns."""

import glob
import os
import re
from pathlib import Path

import cv2
import numpy as np
from absl import logging

from hmr_tf.files.errors import InputError
from hmr_tf.files.image_complete import is_complete
from hmr_tf.files.image_size import (
    HEAD_BYTES,
    UNSUPPORTED_EXTENSIONS,
    image_size,
    is_supported_image,
    unsupported_format,
)
from hmr_tf.files.orientation import decode_upright, stored_orientation, upright_size

SUPPORTED_FORMATS = "JPEG, PNG, BMP, WebP or TIFF"
# A file with such an extension counts as a photograph, whatever it contains.
EXTENSIONS = (".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff")
_WRITTEN = re.compile(r"(.+?)_(?:overlay|panels|transparent|person_\d+_measures)\.png")
_NEARLY_BLACK = 16  # of 255: 12 bits in 16 have 15, a photograph of the night has lights
_VIDEOS = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv")
MAX_PIXELS = 1 << 27  # 0.4 GB of RGB
_CONVERT = {
    "HEIC": "save it as JPEG, as with `heif-convert PHOTO.HEIC PHOTO.jpg`, on a Mac "
    "`sips -s format jpeg PHOTO.HEIC --out PHOTO.jpg`",
}


def check_array(image):
    """Raises ValueError, with a remedy, for an array that is not (H, W, 3) uint8 RGB."""
    if image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8 and image.size:
        return
    message = f"image must be (H, W, 3) uint8 RGB; received {image.shape} {image.dtype}"
    remedy = _remedy(image)
    raise ValueError(f"{message}: {remedy}" if remedy else message)


def _remedy(image):
    """How usual forms of a photograph become (H, W, 3) uint8 RGB; empty for other arrays."""
    shape, kind = image.shape, image.dtype.kind
    if kind == "O":
        return "cv2.imread returns None for a file that it cannot read"
    if kind == "S":
        return "decode the file's bytes first, or pass its path"
    if kind == "U":
        return "pass one path after the other"
    if kind == "f":
        return "scale colours of 0..1 by np.clip(image * 255, 0, 255).astype(np.uint8)"
    if image.dtype == np.uint16:
        return "(image // 257).astype(np.uint8)"
    if len(shape) == 2 or shape[2:] == (1,):
        return "np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2) makes a grey image RGB"
    if len(shape) == 4:
        return "pass one photograph of the batch after the other"
    if shape[2:] == (4,):
        return "image[..., :3] is without alpha"
    if len(shape) == 3 and shape[0] == 3:
        return "image.transpose(1, 2, 0) has the colours last"
    return ""


def read_image(path):
    """(H, W, 3) uint8 RGB, upright by `files.orientation`; InputError for anything else."""
    path = Path(path)
    content = _content(path)
    _check(content, path)
    try:
        image = decode_upright(content)
    except cv2.error as error:
        raise InputError(f"{path} is damaged or too large: give another photograph.") from error
    if image is None:
        raise _not_an_image(path)
    brightest = image.max()
    if 0 < brightest <= _NEARLY_BLACK:
        logging.warning(
            "%s is nearly black: its brightest colour is %d of 255. Where it holds 10 or 12 bits "
            "in 16, scale them.",
            path,
            brightest,
        )
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def read_size(path):
    """(height, width) of a photograph as `read_image` returns it, without decoding it.

    Refuses what `read_image` refuses, but for damage in the middle of a file.

    Raises:
      InputError: not a photograph, as for `read_image`.
    """
    path = Path(path)
    content = _content(path)
    return upright_size(*_check(content, path), stored_orientation(content))


def _content(path):
    if not path.is_file():
        raise _missing(path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error


def _missing(path):
    if re.match("[A-Za-z]{2,}:/", str(path)):  # Path has made one slash of the address's two
        reason = "an address, not a file: download it"
    elif path.is_dir():
        reason = "a folder"
    else:
        reason = "not a file on a disk, such as a pipe" if path.exists() else "no such file"
    return InputError(f"{path}: {reason}; give a {SUPPORTED_FORMATS} photograph.")


def _not_an_image(path):
    if path.suffix.lower() in _VIDEOS:
        return InputError(f"{path} is a video: pass it as --video_path.")
    bits = " of 8 or 16 bits without sign" if path.suffix.lower() in (".tif", ".tiff") else ""
    return InputError(f"{path} is not an image that can be read: give a {SUPPORTED_FORMATS}{bits}.")


def _check(content, path):
    """(height, width) as stored; InputError for what is not a whole photograph of bounded size."""
    if not content:
        raise InputError(f"{path} is empty: give a {SUPPORTED_FORMATS} photograph.")
    kind = unsupported_format(content[:HEAD_BYTES], path.suffix)
    if kind:
        how = _CONVERT.get(kind, "save it as JPEG or PNG")
        raise InputError(f"{path} is {kind}, which is not read: {how}.")
    size = image_size(content)
    if size is None:
        raise _not_an_image(path)
    if size[0] * size[1] > MAX_PIXELS:
        raise InputError(
            f"{path} has {size[1]} x {size[0]} pixels: give a photograph of at most "
            f"{MAX_PIXELS // 1_000_000} megapixels."
        )
    if not is_complete(content):
        raise InputError(f"{path} is damaged, such as cut off: give another copy of it.")
    return size


def find(img_path):
    """Paths of the photographs of --img_path: a file, a folder or a pattern.

    Returns:
      sorted list of Path. They are not opened; `read_image` checks them.

    Raises:
      InputError: no such file; the folder or the pattern has no photographs.
    """
    path = Path(img_path)
    try:
        shown = list(path.iterdir()) if path.is_dir() else None
    except OSError as error:
        raise InputError(f"--img_path={path} cannot be read: {error.strerror}.") from error
    if shown is not None:
        # Hidden files are left out, as in a pattern.
        paths = sorted(p for p in shown if not p.name.startswith(".") and _is_photograph(p))
        paths = _without_predictions(paths)
        if not paths:
            raise InputError(f"--img_path={path} holds no photographs ({SUPPORTED_FORMATS}).")
        return paths
    if path.exists():
        return [path]
    if not glob.has_magic(str(img_path)):
        raise _missing(path)
    pattern = str(img_path)
    if path.parent.is_dir():  # its name may look like a pattern, too
        pattern = os.path.join(glob.escape(str(path.parent)), path.name)
    paths = sorted(Path(name) for name in glob.glob(pattern))
    if not paths:
        raise InputError(f"--img_path={img_path} matches no file.")
    return paths


def _without_predictions(paths):
    """Paths of a folder without pictures that a prediction wrote: a_overlay.png beside a.jpg."""
    stems = {path.stem for path in paths}
    named = [(path, _WRITTEN.fullmatch(path.name)) for path in paths]
    written = [path for path, name in named if name and name[1] in stems]
    if written:
        logging.warning(
            "%d pictures of earlier predictions are left out, as %s.", len(written), written[0].name
        )
    return sorted(set(paths).difference(written))


def _is_photograph(path):
    """Whether a file is a photograph by its content or name, of a supported format or not.

    Other files of a folder, such as labels, are not looked at further.
    """
    is_named_so = path.suffix.lower() in (*EXTENSIONS, *UNSUPPORTED_EXTENSIONS)
    if not path.is_file():
        return is_named_so and path.is_symlink() and not path.is_dir()  # its target is missing
    if is_named_so:
        return True
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError:
        return False
    return (
        is_supported_image(head, path.suffix) or unsupported_format(head, path.suffix) is not None
    )

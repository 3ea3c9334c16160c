"""Source images: read, rotated upright if the labels require it, compared with the labels."""

import dataclasses
from pathlib import Path
from typing import NamedTuple, Optional

import cv2
import numpy as np
import tensorflow as tf

from data_prep.reader_items import IndexNote, VideoFrame
from data_prep.readers.formats import video_frames
from hmr_tf.data.smpl_truth import SmplTruth
from hmr_tf.files import orientation
from hmr_tf.files.image_size import is_same_shape

JPEG_QUALITY = 95  # TensorFlow's default, which the original used
_JPEG_START, _PNG_START = b"\xff\xd8", b"\x89PNG"
MADE_UPRIGHT = "images made upright by their EXIF orientation"
SCALED = "people whose labels were scaled: their image has another size than in the annotations"
LABELS_MADE_UPRIGHT = "people whose labels were made upright with their image"


class SourceImage(NamedTuple):
    """The image of one or more people."""

    pixels: np.ndarray  # (H, W, 3) uint8 RGB
    jpeg: Optional[bytes] = None  # a JPEG with exactly these pixels
    orientation: int = orientation.UPRIGHT  # EXIF's, of the stored image


class SizeError(Exception):
    """The image has another size and shape than in the annotations."""


def read(person):
    """The SourceImage of a LabelledPerson.

    Raises:
      OSError, tf.errors.OpError: it is missing or unreadable.
    """
    image, jpeg, exif_orientation = person.image, None, orientation.UPRIGHT
    if isinstance(image, VideoFrame):
        image = video_frames.read_frame(image)
    elif isinstance(image, str):
        file = Path(image).read_bytes()
        exif_orientation = (
            orientation.stored_orientation(file) if person.make_upright else exif_orientation
        )
        image = _decode_upright(file, exif_orientation) if person.make_upright else decode(file)
        is_stored = file.startswith(_JPEG_START) and exif_orientation == orientation.UPRIGHT
        jpeg = file if is_stored else None  # other formats are decoded too
    if person.crop_rule.reencode_quality:
        jpeg = encode(image, person.crop_rule.reencode_quality)
        image = decode(jpeg)
    return SourceImage(image, jpeg, exif_orientation)


def _decode_upright(file, exif_orientation):
    """(H, W, 3) uint8 RGB of a photograph; OSError if it is none."""
    if file.startswith((_JPEG_START, _PNG_START)):  # as everywhere in the records
        return orientation.make_upright(decode(file), exif_orientation)
    try:
        image = orientation.decode_upright(file)
    except cv2.error as error:
        raise OSError("not a photograph") from error
    if image is None:
        raise OSError("not a photograph")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def decode(jpeg):
    """(H, W, 3) uint8 RGB of a JPEG or PNG, read-only: TensorFlow's memory, which is not copied."""
    return np.asarray(tf.io.decode_jpeg(tf.constant(jpeg), channels=3))


def encode(image, quality=JPEG_QUALITY):
    return tf.io.encode_jpeg(np.ascontiguousarray(image), quality=quality).numpy()


def align_labels(person, image):
    """Moves a person's labels into the image, where it was made upright or scaled since.

    Args:
      person: LabelledPerson; its `labelled_size` is compared with the image.
      image: SourceImage.

    Returns:
      LabelledPerson, list of IndexNote.

    Raises:
      SizeError: it is another image.
    """
    notes = [IndexNote(MADE_UPRIGHT, 1)] if image.orientation != orientation.UPRIGHT else []
    size = image.pixels.shape[:2]
    if person.labelled_size is None or tuple(person.labelled_size) == size:
        return person, notes
    points_px, labelled_size = person.keypoints_px, person.labelled_size
    # The tool that made the labels may have shown the image as it is stored.
    stored_size = orientation.upright_size(*size, image.orientation)
    is_stored = labelled_size == stored_size
    if is_stored or not is_same_shape(labelled_size, size):
        if not is_same_shape(labelled_size, stored_size):
            raise SizeError
        points_px = _points_upright(points_px, labelled_size, image.orientation)
        labelled_size = orientation.upright_size(*labelled_size, image.orientation)
        notes.append(IndexNote(LABELS_MADE_UPRIGHT, 1))
    factor_xy = np.array([size[1] / labelled_size[1], size[0] / labelled_size[0]])
    if tuple(labelled_size) != size:
        notes.append(IndexNote(SCALED, 1))
    person = dataclasses.replace(
        person,
        keypoints_px=points_px * factor_xy,
        scale=person.scale / factor_xy.mean(),
        box_px=None if person.box_px is None else person.box_px * np.tile(factor_xy, 2),
        reference=_scaled_reference(person.reference, factor_xy),
    )
    return person, notes


def _scaled_reference(reference, factor_xy):
    if not isinstance(reference, SmplTruth):
        return reference
    return reference._replace(camera=reference.camera * np.tile(factor_xy, 2))


def _points_upright(points_px, stored_size, exif_orientation):
    """(K, 2) x, y in the stored image -> in the image after `orientation.make_upright`."""
    height, width = orientation.upright_size(*stored_size, exif_orientation)
    x, y = points_px.T
    if exif_orientation in (5, 6, 7, 8):
        x, y = y, x
    if exif_orientation in (2, 3, 6, 7):
        x = width - 1 - x
    if exif_orientation in (3, 4, 7, 8):
        y = height - 1 - y
    return np.stack([x, y], axis=1)

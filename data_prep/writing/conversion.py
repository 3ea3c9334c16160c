"""One person -> the bytes of one record: read the image, crop, encode. Alike for all datasets."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from data_prep.labelled import MocapPose, Skipped, VideoFrame
from data_prep.writing import video_frames
from hmr_tf.data import crop, record
from hmr_tf.files.errors import InputError

JPEG_QUALITY = 95  # TensorFlow's default, which the original used
MAX_PX, MAX_M = 1e6, 1e4  # a point or joint further away is a fault of the file
_JPEG_START = b"\xff\xd8"


def encode(group):
    """Records of the members of one list of `shards.by_image`.

    Yields:
      For each member serialized bytes, or Skipped. The image is read once.
    """
    if isinstance(group[0], MocapPose):
        yield from (record.encode_mocap(pose.pose, pose.betas) for pose in group)
        return
    try:
        jpeg, image = _read(group[0])
    except (OSError, tf.errors.OpError) as error:
        missing = isinstance(error, FileNotFoundError)
        reason = "image missing" if missing else "image unreadable"
        yield from (Skipped(reason, str(person.image)) for person in group)
        return
    for person in group:
        yield _encode_person(person, jpeg, image)


def _read(person):
    """Source image -> its JPEG file's bytes, None where it is no JPEG, and (H, W, 3) uint8."""
    image, jpeg = person.image, None
    if isinstance(image, VideoFrame):
        image = video_frames.read_frame(image)
    elif isinstance(image, str):
        file = Path(image).read_bytes()
        image = _decode(file)
        jpeg = file if file.startswith(_JPEG_START) else None  # a PNG is read just as well
    if person.reencode_quality:
        jpeg = _encode(image, person.reencode_quality)
        image = _decode(jpeg)
    return jpeg, image


def _decode(jpeg):
    return tf.io.decode_jpeg(jpeg, channels=3).numpy()


def _encode(image, quality=JPEG_QUALITY):
    return tf.io.encode_jpeg(image, quality=quality).numpy()


def _encode_person(person, jpeg, image):
    where = _where(person)
    labelled = np.asarray(person.labelled) > 0
    finite = (np.abs(person.keypoints_px) < MAX_PX).all(axis=1)  # and no NaN
    fault = _fault(person, labelled, finite)
    if fault:
        return Skipped(fault, where)
    keypoints = np.where(finite[:, None], person.keypoints_px, 0.0)
    if _count_inside(keypoints[labelled], image) < person.min_inside:
        reason = f"fewer than {person.min_inside} keypoints inside the image"
        return Skipped(reason, where, is_problem=False)
    center = person.center_px
    if center is None:
        center = np.mean(crop.box_of_labelled(keypoints, labelled), axis=0)
    where_cut, pixels = crop.whole_image(image), image
    if person.scale is not None:
        cut = (person.scale, center, person.window_px, person.center_on_pixel)
        try:
            pixels, where_cut = crop.crop_inside(image, *cut)
        except InputError as error:
            return Skipped(str(error).split(":")[0], where)  # the numbers differ, the reason is one
    is_untouched = jpeg is not None and pixels is image
    return record.encode(
        record.ImageRecord(
            jpeg=jpeg if is_untouched else _encode(pixels),
            filename=person.filename or Path(person.image).name,
            crop=where_cut,
            center_px=_center_in_crop(person, center, where_cut),
            keypoints_px=crop.to_crop(keypoints, where_cut),
            labelled=person.labelled,
            has_face=person.has_face,
            lsp_joints=person.lsp_joints,
            pose=person.pose,
            betas=person.betas,
            camera=_camera_in_crop(person, where_cut),
            reference=person.reference,
        )
    )


def _where(person):
    name = person.filename or str(person.image)
    return f"{person.sequence}, {name}" if person.sequence else name


def _fault(person, labelled, finite):
    """Why the numbers of a LabelledPerson are of no use, or None."""
    if not labelled.any():
        return "no labelled keypoint"
    if not finite[labelled].all():
        return "keypoints are not numbers"
    for joints in (person.lsp_joints, *(person.reference or ())[:2]):
        if joints is not None and not (np.abs(joints) < MAX_M).all():
            return "joints are not numbers"
    return None


def _count_inside(points_px, image):
    height, width = image.shape[:2]
    return ((points_px >= 0) & (points_px < [width, height])).all(axis=1).sum()


def _center_in_crop(person, center, where_cut):
    if person.center_on_pixel:
        return np.round(center * where_cut.scale_xy) - where_cut.corner_px
    return crop.to_crop(center, where_cut)


def _camera_in_crop(person, where_cut):
    """The focal length follows the wanted scale, not the one reached, as in the original."""
    if person.camera is None:
        return None
    focal_px, *principal_px = person.camera
    scale = 1.0 if person.scale is None else person.scale
    return np.array([focal_px * scale, *crop.to_crop(principal_px, where_cut)])

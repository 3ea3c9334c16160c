"""One person -> the bytes of one record: read the image, crop, encode. Alike for all datasets."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from data_prep import video
from data_prep.person import MocapPose, Skipped, VideoFrame
from hmr_tf.data import crop, record
from hmr_tf.errors import InputError

JPEG_QUALITY = 95  # TensorFlow's default, which the original used
MAX_PX = 1e6  # a point further away is a fault of the file
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
        jpeg, image = _read(group[0].image)
    except (OSError, tf.errors.OpError) as error:
        missing = isinstance(error, FileNotFoundError)
        reason = "image missing" if missing else "image unreadable"
        yield from (Skipped(reason, str(person.image)) for person in group)
        return
    for person in group:
        yield _encode_person(person, jpeg, image)


def _read(image):
    """Path, frame or array -> JPEG bytes and (H, W, 3) uint8."""
    if isinstance(image, VideoFrame):
        image = video.read_frame(image)
    if not isinstance(image, str):
        return tf.io.encode_jpeg(image, quality=JPEG_QUALITY).numpy(), image
    jpeg = Path(image).read_bytes()
    pixels = tf.io.decode_jpeg(jpeg, channels=3).numpy()
    if not jpeg.startswith(_JPEG_START):  # TensorFlow reads a PNG just as well
        jpeg = tf.io.encode_jpeg(pixels, quality=JPEG_QUALITY).numpy()
    return jpeg, pixels


def _encode_person(person, jpeg, image):
    where = person.filename or str(person.image)
    labelled = np.asarray(person.labelled) > 0
    finite = (np.abs(person.keypoints_px) < MAX_PX).all(axis=1)  # and no NaN
    if not labelled.any():
        return Skipped("no labelled keypoint", where)
    if not finite[labelled].all():
        return Skipped("keypoints are not numbers", where)
    keypoints = np.where(finite[:, None], person.keypoints_px, 0.0)
    center = person.center_px
    if center is None:
        center = np.mean(crop.box_of_labelled(keypoints, labelled), axis=0)
    where_cut = crop.whole_image(image)
    if person.scale is not None:
        try:
            pixels, where_cut = crop.crop_inside(image, person.scale, center, person.window_px)
        except InputError as error:
            return Skipped(str(error).split(":")[0], where)  # the numbers differ, the reason is one
        jpeg = tf.io.encode_jpeg(pixels, quality=JPEG_QUALITY).numpy()
    return record.encode(
        record.ImageRecord(
            jpeg=jpeg,
            filename=person.filename or Path(person.image).name,
            crop=where_cut,
            center_px=crop.to_crop(center, where_cut),
            keypoints_px=crop.to_crop(keypoints, where_cut),
            labelled=person.labelled,
            has_face=person.has_face,
            joints=person.joints,
            pose=person.pose,
            betas=person.betas,
            camera=_camera_in_crop(person.camera, where_cut),
        )
    )


def _camera_in_crop(camera, where_cut):
    if camera is None:
        return None
    focal_px, *principal_px = camera
    return np.array([focal_px * where_cut.scale_xy.mean(), *crop.to_crop(principal_px, where_cut)])

"""Records of people in pictures that are neither scaled nor cut."""

import numpy as np
import tensorflow as tf

from hmr_tf.body.skeleton import KEYPOINTS
from hmr_tf.data import record
from hmr_tf.data.crop import Crop


def image_record(image, keypoints_px, /, quality=100, **changes):
    """An ImageRecord with 2D labels.

    Args:
      image: (H, W, 3) uint8 RGB.
      keypoints_px: (19, 2), all of them labelled.
      quality: of the JPEG.
      changes: fields of `record.ImageRecord` that are to be others.
    """
    height, width = image.shape[:2]
    labelled = record.ImageRecord(
        jpeg=tf.io.encode_jpeg(image, quality=quality).numpy(),
        filename="im0001.jpg",
        crop=Crop(np.ones(2), np.zeros(2, int), (height, width)),
        center_px=np.array([width // 2, height // 2]),
        keypoints_px=keypoints_px,
        labelled=np.ones(len(KEYPOINTS), int),
        has_face=True,
    )
    return labelled._replace(**changes)


def write(path, records):
    """Writes a shard of ImageRecords, or of records that are serialized already; its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for one in records:
            writer.write(one if isinstance(one, bytes) else record.encode(one))
    return path

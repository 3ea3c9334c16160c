"""Fitted people of TFRecords as COCO keypoints, over the images that the records hold."""

import numpy as np
import tensorflow as tf

from hmr_tf.data import augment, crop, record
from hmr_tf.exporters.annotations import coco_json
from hmr_tf.files import atomic

FILE, IMAGES = "fits_coco.json", "fits_images"


def write(folder, files, keypoints_px, is_fitted, image_size):
    """Writes the JSON, and each fitted person's image as fits_images/SHARD_000000.jpg.

    A record holds the surroundings of one person: coordinates are pixels of this image, not of the
    photograph. The box is that of the 19 keypoints.

    Args:
      folder: Path of an existing folder.
      files: the shards of N people.
      keypoints_px: (N, 19, 2) in the network's crops of these records.
      is_fitted: (N,) bool; the others are left out.
      image_size: S, pixels of the crops.

    Returns:
      Path of the JSON.
    """
    (folder / IMAGES).mkdir(exist_ok=True)
    images, person = [], 0
    for path in files:
        for number, serialized in enumerate(tf.data.TFRecordDataset(str(path))):
            if is_fitted[person]:
                name = f"{IMAGES}/{path.stem}_{number:06d}.jpg"
                images.append(_annotated(name, serialized, keypoints_px[person], image_size))
                jpeg = tf.train.Example.FromString(serialized.numpy()).features.feature
                with atomic.atomic_write(folder / name) as unfinished:
                    unfinished.write_bytes(jpeg["image/encoded"].bytes_list.value[0])
            person += 1
    coco_json.write(folder / FILE, images)
    return folder / FILE


def _annotated(name, serialized, keypoints_px, image_size):
    labels = record.decode_labels(serialized)
    scale = image_size / crop.CROP_PX
    _, scale_xy, corner = augment.place_crop(labels["size"], labels["center_px"], scale, image_size)
    size = tuple(labels["size"].numpy().tolist())
    placement = crop.Crop(scale_xy.numpy(), corner.numpy(), size)
    points = crop.to_image(np.asarray(keypoints_px, float), placement)
    low, high = points.min(axis=0), points.max(axis=0)
    return coco_json.AnnotatedImage(name, size, [points], [np.concatenate([low, high - low])])

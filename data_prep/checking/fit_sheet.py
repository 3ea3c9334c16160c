"""Draws people of records with SMPL parameters: the labels, the body over them, from the side."""

import cv2
import numpy as np
import tensorflow as tf

from hmr_tf.body.skeleton import KEYPOINTS
from hmr_tf.body.smpl import SMPL
from hmr_tf.data import crop as crops
from hmr_tf.data import record
from hmr_tf.files import atomic
from hmr_tf.rendering import drawing, render

CELL_PX = 192
COLUMNS = 4
_SIDE = np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]], np.float32)  # 90 degrees about the vertical


def write(path, files, body, number):
    """Writes a PNG of people with SMPL parameters, spread over the shards.

    Args:
      path: of the PNG.
      files: paths of shards.
      body: `body_model.BodyModel` of the parameters.
      number: how many people at most.
    """
    people = _choose(files, number)
    smpl = SMPL(body)
    tiles = [_tile(sample, smpl, body.faces) for sample in people]
    if not tiles:
        return
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % COLUMNS)
    rows = [np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)]
    encoded = cv2.imencode(".png", np.vstack(rows)[..., ::-1])[1]
    atomic.write_bytes(path, encoded.tobytes())


def _choose(files, number):
    """Evenly spaced people among those with SMPL parameters."""
    dataset = tf.data.TFRecordDataset([str(path) for path in files])
    has = [
        bool(sample["has_smpl"]) for sample in dataset.map(record.decode_labels).as_numpy_iterator()
    ]
    numbers = np.flatnonzero(has)
    numbers = set(numbers[np.linspace(0, len(numbers) - 1, min(number, len(numbers))).astype(int)])
    return [
        {name: value.numpy() for name, value in record.decode(serialized).items()}
        for i, serialized in enumerate(dataset)
        if i in numbers
    ]


def _tile(sample, smpl, faces):
    """(CELL_PX, 3 CELL_PX, 3) uint8."""
    keypoints = sample["keypoints_px"]
    low, high = crops.box_of_labelled(keypoints[:, :2], keypoints[:, 2])
    side = max(np.linalg.norm(high - low), 1.0) * crops.CROP_PX / crops.PERSON_PX
    scale = CELL_PX / side
    corner = (low + high) / 2 - side / 2
    to_cell = np.column_stack([np.eye(2) * scale, -corner * scale])
    image = cv2.warpAffine(
        sample["image"], to_cell, (CELL_PX, CELL_PX), borderMode=cv2.BORDER_REPLICATE
    )
    in_cell = (keypoints[:, :2] - corner) * scale
    vertices, weak = _placed(sample, smpl, (in_cell / CELL_PX * 2 - 1), keypoints[:, 2])
    over, _ = render.render_body(vertices, weak, faces, CELL_PX, background=image[None])
    middle = tf.reduce_mean(vertices, axis=1, keepdims=True)
    height = float(middle[0, 0, 1])
    from_side = (vertices - middle) @ _SIDE.T
    beside = np.float32([[weak[0, 0], 0, weak[0, 2] + height]])
    side_view, _ = render.render_body(from_side, beside, faces, CELL_PX)
    labelled = drawing.draw_keypoints(image, in_cell, keypoints[:, 2])
    return np.hstack([labelled, over[0], side_view[0]])


def _placed(sample, smpl, points_norm, weights):
    """Vertices (1, V, 3), and the (1, 3) camera that puts the body's keypoints on the labels."""
    posed = smpl(tf.constant(sample["pose"][None]), tf.constant(sample["betas"][None]))
    has = (weights > 0) & (np.arange(len(KEYPOINTS)) < 14)
    predicted, labels = posed.joints3d.numpy()[0, has, :2], points_norm[has]
    predicted_middle, labels_middle = predicted.mean(axis=0), labels.mean(axis=0)
    centred = predicted - predicted_middle
    scale = (centred * (labels - labels_middle)).sum() / max(np.square(centred).sum(), 1e-6)
    scale = max(scale, 0.05)
    return posed.vertices, np.float32([[scale, *(labels_middle / scale - predicted_middle)]])

"""Pictures of people of a test set: the crop, the body over it, the body from the side."""

import cv2
import numpy as np
import tensorflow as tf

from hmr_tf.body.theta import split
from hmr_tf.evaluation import cached_predictions
from hmr_tf.rendering import drawing, render


def draw(frames, person, hmr):
    """(S, 3 S, 3) uint8 of one person; without faces to draw only the crop and the keypoints.

    Args:
      frames: Frames with predictions.
      person: index of the person.
      hmr: the model.
    """
    path = frames.paths[frames.file[person]]
    image = cached_predictions.read_crop(path, frames.number[person], hmr.image_size)
    pixels = drawing.uint8_from_norm(image).numpy()
    predicted = {name: values[person] for name, values in frames.predicted.items()}
    return np.concatenate([pixels, *draw_prediction(pixels, predicted, hmr.smpl)], axis=1)


def draw_prediction(pixels, predicted, smpl):
    """The body over the crop and from the side; without faces to draw only the keypoints.

    Args:
      pixels: (S, S, 3) uint8 crop.
      predicted: dict of one person's theta (85,) and keypoints_px (19, 2).
      smpl: `body.smpl.SMPL`, or None to draw the keypoints.

    Returns:
      list of one or two (S, S, 3) uint8.
    """
    keypoints = predicted["keypoints_px"]
    if smpl is None or not len(smpl.faces):
        return [drawing.draw_keypoints(pixels, keypoints, np.ones(len(keypoints), bool))]
    camera, pose, betas = split(tf.constant(predicted["theta"][None]))
    vertices, size = smpl(pose, betas).vertices, len(pixels)
    overlay, _ = render.render_body(vertices, camera, smpl.faces, size, background=pixels[None])
    side, _ = render.render_body(render.side_view(vertices), camera, smpl.faces, size)
    return [overlay[0], side[0]]


def encode_jpeg(picture):
    """(H, W, 3) uint8 -> the bytes of a JPEG file."""
    is_encoded, content = cv2.imencode(
        ".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 90]
    )
    if not is_encoded:
        raise RuntimeError("OpenCV could not encode a picture")
    return content.tobytes()

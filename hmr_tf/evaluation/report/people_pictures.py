"""Pictures of people of a test set: the crop, the body over it, the body from the side."""

import cv2
import numpy as np
import tensorflow as tf

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
    pixels = drawing.uint8_from_norm(image)
    keypoints = frames.predicted["keypoints_px"][person]
    marked = drawing.draw_keypoints(pixels.numpy(), keypoints, np.ones(len(keypoints), bool))
    if not len(hmr.smpl.faces):
        return np.concatenate([pixels.numpy(), marked], axis=1)
    theta = tf.constant(frames.predicted["theta"][person][None])
    body = hmr.with_mesh(hmr.predictions_from_thetas([theta])[0])
    overlay, _ = render.render_body(
        body.vertices, body.camera, hmr.smpl.faces, hmr.image_size, background=pixels[None]
    )
    side, _ = render.render_body(
        render.side_view(body.vertices), body.camera, hmr.smpl.faces, hmr.image_size
    )
    return np.concatenate([pixels.numpy(), overlay[0], side[0]], axis=1)


def encode_jpeg(picture):
    """(H, W, 3) uint8 -> the bytes of a JPEG file."""
    is_encoded, content = cv2.imencode(
        ".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 90]
    )
    if not is_encoded:
        raise RuntimeError("OpenCV could not encode a picture")
    return content.tobytes()

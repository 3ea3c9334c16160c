"""From a photograph to a body: crop, network, and back to the photograph's own pixels."""

from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf

from hmr_tf import render
from hmr_tf.body import camera
from hmr_tf.data import crop as crops
from hmr_tf.errors import InputError
from hmr_tf.output.mesh import write_obj


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


def crop_person(image, box, image_size):
    """The square the network sees.

    Args:
      image: (H, W, 3) uint8.
      box: (x, y, width, height) of the person in pixels; None: the whole photograph is seen, as in
        the original's `demo.py:99-104`.
      image_size: side of the crop.

    Returns:
      (S, S, 3) uint8 and the `Crop` that leads back.

    Raises:
      InputError: the box is empty or outside the photograph.
    """
    height, width = image.shape[:2]
    if box is None:
        middle = np.round(np.array([width, height]) / 2)
        return crops.crop_padded(image, image_size / max(height, width), middle, image_size)
    x, y, box_width, box_height = box
    if not (box_width > 0 and box_height > 0):
        raise InputError(f"--box={box}: width and height must be positive: x,y,width,height.")
    if x >= width or y >= height or x + box_width <= 0 or y + box_height <= 0:
        raise InputError(f"--box={box} lies outside the {width} x {height} photograph.")
    person_px = crops.PERSON_PX * image_size / crops.CROP_PX
    scale = person_px / np.hypot(box_width, box_height)
    return crops.crop_padded(image, scale, (x + box_width / 2, y + box_height / 2), image_size)


def predict(hmr, image, box=None):
    """The body of one person.

    Args:
      hmr: `networks.hmr.HMR`.
      image: (H, W, 3) uint8 RGB.
      box: (x, y, width, height) or None, see `crop_person`.

    Returns:
      dict of numpy arrays: `theta` (85,), `camera` (3,), `rotations` (24, 3, 3), `betas` (10,),
      `vertices` (V, 3) m, `joints3d` (19, 3) m, `smpl_joints` (24, 3) m, `keypoints2d_px` (19, 2)
      in the photograph's pixels, `transl` (3,) m and `focal_px`: vertices + transl, seen by a
      pinhole of that focal length (px of the photograph) with its axis through `principal_px`, lie
      on the person.
    """
    image_size = hmr.image_size
    pixels, crop = crop_person(image, box, image_size)
    inputs = tf.cast(pixels[None], tf.float32) / 127.5 - 1.0
    body = hmr.with_mesh(hmr(inputs, training=False)[-1])
    keypoints = camera.pixels_from_norm(body.keypoints_norm[0].numpy(), image_size)
    scale = float(crop.scale_xy.mean())
    return {
        "theta": body.theta[0].numpy(),
        "camera": body.camera[0].numpy(),
        "rotations": body.rotations[0].numpy(),
        "betas": body.betas[0].numpy(),
        "vertices": body.vertices[0].numpy(),
        "joints3d": body.joints[0].numpy(),
        "smpl_joints": body.smpl_joints[0].numpy(),
        "keypoints2d_px": crops.to_image(keypoints, crop).astype(np.float32),
        "transl": camera.perspective_translation(body.camera, image_size)[0].numpy(),
        "focal_px": np.float32(camera.FOCAL_PX / scale),
        "principal_px": crops.to_image([image_size / 2] * 2, crop).astype(np.float32),
    }


def overlay(image, result, faces):
    """(H, W, 3) uint8: the body drawn over the whole photograph."""
    picture, _ = render.render_scene(
        result["vertices"][None],
        result["transl"][None],
        faces,
        result["focal_px"],
        result["principal_px"],
        image.shape[:2],
        background=image[None],
    )
    return picture[0].numpy()


def write(output_dir, name, image, result, faces):
    """Writes NAME_overlay.png, NAME.obj (y up) and NAME.npz; returns their paths."""
    folder = Path(output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}{suffix}" for suffix in ("_overlay.png", ".obj", ".npz")]
    drawn = render.draw_keypoints(
        overlay(image, result, faces), result["keypoints2d_px"], np.ones(19, bool)
    )
    if not cv2.imwrite(str(paths[0]), cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR)):
        raise OSError(f"{paths[0]} was not written")
    # The camera's y points down; viewers of OBJ files expect it up: half a turn about x.
    write_obj(paths[1], result["vertices"] * (1, -1, -1), faces)
    np.savez_compressed(paths[2], faces=faces, **result)
    return paths

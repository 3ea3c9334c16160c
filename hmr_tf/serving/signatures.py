"""The signatures of the exported model as TensorFlow functions, each with checks of its input.

A server returns the message of a failed check to the client, and goes on.
"""

import tensorflow as tf

from hmr_tf.body import camera, skeleton, theta
from hmr_tf.data import crop
from hmr_tf.inference.boxes import LARGEST_BOX
from hmr_tf.inference.person_crops import LARGEST_COLOUR
from hmr_tf.networks.prediction import prediction_as_dict
from hmr_tf.serving import crop_ops, photo_ops

# Limits of one request, which bound a server's memory to about 3 GB and 0.2 GB.
MAX_PEOPLE = 128
MAX_BODIES = 1024
_PHOTOS_AT_ONCE = 4  # decoded in parallel


def predict_crops(network, image):
    """`serving_default`: `frozen.Frozen`, (B, S, S, 3) -> dict of named tensors."""
    size = network.image_size
    image = tf.ensure_shape(image, [None, size, size, 3])
    scaled = tf.debugging.Assert(
        tf.reduce_all(tf.abs(image) <= LARGEST_COLOUR),  # refuses NaN, too
        ["image must lie in [-1, 1]: pixels / 127.5 - 1"],
    )
    with tf.control_dependencies([_check_number(MAX_PEOPLE, image, "image", "people"), scaled]):
        return prediction_as_dict(network.predict(tf.identity(image)), size)


def predict_photos(network, image_bytes, boxes):
    """`predict_image_bytes`: the arrays of `person_crops.Person`, without names and box."""
    size = network.image_size
    image_bytes, boxes = tf.ensure_shape(image_bytes, [None]), tf.ensure_shape(boxes, [None, 4])
    with tf.control_dependencies(_check_request(image_bytes, boxes)):
        boxes = tf.reshape(boxes, [tf.size(image_bytes), -1, 4])
    by_photo = tf.map_fn(
        lambda photo: _crops_of_photo(*photo, size),
        (image_bytes, boxes),
        fn_output_signature=crop_ops.Crops(
            pixels=tf.TensorSpec([None, size, size, 3], tf.uint8),
            scale_xy=tf.TensorSpec([None, 2], tf.float32),
            corner_px=tf.TensorSpec([None, 2], tf.float32),
            photo_xy=tf.TensorSpec([None, 2], tf.float32),
        ),
        parallel_iterations=_PHOTOS_AT_ONCE,
    )
    crops = tf.nest.map_structure(lambda x: tf.reshape(x, [-1, *x.shape[2:]]), by_photo)
    prediction = network.predict(tf.cast(crops.pixels, tf.float32) / 127.5 - 1.0)
    arrays = prediction_as_dict(prediction, size)
    pinhole = camera.Pinhole(
        camera.CROP_FOCAL_PX / crop.CROP_PX * tf.reduce_max(crops.photo_xy, axis=1, keepdims=True),
        crops.photo_xy / 2,
    )
    pose = theta.split(prediction.theta).pose
    return {
        **arrays,
        "pose": pose,
        "global_orient": pose[:, 0],
        "body_pose": pose[:, 1:],
        "keypoints2d_px": crop.to_image(arrays["keypoints2d_px"], crops),
        "transl": camera.place_in_photograph(
            prediction.camera, size, crops.scale_xy, crops.corner_px, pinhole
        ),
        "focal_px": pinhole.focal_px[:, 0],
        "principal_px": pinhole.principal_px,
    }


def _crops_of_photo(content, boxes, image_size):
    """`crop_ops.Crops` of the people of one photograph."""
    image = photo_ops.decode(content)
    photo_xy = tf.cast(tf.reverse(tf.shape(image)[:2], [0]), tf.float32)
    with tf.control_dependencies(_check_boxes(photo_xy, boxes, image_size)):
        return crop_ops.crop_boxes(image, boxes, image_size)


def pose_bodies(network, pose, betas):
    """`body`: (B, 24, 3) axis-angle and (B, 10) -> the mesh, its joints and rotations."""
    pose = tf.ensure_shape(pose, [None, len(skeleton.SMPL_JOINTS), 3])
    betas = tf.ensure_shape(betas, [None, theta.NUM_BETAS])
    same_number = tf.debugging.Assert(
        tf.shape(pose)[0] == tf.shape(betas)[0],
        ["pose and betas must have equal lengths; received", tf.shape(pose), tf.shape(betas)],
    )
    with tf.control_dependencies([_check_number(MAX_BODIES, pose, "pose", "bodies"), same_number]):
        body = network.body(tf.identity(pose), betas)
    return {
        "vertices": body.vertices,
        "joints3d": body.joints3d,
        "smpl_joints": body.smpl_joints,
        "rotations": body.rotations,
    }


def _check_number(most, tensor, name, what):
    number = tf.shape(tensor)[0]
    return tf.debugging.Assert(
        (number >= 1) & (number <= most),
        [f"{name} must have 1 to {most} {what}; received", number],
    )


def _check_request(image_bytes, boxes):
    """Checks that need no photograph."""
    photos, people = tf.size(image_bytes), tf.shape(boxes)[0]
    finite = tf.debugging.Assert(
        tf.reduce_all(tf.math.is_finite(boxes)) & tf.reduce_all(boxes[:, 2:] > 0),
        ["boxes must be x, y, width, height in pixels, width and height above 0; received", boxes],
    )
    paired = tf.debugging.Assert(
        (photos == 1) | (photos == people),
        ["image_bytes must hold one photograph, or one for each box; received", photos, people],
    )
    return [_check_number(MAX_PEOPLE, boxes, "boxes", "people"), finite, paired]


def _check_boxes(photo_xy, boxes, image_size):
    """Checks the boxes of one photograph, as `inference.person_crops.crop_people` does."""
    inside = (boxes[:, :2] < photo_xy) & (boxes[:, :2] + boxes[:, 2:] > 0)
    largest = LARGEST_BOX * tf.norm(photo_xy)
    scaled = photo_xy * crop_ops.person_scale(boxes[:, 2:], image_size)
    return [
        tf.debugging.Assert(
            tf.reduce_all(inside),
            ["A box lies outside its photograph, which has the width and height", photo_xy],
        ),
        tf.debugging.Assert(
            tf.reduce_all(tf.norm(boxes[:, 2:], axis=1) <= largest),
            ["A box is far larger than its photograph, which has the width and height", photo_xy],
        ),
        tf.debugging.Assert(
            tf.reduce_all(tf.reduce_prod(scaled, axis=1) <= crop.MAX_SCALED_PIXELS),
            ["A box is too small: the person in it has too few pixels; received", boxes],
        ),
    ]

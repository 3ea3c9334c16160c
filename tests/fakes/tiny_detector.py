"""The SavedModel of a detector that always finds the same people."""

import numpy as np
import tensorflow as tf


def save(folder, people):
    """Writes it; returns `folder`.

    people: (left, top, right, bottom, confidence) of each, sides as shares of the picture.
    """
    rows = np.zeros((1, 6, 56), np.float32)
    for row, (left, top, right, bottom, confidence) in enumerate(people):
        points = np.tile([top, left, confidence], (17, 1))
        points[1] = [bottom, right, confidence]
        points[2] = [0.99, 0.99, 0.05]  # not confident
        rows[0, row, :51] = points.ravel()
        rows[0, row, 55] = confidence
    module = tf.Module()
    module.shape = tf.Variable(tf.zeros([4], tf.int32), trainable=False)

    @tf.function(input_signature=[tf.TensorSpec([1, None, None, 3], tf.int32, name="image")])
    def find(image):
        module.shape.assign(tf.shape(image))
        return {"people": tf.constant(rows)}

    tf.saved_model.save(module, str(folder), signatures=find)
    return folder

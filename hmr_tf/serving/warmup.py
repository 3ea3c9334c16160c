"""Writes warm-up requests, which TF Serving sends to a model when it loads it.

The file is a TFRecord of `tensorflow_serving.apis.PredictionLog` messages. They are written in
protobuf's wire format here, so that TF Serving's package is not needed: every field used is
length-delimited, which is its key, its length and its bytes.
"""

import tensorflow as tf

from hmr_tf.body import skeleton, theta

FILE_NAME = "tf_serving_warmup_requests"
_PEOPLE = (1, 8)  # in a request
# Numbers of the fields in tensorflow_serving/apis/*.proto.
_PREDICT_LOG, _REQUEST = 6, 1  # of PredictionLog, of PredictLog
_MODEL_SPEC, _INPUTS = 1, 2  # of PredictRequest
_NAME, _SIGNATURE_NAME = 1, 3  # of ModelSpec
_KEY, _VALUE = 1, 2  # of an entry of a map


def write(path, image_size):
    """Writes requests of every signature, for one person and for several."""
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, inputs in requests(image_size):
            writer.write(prediction_log(signature, inputs))


def requests(image_size):
    """Yields (name of a signature, its inputs as a dict of TensorProto)."""
    grey = tf.fill([image_size, image_size, 3], tf.constant(128, tf.uint8))
    jpeg = tf.make_tensor_proto([tf.io.encode_jpeg(grey).numpy()])

    def filled(value, *shape):
        """A TensorProto that stores the value once, whatever its shape."""
        return tf.make_tensor_proto(value, tf.float32, shape)

    for people in _PEOPLE:
        yield "serving_default", {"image": filled(0.0, people, image_size, image_size, 3)}
        boxes = filled(image_size / 2, people, 4)
        yield "predict_image_bytes", {"image_bytes": jpeg, "boxes": boxes}
        pose = filled(0.0, people, len(skeleton.SMPL_JOINTS), 3)
        yield "body", {"pose": pose, "betas": filled(0.0, people, theta.NUM_BETAS)}


def prediction_log(signature, inputs, model="hmr"):
    """The serialized PredictionLog of one request; `inputs` as `requests` yields them."""
    spec = _field(_NAME, model.encode()) + _field(_SIGNATURE_NAME, signature.encode())
    request = _field(_MODEL_SPEC, spec)
    for name, tensor in inputs.items():
        entry = _field(_KEY, name.encode()) + _field(_VALUE, tensor.SerializeToString())
        request += _field(_INPUTS, entry)
    return _field(_PREDICT_LOG, _field(_REQUEST, request))


def _field(number, content):
    """A length-delimited field (wire type 2)."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value):
    """Seven bits a byte, the lowest first; the highest bit is set if more follow."""
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)

"""JPEG and PNG bytes to an upright image, as TensorFlow operations, for servers.

What `inference.photo.read_image` does for files. The bytes are untrusted: the size of an image is
known before memory is taken for it.
"""

import tensorflow as tf

# Of one photograph; a server decodes several at a time (hmr_tf/__init__.py allows a reader twice).
MAX_PIXELS = 1 << 26
_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
# EXIF is looked for in so many first bytes; cameras write it first, and orientation at its start.
_HEAD = 4096
_EXIF = b"Exif\x00\x00"
_ORIENTATION = 0x0112  # the tag; its values: EXIF 2.32, section 4.6.4
_MAX_TAGS = 64


def decode(content):
    """Scalar string, a whole JPEG or PNG file -> (H, W, 3) uint8 RGB, upright.

    In the graph it fails with InvalidArgumentError: another kind of file, a damaged one, or more
    than `MAX_PIXELS`.
    """
    is_jpeg = tf.strings.substr(content, 0, len(_JPEG)) == _JPEG
    is_png = tf.strings.substr(content, 0, len(_PNG)) == _PNG
    known = tf.debugging.Assert(
        is_jpeg | is_png, ["image_bytes must hold a JPEG or PNG file, as it is on disk"]
    )
    with tf.control_dependencies([known]):
        return tf.cond(is_jpeg, lambda: _jpeg(content), lambda: _png(content))


def _jpeg(content):
    # Without this method the decoder takes a quick one, 2.6 grey levels from what OpenCV reads.
    height, width = tf.unstack(tf.image.extract_jpeg_shape(content)[:2])
    with tf.control_dependencies([_small_enough(height, width)]):
        image = tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE")
    return turn_upright(image, orientation(content))


def _png(content):
    header = tf.slice(tf.pad(_integers(tf.strings.substr(content, 16, 8)), [[0, 8]]), [0], [8])
    width, height = tf.unstack(_number(tf.reshape(header, [2, 4])))
    with tf.control_dependencies([_small_enough(height, width)]):
        return tf.io.decode_png(content, channels=3)


def _small_enough(height, width):
    pixels = tf.cast(height, tf.int64) * tf.cast(width, tf.int64)
    return tf.debugging.Assert(
        pixels <= MAX_PIXELS,
        [f"The photograph must have at most {MAX_PIXELS} pixels; it has", pixels],
    )


def orientation(content):
    """EXIF's orientation of a JPEG, 1 to 8; 1, upright, where there is none or it is nonsense."""
    head = _integers(tf.strings.substr(content, 0, _HEAD))
    # Zeros behind it: whatever a damaged header points at is read as nothing.
    head = tf.pad(head, [[0, 3 * _HEAD - tf.shape(head)[0]]])
    found = tf.ones([_HEAD], tf.bool)
    for place, byte in enumerate(_EXIF):
        found &= head[place : _HEAD + place] == byte
    start = tf.argmax(found, output_type=tf.int32) + len(_EXIF)
    little = head[start] == ord("I")

    def number(values):
        return _number(tf.where(little, tf.reverse(values, [-1]), values))

    tags = start + tf.clip_by_value(number(tf.slice(head, [start + 4], [4])), 0, _HEAD)
    count = number(tf.slice(head, [tags], [2]))
    entries = tf.reshape(tf.slice(head, [tags + 2], [12 * _MAX_TAGS]), [_MAX_TAGS, 12])
    is_tag = (number(entries[:, :2]) == _ORIENTATION) & (tf.range(_MAX_TAGS) < count)
    value = tf.reduce_sum(tf.where(is_tag, number(entries[:, 8:10]), 0))
    valid = tf.reduce_any(found) & (value >= 1) & (value <= 8)
    return tf.where(valid, value, 1)


def turn_upright(image, orientation):
    """(H, W, 3) as stored -> as EXIF's orientation says it is to be seen."""

    def turned(image, values, turn):
        wanted = tf.reduce_any(orientation == tf.constant(values))
        return tf.cond(wanted, lambda: turn(image), lambda: image)

    image = turned(image, [5, 6, 7, 8], lambda x: tf.transpose(x, [1, 0, 2]))
    image = turned(image, [2, 3, 6, 7], lambda x: tf.reverse(x, [1]))
    return turned(image, [3, 4, 7, 8], lambda x: tf.reverse(x, [0]))


def _integers(content):
    """Scalar string -> int32 of its bytes."""
    return tf.cast(tf.io.decode_raw(content, tf.uint8), tf.int32)


def _number(values):
    """(..., n) bytes, the most significant first -> (...) int32."""
    places = [256**power for power in reversed(range(values.shape[-1]))]
    return tf.reduce_sum(values * places, axis=-1)

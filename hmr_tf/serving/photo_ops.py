"""JPEG and PNG bytes to an upright image, as TensorFlow operations, for servers.

What `inference.photo.read_image` does for files. The bytes are untrusted: the size of an image is
known before memory is taken for it.
"""

import tensorflow as tf

from hmr_tf.files import orientation as stored
from hmr_tf.files.image_size import JPEG_END, JPEG_SCAN, JPEG_WITHOUT_LENGTH

# Of one photograph; a server decodes several at a time (hmr_tf/__init__.py allows a reader twice).
MAX_PIXELS = 1 << 26
_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"


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
    # The default DCT is faster, but differs from OpenCV by 2.6 grey levels.
    height, width = tf.unstack(tf.image.extract_jpeg_shape(content)[:2])
    with tf.control_dependencies([_small_enough(height, width)]):
        image = tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE")
    return make_upright(image, orientation(content))


def _png(content):
    header = _bytes(content, 16, 8)
    width, height = tf.unstack(_number(tf.reshape(header, [2, 4])))
    with tf.control_dependencies([_small_enough(height, width)]):
        image = tf.io.decode_png(content, channels=3)
    return make_upright(image, orientation(content))


def _small_enough(height, width):
    pixels = tf.cast(height, tf.int64) * tf.cast(width, tf.int64)
    return tf.debugging.Assert(
        pixels <= MAX_PIXELS,
        [f"The photograph must have at most {MAX_PIXELS} pixels; it has", pixels],
    )


def orientation(content):
    """`files.orientation.stored_orientation` of a JPEG or PNG, as TensorFlow operations."""
    is_png = tf.strings.substr(content, 0, 8) == _PNG[:8]
    exif, xmp = tf.cond(
        is_png,
        lambda: _first_blocks(content, 8, _png_chunk),
        lambda: _first_blocks(content, 2, _jpeg_segment),
    )
    from_exif, from_xmp = _orientation_from_tiff(exif), _orientation_from_xmp(xmp)
    return tf.where(from_exif > 0, from_exif, tf.where(from_xmp > 0, from_xmp, stored.UPRIGHT))


def _first_blocks(content, start, read):
    """The first EXIF block and the first XMP block, both strings, empty if absent.

    Args:
      content: scalar string.
      start: where the first segment or chunk begins.
      read: function (content, offset) -> offset of the next, whether this one counts, whether it is
        EXIF, whether it is XMP, offset and length of its block.
    """
    none = tf.zeros([2], tf.int64)

    def step(offset, _, exif, xmp):
        following, is_complete, is_exif, is_xmp, block = read(content, offset)
        exif = tf.where(is_complete & is_exif & (exif[1] == 0), block, exif)
        xmp = tf.where(is_complete & is_xmp & (xmp[1] == 0), block, xmp)
        return following, is_complete & ((exif[1] == 0) | (xmp[1] == 0)), exif, xmp

    *_, exif, xmp = tf.while_loop(
        lambda offset, has_next, exif, xmp: has_next,
        step,
        (tf.constant(start, tf.int64), tf.constant(True), none, none),
    )
    return _substr(content, exif[0], exif[1]), _substr(content, xmp[0], xmp[1])


def _jpeg_segment(content, offset):
    head = _bytes(content, offset, 4)
    marker, length = head[1], _number(head[2:])
    is_bare = tf.reduce_any(marker == tf.constant(JPEG_WITHOUT_LENGTH, tf.int64))
    is_last = (marker == JPEG_SCAN) | (marker == JPEG_END)
    is_complete = (head[0] == 0xFF) & ~is_last & (offset + 4 <= _length(content))
    step = tf.where(is_bare, tf.constant(2, tf.int64), 2 + length)
    step = tf.where(marker == 0xFF, tf.constant(1, tf.int64), step)  # a fill byte
    block = offset + 4, tf.maximum(length - 2, 0)
    is_app1 = marker == stored.JPEG_APP1
    is_exif = is_app1 & _starts(content, block, stored.EXIF)
    is_xmp = is_app1 & _starts(content, block, stored.XMP)
    skipped = len(stored.EXIF) * tf.cast(is_exif, tf.int64)
    block = tf.stack([block[0] + skipped, block[1] - skipped])
    return offset + step, is_complete, is_exif, is_xmp, block


def _png_chunk(content, offset):
    length, name = _number(_bytes(content, offset, 4)), _substr(content, offset + 4, 4)
    block = offset + 8, length
    is_exif = name == b"eXIf"
    is_xmp = (name == b"iTXt") & _starts(content, block, stored.XMP_IN_PNG)
    has_prefix = is_exif & _starts(content, block, stored.EXIF)
    skipped = len(stored.EXIF) * tf.cast(has_prefix, tf.int64)
    is_complete = offset + 8 <= _length(content)
    block = tf.stack([block[0] + skipped, block[1] - skipped])
    return offset + length + 12, is_complete, is_exif, is_xmp, block


def _orientation_from_tiff(block):
    """1 to 8; 0 where the EXIF block has no valid orientation."""
    start = _substr(block, 0, 4)
    is_little = start == b"II*\0"

    def number(values):
        return _number(tf.where(is_little, tf.reverse(values, [-1]), values))

    directory = number(_bytes(block, 4, 4))
    count = number(_bytes(block, directory, 2))
    whole = tf.clip_by_value((_length(block) - directory - 2) // 12, 0, count)
    entries = tf.reshape(_bytes(block, directory + 2, 12 * whole), [-1, 12])
    entries = tf.pad(entries, [[0, 1], [0, 0]])  # at least one
    kind = number(entries[:, 2:4])
    values = tf.where(kind == 1, entries[:, 8], number(entries[:, 8:10]))
    values = tf.where(kind == 4, number(entries[:, 8:12]), values)
    is_integer = tf.reduce_any(kind[:, None] == tf.constant([1, 3, 4], tf.int64), axis=1)
    is_tag = (number(entries[:, :2]) == stored.TAG) & is_integer
    value = values[tf.argmax(is_tag)]
    is_valid = tf.reduce_any(is_tag) & (value >= 1) & (value <= 8)
    is_valid &= is_little | (start == b"MM\0*")
    return tf.cast(tf.where(is_valid, value, 0), tf.int32)


def _orientation_from_xmp(block):
    """1 to 8; 0 where the XMP block has none."""
    whole = rf"^\C*?{stored.XMP_PATTERN}\C*$"  # \C: any byte
    is_match = tf.strings.regex_full_match(block, whole)
    digit = tf.where(is_match, tf.strings.regex_replace(block, whole, r"\1"), "0")
    return tf.strings.to_number(digit, tf.int32)


def make_upright(image, orientation):
    """(H, W, 3) as stored -> upright, by EXIF's orientation."""

    def applied(image, values, transform):
        applies = tf.reduce_any(orientation == tf.constant(values))
        return tf.cond(applies, lambda: transform(image), lambda: image)

    image = applied(image, [5, 6, 7, 8], lambda x: tf.transpose(x, [1, 0, 2]))
    image = applied(image, [2, 3, 6, 7], lambda x: tf.reverse(x, [1]))
    return applied(image, [3, 4, 7, 8], lambda x: tf.reverse(x, [0]))


def _integers(content):
    """Scalar string -> int64 of its bytes."""
    return tf.cast(tf.io.decode_raw(content, tf.uint8), tf.int64)


def _length(content):
    return tf.cast(tf.strings.length(content), tf.int64)


def _substr(content, offset, length):
    """So many bytes from an offset on; fewer, or none, where the content ends before."""
    offset = tf.clip_by_value(tf.cast(offset, tf.int64), 0, _length(content))
    return tf.strings.substr(content, offset, tf.maximum(tf.cast(length, tf.int64), 0))


def _bytes(content, offset, length):
    """int64 (length,) of so many bytes from an offset on; zeros behind the content's end."""
    values = _integers(_substr(content, offset, length))
    missing = tf.cast(length, tf.int32) - tf.size(values)
    padded = tf.pad(values, [[0, missing]])
    return tf.ensure_shape(padded, [length]) if isinstance(length, int) else padded


def _starts(content, block, prefix):
    """Whether the block (offset, length) begins with these bytes."""
    offset, length = block
    return _substr(content, offset, tf.minimum(length, len(prefix))) == prefix


def _number(values):
    """(..., n) bytes, the most significant first -> (...) int64."""
    places = [256**power for power in reversed(range(values.shape[-1]))]
    return tf.reduce_sum(values * tf.constant(places, tf.int64), axis=-1)

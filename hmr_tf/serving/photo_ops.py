"""JPEG and PNG bytes to an upright image, as TensorFlow operations, for servers.

What `inference.photo.read_image` does for files. The bytes are untrusted: the size of an image is
known before memory is taken for it.
"""

from typing import NamedTuple

import tensorflow as tf

from hmr_tf.files import orientation as stored
from hmr_tf.files.image_size import JPEG_END, JPEG_SCAN, JPEG_WITHOUT_LENGTH

# Of one photograph; a server decodes several at a time (hmr_tf/__init__.py allows a reader twice).
MAX_PIXELS = 1 << 26
# Of a JPEG's segments or a PNG's chunks that are searched for the orientation, in 4 s. PNGs of
# MAX_PIXELS have about 25,000 chunks, with libpng's 8 kB each.
MAX_PARTS = 1 << 16
_BYTES_AT_ONCE = 4096  # of what is between segments
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
    """`files.orientation.stored_orientation` of a JPEG or PNG, as TensorFlow operations.

    In the graph it fails with InvalidArgumentError where the orientation may be in a PNG's
    compressed or hexadecimal text, which is not read here, or the file has over `MAX_PARTS` parts.
    """
    is_png = tf.strings.substr(content, 0, 8) == _PNG[:8]
    from_exif, from_xmp, has_unread, has_next = tf.cond(
        is_png,
        lambda: _search(content, 8, _png_chunk),
        lambda: _search(content, 2, _jpeg_segment),
    )
    checks = [
        tf.debugging.Assert(
            (from_exif > 0) | ~has_unread,
            [
                "The PNG's orientation may be in compressed or hexadecimal text, which is not "
                "read: save the photograph as JPEG, or without its metadata"
            ],
        ),
        tf.debugging.Assert(
            ~has_next, [f"The file has more than {MAX_PARTS} segments or chunks; it is damaged"]
        ),
    ]
    with tf.control_dependencies(checks):
        return tf.where(from_exif > 0, from_exif, tf.where(from_xmp > 0, from_xmp, stored.UPRIGHT))


class _Part(NamedTuple):
    """A segment of a JPEG or a chunk of a PNG."""

    following: tf.Tensor  # int64, offset of the next one
    is_complete: tf.Tensor  # bool; False: the header ends here
    is_exif: tf.Tensor  # bool
    is_xmp: tf.Tensor  # bool
    is_unread: tf.Tensor  # bool: it may have an orientation that is not read
    block: tuple  # int64 offset and length of its content


def _search(content, start, read):
    """The first valid orientation of EXIF and of XMP, or 0; whether text is unread, and parts.

    Args:
      content: scalar string.
      start: where the first segment or chunk begins.
      read: function (content, offset) -> _Part.
    """
    zero = tf.constant(0, tf.int32)

    def step(offset, _, from_exif, from_xmp, has_unread):
        part = read(content, offset)

        def value(is_kind, before, orientation_from):
            return tf.cond(
                part.is_complete & is_kind & (before == 0),
                lambda: orientation_from(_substr(content, *part.block)),
                lambda: before,
            )

        from_exif = value(part.is_exif, from_exif, _orientation_from_tiff)
        from_xmp = value(part.is_xmp, from_xmp, _orientation_from_xmp)
        has_unread |= part.is_complete & part.is_unread
        has_next = part.is_complete & (from_exif == 0)
        return part.following, has_next, from_exif, from_xmp, has_unread

    _, has_next, from_exif, from_xmp, has_unread = tf.while_loop(
        lambda offset, has_next, *_: has_next,
        step,
        (tf.constant(start, tf.int64), tf.constant(True), zero, zero, tf.constant(False)),
        maximum_iterations=MAX_PARTS,
    )
    return from_exif, from_xmp, has_unread, has_next


def _jpeg_segment(content, offset):
    head = _bytes(content, offset, 4)
    marker, length = head[1], _number(head[2:])
    is_marker = (head[0] == 0xFF) & (marker != 0) & (marker != 0xFF)  # else a fill byte, or none
    is_bare = tf.reduce_any(marker == tf.constant(JPEG_WITHOUT_LENGTH, tf.int64))
    is_last = is_marker & ((marker == JPEG_SCAN) | (marker == JPEG_END))
    step = tf.cond(
        is_marker,
        lambda: tf.where(is_bare, tf.constant(2, tf.int64), 2 + length),
        lambda: _bytes_to_marker(content, offset),
    )
    block = offset + 4, tf.maximum(length - 2, 0)
    is_app1 = is_marker & (marker == stored.JPEG_APP1)
    is_exif = is_app1 & _starts(content, block, stored.EXIF)
    skipped = len(stored.EXIF) * tf.cast(is_exif, tf.int64)
    return _Part(
        following=offset + step,
        is_complete=~is_last & (offset + 4 <= _length(content)),
        is_exif=is_exif,
        is_xmp=is_app1 & _starts(content, block, stored.XMP),
        is_unread=tf.constant(False),
        block=(block[0] + skipped, block[1] - skipped),
    )


def _bytes_to_marker(content, offset):
    """How many bytes after `offset` the next 0xFF is, as far as is looked at once."""
    is_next = _bytes(content, offset + 1, _BYTES_AT_ONCE) == 0xFF
    return 1 + tf.where(tf.reduce_any(is_next), tf.argmax(is_next), _BYTES_AT_ONCE)


def _png_chunk(content, offset):
    length, name = _number(_bytes(content, offset, 4)), _substr(content, offset + 4, 4)
    block = offset + 8, length
    is_exif = name == b"eXIf"
    skipped = len(stored.EXIF) * tf.cast(is_exif & _starts(content, block, stored.EXIF), tf.int64)
    is_text = tf.reduce_any(name == tf.constant(stored.PNG_TEXTS))
    is_xmp = is_text & _starts(content, block, stored.XMP_IN_PNG)
    flag = _bytes(content, block[0] + len(stored.XMP_IN_PNG), 1)[0]
    is_compressed = (name == b"zTXt") | ((name == b"iTXt") & (flag == 1))
    profiles = [_starts(content, block, keyword + b"\0") for keyword in stored.PNG_PROFILES]
    return _Part(
        following=offset + length + 12,
        is_complete=offset + 8 <= _length(content),
        is_exif=is_exif,
        is_xmp=is_xmp & ~is_compressed,
        is_unread=(is_xmp & is_compressed) | (is_text & tf.reduce_any(profiles)),
        block=(block[0] + skipped, block[1] - skipped),
    )


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
    kinds = number(entries[:, 2:4])[:, None]
    is_integer = tf.reduce_any(kinds == tf.constant(list(stored.INTEGER_TYPES), tf.int64), axis=1)
    is_tag = (number(entries[:, :2]) == stored.TAG) & is_integer
    tag = entries[tf.argmax(is_tag)]
    code = tf.gather(
        [*stored.INTEGER_TYPES.values()], tf.argmax(number(tag[2:4]) == [*stored.INTEGER_TYPES])
    )
    value = tf.where(code == "B", tag[8], number(tag[8:10]))
    value = tf.where(code == "I", number(tag[8:12]), value)
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

"""Reads the pickle of a sequence; nothing in it is executed, and every array's shape is checked."""

import contextlib
import math

import numpy as np

from hmr_tf.files import safe_pickle
from hmr_tf.files.errors import InputError

MAX_FRAMES = 20_000  # of a sequence, at 30 Hz 11 minutes; the datasets have a few thousand
_MAX_NUMBERS = 2**26  # of an array


def load(path, keys):
    """The dict in a pickle.

    Raises:
      InputError: unreadable, not a dict, or without one of the keys.
    """
    content = safe_pickle.load(path)
    with named(path):
        check_keys(content, keys)
    return content


@contextlib.contextmanager
def named(path):
    """Puts the file's name before the message of an InputError."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def check_keys(content, keys, name="it"):
    """InputError if `content` is not a dict with the keys."""
    if not isinstance(content, dict):
        raise InputError(f"{name} holds no named arrays: another kind of file")
    missing = [key for key in keys if key not in content]
    if missing:
        raise InputError(f"{name} has no {', '.join(missing)}: download it again")


def numbers(value, name, shape):
    """Array or nested lists of numbers -> float64 array.

    Args:
      value: from a pickle.
      name: for messages.
      shape: the sizes that it must have; None: any.

    Raises:
      InputError: other values, or another shape.
    """
    if math.prod(_sizes(value)) > _MAX_NUMBERS:
        raise InputError(f"its {name} are more than {_MAX_NUMBERS:,} numbers")
    try:
        array = safe_pickle.to_array(value)
    except InputError as error:
        raise InputError(f"its {name} are not an array of numbers") from error
    fits = array.ndim == len(shape) and all(
        wanted in (None, size) for wanted, size in zip(shape, array.shape)
    )
    if not fits:
        raise InputError(f"its {name} hold {_text(array.shape)} numbers, not {_text(shape)}")
    return array


def finite(value, name, shape):
    """As `numbers`, of which each must be finite."""
    array = numbers(value, name, shape)
    if not np.isfinite(array).all():
        raise InputError(f"its {name} are not all finite numbers")
    return array


def people(value, name, number=None):
    """A list with one entry for each person, of `number` people if it is given."""
    is_list = isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim)
    if not is_list:
        raise InputError(f"its {name} are not a list of people")
    if number not in (None, len(value)):
        raise InputError(f"its {name} are of {len(value)} people, not {number}")
    return list(value)


def _sizes(value):
    """The sizes that nested lists seem to have, as each first entry tells."""
    sizes = []
    while isinstance(value, (list, tuple)) and value:
        sizes.append(len(value))
        value = value[0]
    return (*sizes, *np.shape(value)) if isinstance(value, np.ndarray) else tuple(sizes)


def _text(shape):
    sizes = ["N" if size is None else str(size) for size in shape]
    return " x ".join(sizes) or "1"


def check_num_frames(number):
    """InputError for a sequence of more than MAX_FRAMES frames."""
    if number > MAX_FRAMES:
        raise InputError(f"it has {number:,} frames; at most {MAX_FRAMES:,} are read")

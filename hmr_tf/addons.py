"""The three optional uses of TensorFlow Addons. The only module that imports it.

Addons has had no release since May 2024 and has no wheel for Python 3.12 or newer.
"""

import warnings

import tensorflow as tf

from hmr_tf.files.errors import InputError

# Ranges of the colour jitter: hue in radians, saturation and brightness as factors.
MAX_HUE, SATURATION, BRIGHTNESS = 0.1, (0.7, 1.3), (0.7, 1.3)
# Sides of the occluding square, as shares of the image's side.
CUTOUT_SHARES = (0.125, 0.5)


def require(flag):
    """Returns the module `tensorflow_addons`; if it is missing, InputError names the `flag`."""
    with warnings.catch_warnings():
        # Known and pinned; other warnings are shown.
        warnings.filterwarnings("ignore", r"\s*TensorFlow Addons \(TFA\) has ended", UserWarning)
        try:
            import tensorflow_addons
        except ImportError as error:
            raise InputError(
                f"--{flag} needs TensorFlow Addons, which cannot be imported ({error}): leave the "
                "flag out, or use Python 3.9 to 3.11 and `pip install -r requirements.txt`"
            ) from error
    return tensorflow_addons


def random_cutout(image, seed):
    """Covers a square of one image with grey, as an occluding object would.

    Args:
      image: (S, S, 3) float32 in [-1, 1].
      seed: (2,) integers; the same seed covers the same pixels.

    Returns:
      (S, S, 3).
    """
    addons = require("augment_occlusion")
    side = tf.cast(tf.shape(image)[0], tf.float32)
    # Drawn here: `tfa.image.random_cutout` has one size and one seed for all images of a batch.
    uniform = tf.random.stateless_uniform([3], seed)
    low, high = CUTOUT_SHARES
    half = tf.cast(side * (low + (high - low) * uniform[0]) / 2, tf.int32)
    centre = tf.cast(side * uniform[None, 1:], tf.int32)
    return addons.image.cutout(image[None], tf.stack([2 * half, 2 * half]), centre)[0]


def random_color(image, seed):
    """Changes hue, saturation and brightness of one image a little.

    Args:
      image: (S, S, 3) float32 RGB in [-1, 1].
      seed: (2,) integers; the same seed gives the same colours.

    Returns:
      (S, S, 3), clipped to [-1, 1].
    """
    addons = require("augment_color")
    uniform = tf.random.stateless_uniform([3], seed)
    # As in `tfa.image.random_hsv_in_yiq`, which has no seed of a single image.
    hue = MAX_HUE * (2 * uniform[0] - 1)
    saturation = SATURATION[0] + (SATURATION[1] - SATURATION[0]) * uniform[1]
    brightness = BRIGHTNESS[0] + (BRIGHTNESS[1] - BRIGHTNESS[0]) * uniform[2]
    changed = addons.image.adjust_hsv_in_yiq((image + 1) / 2, hue, saturation, brightness)
    return tf.clip_by_value(2 * changed - 1, -1.0, 1.0)


def spectral_normalization(layer):
    """Wraps a Dense or convolution layer: the largest singular value of its kernel stays near 1."""
    return require("critic_spectral_norm").layers.SpectralNormalization(layer)

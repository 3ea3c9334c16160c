"""Encoder, iterative regressor, discriminator, their weight files. Needs Keras 2 as `tf.keras`."""

import tensorflow as tf


def require_keras_2(version):
    """ImportError where `version`, that of `tf.keras`, is Keras 3: it cannot run the trainer."""
    if int(version.split(".")[0]) > 2:
        raise ImportError(
            f"hmr_tf needs Keras 2 and tf.keras is Keras {version}: install tf_keras of your "
            "TensorFlow's version and import hmr_tf before tensorflow, or set TF_USE_LEGACY_KERAS=1"
        )


# Keras 2 as TensorFlow gives it out states no version.
require_keras_2(getattr(tf.keras, "__version__", "2"))

"""Human Mesh Recovery (Kanazawa et al., CVPR 2018) for TensorFlow 2 and Keras.

Importing this package sets one environment variable, and only where TensorFlow would otherwise use
Keras 3: TF_USE_LEGACY_KERAS. What else the commands set is in `hmr_tf.cli.command_line`.
"""

import contextlib
import gc
import importlib.metadata
import importlib.util
import os
import sys

__version__ = "1.1.0"  # of the package, and in the index of converted datasets


def _select_keras_2():
    """Makes `tf.keras` Keras 2 where Keras 3 is the default (TensorFlow 2.16 and later).

    Keras 3 cannot run this trainer under tf.distribute. TensorFlow reads the variable when it is
    imported: after that it is left alone, and importing `hmr_tf.networks` refuses Keras 3.
    """
    try:
        major = int(importlib.metadata.version("keras").split(".")[0])
    except importlib.metadata.PackageNotFoundError:
        return
    if major > 2 and "tensorflow" not in sys.modules and importlib.util.find_spec("tf_keras"):
        os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")


_select_keras_2()


def load(
    model_dir=None,
    smpl_model_path=None,
    detector=None,
    engine="auto",
    precision="float32",
    flip_test=False,
):
    """A trained model, ready to predict.

    Args:
      model_dir: folder of a training run or of --mode=import_tf1, or a checkpoint prefix in it;
        None: the released network, which comes with hmr_tf.
      smpl_model_path: SMPL file to use; None: the one the model was trained with.
      detector: folder that `python -m tools.movenet` made; None: models/movenet if it is there,
        else the network itself finds one person of each photograph.
      engine: what computes the network: tensorflow, openvino, or auto: OpenVINO where it is
        installed and there is no GPU.
      precision: of the encoder, float32 or bfloat16.
      flip_test: whether each prediction is the mean with that of the mirrored crop; takes twice as
        long.

    Returns:
      `hmr_tf.inference.model.Model`.

    Raises:
      hmr_tf.files.errors.InputError: no such network, a damaged one, no such SMPL file, no such
        engine.
      ImportError: `tf.keras` is Keras 3, since tensorflow was imported before hmr_tf.
    """
    from hmr_tf.files import checkpoint_files, optional_models

    load_path, folder = str(model_dir or ""), optional_models.find_detector(detector)
    if load_path not in ("", "released"):  # before the seconds that TensorFlow takes
        checkpoint_files.check(load_path)
    if folder:
        optional_models.check_detector(folder)
    with _garbage_collection_paused():
        _import_tensorflow_quietly()
        from hmr_tf.inference.detection.detector import Detector
        from hmr_tf.inference.model import Model
        from hmr_tf.networks import checkpoint, engines

        hmr, body = checkpoint.load_with_body(load_path, str(smpl_model_path or ""))
        return Model(
            hmr,
            body,
            detector=Detector(folder) if folder else None,
            engine=engines.make(hmr, engine, precision, load_path, flip_test),
        )


def _import_tensorflow_quietly():
    """Imports TensorFlow without its lines about missing GPU libraries and CPU instructions.

    Only its import is hidden: its log level stays as it is. With TF_CPP_MIN_LOG_LEVEL set, nothing
    is hidden.
    """
    if "tensorflow" in sys.modules or "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        return
    from hmr_tf.serving import suppress_output

    with suppress_output.suppress_output_unless_failed(numbers=(2,)):
        import tensorflow  # noqa: F401


@contextlib.contextmanager
def _garbage_collection_paused():
    """For imports and building: the collector would look through a million new objects in vain."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()

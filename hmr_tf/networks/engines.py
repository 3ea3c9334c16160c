"""What computes a trained network for crops: TensorFlow, or OpenVINO, which is faster on CPUs.

OpenVINO is optional (`pip install openvino`). It reads TensorFlow's graph once; the two files it
makes of it are kept in a cache folder, by a digest of all numbers of the network.
"""

import hashlib
import os
import queue
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Callable, NamedTuple, Optional

import numpy as np
import tensorflow as tf
from absl import logging

from hmr_tf import __version__
from hmr_tf.body import theta
from hmr_tf.files.errors import InputError
from hmr_tf.networks import checkpoint, encoder, released_weights
from hmr_tf.networks.flip_test import with_flip_test
from hmr_tf.networks.hmr import HMR
from hmr_tf.networks.prediction import (
    Prediction,
    prediction_as_dict,
    prediction_from_body,
    with_positive_scale,
)

ENGINES = ("auto", "tensorflow", "openvino")
PRECISIONS = ("float32", "bfloat16")
CACHE = ".openvino"  # name of the cache folder
INSTALL = "pip install openvino"
_PARTS = ("encoder", "head")
_FORMAT = 2  # of the files in the cache; changes with what the head computes
_MAX_CALLS = 4  # at once: each holds the memory of a batch
_OUTPUTS = {*Prediction._fields, "keypoints2d_px"} - {"keypoints2d_norm"}  # names of its dict


class Engine(NamedTuple):
    """A network as a function of crops."""

    predict: Callable  # (B, S, S, 3) float32 in [-1, 1] -> arrays of `prediction_as_dict`
    name: str  # tensorflow or openvino
    precision: str  # of the encoder; everything else is float32
    flip_test: bool = False  # whether predictions are means, see `networks.flip_test`
    # As `predict`, for `calls_at_once()` threads: each has its share of the cores. None: `predict`.
    predict_in_threads: Optional[Callable] = None

    @property
    def for_threads(self):
        """The engine to call from several threads at once: slower for one, faster for all."""
        return self._replace(predict=self.predict_in_threads or self.predict)

    @property
    def difference(self):
        """What distinguishes its numbers from those of TensorFlow in float32: part of a digest."""
        is_plain = (self.name, self.precision) == ("tensorflow", "float32")
        flip_test = " flip_test" if self.flip_test else ""
        return flip_test if is_plain else f" {self.name} {self.precision}{flip_test}"


def make(hmr, name="auto", precision="float32", load_path="", flip_test=False):
    """The engine of a network; OpenVINO's has a copy of its weights.

    Args:
      hmr: `networks.hmr.HMR`.
      name: one of `ENGINES`. auto: OpenVINO where it is installed and TensorFlow has no GPU.
      precision: of the encoder, one of `PRECISIONS`.
      load_path: where the network came from, as in `checkpoint.load`. OpenVINO's files are kept
        beside a checkpoint; those of the released network in the user's cache folder.
      flip_test: whether each prediction is the mean with that of the mirrored crop.

    Raises:
      InputError: another name or precision; openvino, and it is not installed.
    """
    for flag, value, known in (("engine", name, ENGINES), ("precision", precision, PRECISIONS)):
        if value not in known:
            raise InputError(f"--{flag}={value} is not one of {', '.join(known)}.")
    engine = _make(hmr, name, precision, load_path)
    return with_flip_test(engine, hmr) if flip_test else engine


def calls_at_once():
    """How many threads keep the cores busy: of `Engine.predict_in_threads`, or BlazePose's runs."""
    return min(os.cpu_count() or 1, _MAX_CALLS)


def _make(hmr, name, precision, load_path):
    if name == "tensorflow" or (name == "auto" and tf.config.list_physical_devices("GPU")):
        return in_tensorflow(hmr, precision)
    try:
        import openvino
    except ImportError as error:
        if name == "openvino":
            raise InputError(
                f"--engine=openvino: OpenVINO cannot be imported ({error}): {INSTALL}, or pass "
                "--engine=tensorflow."
            ) from error
        logging.info("TensorFlow computes; OpenVINO is faster on a CPU: %s", INSTALL)
        return in_tensorflow(hmr, precision)
    return in_openvino(openvino, hmr, precision, cache_folder(load_path))


def cache_folder(load_path=""):
    """Path of the folder that keeps OpenVINO's files of a network; see `make`."""
    if not released_weights.is_released(load_path):
        return Path(checkpoint.find(load_path)).absolute().parent / CACHE
    user = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(user) / "hmr_tf" / CACHE


def in_tensorflow(hmr, precision="float32"):
    """The engine that needs TensorFlow alone; its graph is made at the first prediction."""
    network = hmr
    if precision != "float32":
        network = HMR(encoder.cast(hmr.encoder, precision), hmr.regressor, hmr.smpl)
    function = network_function(network)

    def predict(images):
        return {key: value.numpy() for key, value in function(tf.constant(images)).items()}

    return Engine(predict, "tensorflow", precision)


def network_function(hmr):
    """The network as a tf.function, one graph for all batch sizes.

    Args:
      hmr: `networks.hmr.HMR`.

    Returns:
      tf.function: (B, S, S, 3) crops in [-1, 1] -> dict of the last stage's named tensors, see
      `networks.prediction.prediction_as_dict`.
    """
    size = hmr.image_size

    def predict(images):
        return prediction_as_dict(hmr.with_mesh(hmr(images, training=False)[-1]), size)

    signature = [tf.TensorSpec([None, size, size, 3], tf.float32)]
    return tf.function(predict, input_signature=signature, autograph=False)


def in_openvino(openvino, hmr, precision, cache):
    """The engine of OpenVINO on the CPU.

    Args:
      openvino: the module.
      hmr: `networks.hmr.HMR`.
      precision: of the encoder; float32 is used where the CPU has no bfloat16.
      cache: folder for the files, see `cache_folder`.
    """
    core = openvino.Core()
    # OpenVINO looks up NumPy at its first array. Two threads that do so at the same time wait for
    # each other for ever: one has the lock of the lookup, the other Python's interpreter lock.
    openvino.Type.f32.to_dtype()
    if precision == "bfloat16" and "BF16" not in core.get_property(
        "CPU", "OPTIMIZATION_CAPABILITIES"
    ):
        logging.warning("This CPU computes no bfloat16 (AVX-512 BF16, AMX): float32 is used.")
        precision = "float32"
    hints = {"encoder": "bf16" if precision == "bfloat16" else "f32", "head": "f32"}
    models = _read_or_convert(openvino, core, hmr, Path(cache))
    at_once, lock = [], threading.Lock()

    def predict_in_threads(images):
        with lock:  # compiled when it is needed
            if not at_once:
                at_once.append(_Requests(core, models, hints, calls_at_once()))
        return at_once[0](images)

    one = _Requests(core, models, hints)
    return Engine(one, "openvino", precision, predict_in_threads=predict_in_threads)


class _Requests:
    """The compiled network as a function of crops, for some calls at once."""

    def __init__(self, core, models, hints, number=1):
        """Args:
        core: `openvino.Core`.
        models: name of a part -> its model.
        hints: name of a part -> its precision.
        number: of calls at once. More than one: each has a separately compiled network on its share
          of the cores, so that none waits for a thread of another, or for a core that reads and
          draws frames.
        """
        speed = {"PERFORMANCE_HINT": "LATENCY"}
        if number > 1:
            threads = max(1, (os.cpu_count() or 1) // number)
            speed = {
                "INFERENCE_NUM_THREADS": threads,
                "NUM_STREAMS": 1,
                "ENABLE_CPU_PINNING": False,
            }
        self._free = queue.SimpleQueue()
        for _ in range(number):
            compiled = (
                core.compile_model(
                    models[part], "CPU", {"INFERENCE_PRECISION_HINT": hints[part], **speed}
                )
                for part in _PARTS
            )
            self._free.put([part.create_infer_request() for part in compiled])

    def __call__(self, images):
        encoder_request, head_request = requests = self._free.get()
        try:
            encoder_request.infer({0: np.ascontiguousarray(images)}, share_inputs=True)
            features = encoder_request.get_output_tensor(0).data
            head_request.infer({0: features}, share_inputs=True)
            return {
                # Outputs have names of TensorFlow's operations, too.
                next(iter(_OUTPUTS.intersection(output.get_names()))): (
                    head_request.get_output_tensor(number).data.copy()
                )
                for number, output in enumerate(head_request.model_outputs)
            }
        finally:
            self._free.put(requests)


def _read_or_convert(openvino, core, hmr, cache):
    """Name of a part -> OpenVINO's model: read from the cache, or converted and written there."""
    content = f"{_FORMAT} {model_digest(hmr)} {hmr.regressor.num_stage} {__version__}"
    key = hashlib.sha256(f"{content} {openvino.__version__}".encode()).hexdigest()[:16]
    folder = cache / key
    try:
        return {part: core.read_model(folder / f"{part}.xml") for part in _PARTS}
    except RuntimeError:  # not there, or damaged
        pass
    logging.info("Converting the network for OpenVINO, once; later it is read from %s", cache)
    models = {
        part: openvino.convert_model(function.get_concrete_function())
        for part, function in _functions(hmr).items()
    }
    try:
        _write(openvino, models, folder)
    except (OSError, RuntimeError) as error:
        logging.info("OpenVINO's files are not kept: %s cannot be written (%s).", cache, error)
    return models


def _functions(hmr):
    """Name of a part -> tf.function: the encoder, and all that follows it."""
    size = hmr.image_size

    def encode(image):
        return {"features": tf.cast(hmr.encoder(image, training=False), tf.float32)}

    def head(features):
        predicted = hmr.regressor(features, training=False)[-1]
        _, pose, betas = theta.split(predicted)
        prediction = prediction_from_body(predicted, hmr.smpl(pose, betas))
        return prediction_as_dict(with_positive_scale(prediction), size)

    specs = {
        encode: tf.TensorSpec([None, size, size, 3], tf.float32, name="image"),
        head: tf.TensorSpec([None, encoder.NUM_FEATURES], tf.float32, name="features"),
    }
    functions = (
        tf.function(f, input_signature=[spec], autograph=False) for f, spec in specs.items()
    )
    return dict(zip(_PARTS, functions))


def _write(openvino, models, folder):
    """Writes the files of a network, whole or not at all, in place of those of older weights."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unfinished_", dir=folder.parent) as work:
        new = Path(work) / "new"
        for part, model in models.items():
            openvino.save_model(model, new / f"{part}.xml", compress_to_fp16=False)
        for older in folder.parent.glob(f"*/{_PARTS[0]}.xml"):
            shutil.rmtree(older.parent, ignore_errors=True)
        new.replace(folder)


def model_digest(hmr):
    """SHA-256 of all numbers of a model and of its body."""
    digest = hashlib.sha256(str(hmr.image_size).encode())
    for part in (hmr.encoder, hmr.regressor, hmr.smpl):
        for variable in part.variables:
            digest.update(f"{variable.name} {variable.shape}".encode())
            digest.update(np.ascontiguousarray(variable.numpy()).data)
    return digest.hexdigest()

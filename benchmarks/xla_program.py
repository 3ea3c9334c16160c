"""Writes inference and the training step as XLA programs, which run on a GPU without TensorFlow.

    python -m benchmarks.xla_program --write=DIR [--img_size=224] [--batch_sizes=1,8,64] \
        [--train_batch_size=64] [--train_dtypes=float32,bfloat16]
    python benchmarks/run_xla_program.py DIR     # on the machine with the GPU: jax and numpy

DIR gets one gzipped HLO module for each batch size of inference (crops to theta, keypoints and
mesh) and for the training step (forward pass, losses and gradients of both networks, without the
optimizers) in each type; `arguments.npz`, the arrays that are not drawn from a seed; and
`programs.json`, the arguments in order and TensorFlow's results on the CPU of this machine. Images
and large weights are drawn from seeds by `run_xla_program.draw`, so that DIR stays small. TF32 is
off: the programs ask for the highest precision of float32 products.
"""

import argparse
import contextlib
import gzip
import hashlib
import json
import os
import shutil

import numpy as np
import tensorflow as tf

import benchmarks
from benchmarks import run_xla_program, training_step
from hmr_tf.body import body_model
from hmr_tf.files import atomic
from hmr_tf.files.errors import InputError
from hmr_tf.networks import build
from hmr_tf.networks.discriminator import Discriminator
from hmr_tf.networks.prediction import with_positive_scale
from hmr_tf.training import losses
from hmr_tf.training.trainer import Trainer, adam

DRAWN_FROM = 50_000  # numbers: kernels of at least this size are drawn, smaller arrays are stored
DISCRIMINATOR_SEEDS = 10_000  # those of the encoder and regressor are smaller
IMAGE_SEEDS = 100_000  # plus the batch size
MIN_IMAGE_SIZE = 64  # with less, batch norm has too few numbers
CALIBRATION_SIZE = 8  # images from which batch norm has its statistics
IMAGE_SPREAD = 0.5  # standard deviation of the images
THETA_TOLERANCE, JOINT_TOLERANCE_M = 5e-5, 1e-4  # absolute
LOSS_TOLERANCE = {"float32": 1e-4, "bfloat16": 1e-2}  # relative
GRADIENT_TOLERANCE = {"float32": 1e-3, "bfloat16": 0.1}  # relative, of the norm


class ProgramFolder:
    """The folder to write: adds programs and the arrays that they share."""

    def __init__(self, path):
        """Args: path: an empty folder."""
        self._path = path
        self._programs, self._arrays, self._drawn = [], {}, {}

    def draw(self, seed, shape, spread):
        """The array that the reader of the folder draws; it is recognized by its content."""
        array = run_xla_program.draw(seed, shape, spread)
        self._drawn[_digest(array)] = {"seed": seed, "spread": spread}
        return array

    def add(self, name, function, tensors, tolerances, **facts):
        """Lowers `function` of `tensors` to HLO and runs it eagerly, without XLA.

        Args:
          name: of the program and its file.
          function: list of tensors -> (dict of results, other tensors to compute).
          tensors: list of tf.Tensor.
          tolerances: name of a result to store -> {"absolute": or "relative": tolerance}.
          facts: more entries of programs.json.
        """
        compiled = tf.function(lambda *flat: function(flat), jit_compile=True)
        module = compiled.experimental_get_compiler_ir(*tensors)(stage="hlo_serialized")
        (self._path / f"{name}.hlo.gz").write_bytes(gzip.compress(module, mtime=0))
        # XLA's parameters: the inputs, then what the function captures, weights included.
        graph = compiled.get_concrete_function(*tensors)
        weights = {id(variable.handle): variable for variable in graph.variables}
        captured = [weights.get(id(tensor), tensor) for tensor in graph.captured_inputs]
        arguments = [self._argument(tensor.numpy()) for tensor in [*tensors, *captured]]
        results, _ = function(tensors)
        # TensorFlow flattens a dict in the order of its sorted keys.
        positions = {key: position for position, key in enumerate(sorted(results))}
        outputs = [
            {
                "name": key,
                "position": positions[key],
                "stored": self._store(results[key].numpy()),
                **tolerance,
            }
            for key, tolerance in tolerances.items()
        ]
        self._programs.append({"name": name, "arguments": arguments, "outputs": outputs, **facts})
        print(f"{name}: {len(arguments)} arguments", flush=True)

    def close(self):
        """Writes arguments.npz and programs.json; returns the bytes of all files."""
        np.savez_compressed(self._path / "arguments.npz", **self._arrays)
        text = json.dumps({"programs": self._programs}, indent=1)
        (self._path / "programs.json").write_text(text + "\n", encoding="utf-8")
        return sum(file.stat().st_size for file in self._path.iterdir())

    def _argument(self, array):
        drawn = self._drawn.get(_digest(array))
        return {"shape": list(array.shape), **(drawn or {"stored": self._store(array)})}

    def _store(self, array):
        key = _digest(array)
        self._arrays[key] = array
        return key


def _digest(array):
    text = f"{array.dtype}{array.shape}".encode() + np.ascontiguousarray(array).tobytes()
    return hashlib.sha256(text).hexdigest()[:16]


def draw_weights(folder, variables, first_seed=0):
    """Sets large kernels to normal numbers from a seed, with the standard deviation they have."""
    for seed, variable in enumerate(variables, first_seed):
        if variable.shape.num_elements() >= DRAWN_FROM:
            spread = float(np.std(variable.numpy()))
            variable.assign(folder.draw(seed, list(variable.shape), spread))


def encoder_flop(encoder):
    """Floating-point operations of the convolutions for one image."""
    convolutions = [layer for layer in encoder.layers if hasattr(layer, "kernel_size")]
    return sum(
        2 * int(np.prod(layer.kernel.shape)) * int(np.prod(layer.output_shape[1:3]))
        for layer in convolutions
    )


def add_inference(folder, hmr, images):
    """One program: crops to theta, keypoints and mesh."""

    def predict(flat):
        features = hmr.encoder(flat[0], training=False)
        last = hmr.predictions_from_thetas(hmr.regressor(features, training=False)[-1:])[0]
        last = with_positive_scale(hmr.with_mesh(last))
        return {"joints3d": last.joints3d, "theta": last.theta, "vertices": last.vertices}, ()

    folder.add(
        f"inference_{len(images)}",
        predict,
        [tf.constant(images)],
        {"theta": {"absolute": THETA_TOLERANCE}, "joints3d": {"absolute": JOINT_TOLERANCE_M}},
        kind="inference",
        images=len(images),
        image_size=hmr.image_size,
        dtype="float32",
        flop=len(images) * encoder_flop(hmr.encoder),
    )


def add_training(folder, hmr, images, dtype):
    """One program: forward pass, losses, and gradients of encoder and discriminator."""
    discriminator = Discriminator()
    draw_weights(folder, discriminator.variables, first_seed=DISCRIMINATOR_SEEDS)
    trainer = Trainer(hmr, discriminator)
    trainer.compile(adam(1e-5), adam(1e-4))  # it asks the optimizer whether the loss is scaled
    batch, mocap = training_step.random_data(len(images), hmr.image_size, hmr.regressor.num_stage)
    batch["image"] = tf.constant(images)
    mask = hmr.regressor.random_dropout_mask(len(images), seed=[0, 0])
    inputs = (batch, mocap, mask)

    def step(flat):
        batch, mocap, mask = tf.nest.pack_sequence_as(inputs, flat)
        counts = losses.count(batch, mocap)
        logs, _, gradients = trainer.losses_and_gradients(batch, mocap, counts, mask)
        logs = {name: tf.convert_to_tensor(value) for name, value in logs.items()}
        for name, gradient in zip(("encoder", "discriminator"), gradients):
            logs[f"gradient/{name}"] = tf.linalg.global_norm(gradient)
        return logs, gradients

    tolerances = {}
    for name in ("encoder", "discriminator"):
        tolerances[f"{name}/total"] = {"relative": LOSS_TOLERANCE[dtype]}
        tolerances[f"gradient/{name}"] = {"relative": GRADIENT_TOLERANCE[dtype]}
    folder.add(
        f"training_{len(images)}_{dtype}",
        step,
        tf.nest.flatten(inputs),
        tolerances,
        kind="training",
        images=len(images),
        image_size=hmr.image_size,
        dtype=dtype,
        flop=3 * len(images) * encoder_flop(hmr.encoder),
    )


def add_programs(folder, image_size, batch_sizes, train_batch_size, train_dtypes):
    """All programs of the command; the arguments are its flags."""
    body = body_model.read_model()
    images = {  # another seed for each size: a program's images are one whole draw
        size: folder.draw(IMAGE_SEEDS + size, [size, image_size, image_size, 3], IMAGE_SPREAD)
        for size in {*batch_sizes, train_batch_size, CALIBRATION_SIZE}
    }
    for dtype in ("float32", *(dtype for dtype in train_dtypes if dtype != "float32")):
        tf.keras.utils.set_random_seed(0)
        hmr = build.build(build.Architecture(img_size=image_size), body, mixed_precision=dtype)
        draw_weights(folder, hmr.encoder.variables + hmr.regressor.variables)
        build.calibrate_batch_norm(hmr.encoder, tf.constant(images[CALIBRATION_SIZE]))
        if dtype == "float32":
            for size in batch_sizes:
                add_inference(folder, hmr, images[size])
        if dtype in train_dtypes:
            add_training(folder, hmr, images[train_batch_size], dtype)


@contextlib.contextmanager
def new_folder(path):
    """Yields a temporary folder, which gets the name `path` when all of it is written.

    Raises:
      InputError: `path` exists, or the folder cannot be made.
    """
    if os.path.lexists(path):
        raise InputError(f"--write={path} exists; name a new folder.")
    partial = atomic.unfinished_path(path)
    try:
        partial.mkdir(parents=True)
        yield partial
        os.replace(partial, path)
    except OSError as error:
        raise InputError(f"--write={path} cannot be written: {error.strerror}.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def dtypes(text):
    """For `add_argument(type=...)`: names of types with commas between."""
    unknown = [name for name in text.split(",") if name not in LOSS_TOLERANCE]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(LOSS_TOLERANCE)}")
    return text.split(",")


def main():
    parser = benchmarks.parser(__doc__)
    parser.add_argument("--write", required=True, help="folder to make")
    parser.add_argument("--img_size", type=benchmarks.at_least(MIN_IMAGE_SIZE), default=224)
    parser.add_argument("--batch_sizes", type=benchmarks.positives, default="1,8,64")
    parser.add_argument("--train_batch_size", type=benchmarks.positive, default=64)
    parser.add_argument("--train_dtypes", type=dtypes, default="float32,bfloat16")
    args = parser.parse_args()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    with new_folder(args.write) as path:
        folder = ProgramFolder(path)
        add_programs(
            folder, args.img_size, args.batch_sizes, args.train_batch_size, args.train_dtypes
        )
        size = folder.close()
    print(f"{args.write}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    benchmarks.run(main)

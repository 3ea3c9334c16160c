"""python -m hmr_tf.main --mode=MODE [flags]: trains, evaluates, predicts, exports, imports.

Recipes stand in flags/*.flags, for --flagfile=FILE; README.md shows every mode at work.
"""

import contextlib
import json
import math
import os
import sys
import time
from pathlib import Path

from absl import logging

from hmr_tf import command_line, config
from hmr_tf.errors import InputError

# TensorFlow says on import which GPU libraries it lacks; what goes wrong later is raised.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

config.define_flags()


def train(options):
    """--mode=train"""
    from hmr_tf.training import run

    run.train(options)


def evaluate(options):
    """--mode=evaluate: errors on people whose truth is known; prints them, writes results.json."""
    if options.compare:
        _compare(options)
    elif options.protocol:
        _evaluate_protocol(options)
    else:
        _evaluate_people(options)


def _compare(options):
    """Results of earlier runs side by side."""
    from hmr_tf.evaluation import run

    with _writing(options):
        print(run.compare(options.compare, _output(options)))


def _evaluate_protocol(options):
    """One table of the paper."""
    _needs(options, "load_path", "data_dir")
    with _phase("Loading TensorFlow"):
        from hmr_tf.evaluation import protocols, results, run
    given = {name: getattr(options, name) for name in protocols.varying(options.protocol)}
    with _phase("Reading the truth"):
        plan = run.plan(options.protocol, options.data_dir, given, options.allow_missing)
    hmr, folder = _load(options), _output(options)
    with _writing(options):
        found = run.evaluate(plan, hmr, options.load_path, options.batch_size, folder)
    print(results.describe(found))
    print(f"\nwritten to {folder}: {', '.join(run.written(folder))}")


def _evaluate_people(options):
    """The errors of mesh, joints and keypoints on any converted dataset."""
    _needs(options, "load_path", "data_dir")
    from hmr_tf.data import shard_files

    files = {
        name: shard_files.find(options.data_dir, name, options.split) for name in options.datasets
    }
    hmr = _load(options)
    from hmr_tf.evaluation import people

    results = people.evaluate(hmr, files, options.batch_size)
    for name, text in people.DESCRIPTIONS.items():
        if name in results:
            print(f"{results[name]:8.2f}  {text}")
    path = _output(options) / "results.json"
    with _writing(options):
        path.write_text(json.dumps({**results, "load_path": options.load_path}, indent=2) + "\n")
    print(f"{results['people']:8d}  people; written to {path}")


def predict(options):
    """--mode=predict: a body over a photograph, as a picture, a mesh and arrays."""
    _needs(options, "load_path", "img_path")
    box = _box(options)
    from hmr_tf.output import predict

    image = predict.read_image(options.img_path)
    hmr = _load(options)
    if not len(hmr.smpl.faces):
        raise InputError(
            "The model was imported without an SMPL file and has no faces to draw: pass "
            "--smpl_model_path=FILE."
        )
    result = predict.predict(hmr, image, box)
    name = Path(options.img_path).stem
    with _writing(options):
        paths = predict.write(_output(options), name, image, result, hmr.smpl.faces)
    print(*paths, sep="\n")


def export(options):
    """--mode=export: a SavedModel in --output_dir."""
    _needs(options, "load_path")
    hmr = _load(options)
    from hmr_tf.output import saved_model

    with _phase("Writing the SavedModel"), _writing(options):
        saved_model.export(hmr, _output(options))
    print(options.output_dir)


def import_tf1(options):
    """--mode=import_tf1: a checkpoint of the original becomes a --model_dir."""
    _needs(options, "load_path", "model_dir")
    with _phase("Loading TensorFlow"):
        from hmr_tf.training import import_tf1
    with _phase("Importing"):
        lines = import_tf1.import_tf1(
            options.load_path,
            options.model_dir,
            options.smpl_model_path,
            options.num_stage,
            options.keep_optimizer,
        )
    print(*lines, options.model_dir, sep="\n")


def quickstart(options):
    """--mode=quickstart: the whole way on synthetic people, in minutes."""
    from hmr_tf import quickstart

    quickstart.run(options.output_dir, options.img_path)


RUN = {f.__name__: f for f in (train, evaluate, predict, export, import_tf1, quickstart)}


def main(argv):
    if len(argv) > 1:
        raise InputError(f"{argv[1]!r} is no flag: every option is --name=value; see --help.")
    logging.set_verbosity(logging.INFO)
    logging.get_absl_handler().setFormatter(None)  # messages alone, without file and time
    options = config.from_flags()
    if not options.mode:
        raise InputError(f"--mode is missing: one of {', '.join(RUN)}; see --help.")
    RUN[options.mode](options)


@contextlib.contextmanager
def _phase(text):
    """Says what takes long, and in the end how long it took."""
    sys.stderr.write(f"{text} ... ")
    sys.stderr.flush()
    start = time.monotonic()
    end = "\n"
    try:
        yield
        end = f"{time.monotonic() - start:.1f} s\n"
    finally:
        sys.stderr.write(end)


def _load(options):
    """The trained model of --load_path."""
    with contextlib.nullcontext() if "tensorflow" in sys.modules else _phase("Loading TensorFlow"):
        from hmr_tf.networks import checkpoint
    with _phase("Loading the model"):
        return checkpoint.load(options.load_path, options.smpl_model_path)


def _needs(options, *names):
    for name in names:
        if not getattr(options, name):
            raise InputError(f"--mode={options.mode} needs --{name}; see --help.")


def _box(options):
    """Four numbers from --box or --json_path, or None."""
    values = options.box
    if options.json_path:
        if values:
            raise InputError("--box and --json_path both say where the person is: pass one.")
        from hmr_tf.data import openpose

        return openpose.most_confident(openpose.read(options.json_path)).box
    if not values:
        return None
    try:
        numbers = tuple(float(value) for value in values)
    except ValueError:
        numbers = ()
    if len(numbers) != 4 or not all(math.isfinite(number) for number in numbers):
        raise InputError(
            f"--box={','.join(values)} is not four numbers: x,y,width,height in pixels."
        )
    return numbers


def _output(options):
    """The folder of --output_dir, made."""
    folder = Path(options.output_dir)
    with _writing(options):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def _writing(options):
    """A folder that cannot be written, or a full disk, is the user's business."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"--output_dir={options.output_dir} cannot be written: {reason}"
        ) from error


if __name__ == "__main__":
    command_line.run(main, headings=config.headings())

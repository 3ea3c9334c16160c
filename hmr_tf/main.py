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

    results = people.Evaluation(hmr, files, options.batch_size).run()
    for name, text in people.DESCRIPTIONS.items():
        if name in results:
            print(f"{results[name]:8.2f}  {text}")
    path = _output(options) / "results.json"
    with _writing(options):
        path.write_text(json.dumps({**results, "load_path": options.load_path}, indent=2) + "\n")
    print(f"{results['people']:8d}  people; written to {path}")


def predict(options):
    """--mode=predict: bodies over photographs or a video, as pictures, meshes and arrays."""
    _needs(options, "load_path")
    sources = [name for name in ("img_path", "video_path") if getattr(options, name)]
    sources += ["webcam"] if options.webcam >= 0 else []
    if len(sources) != 1:
        raise InputError("--mode=predict needs one of --img_path, --video_path, --webcam.")
    formats = _formats(options)
    principal_px = _numbers(options, "principal_px", "x,y")
    boxes = _boxes(options)
    from hmr_tf.output import predict, video

    where = predict.Where(boxes, options.focal_px or None, principal_px)
    paths = _photographs(options) if options.img_path else []
    model = _drawing_model(options)
    with _writing(options):
        if paths:
            written, problems = predict.photographs(
                model, paths, where, options.output_dir, formats, options.up_axis
            )
        else:
            problems = []
            path = options.video_path or video.record(
                options.webcam, _output(options) / "webcam.mp4", options.num_frames
            )
            written = video.predict_video(
                model, path, where, options.output_dir, formats, options.smooth, options.up_axis
            )
    if len(paths) == len(problems) == 1:
        raise InputError(problems[0])
    print(*written, sep="\n")
    for problem in problems:
        sys.stderr.write(f"error: {problem}\n")
    if problems:
        sys.stderr.write(f"error: {len(problems)} of {len(paths)} photographs were left out\n")
    return 1 if problems else 0


def export(options):
    """--mode=export: a SavedModel or a TFLite file in --output_dir."""
    _needs(options, "load_path")
    if (options.export_format, options.export_dtype) == ("tflite", "bfloat16"):
        raise InputError("--export_format=tflite knows no bfloat16: use float32 or float16.")
    hmr = _load(options)
    folder = _output(options)
    if options.export_format == "tflite":
        from hmr_tf.output import tflite

        with _phase("Converting"), _writing(options):
            path, error = tflite.export(hmr, folder, options.export_dtype)
        print(f"{path}: vertices at most {1e3 * error:.2g} mm from those of TensorFlow")
    else:
        from hmr_tf.output import saved_model

        with _phase("Writing the SavedModel"), _writing(options):
            saved_model.export(hmr, folder, options.export_dtype)
        print(folder)


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


def fit(options):
    """--mode=fit: SMPL parameters for people whose keypoints are labelled."""
    _needs(options, "load_path", "data_dir")
    if Path(options.output_dir).resolve() == Path(options.data_dir).resolve():
        raise InputError("--output_dir is --data_dir: name another folder for the fitted records.")
    from hmr_tf.data import shard_files

    files = {n: shard_files.find(options.data_dir, n, options.split) for n in options.datasets}
    hmr = _load(options)
    from hmr_tf.networks import checkpoint
    from hmr_tf.output import fit

    critic = checkpoint.load_critic(options.load_path)
    for name, paths in files.items():
        with _writing(options):
            done = fit.fit_dataset(
                hmr,
                critic,
                paths,
                options.data_dir,
                options.output_dir,
                options.batch_size,
                options.fit_steps,
            )
        error_px = done.mean_error_norm * hmr.image_size / 2
        print(
            f"{name}: {done.num_fitted} of {done.num_people} people fitted, "
            f"{error_px:.1f} px of the crop on average, {done.folder}"
        )


def quickstart(options):
    """--mode=quickstart: the whole way on synthetic people, in minutes."""
    from hmr_tf import quickstart

    quickstart.run(options.output_dir, options.img_path)


RUN = {f.__name__: f for f in (train, evaluate, predict, fit, export, import_tf1, quickstart)}


def main(argv):
    if len(argv) > 1:
        raise InputError(f"{argv[1]!r} is no flag: every option is --name=value; see --help.")
    logging.set_verbosity(logging.INFO)
    logging.get_absl_handler().setFormatter(None)  # messages alone, without file and time
    options = config.from_flags()
    if not options.mode:
        raise InputError(f"--mode is missing: one of {', '.join(RUN)}; see --help.")
    return RUN[options.mode](options)


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
    return _load_with_body(options)[0]


def _load_with_body(options):
    """As `_load`, and the `ModelData` of its body."""
    with contextlib.nullcontext() if "tensorflow" in sys.modules else _phase("Loading TensorFlow"):
        from hmr_tf.networks import checkpoint
    with _phase("Loading the model"):
        return checkpoint.load_with_body(options.load_path, options.smpl_model_path)


def _needs(options, *names):
    for name in names:
        if not getattr(options, name):
            raise InputError(f"--mode={options.mode} needs --{name}; see --help.")


def _photographs(options):
    """Paths of --img_path; a single one that cannot be read is refused before anything loads."""
    from hmr_tf.data import photo

    paths = photo.find(options.img_path)
    if len(paths) == 1:
        photo.read_image(paths[0])
    return paths


def _formats(options):
    """What --write names; for videos only what can be written of them."""
    if options.img_path:
        known = config.PHOTO_FORMATS + config.MOTION_FORMATS
        asked = options.write
    else:
        known = ("overlay", "npz", *config.MOTION_FORMATS)
        asked = [name for name in options.write if name != "obj" or not _is_default(options)]
    for name in asked:
        if name not in known:
            raise InputError(f"--write={name} is not one of {', '.join(known)}.")
    return asked


def _is_default(options):
    return options.write == config.Config().write


def _drawing_model(options):
    """The model of --load_path with its detector, and with faces to draw."""
    from hmr_tf.output.model import Model

    hmr, body = _load_with_body(options)
    if not len(body.faces):
        raise InputError(
            "The model was imported without an SMPL file and has no faces to draw: pass "
            "--smpl_model_path=FILE."
        )
    detector = None
    if options.detector:
        from hmr_tf.output.detector import Detector

        with _phase("Loading the detector"):
            detector = Detector(options.detector)
    return Model(hmr, body, detector)


def _boxes(options):
    """What --box, --boxes or --json_path says, as `data.boxes.read` gives it; or None."""
    given = [name for name in ("box", "boxes", "json_path") if getattr(options, name)]
    if len(given) > 1:
        raise InputError(f"--{given[0]} and --{given[1]} both say where people are: pass one.")
    if options.box:
        return {None: [_numbers(options, "box", "x,y,width,height")]}
    from hmr_tf.data import boxes, openpose

    if options.json_path:
        return {None: [openpose.most_confident(openpose.read(options.json_path)).box]}
    return boxes.read(options.boxes) if options.boxes else None


def _numbers(options, name, form):
    """The numbers of a flag such as --box=x,y,width,height; None where it is not given."""
    values = getattr(options, name)
    if not values:
        return None
    try:
        numbers = tuple(float(value) for value in values)
    except ValueError:
        numbers = ()
    if len(numbers) != len(form.split(",")) or not all(map(math.isfinite, numbers)):
        raise InputError(f"--{name}={','.join(values)} is not {form} in pixels.")
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

"""Steps of several modes: required flags, the announcement, loading a model, the output folder."""

import contextlib
import os
import sys
import tempfile
from pathlib import Path

from hmr_tf.cli.checks import early_checks
from hmr_tf.cli.command_line import timed_phase, write_and_load_tensorflow
from hmr_tf.data import shards
from hmr_tf.files import atomic, checkpoint_files
from hmr_tf.files.errors import InputError, printable

# Linux has one of these where there is a GPU: of NVIDIA, of AMD, of Windows' Linux.
_GPU_DEVICES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")


def require_flags(options, *names):
    """InputError if one of these flags was not given."""
    for name in names:
        if not getattr(options, name):
            raise InputError(
                f"--mode={options.mode} needs --{name}; see --help --mode={options.mode}."
            )


def load(options):
    """The trained model of --load_path; without it the released network."""
    return load_with_body(options)[0]


def load_with_body(options):
    """As `load`, and the `BodyModel` of its body."""
    from hmr_tf.networks import checkpoint

    name = model_name(options)
    with timed_phase("Loading the released network" if name == "released" else f"Loading {name}"):
        return checkpoint.load_with_body(options.load_path, options.smpl_model_path)


def make_engine(options, hmr):
    """`networks.engines.Engine` of --engine, --precision and --flip_test."""
    from hmr_tf.networks import engines

    return engines.make(
        hmr, options.engine, options.precision, options.load_path, options.flip_test
    )


def model_name(options):
    """What results call the model."""
    return options.load_path or "released"


def announce_and_load_tensorflow(options, num_photographs=0):
    """Prints what a mode will do, then imports TensorFlow, which takes seconds.

    Raises:
      InputError: as `announcement` and `early_checks.check`; nothing was printed or loaded then.
    """
    text = announcement(options, num_photographs)
    early_checks.check(options)
    write_and_load_tensorflow(text)


@contextlib.contextmanager
def output_folder(options):
    """Makes the folder --output_dir and removes it at the end if it is new and still empty.

    Raises:
      InputError: the folder cannot be written, now or later.
    """
    with os_errors_as_input_errors(options), new_folder(Path(options.output_dir)) as folder:
        yield folder


@contextlib.contextmanager
def new_folder(folder):
    """Makes a folder, with its parents, and removes them at the end if they are new and empty.

    What killed processes left in it is removed.

    Args:
      folder: Path.

    Yields:
      `folder`.

    Raises:
      OSError: it cannot be written; raised before the work, not after it.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        atomic.remove_left_over(folder)
        yield folder
    finally:
        with contextlib.suppress(OSError):  # not empty, or never made
            for path in missing:
                path.rmdir()


@contextlib.contextmanager
def os_errors_as_input_errors(options):
    """Raises InputError for an OSError, such as a full disk."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"--output_dir={options.output_dir} cannot be written: {reason}"
        ) from error


def report_left_out(problems):
    """Writes what was left out, a line for each of `problems`; returns the exit code."""
    for problem in problems:
        sys.stderr.write(f"error: {printable(problem)}\n")
    if problems:
        sys.stderr.write(f"error: left out for the reasons above: {len(problems)}\n")
    return 1 if problems else 0


# The announcement imports no TensorFlow, so that wrong data is refused in a fraction of a second.


def announcement(options, num_photographs=0):
    """The two lines of a mode.

    Args:
      options: `cli.options.Options`.
      num_photographs: that --img_path names, with --mode=predict.

    Raises:
      InputError: a dataset of --data_dir is missing or damaged.
    """
    work, network, output = {
        "train": _train,
        "evaluate": _evaluate,
        "predict": lambda options: _predict(options, num_photographs),
        "fit": _fit,
        "export": _export,
        "import_tf1": _import_tf1,
        "quickstart": _quickstart,
    }[options.mode](options)
    return f"{work}{_device()}.\nNetwork: {network}. Output: {output}.\n"


def _train(options):
    if not options.data_dir:
        raise InputError("--data_dir is missing: the folder that data_prep/to_tfrecords.py wrote.")
    files = shards.split(
        options.data_dir, options.datasets, options.val_datasets, options.val_shards
    ).training
    data = _counted(files, "people")
    if not options.encoder_only:
        mocap = shards.find_mocap(options.data_dir, options.mocap_datasets)
        data += f" and {_counted(mocap, 'bodies')}"
    steps = f"{options.num_steps:,} steps" if options.num_steps else f"{options.epoch} epochs"
    resumed = options.load_path and options.load_path != "released"
    start = options.pretrained_model_path or "random weights"
    network = f"{options.encoder}, {options.img_size} px, from {options.load_path or start}"
    old = checkpoint_files.folder_of(options.load_path) if resumed else "logs/HMR_..."
    folder = options.model_dir or old
    work = f"Trains on {data}, {steps}, {options.batch_size} people a step"
    return work, network, folder


def _evaluate(options):
    if options.compare:
        work = f"Compares {', '.join(options.compare)}"
        return work, "none is needed", f"comparison.html in {options.output_dir}"
    protocol = options.protocol or "body_errors"
    by_dataset = protocol in ("body_errors", "keypoints2d")
    people = _people(options) if by_dataset else options.data_dir
    output = f"results.json and report.html in {options.output_dir}"
    return f"Measures {protocol} on {people}", _network(options), output


def _predict(options, num_photographs):
    source = options.video_path or f"what camera {options.webcam} records"
    if options.img_path:
        source = f"{num_photographs:,} photograph{'s' * (num_photographs != 1)}"
        source += f" ({options.img_path})"
    boxes = options.boxes or options.json_path or ("--box" if options.box else "")
    work = f"Predicts the people in {source}" + (f", boxes of {boxes}" if boxes else "")
    return work, _network(options), f"{', '.join(options.write)} in {options.output_dir}"


def _fit(options):
    work = f"Fits SMPL to {_people(options)}, {options.fit_steps} steps"
    return work, _network(options), f"TFRecords in {options.output_dir}"


def _export(options):
    form = {"saved_model": "SavedModel", "tflite": "TFLite file"}[options.export_format]
    work = f"Exports a {form} in {options.export_dtype}"
    return work, _network(options), options.output_dir


def _import_tf1(options):
    return "Imports a checkpoint of the original", options.load_path, options.model_dir


def _quickstart(options):
    work = f"Predicts the body in {options.img_path or 'a photograph that comes with hmr_tf'}"
    if options.skip_training:
        return work, _network(options), options.output_dir
    work += ", then trains and evaluates a small network in minutes"
    return work, "the released one, then the one trained", options.output_dir


def _people(options):
    """The people of --datasets, as "300 people (coco, test)"."""
    if not options.datasets:
        raise InputError("--datasets is empty: name at least one, as in --datasets=lsp_ext,coco")
    files = {n: shards.find(options.data_dir, n, options.split) for n in options.datasets}
    return f"{_counted(files, 'people')[:-1]}; {options.split})"


def _counted(files, noun):
    """Dataset name -> shard paths, as "1,000 people (lsp_ext, coco)"."""
    return f"{shards.count_records(shards.paths(files)):,} {noun} ({', '.join(files)})"


def _network(options):
    """Where the network of --load_path comes from, and its encoder if params.json has it."""
    if options.load_path in ("", "released"):
        return "the released one"
    try:
        params = checkpoint_files.read_params(checkpoint_files.folder_of(options.load_path))
        return f"{options.load_path} ({params['encoder']}, {params['img_size']} px)"
    except (InputError, KeyError, TypeError):
        return options.load_path  # what is wrong there is reported when it is loaded


def _device():
    """Where the work runs, if that is known without TensorFlow."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    has_none = sys.platform == "linux" and not any(map(os.path.exists, _GPU_DEVICES))
    return " on the CPU" if hidden or has_none else ""

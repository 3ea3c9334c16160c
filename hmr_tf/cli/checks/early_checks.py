"""What each mode checks before TensorFlow is loaded: the paths that its flags name.

The modules that use the paths check them again, and more of them.
"""

import importlib.util
import os
import socket
import sys
from pathlib import Path

from hmr_tf.data import shards
from hmr_tf.files import (
    atomic,
    checkpoint_files,
    image_size,
    optional_models,
    safe_npz,
    safe_pickle,
)
from hmr_tf.files.errors import InputError
from hmr_tf.serving import export_folder

_FILES = ("keypoint_regressor", "mean_params_path")
_FOLDERS = ("segmentation_dir", "mocap_ranges")
_ADDONS = ("augment_occlusion", "augment_color", "critic_spectral_norm")


def check(options):
    """Raises InputError for the first flag of a mode that names nothing usable.

    Args:
      options: `cli.options.Options`.
    """
    for of_mode in _CHECKS[options.mode]:
        of_mode(options)


def check_model(options):
    """InputError where the flags of a `Model` name no network, SMPL file, detector or engine.

    Args:
      options: with the attributes load_path, smpl_model_path, detector and engine.
    """
    _trained_network(options)
    if options.detector:
        optional_models.check_detector(options.detector)
    _engine(options)


def check_port(port):
    """InputError where another program listens at a port of this machine; 0 is always free."""
    try:
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            connection.bind(("127.0.0.1", port))
    except (OSError, OverflowError) as error:
        raise InputError(f"--port={port} is not free: give another one.") from error


def _trained_network(options):
    if options.load_path not in ("", "released"):
        checkpoint_files.check(options.load_path)
        checkpoint_files.read_params(checkpoint_files.folder_of(options.load_path))
    path = options.smpl_model_path
    if path and not Path(path).exists():
        raise InputError(
            f"--smpl_model_path={path}: no such file or folder; SMPL's files are at "
            "smpl.is.tue.mpg.de, and without the flag the built-in CC0 body is used."
        )
    if path and Path(path).is_file():
        _smpl_file(path)


def _smpl_file(path):
    """InputError for a file of another kind; its numbers are checked when they are read."""
    if Path(path).suffix.lower() == ".npz":
        safe_npz.load(path, ())
    else:
        safe_pickle.check(path)


def _is_installed(module):
    return module in sys.modules or importlib.util.find_spec(module) is not None


def _engine(options):
    if options.engine == "openvino" and not _is_installed("openvino"):
        raise InputError(
            "--engine=openvino: OpenVINO is not installed: pip install openvino, or pass "
            "--engine=tensorflow."
        )


def _output_folder(options):
    atomic.check_folder("output_dir", options.output_dir)


def _camera(options):
    path = f"/dev/video{options.webcam}"
    if options.webcam >= 0 and sys.platform == "linux" and not os.path.exists(path):
        raise InputError(
            f"--webcam={options.webcam} gives no frames: there is no camera {path}; "
            "--webcam=0 is the first one."
        )


def _video(options):
    """InputError for a photograph, which OpenCV reads as a video of one frame."""
    path = Path(options.video_path)
    if not path.is_file():
        return
    try:
        with open(path, "rb") as file:
            head = file.read(image_size.HEAD_BYTES)
    except OSError as error:
        raise InputError(f"--video_path={path} cannot be read: {error.strerror}.") from error
    if image_size.is_supported_image(head, path.suffix):
        raise InputError(f"--video_path={path} is a photograph: pass --img_path={path}")


def _blazepose(options):
    if options.refine:
        optional_models.require_blazepose()


def _training_files(options):
    for flag in _FILES:
        path = getattr(options, flag)
        if path and not Path(path).is_file():
            raise InputError(f"--{flag}={path}: no such file.")
    weights = options.pretrained_model_path
    if Path(weights).suffix.lower() in (".h5", ".hdf5") and not Path(weights).is_file():
        raise InputError(f"--pretrained_model_path={weights}: no such file.")
    if weights not in ("", "released", "imagenet"):
        checkpoint_files.check_tf1(weights)


def _addons(options):
    given = [flag for flag in _ADDONS if getattr(options, flag)]
    if given and not _is_installed("tensorflow_addons"):
        raise InputError(
            f"--{given[0]} needs TensorFlow Addons, which is not installed: leave the flag out, or "
            "use Python 3.9 to 3.11 and `pip install -r requirements.txt`"
        )


def _run_folder(options):
    if not options.model_dir:
        return
    atomic.check_folder("model_dir", options.model_dir)
    checkpoint_files.refuse_pattern(options.model_dir, "model_dir")
    resumed = options.load_path not in ("", "released")
    if resumed and _is_same(options.model_dir, checkpoint_files.folder_of(options.load_path)):
        return
    if checkpoint_files.has_list(options.model_dir):
        raise checkpoint_files.another_run(options.model_dir)


def _is_same(path, other):
    return Path(path).resolve() == Path(other).resolve()


def _evaluation(options):
    if options.compare:
        from hmr_tf.evaluation.report import results

        for path in options.compare:
            results.read(path)
        return
    _trained_network(options)
    _engine(options)
    if not Path(options.data_dir).is_dir():
        kind = "photographs" if options.protocol == "coco_keypoints" else "TFRecords"
        raise InputError(
            f"--data_dir={options.data_dir} is not a folder: pass the folder of the {kind}"
        )
    if options.detector:
        optional_models.check_detector(options.detector)
    if options.protocol == "coco_keypoints" and not options.annotations:
        raise InputError(
            "--protocol=coco_keypoints needs --annotations: the JSON of COCO's keypoints."
        )
    for flag in ("annotations", "boxes"):
        path = getattr(options, flag)
        if path and not Path(path).exists():
            raise InputError(f"--{flag}={path}: no such file.")
    for flag in _FOLDERS:
        path = getattr(options, flag)
        if path and not Path(path).is_dir():
            raise InputError(f"--{flag}={path} is not a folder.")
    if options.mocap_ranges:
        shards.of_mocap_ranges(options.mocap_ranges)
    if options.protocol == "lsp_parts" and not options.segmentation_dir:
        raise InputError("--protocol=lsp_parts needs --segmentation_dir: UPi-S1h's data/lsp.")


def _export(options):
    if options.export_format == "saved_model":
        export_folder.check(options.output_dir)


def _quickstart(options):
    checkpoint_files.refuse_pattern(options.output_dir, "output_dir")  # a network is saved there


def _import_tf1(options):
    checkpoint_files.check_tf1(options.load_path)
    atomic.check_folder("model_dir", options.model_dir)
    checkpoint_files.refuse_filled(options.model_dir)
    path = options.smpl_model_path
    if path and not Path(path).exists():
        raise InputError(f"--smpl_model_path={path}: no such file or folder.")


# Functions of the options, in the order of the checks.
_CHECKS = {
    "train": (_trained_network, _training_files, _addons, _run_folder),
    "evaluate": (_evaluation, _output_folder),
    "predict": (_camera, _video, check_model, _blazepose, _output_folder),
    "fit": (_trained_network, _output_folder),
    "export": (_trained_network, _export, _output_folder),
    "import_tf1": (_import_tf1,),
    "quickstart": (_output_folder, _quickstart),
}

"""The files of a checkpoint, by name: whether they are there, and the params.json beside them.

Imports no TensorFlow, so that commands refuse a wrong path before they load it.
"""

import json
from pathlib import Path

from hmr_tf.files.errors import InputError

PARAMS = "params.json"
_MAX_PARAMS_BYTES = 1 << 20
_LIST = "checkpoint"  # the file of a folder in which TensorFlow lists its checkpoints
# TensorFlow writes a checkpoint to such a folder, but does not find it there, nor delete it later.
_PATTERN_SIGNS = ("[", "*", "?", "\\")
_OTHER_NETWORKS = {
    **dict.fromkeys((".pt", ".pth"), "PyTorch"),
    **dict.fromkeys((".h5", ".hdf5", ".keras"), "Keras"),
    **{".onnx": "ONNX", ".tflite": "TensorFlow Lite", ".safetensors": "safetensors"},
}


def check(load_path):
    """Raises InputError where --load_path, a folder or a checkpoint prefix, names no checkpoint."""
    path = Path(load_path)
    refuse_pattern(path, "load_path")
    if path.is_dir():
        if not has_list(path):
            raise no_checkpoint(path)
    elif not path.with_name(path.name + ".index").is_file():
        kind = _OTHER_NETWORKS.get(path.suffix.lower())
        if kind:
            raise InputError(
                f"--load_path={load_path} is of {kind}, of which no networks are read: give a "
                "--model_dir of a training run; without --load_path the released network is used."
            )
        raise InputError(
            f"No checkpoint at --load_path={load_path}: give a --model_dir of a training run or a "
            "prefix such as logs/run/ckpt-1000, without .index."
        )


def has_list(folder):
    """Whether a folder lists checkpoints, as that of a training run does."""
    return (Path(folder) / _LIST).is_file()


def no_checkpoint(folder):
    """The InputError of a folder whose list names no checkpoint that is there."""
    remedy = "train one with --mode=train."
    if (Path(folder) / "saved_model.pb").is_file():
        remedy = "it is an exported model; give the checkpoint from which it was exported."
    if any(Path(folder).glob("*.data-*")):
        remedy = "part of its files are missing; copy the whole folder."
    for index in sorted(Path(folder).glob("*.index")):
        remedy = f"{Path(folder) / _LIST} names none; pass --load_path={index.with_suffix('')}"
    return InputError(f"--load_path={folder} holds no checkpoint: {remedy}")


def damaged_list(folder):
    """The InputError of a folder whose list of checkpoints cannot be read."""
    return InputError(
        f"{Path(folder) / _LIST}, which lists the checkpoints of its folder, is damaged: pass one "
        f"of them, as --load_path={Path(folder) / 'ckpt-1000'}, or name another folder."
    )


def check_tf1(prefix):
    """Raises InputError where a prefix names no checkpoint of TensorFlow 1."""
    path = Path(prefix)
    if not (path.is_file() or path.with_name(f"{path.name}.index").is_file()):
        raise InputError(
            f"No checkpoint at {prefix}: give the path without .index or .data-..., as in "
            "models/model.ckpt-667589"
        )


def folder_of(load_path):
    """Path of the folder of a checkpoint: --load_path is it, or a prefix in it."""
    path = Path(load_path)
    return path if path.is_dir() else path.parent


def read_params(folder):
    """The content of the params.json of a folder: how its network was built and trained.

    Raises:
      InputError: there is no such file, or it is not JSON.
    """
    path = Path(folder) / PARAMS
    try:
        with open(path, "rb") as file:
            content = file.read(_MAX_PARAMS_BYTES + 1)
        if len(content) > _MAX_PARAMS_BYTES:
            raise ValueError
        return json.loads(content)
    except (OSError, ValueError, RecursionError) as error:
        reason = f": {error.strerror}" if isinstance(error, OSError) else ": it is not JSON"
        raise InputError(
            f"{path}, which states how the network was built, cannot be read{reason}. Import a "
            "checkpoint of the original with --mode=import_tf1 first."
        ) from error


def refuse_pattern(path, flag):
    """InputError for a path of checkpoints or a SavedModel that TensorFlow reads as a pattern."""
    path = Path(path).absolute()
    refused = [part for part in path.parts[1:] for sign in _PATTERN_SIGNS if sign in part]
    if refused:
        raise InputError(
            f"--{flag}={path}: TensorFlow takes {' '.join(_PATTERN_SIGNS)} in the path of a "
            f"checkpoint or SavedModel for a pattern; rename {refused[0]}, or name another folder."
        )


def refuse_filled(model_dir):
    """InputError for a --model_dir that is a file or holds files."""
    folder = Path(model_dir)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"--model_dir={folder} holds something already: name a new folder.")
    refuse_pattern(folder, "model_dir")


def another_run(model_dir):
    """The InputError of a --model_dir that holds another training run."""
    return InputError(
        f"--model_dir={model_dir} holds a training run already: name another folder, or leave it "
        f"out and pass --load_path={model_dir}."
    )

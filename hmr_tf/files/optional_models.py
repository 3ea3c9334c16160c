"""The folders of models that hmr_tf uses but does not bring: the person detector, BlazePose.

Imports no TensorFlow, so that commands refuse a missing one before they load it.
"""

from pathlib import Path

from hmr_tf.files import safe_npz
from hmr_tf.files.errors import InputError

# Where the README makes them, and the file that is there then.
DETECTOR_FOLDER, DETECTOR_FILE = Path("models") / "movenet", "saved_model.pb"
BLAZEPOSE_FOLDER, BLAZEPOSE_FILE = Path("models") / "blazepose", "pose_landmark_full.tflite"


def find_detector(folder=""):
    """The detector's folder: the one named, else `DETECTOR_FOLDER` if it was made, else ""."""
    return str(folder or (DETECTOR_FOLDER if (DETECTOR_FOLDER / DETECTOR_FILE).is_file() else ""))


def check_detector(folder):
    """Raises InputError where a folder holds no detector."""
    if not (Path(folder) / DETECTOR_FILE).is_file():
        raise InputError(
            f"--detector={folder} holds no detector: make it, "
            f"`python -m tools.movenet --output={folder}`."
        )


def find_blazepose(folder=""):
    """BlazePose's folder: the one named, else `BLAZEPOSE_FOLDER` if it was made, else ""."""
    return str(
        folder or (BLAZEPOSE_FOLDER if (BLAZEPOSE_FOLDER / BLAZEPOSE_FILE).is_file() else "")
    )


def require_blazepose(folder=""):
    """As `find_blazepose`; InputError where there is none."""
    folder = find_blazepose(folder)
    if not folder:
        raise InputError(
            "Refinement needs BlazePose: make it once, `python -m tools.blazepose "
            f"--output={BLAZEPOSE_FOLDER}`."
        )
    return folder


def landmarks_file(landmarks_path, blazepose_folder, dataset):
    """Path of the landmarks of a dataset, or of BlazePose's file; InputError if it is missing.

    Args:
      landmarks_path: .npz, or a folder with DATASET.npz; empty: BlazePose.
      blazepose_folder: of BlazePose; empty: the one that was made.
      dataset: its name.
    """
    if landmarks_path:
        path = Path(landmarks_path)
        path = path / f"{dataset}.npz" if path.is_dir() else path
        if not path.is_file():
            raise InputError(f"--landmarks: there is no file {path}.")
        safe_npz.load(path, ())  # refuses another kind of file
        return path
    path = Path(find_blazepose(blazepose_folder)) / BLAZEPOSE_FILE
    if not path.is_file():
        raise InputError(
            "No BlazePose: make it once, `python -m tools.blazepose --output=models/blazepose`, or "
            "pass --landmarks=FILE.npz."
        )
    return path

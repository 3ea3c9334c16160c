"""SSP-3D: labels.npz, images/ and silhouettes/: 311 photographs of athletes, for body shape.

Arrays of labels.npz, as `data/ssp3d_dataset.py` and `visualisation.py` of
akashsengupta1997/SSP-3D@f15b4b0: fnames (N,), shapes (N, 10), poses (N, 72) and cam_trans (N, 3) in
camera coordinates, genders (N,) "m" or "f", joints2D (N, 17, 3) COCO's keypoints. The photographs
are 512 x 512, the camera has a focal length of 5000 and its centre in the middle. A silhouette has
the name of its photograph: evaluation reads it from its folder.
"""

from pathlib import Path

import numpy as np

from data_prep.reader_items import Skipped
from data_prep.readers.smpl_truth import sequence_files, truth_people
from data_prep.readers.smpl_truth.pw3d import GENDERS
from hmr_tf.body import skeleton
from hmr_tf.data.smpl_truth import NUM_BETAS, NUM_JOINTS, SmplTruth
from hmr_tf.files import safe_npz
from hmr_tf.files.errors import InputError

LABELS = "labels.npz"
IMAGE_PX, FOCAL_PX = 512, 5000.0  # its `config.py`, `visualisation.py:50`
CAMERA = np.array([FOCAL_PX, FOCAL_PX, IMAGE_PX / 2, IMAGE_PX / 2])
MAX_BYTES = 2**26  # it has 0.4 MB
_FOLDERS = (".", "ssp_3d", "SSP-3D")
_NO_JOINTS = np.full((NUM_JOINTS, 3), np.nan)
_SHAPES = {
    "shapes": (NUM_BETAS,),
    "poses": (3 * NUM_JOINTS,),
    "cam_trans": (3,),
    "joints2D": (len(skeleton.COCO_KEYPOINTS), 3),
}


def read(data_dir, split):
    """Yields a LabelledPerson or Skipped for each photograph, in the order of labels.npz.

    Args:
      data_dir: folder with labels.npz.
      split: "test".

    Raises:
      InputError: another split, no labels.npz, or one that is damaged or of another form.
    """
    if split != "test":
        raise InputError(f"ssp3d has no split {split}: pass --split=test")
    folders = [Path(data_dir) / name for name in _FOLDERS]
    folder = next((folder for folder in folders if (folder / LABELS).is_file()), None)
    if folder is None:
        raise InputError(f"there is no {LABELS} in {data_dir}: pass SSP-3D's folder")
    names, genders, labels = _read_labels(folder / LABELS)
    for row, name in enumerate(names):
        if Path(name).name != name:
            yield Skipped("file name with a folder", repr(name))
        elif genders[row] not in GENDERS:
            yield Skipped("gender not m or f", name)
        else:
            yield _person(
                str(folder / "images" / name),
                {key: array[row] for key, array in labels.items()},
                GENDERS[genders[row]],
            )


def _read_labels(path):
    """labels.npz -> list of file names, list of genders, dict: name -> array.

    Raises:
      InputError: unreadable, or arrays are missing or have other shapes.
    """
    arrays = safe_npz.load(path, ("fnames", "genders", *_SHAPES), MAX_BYTES)
    with sequence_files.named(path):
        sequence_files.check_keys(arrays, ("fnames", "genders", *_SHAPES))
        names, genders = (_texts(arrays[key], key) for key in ("fnames", "genders"))
        if len(genders) != len(names):
            raise InputError(f"its genders are of {len(genders)} people, not {len(names)}")
        labels = {
            key: sequence_files.numbers(arrays[key], key, (len(names), *shape))
            for key, shape in _SHAPES.items()
        }
    return names, genders, labels


def _texts(array, name):
    if array.dtype.kind not in "SU" or array.ndim != 1:
        raise InputError(f"its {name} are not a list of texts")
    if array.dtype.kind == "S":  # written by Python 2
        array = np.char.decode(array, "utf8", "replace")
    return array.tolist()


def _person(image, labels, gender):
    truth = SmplTruth(
        pose=labels["poses"].reshape(NUM_JOINTS, 3),
        betas=labels["shapes"],
        transl=labels["cam_trans"],
        gender=gender,
        smpl_joints=_NO_JOINTS,
        camera=CAMERA,
    )
    points_px, confidences = np.split(labels["joints2D"], [2], axis=1)
    points = truth_people.keypoints(points_px, confidences[:, 0], skeleton.COCO_KEYPOINTS)
    return truth_people.labelled_person(
        image, points, truth, labelled_size=(IMAGE_PX, IMAGE_PX), has_face=True
    )

"""MPI-INF-3DHP, test: TS1..TS6 with annot_data.mat and imageSequence/img_000001.jpg, ...

The original has no reader of it. Frames are scaled and cropped like the training set. All valid
frames are taken (papers count 2,929), however many joints lie inside the image.

Each record holds the 14 joints of annot3 as in training, and a `record.Reference`: the released
evaluation scripts compare with univ_annot3, in which all people have the same height, and some of
them use all 17 joints.
"""

from pathlib import Path

import numpy as np

from data_prep.reader_items import IndexNote, Skipped
from data_prep.readers import frame_numbering
from data_prep.readers.formats import matlab
from data_prep.readers.mpi_inf_3dhp import mpi_inf_3dhp_train
from hmr_tf.body import skeleton
from hmr_tf.data import record
from hmr_tf.files.errors import InputError

SEQUENCES = ("TS1", "TS2", "TS3", "TS4", "TS5", "TS6")
ACTIVITIES = (1, 2, 3, 4, 5, 6, 7)
ANNOTATIONS = "annot_data.mat"
JOINTS = skeleton.MPI_INF_3DHP_JOINTS
_LSP = list(skeleton.indices(skeleton.LSP_JOINTS, JOINTS))
# Below --data_dir, which is the folder of the dataset or of the test set.
_FOLDERS = ("mpi_inf_3dhp_test_set/{}", "mpi_inf_3dhp_test_set/mpi_inf_3dhp_test_set/{}")
_FOLDERS += ("test/{}", "{}")


def read(data_dir, split):
    """Yields a LabelledPerson or Skipped for each frame, by sequence and time; split "test" only.

    Raises:
      InputError: another split, or no sequence has annotations.
    """
    if split != "test":
        raise InputError(f"the test set of mpi_inf_3dhp has no split {split}: pass --split=test")
    folders = [_folder(Path(data_dir), sequence) for sequence in SEQUENCES]
    if not any((folder / ANNOTATIONS).is_file() for folder in folders):
        raise InputError(
            f"there is no mpi_inf_3dhp_test_set/TS1/{ANNOTATIONS} in {data_dir}: pass the folder "
            "of MPI-INF-3DHP"
        )
    for folder in folders:
        yield from _read_sequence(folder)


def _folder(data_dir, sequence):
    folders = [data_dir / name.format(sequence) for name in _FOLDERS]
    return next((folder for folder in folders if folder.is_dir()), folders[0])


def _read_sequence(folder):
    path = folder / ANNOTATIONS
    if not path.is_file():
        yield Skipped(f"{ANNOTATIONS} missing", str(path), is_problem=folder.is_dir())
        return
    try:
        is_valid, points_px, references = _read_annotations(path)
    except InputError as error:
        yield Skipped(f"{ANNOTATIONS} unreadable", str(error))
        return
    images = folder / "imageSequence"
    first = frame_numbering.first_number(
        lambda number: _image(images, number).is_file(), len(references), default=1
    )
    for row, reference in enumerate(references):
        image = str(_image(images, row + first))
        if not is_valid[row]:
            where = f"{folder.name}, {Path(image).name}"
            yield Skipped("not a valid frame", where, is_problem=False)
        else:
            yield mpi_inf_3dhp_train.person(
                image,
                points_px[row, _LSP],
                reference.joints[_LSP],
                crop_rule=mpi_inf_3dhp_train.CROP._replace(min_inside=0),
                sequence=folder.name,
                reference=reference,
            )
    yield IndexNote(f"images numbered from {first}", int(is_valid.sum()))


def _image(folder, number):
    return folder / f"img_{number:06d}.jpg"


def _read_annotations(path):
    """annot_data.mat -> (N,) whether valid, (N, 17, 2) points in pixels, N x `record.Reference`.

    Raises:
      InputError: unreadable, or of another form.
    """
    names = ("valid_frame", "annot2", "annot3", "univ_annot3")
    arrays = matlab.load(path, names, optional=("activity_annotation",))
    is_valid, points_px, joints_mm, universal_mm, *activity = arrays.values()
    is_valid = matlab.numbers(is_valid) == 1
    try:
        points_px = _by_frame(points_px, len(is_valid), 2)
        joints, universal = (
            _by_frame(x, len(is_valid), 3) / 1000.0 for x in (joints_mm, universal_mm)
        )
        activities = np.zeros(len(is_valid), int)
        for array in activity:
            numbers = matlab.numbers(array)
            activities[:] = np.where(np.isin(numbers, ACTIVITIES), numbers, 0)
    except (ValueError, InputError) as error:
        reason = str(error) if isinstance(error, InputError) else "its arrays have other sizes"
        raise InputError(f"{path} is not {ANNOTATIONS} of MPI-INF-3DHP: {reason}") from error
    return is_valid, points_px, [*map(record.Reference, joints, universal, activities)]


def _by_frame(array, num_frames, num_axes):
    """(axes, 17, 1, N), as in MATLAB -> (N, 17, axes)."""
    array, expected = matlab.with_axes(array, 4), (num_axes, len(JOINTS), 1, num_frames)
    if array.shape != expected:
        shape, expected = (" x ".join(map(str, sides)) for sides in (array.shape, expected))
        raise InputError(f"an array of {shape} numbers, not {expected}")
    return array[:, :, 0].transpose(2, 1, 0).astype(float)

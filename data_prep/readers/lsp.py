"""Leeds Sports Pose and LSP-extended: joints.mat and images/im*.jpg.

LSP has 3 x 14 x N numbers; the third row is 1 if a joint is hidden. Its first 1000 images are the
training split. LSP-extended has 14 x 3 x N; the third column is 1 if a joint is annotated, and all
images are for training. Coordinates stay 1-based. Source: the original's `lsp_to_tfrecords.py`.
"""

import re
from pathlib import Path

import numpy as np

from data_prep.reader_items import IndexNote, LabelledPerson, Skipped
from data_prep.readers import files_by_extension, frame_numbering
from data_prep.readers.formats import matlab
from hmr_tf.body import skeleton
from hmr_tf.files.errors import InputError

NUM_TRAIN = 1000
MAX_IMAGES = 100_000  # LSP-extended has 10,000
_NAME = re.compile(r"im(\d+)")  # of an image
_NUM_JOINTS = len(skeleton.LSP_JOINTS)
_SHAPES = {"lsp": (3, _NUM_JOINTS), "lsp_ext": (_NUM_JOINTS, 3)}


def read(data_dir, split):
    """LSP: yields a LabelledPerson for each image of a split ("train", "test"), sorted by name."""
    if split not in ("train", "test"):
        raise InputError(f"lsp has no split {split}: pass --split=train or --split=test")
    joints = _read_joints(data_dir, "lsp").transpose(2, 1, 0)
    columns = range(len(joints))
    columns = columns[:NUM_TRAIN] if split == "train" else columns[NUM_TRAIN:]
    yield from _people(data_dir, joints, columns, is_hidden=True)


def read_extended(data_dir, split):
    """LSP-extended: yields a LabelledPerson for each image, sorted by name; split "train" only."""
    if split != "train":
        raise InputError(f"lsp_ext has no split {split}: all of it is for training, --split=train")
    joints = _read_joints(data_dir, "lsp_ext").transpose(2, 0, 1)
    yield from _people(data_dir, joints, range(len(joints)), is_hidden=False)


def _read_joints(data_dir, dataset):
    path = Path(data_dir) / "joints.mat"
    if not path.is_file():
        raise InputError(f"there is no {path}: pass the folder with joints.mat as --data_dir")
    joints = matlab.load(path, ["joints"])["joints"]
    joints = matlab.with_axes(joints, 3) if joints.shape == _SHAPES[dataset] else joints
    _check_shape(path, joints.shape, dataset)
    numbers = matlab.numbers(joints)
    if numbers.size != joints.size:
        raise InputError(f"{path} holds joints that are not numbers")
    if 0 < np.nanmax(np.abs(_places(joints, dataset)), initial=0) <= 1:
        raise InputError(f"{path} holds places between -1 and 1, not pixels; multiply by the sizes")
    return numbers.reshape(joints.shape).astype(float)


def _places(joints, dataset):
    """The x and y of a matrix."""
    return joints[:2] if dataset == "lsp" else joints[:, :2]


def _check_shape(path, shape, dataset):
    rows, columns = _SHAPES[dataset]
    if len(shape) != 3 or tuple(shape[:2]) != (rows, columns) or shape[2] > MAX_IMAGES:
        other = "lsp" if dataset == "lsp_ext" else "lsp_ext"
        hint = f": use --dataset={other}" if tuple(shape[:2]) == _SHAPES[other] else ""
        raise InputError(
            f"{path} holds {' x '.join(map(str, shape))} numbers; {dataset} has {rows} x {columns} "
            f"x images, at most {MAX_IMAGES}{hint}"
        )


def _people(data_dir, joints, columns, is_hidden):
    """Yields people, Skipped and IndexNote.

    Args:
      joints: (N, 14, 3) x, y, flag.
      columns: indices of `joints` to read.
      is_hidden: whether flag 1 means hidden.
    """
    folder = Path(data_dir) / "images"
    yield from files_by_extension.skipped_hidden_files(folder.glob(".*"), ".jpg")
    paths, notes = _paths(folder, len(joints))
    yield from notes
    for column in columns:
        if column not in paths:
            yield Skipped("image missing", f"{folder}, image {column + 1}")
            continue
        flags = joints[column, :, 2]
        labelled = np.zeros(len(skeleton.KEYPOINTS), int)
        labelled[:_NUM_JOINTS] = flags == 0 if is_hidden else flags > 0
        keypoints_px = np.zeros((len(skeleton.KEYPOINTS), 2))
        keypoints_px[:_NUM_JOINTS] = joints[column, :, :2]
        yield LabelledPerson(str(paths[column]), keypoints_px, labelled)


def _paths(folder, num_columns):
    """dict: column of joints.mat -> path of its image; a list of IndexNote.

    Images sorted by name are paired with columns in order, as in the original; im2 comes before
    im10. If their numbers differ, images are paired by the number in the name.
    """
    images = files_by_extension.files_with_extension(folder.glob("*"), ".jpg")
    if not images:
        raise InputError(f"there are no images {folder}/*.jpg")
    if len(images) == num_columns:
        if all(_NAME.fullmatch(path.stem) for path in images):
            images.sort(key=lambda path: int(_NAME.fullmatch(path.stem)[1]))
        return dict(enumerate(images)), []
    numbers = [_number(path, num_columns) for path in images]
    first = frame_numbering.first_number(numbers.__contains__, num_columns, default=1)
    paths = {number - first: path for number, path in zip(numbers, images)}
    return paths, [IndexNote(f"images numbered from {first}", len(images))]


def _number(path, num_columns):
    match = _NAME.fullmatch(path.stem)
    if not match or int(match[1]) > num_columns:
        raise InputError(
            f"joints.mat has {num_columns} people, but {path.parent} another number of images, and "
            f"{path.name} is not im1 to im{num_columns}: download the dataset again"
        )
    return int(match[1])

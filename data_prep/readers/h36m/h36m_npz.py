"""Human3.6M as SPIN, mmpose and mmhuman3d prepare it: h36m*.npz and the images, which are
images/S1_Directions_1.54138969_000001.jpg or lie in images/S1/S1_Directions_1.54138969/.
"""

import itertools
import re

import numpy as np

from data_prep.reader_items import IndexNote, Skipped
from data_prep.readers.h36m import h36m_frames, h36m_smpl
from data_prep.readers.h36m.h36m_recordings import skip_if_corrupt
from hmr_tf.files import safe_npz
from hmr_tf.files.errors import InputError

_FILES = ("h36m*.npz", "annotation_body3d/fps10/h36m*.npz")
_ARRAYS = ("imgname", "part", "S", "pose", "shape")
_MAX_BYTES = 2**32  # of these arrays; SPIN's file has 1 GB
_NAME = re.compile(r"(S\d+)_(.+)\.(\d+)_(\d{1,9})\.(?:jpg|png)")


def has_layout(data_dir):
    return bool(_files(data_dir))


def _files(data_dir):
    return [path for pattern in _FILES for path in sorted(data_dir.glob(pattern))]


def read(data_dir, subjects, metadata):
    """Yields a LabelledPerson or Skipped for every row of these subjects, by recording and frame.

    An image in several files (SPIN's files of protocol 1 and 2) comes once.

    Raises:
      InputError: a file is not readable.
    """
    rows = {}  # (recording, frame) -> (arrays of a file, row)
    for path in _files(data_dir):
        arrays = _read_arrays(path)
        names = [str(name).replace("\\", "/").rpartition("/")[2] for name in arrays["imgname"]]
        matches = [_NAME.fullmatch(name) for name in names]
        first = 0 if any(match and not int(match[4]) for match in matches) else 1
        yield IndexNote(f"images numbered from {first} in {path.name}", len(names))
        for row, match in enumerate(matches):
            if match and match[1] not in subjects:
                continue
            recording = metadata.recording(*match.groups()[:3]) if match else None
            if recording is None:
                where = f"{path}, row {row}: {arrays['imgname'][row]}"
                yield Skipped("image of an unknown take", where)
                continue
            rows.setdefault((recording, int(match[4]) - first), (arrays, row))
    yield from _people(data_dir, rows, metadata.intrinsics)


def _people(data_dir, rows, intrinsics):
    smpl_folder = h36m_smpl.find(data_dir)
    keys = sorted(rows, key=lambda key: (key[0].order, key[1]))
    for recording, group in itertools.groupby(keys, key=lambda key: key[0]):
        corrupt = skip_if_corrupt(recording)
        if corrupt:
            yield corrupt
            continue
        fits, fault = h36m_smpl.read(smpl_folder, recording)
        if fault:
            yield fault
        for _, frame in group:
            arrays, row = rows[recording, frame]
            image = _image_path(data_dir, arrays["imgname"][row])
            yield _person(recording, frame, image, arrays, row, intrinsics, fits)


def _person(recording, frame, image, arrays, row, intrinsics, fits):
    part, joints = (h36m_frames.lsp_joints(arrays[name][row]) for name in ("part", "S"))
    if not (part[:, 2] > 0).all():
        return Skipped("keypoints missing", f"{recording.sequence}, {image.name}")
    return h36m_frames.person(
        recording,
        frame,
        image=str(image),
        keypoints_px=part[:, :2],
        joints=joints[:, :3],
        intrinsics=intrinsics[recording.camera],
        smpl=_smpl(arrays, row) or fits.at(frame),
    )


def _image_path(data_dir, name):
    """Path of the image; if there is none, of where it should be."""
    name = str(name).replace("\\", "/").rpartition("/")[2]
    stem = name.rpartition("_")[0]
    folders = ("images", f"images/{stem.partition('_')[0]}/{stem}")
    paths = [data_dir / folder / name for folder in folders]
    return next((path for path in paths if path.is_file()), paths[0])


def _smpl(arrays, row):
    """(24, 3) pose and (10,) betas of the row, or None."""
    if "pose" not in arrays or "shape" not in arrays:
        return None
    return arrays["pose"][row].reshape(24, 3), arrays["shape"][row]


def _read_arrays(path):
    arrays = safe_npz.load(path, _ARRAYS, max_bytes=_MAX_BYTES)
    missing = [name for name in ("imgname", "part", "S") if name not in arrays]
    if missing:
        raise InputError(f"{path} has no {', '.join(missing)}: files of SPIN and mmpose have")
    num_rows, num_joints = (
        next(iter(sides), 0) for sides in (arrays["imgname"].shape, arrays["S"].shape[1:])
    )
    shapes = {
        "imgname": (num_rows,),
        "part": (num_rows, num_joints, 3),
        "S": (num_rows, num_joints, 4),
        "pose": (num_rows, 72),
        "shape": (num_rows, 10),
    }
    for name, array in arrays.items():
        is_text = array.dtype.kind in "SU"
        if array.shape != shapes[name] or is_text != (name == "imgname"):
            shape, expected = (" x ".join(map(str, s)) for s in (array.shape, shapes[name]))
            is_expected_text = name == "imgname"
            kind, expected_kind = ("texts" if t else "numbers" for t in (is_text, is_expected_text))
            raise InputError(f"{path}: {name} holds {shape} {kind}, not {expected} {expected_kind}")
    if arrays["imgname"].dtype.kind == "S":  # written by Python 2
        arrays["imgname"] = np.char.decode(arrays["imgname"], "utf8", "replace")
    if num_joints not in h36m_frames.NUMS_OF_JOINTS:
        raise InputError(f"{path} has {num_joints} joints: SPIN's files have 24, mmpose's 17")
    return arrays

"""EMDB: P0/01_NAME/P0_01_NAME_data.pkl and images/00000.jpg, ...; one person in each sequence.

Keys of a sequence with N frames, as `dataset.md` of eth-ait/emdb@415faa8:

  emdb1, emdb2: whether it belongs to EMDB 1 (evaluated in the camera) and EMDB 2
  gender: "female", "male" or "neutral"; good_frames_mask: (N,) False where the person is hidden
  smpl: poses_root (N, 3), poses_body (N, 69), trans (N, 3), betas (10,): world coordinates, metres
  camera: intrinsics (3, 3), extrinsics (N, 4, 4) world to camera, width, height
  kp2d: (N, 24, 2) the SMPL joints projected into the camera, pixels
  bboxes: bboxes (N, 4) x_min, y_min, x_max, y_max
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from data_prep.reader_items import IndexNote, Skipped
from data_prep.readers import files_by_extension, frame_numbering
from data_prep.readers.smpl_truth import camera_frame, sequence_files, truth_people
from hmr_tf.body import skeleton
from hmr_tf.data.smpl_truth import GENDERS, NUM_BETAS, NUM_JOINTS, SmplTruth
from hmr_tf.files.errors import InputError

# Split -> the flag of its sequences. EMDB's own `evaluate.py` evaluates EMDB 1.
FLAGS = {"test": "emdb1", "emdb2": "emdb2"}
SUFFIX = "_data.pkl"
MISFIT_PX = 2.0
MAX_SIDE_PX = 2**16  # of an image
MISFIT = "frames whose kp2d do not fit trans: the translation is approximate"
_KEYS = ("gender", "good_frames_mask", "smpl", "camera", "kp2d", "bboxes", *FLAGS.values())
_KEYS_OF_PARTS = {
    "smpl": ("poses_root", "poses_body", "trans", "betas"),
    "camera": ("intrinsics", "extrinsics", "width", "height"),
    "bboxes": ("bboxes",),
}
_NO_JOINTS = np.full((NUM_JOINTS, 3), np.nan)  # they need the model of the body's gender


class Sequence(NamedTuple):
    """One sequence of N frames, in world coordinates."""

    bodies: camera_frame.Bodies
    betas: np.ndarray  # (10,)
    gender: str
    extrinsics: np.ndarray  # (N, 4, 4) world to camera
    intrinsics: np.ndarray  # (3, 3)
    size: tuple  # (height, width) of the images
    joints_px: np.ndarray  # (N, 24, 2)
    boxes_px: np.ndarray  # (N, 4) x_min, y_min, x_max, y_max
    is_good: np.ndarray  # (N,) bool


def read(data_dir, split):
    """Yields a LabelledPerson or Skipped for each frame, by sequence and time.

    Args:
      data_dir: folder with P0, P1, ...
      split: "test", which is EMDB 1, or "emdb2".

    Raises:
      InputError: another split, or no sequence.
    """
    if split not in FLAGS:
        raise InputError(f"emdb has no split {split}: pass --split=test (EMDB 1) or emdb2")
    listed = list(Path(data_dir).glob(f"P*/*/*{SUFFIX}"))
    paths = files_by_extension.files_with_extension(listed, ".pkl")
    if not paths:
        raise InputError(f"there are no P0/*/P0_*{SUFFIX} in {data_dir}: pass EMDB's folder")
    yield from files_by_extension.skipped_hidden_files(listed, ".pkl")
    for path in paths:
        yield from _read_sequence(path, FLAGS[split])


def _read_sequence(path, flag):
    name, images = f"{path.parts[-3]}_{path.parts[-2]}", path.parent / "images"
    if path.name != f"{name}{SUFFIX}":
        yield Skipped(f"file is not called {{subject}}_{{sequence}}{SUFFIX}", str(path))
        return
    try:
        sequence = read_file(path, flag)
    except InputError as error:
        yield Skipped("sequence file unreadable", str(error))
        return
    if sequence is None:
        yield Skipped(f"sequence not in {flag}", str(path), is_problem=False)
    elif not images.is_dir():
        yield Skipped("folder of images missing", str(images))
    else:
        yield from _frames(sequence, images, f"{name}_p0")


def read_file(path, flag):
    """One pickle -> Sequence; None if it has not the flag.

    Raises:
      InputError: unreadable, or arrays are missing or have other shapes.
    """
    content = sequence_files.load(path, _KEYS)
    with sequence_files.named(path):
        if not sequence_files.numbers(content[flag], flag, ()):
            return None
        for part, keys in _KEYS_OF_PARTS.items():
            sequence_files.check_keys(content[part], keys, name=part)
        return _sequence(content, content["smpl"], content["camera"])


def _sequence(content, smpl, camera):
    trans = sequence_files.numbers(smpl["trans"], "trans", (None, 3))
    num_frames = len(trans)
    sequence_files.check_num_frames(num_frames)

    def rows(value, name, *shape):
        return sequence_files.numbers(value, name, (num_frames, *shape))

    root = rows(smpl["poses_root"], "poses_root", 3)
    body = rows(smpl["poses_body"], "poses_body", 3 * (NUM_JOINTS - 1))
    if not isinstance(content["gender"], str) or content["gender"] not in GENDERS:
        raise InputError(f"its gender is not one of {', '.join(GENDERS)}")
    sides = [sequence_files.finite(camera[side], side, ()) for side in ("height", "width")]
    return Sequence(
        bodies=camera_frame.Bodies(np.hstack([root, body]).reshape(-1, NUM_JOINTS, 3), trans),
        betas=sequence_files.finite(smpl["betas"], "betas", (NUM_BETAS,)),
        gender=content["gender"],
        extrinsics=rows(camera["extrinsics"], "extrinsics", 4, 4),
        intrinsics=sequence_files.finite(camera["intrinsics"], "intrinsics", (3, 3)),
        size=tuple(int(side.clip(1, MAX_SIDE_PX)) for side in sides),
        joints_px=rows(content["kp2d"], "kp2d", NUM_JOINTS, 2),
        boxes_px=rows(content["bboxes"]["bboxes"], "bboxes", 4),
        is_good=rows(content["good_frames_mask"], "good_frames_mask") > 0,
    )


def _frames(sequence, images, name):
    """Yields a LabelledPerson or Skipped for each frame, then IndexNote."""
    is_usable = camera_frame.are_rigid(sequence.extrinsics)
    is_usable &= camera_frame.are_small(*sequence.bodies)
    is_usable &= camera_frame.are_small(sequence.joints_px, limit=camera_frame.MAX_PX)
    truths, num_misfits = _truths(sequence, np.flatnonzero(sequence.is_good & is_usable))
    points = truth_people.keypoints(
        sequence.joints_px, np.ones(sequence.joints_px.shape[:2]), skeleton.SMPL_JOINTS
    )
    first = frame_numbering.first_number(
        lambda number: _image(images, number).is_file(), len(sequence.is_good), default=0
    )
    for row, is_good in enumerate(sequence.is_good):
        image = str(_image(images, row + first))
        if not is_good:
            yield Skipped("not in good_frames_mask", f"{name}, {image}", is_problem=False)
        elif not is_usable[row]:
            yield Skipped("SMPL parameters or camera pose not usable", f"{name}, {image}")
        else:
            yield truth_people.labelled_person(
                image,
                points[row],
                truths[row],
                box_px=_box(sequence, row),
                sequence=name,
                labelled_size=sequence.size,
            )
    if first:  # the dataset's begin with 0
        yield IndexNote(f"images numbered from {first}", len(sequence.is_good))
    if num_misfits:
        yield IndexNote(MISFIT, num_misfits)


def _image(images, number):
    return images / f"{number:05d}.jpg"


def _box(sequence, row):
    """(4,) the dataset's box, as WHAM takes it (`emdb_eval_utils.py`); of the joints if invalid."""
    box = sequence.boxes_px[row]
    if (np.abs(box) < camera_frame.MAX_PX).all() and (box[2:] > box[:2]).all():
        return box
    joints_px = sequence.joints_px[row]
    return np.concatenate([joints_px.min(axis=0), joints_px.max(axis=0)])


def _truths(sequence, rows):
    """dict: row -> SmplTruth of these frames; in how many of them kp2d and transl do not fit."""
    if not len(rows):
        return {}, 0
    bodies = camera_frame.Bodies(*(array[rows] for array in sequence.bodies))
    extrinsics, matrix = sequence.extrinsics[rows], sequence.intrinsics
    rest_pelvis, misfits = camera_frame.rest_pelvis_from_projections(
        sequence.joints_px[rows, 0], bodies.transl, extrinsics, matrix
    )
    in_camera = camera_frame.to_camera(bodies, rest_pelvis, extrinsics)
    camera = matrix[[0, 1, 0, 1], [0, 1, 2, 2]]
    truths = {
        row: SmplTruth(pose, sequence.betas, transl, sequence.gender, _NO_JOINTS, camera, row)
        for pose, transl, row in zip(*in_camera, rows.tolist())
    }
    return truths, int((~(misfits < MISFIT_PX)).sum())

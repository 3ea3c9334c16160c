"""3DPW: sequenceFiles/{train,validation,test}/*.pkl, imageFiles/SEQUENCE/image_00000.jpg, ...

Keys of a sequence with P people and N frames at 30 Hz, as the dataset's readme and SPIN's
`datasets/preprocess/pw3d.py`@277892a:

  poses: P x (N, 72) axis-angle, trans: P x (N, 3) and jointPositions: P x (N, 72), the 24 SMPL
    joints, in world coordinates, metres
  betas: P x (10 or more), genders: P x "m" or "f"
  poses2d: P x (N, 3, 18) OpenPose's x, y, confidence; zeros where fewer than 6 are detected
  cam_poses: (N, 4, 4) world to camera, campose_valid: P x (N,), cam_intrinsics: (3, 3)
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from data_prep.reader_items import IndexNote, Skipped
from data_prep.readers import files_by_extension, frame_numbering
from data_prep.readers.smpl_truth import camera_frame, sequence_files, truth_people
from hmr_tf.body import skeleton
from hmr_tf.data.smpl_truth import NUM_BETAS, NUM_JOINTS, SmplTruth
from hmr_tf.files.errors import InputError

FOLDERS = {"train": "train", "val": "validation", "test": "test"}
OPENPOSE_18 = skeleton.OPENPOSE_18_KEYPOINTS
GENDERS = {"m": "male", "f": "female"}
_GENDERS = {**GENDERS, "neutral": "neutral"}  # the last: of predictions, --write=3dpw
CONFIDENT = 0.3  # VIBE's VIS_THRESH, `threedpw_utils.py:39`@2ba005c; SPIN takes all above 0
MAX_PEOPLE = 16  # the dataset has one or two
MISFIT_M = 0.01
_KEYS = ("poses", "trans", "jointPositions", "betas", "genders", "poses2d", "cam_poses")
_KEYS += ("campose_valid", "cam_intrinsics")
MISFIT = "frames whose jointPositions do not fit trans: the translation is approximate"


class Scene(NamedTuple):
    """What all people of a sequence share."""

    sequence: str
    images: Path  # folder
    extrinsics: np.ndarray  # (N, 4, 4) world to camera
    camera: np.ndarray  # (4,) focal length x, y, principal point x, y: pixels


class Actor(NamedTuple):
    """One person of a sequence, in world coordinates."""

    bodies: camera_frame.Bodies
    betas: np.ndarray  # (10,)
    gender: str
    smpl_joints: np.ndarray  # (N, 24, 3) metres
    points: np.ndarray  # (N, 19, 3) x, y, labelled
    has_camera: np.ndarray  # (N,) bool


def read(data_dir, split):
    """Yields a LabelledPerson or Skipped for each frame, by sequence, person and time.

    Args:
      data_dir: folder with sequenceFiles and imageFiles.
      split: "train", "val" or "test".

    Raises:
      InputError: another split, or no sequence.
    """
    if split not in FOLDERS:
        raise InputError(f"3dpw has no split {split}: pass --split=train, val or test")
    root = Path(data_dir)
    listed = list((root / "sequenceFiles" / FOLDERS[split]).glob("*.pkl"))
    paths = files_by_extension.files_with_extension(listed, ".pkl")
    if not paths:
        raise InputError(
            f"there are no sequenceFiles/{FOLDERS[split]}/*.pkl in {data_dir}: pass 3DPW's folder"
        )
    yield from files_by_extension.skipped_hidden_files(listed, ".pkl")
    for path in paths:
        yield from _read_sequence(path, root / "imageFiles" / path.stem)


def _read_sequence(path, images):
    if not images.is_dir():
        yield Skipped("folder of images missing", str(images))
        return
    try:
        scene, actors = read_file(path, images)
    except InputError as error:
        yield Skipped("sequence file unreadable", str(error))
        return
    for number, actor in enumerate(actors):
        yield from _frames(scene, actor, f"{scene.sequence}_p{number}")


def read_file(path, images):
    """One pickle -> Scene, list of Actor.

    Raises:
      InputError: unreadable, or arrays are missing or have other shapes.
    """
    content = sequence_files.load(path, _KEYS)
    with sequence_files.named(path):
        poses = sequence_files.people(content["poses"], "poses")
        if not 0 < len(poses) <= MAX_PEOPLE:
            raise InputError(f"it has {len(poses):,} people; 1 to {MAX_PEOPLE} are read")
        extrinsics = sequence_files.numbers(content["cam_poses"], "cam_poses", (None, 4, 4))
        sequence_files.check_num_frames(len(extrinsics))
        matrix = sequence_files.finite(content["cam_intrinsics"], "cam_intrinsics", (3, 3))
        scene = Scene(path.stem, images, extrinsics, matrix[[0, 1, 0, 1], [0, 1, 2, 2]])
        per_person = {
            key: sequence_files.people(content[key], key, len(poses))
            for key in _KEYS
            if not key.startswith("cam_")
        }
        return scene, [
            _actor({key: values[number] for key, values in per_person.items()}, len(extrinsics))
            for number in range(len(poses))
        ]


def _actor(content, num_frames):
    """dict of one person's values -> Actor."""
    rows = {
        key: sequence_files.numbers(content[key], key, (num_frames, *shape))
        for key, shape in (
            ("poses", (3 * NUM_JOINTS,)),
            ("trans", (3,)),
            ("jointPositions", (3 * NUM_JOINTS,)),
            ("poses2d", (3, len(OPENPOSE_18))),
            ("campose_valid", ()),
        )
    }
    betas = sequence_files.finite(content["betas"], "betas", (None,))
    if len(betas) < NUM_BETAS:
        raise InputError(f"its betas hold {len(betas)} numbers, not {NUM_BETAS}")
    gender = content["genders"]
    if not isinstance(gender, str) or gender not in _GENDERS:
        raise InputError("its genders are not m, f or neutral")
    points = rows["poses2d"].swapaxes(1, 2)
    return Actor(
        bodies=camera_frame.Bodies(rows["poses"].reshape(-1, NUM_JOINTS, 3), rows["trans"]),
        betas=betas[:NUM_BETAS],
        gender=_GENDERS[gender],
        smpl_joints=rows["jointPositions"].reshape(-1, NUM_JOINTS, 3),
        points=truth_people.keypoints(points[..., :2], points[..., 2], OPENPOSE_18, CONFIDENT),
        has_camera=rows["campose_valid"] > 0,
    )


def _frames(scene, actor, name):
    """Yields a LabelledPerson or Skipped for each frame of one person, then IndexNote."""
    is_usable = camera_frame.are_rigid(scene.extrinsics)
    is_usable &= camera_frame.are_small(*actor.bodies, actor.smpl_joints)
    truths, num_misfits = _truths(scene, actor, np.flatnonzero(actor.has_camera & is_usable))
    first = frame_numbering.first_number(
        lambda number: _image(scene, number).is_file(), len(actor.has_camera), default=0
    )
    for row, has_camera in enumerate(actor.has_camera):
        image = str(_image(scene, row + first))
        if not has_camera:
            # SPIN leaves these out too, `pw3d.py:28-40`.
            yield Skipped("camera pose invalid", f"{name}, {image}", is_problem=False)
        elif not is_usable[row]:
            yield Skipped("SMPL parameters or camera pose not usable", f"{name}, {image}")
        else:
            # Without 2D keypoints there is no box; VIBE leaves out frames with 6 or fewer.
            yield truth_people.labelled_person(
                image, actor.points[row], truths[row], sequence=name, has_face=True
            )
    if first:  # the dataset's begin with 0
        yield IndexNote(f"images numbered from {first}", len(actor.has_camera))
    if num_misfits:
        yield IndexNote(MISFIT, num_misfits)


def _image(scene, number):
    return scene.images / f"image_{number:05d}.jpg"


def _truths(scene, actor, rows):
    """dict: row -> SmplTruth of these frames; in how many of them joints and transl do not fit."""
    if not len(rows):
        return {}, 0
    bodies = camera_frame.Bodies(*(array[rows] for array in actor.bodies))
    extrinsics, joints = scene.extrinsics[rows], actor.smpl_joints[rows]
    rest_pelvis, misfits = camera_frame.rest_pelvis_from_joints(joints[:, 0], bodies.transl)
    in_camera = camera_frame.to_camera(bodies, rest_pelvis, extrinsics)
    joints = camera_frame.points_to_camera(joints, extrinsics)
    truths = {
        row: SmplTruth(pose, actor.betas, transl, actor.gender, smpl_joints, scene.camera, row)
        for pose, transl, smpl_joints, row in zip(*in_camera, joints, rows.tolist())
    }
    return truths, int((misfits > MISFIT_M).sum())

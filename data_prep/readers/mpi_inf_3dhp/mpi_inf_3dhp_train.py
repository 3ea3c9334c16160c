"""MPI-INF-3DHP, training: S1..S8/Seq1..2 with annot.mat, camera.calibration, and frames or videos.

Frames are chosen and scaled by the rules of the original's `mpi_inf_3dhp_to_tfrecords.py`, which
define HMR's training set. The test set is read by `mpi_inf_3dhp_testset`.
"""

import collections
from pathlib import Path

import numpy as np

from data_prep.reader_items import CropRule, LabelledPerson, Skipped, VideoFrame
from data_prep.readers import person_size
from data_prep.readers.formats import matlab
from data_prep.readers.mpi_inf_3dhp.mpi_inf_3dhp_frames import CameraSequence, Sequence
from hmr_tf.body import skeleton
from hmr_tf.data import crop
from hmr_tf.files.errors import InputError

SUBJECTS = {"train": range(1, 8), "trainval": range(1, 9)}  # S8 is for validation
SEQUENCES = (1, 2)
CAMERAS = (0, 1, 2, 4, 5, 6, 7, 8)  # without those on the ceiling

JOINTS = (
    *("spine3", "spine4", "spine2", "spine", "pelvis", "neck", "head", "head_top"),
    *("left_collar", "left_shoulder", "left_elbow", "left_wrist", "left_hand"),
    *("right_collar", "right_shoulder", "right_elbow", "right_wrist", "right_hand"),
    *("left_hip", "left_knee", "left_ankle", "left_foot", "left_toe"),
    *("right_hip", "right_knee", "right_ankle", "right_foot", "right_toe"),
)
_LSP = list(skeleton.indices(skeleton.LSP_JOINTS, JOINTS))

MOVED_MM = 200.0
CROP = CropRule(window_px=300, center_on_pixel=True, min_inside=8)
REENCODE_QUALITY = 100  # the original reads its JPEGs as if they were PNG (`common.py:25-27`)

ANNOTATIONS, CALIBRATION = "annot.mat", "camera.calibration"
MAX_CALIBRATION_BYTES = 2**20  # it has 5 kB
MAX_FRAMES = 10**6  # of a sequence: they have 6,000 to 13,000


def read(data_dir, split):
    """Yields a LabelledPerson or Skipped for each frame, by subject, sequence, camera and time.

    Args:
      data_dir: folder with S1/Seq1/annot.mat and so on.
      split: "train" (S1 to S7) or "trainval" (S1 to S8).

    Raises:
      InputError: no such split, no annotations, no calibration of the cameras, no frame at all.
    """
    if split not in SUBJECTS:
        raise InputError(
            f"mpi_inf_3dhp has no split {split}: pass --split=train, trainval (with S8) or test"
        )
    root, skipped, has_people = Path(data_dir), collections.Counter(), False
    sequences = [Sequence(root, s, q) for s in SUBJECTS["trainval"] for q in SEQUENCES]
    if not any((sequence.folder / ANNOTATIONS).is_file() for sequence in sequences):
        raise InputError(f"there is no S1/Seq1/{ANNOTATIONS} in {root}: pass MPI-INF-3DHP's folder")
    intrinsics = _read_intrinsics(sequences)
    for sequence in sequences:
        if sequence.subject in SUBJECTS[split]:
            for item in _read_sequence(sequence, intrinsics):
                if isinstance(item, Skipped):
                    skipped[item.reason] += 1
                has_people |= isinstance(item, LabelledPerson)
                yield item
    if not has_people:
        reasons = ", ".join(f"{reason}: {count}" for reason, count in skipped.items())
        raise InputError(
            f"there is no usable frame in {root} ({reasons}): each S1/Seq1 and so on needs "
            f"{ANNOTATIONS} and imageSequence/video_0.avi, or its frames in "
            "imageFrames/video_0/frame_000001.jpg"
        )


def shuffled(people, seed):
    """All that `read` yields, in a seeded random order, as in the original's files.

    Frames of videos keep their order: videos are decoded forwards, and training shuffles anyway.
    """
    people = list(people)
    for item in people:
        if isinstance(item, LabelledPerson) and isinstance(item.image, VideoFrame):
            return people
    return [people[i] for i in np.random.default_rng(seed).permutation(len(people))]


def _read_intrinsics(sequences):
    """Reads the first calibration, usually that of S1/Seq1: all are the same."""
    for sequence in sequences:
        path = sequence.folder / CALIBRATION
        if path.is_file():
            return read_calibration(path)
    raise InputError(f"there is no {CALIBRATION} beside {ANNOTATIONS}: download it again")


def read_calibration(path):
    """camera.calibration -> dict: camera -> (3,) focal length and principal point, pixels.

    The focal length is the mean of that in x and that in y.
    """
    with open(path, errors="replace") as file:
        lines = [line.split() for line in file.read(MAX_CALIBRATION_BYTES).splitlines()]
    intrinsics, camera = {}, None
    try:
        for key, *values in filter(None, lines):
            if key == "name":
                camera = int(values[0])
            elif key == "intrinsic":
                matrix = np.array(values, float).reshape(4, 4)
                intrinsics[camera] = np.array([(matrix[0, 0] + matrix[1, 1]) / 2, *matrix[:2, 2]])
        if not np.isfinite([intrinsics[camera] for camera in CAMERAS]).all():
            raise ValueError
    except (ValueError, KeyError, IndexError) as error:
        raise InputError(
            f"{path} is not a calibration of the cameras {CAMERAS}; download it again"
        ) from error
    return intrinsics


def _read_sequence(sequence, intrinsics):
    path = sequence.folder / ANNOTATIONS
    if not path.is_file():
        # A sequence that was not downloaded is not a broken one.
        is_there = sequence.folder.is_dir()
        yield Skipped(f"{ANNOTATIONS} missing", str(path), is_problem=is_there)
        return
    try:
        frames, labels = _read_annotations(path)
    except InputError as error:
        yield Skipped(f"{ANNOTATIONS} unreadable", str(error))
        return
    for camera in CAMERAS:
        yield from _read_view(sequence, camera, frames, *labels[camera], intrinsics[camera])


def _read_annotations(path):
    """annot.mat -> (N,) indices of the frames, from 0, and the labels for each of CAMERAS.

    Returns:
      list of int, dict: camera -> (N, 14, 2) points in pixels, (N, 14, 3) joints in millimetres.

    Raises:
      InputError: unreadable, or of another form.
    """
    names = ("frames", "cameras", "annot2", "annot3")
    frames, cameras, points, joints = matlab.load(path, names).values()
    frames, cameras = (matlab.numbers(numbers).tolist() for numbers in (frames, cameras))
    points, joints = matlab.items(points), matlab.items(joints)
    labels = {}
    try:
        if not all(frame in range(MAX_FRAMES) for frame in frames):
            raise InputError("the numbers of the frames are not 0, 1, 2, ...")
        for camera in CAMERAS:
            cell, size = cameras.index(camera), len(frames)
            labels[camera] = _lsp_joints(points[cell], size, 2), _lsp_joints(joints[cell], size, 3)
    except (ValueError, IndexError, InputError) as error:
        reason = str(error) if isinstance(error, InputError) else "its arrays have other sizes"
        raise InputError(f"{path} is not {ANNOTATIONS} of MPI-INF-3DHP: {reason}") from error
    is_from_1 = sorted(frames) == list(range(1, len(frames) + 1))  # else from 0, as distributed
    return [int(frame) - is_from_1 for frame in frames], labels


def _lsp_joints(cell, num_frames, num_axes):
    """(N, 28 * axes) numbers of one camera -> (N, 14, axes)."""
    flat = matlab.numbers(cell).reshape(num_frames, len(JOINTS), num_axes)
    return flat[:, _LSP].astype(np.result_type(flat, np.float32))


def _read_view(sequence, camera, frames, points_px, joints_mm, intrinsics):
    view = CameraSequence(sequence, camera, num_frames=max(frames, default=-1) + 1)
    for row in moved_frames(joints_mm):
        try:
            image, filename = view.find(frames[row])
        except OSError as error:
            yield Skipped("video unreadable", str(error))
            return
        if image is None:  # as the original: some videos end early
            yield Skipped("frame missing", f"{view}, {filename}", is_problem=False)
            continue
        yield person(
            image,
            points_px[row],
            joints_mm[row] / 1000.0,
            filename=filename,
            sequence=str(view),
            camera=intrinsics,
            crop_rule=crop_rule(image),
        )
    yield from view.notes()


def moved_frames(joints_mm):
    """Yields the rows to take: the first, then each in which a joint has moved since the last.

    Args:
      joints_mm: (N, 14, 3) joints in camera coordinates. Rows with NaN are taken too: they are
        skipped and counted later.
    """
    last = None
    for row, joints in enumerate(joints_mm):
        if not np.isfinite(joints).all():
            yield row
        elif last is None or _has_moved(joints, last):
            last = joints
            yield row


@np.errstate(over="ignore")
def _has_moved(joints_mm, last_mm):
    return (np.linalg.norm(joints_mm - last_mm, axis=1) >= MOVED_MM).any()


def crop_rule(image):
    """CropRule of a path or VideoFrame. Frames of a video do not go through a JPEG first."""
    return (
        CROP if isinstance(image, VideoFrame) else CROP._replace(reencode_quality=REENCODE_QUALITY)
    )


def person(image, points_px, joints, **more):
    """A LabelledPerson with all 14 joints, scaled to a diagonal of 150 px; or Skipped.

    Args:
      image: path or VideoFrame.
      points_px: (14, 2) in the order of `skeleton.LSP_JOINTS`.
      joints: (14, 3) metres, camera coordinates.
      more: other fields of LabelledPerson.
    """
    keypoints_px = np.zeros((len(skeleton.KEYPOINTS), 2))
    labelled = np.zeros(len(skeleton.KEYPOINTS), int)
    keypoints_px[: len(_LSP)], labelled[: len(_LSP)] = points_px, 1
    diagonal = person_size.diagonal(keypoints_px, labelled)
    if diagonal == 0:
        return Skipped("keypoints all in one place", str(image))
    if person_size.is_in_another_unit(joints):
        return Skipped("joints in another unit than the dataset's", str(image))
    return LabelledPerson(
        image,
        keypoints_px,
        labelled,
        scale=crop.PERSON_PX / diagonal,
        lsp_joints=joints,
        **more,
    )

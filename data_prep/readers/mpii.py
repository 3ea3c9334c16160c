"""MPII Human Pose: mpii_human_pose_v1_u12_1.mat and images/.

People, scales and labels are chosen by the rules of the original's `mpii_to_tfrecords.py`, which
define HMR's training set. Coordinates stay 1-based. Every annotated joint is labelled: the original
reads is_visible, but does not use it.
"""

from pathlib import Path, PureWindowsPath

import numpy as np

from data_prep.reader_items import CropRule, LabelledPerson, Skipped
from data_prep.readers import person_size
from data_prep.readers.formats import matlab
from hmr_tf.body import skeleton
from hmr_tf.data import crop
from hmr_tf.files.errors import InputError

ANNOTATIONS = "mpii_human_pose_v1_u12_1.mat"
FOLDERS = ("annotations", "mpii_human_pose_v1_u12_2", ".")  # HMR's, the archive's

# In the order of their ids. "neck" is MPII's upper neck: LSP's neck is there.
MPII_JOINTS = (
    *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle"),
    *("pelvis", "thorax", "neck", "head_top"),
    *("right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist"),
)
_KEYPOINT_OF_ID = {
    MPII_JOINTS.index(name): i for i, name in enumerate(skeleton.KEYPOINTS) if name in MPII_JOINTS
}


def _pairs(*names):
    return [skeleton.indices(pair, skeleton.KEYPOINTS) for pair in names]


_ANKLES = list(skeleton.indices(("left_ankle", "right_ankle"), skeleton.KEYPOINTS))
_HEAD_TO_HIP = _pairs(("head_top", "right_hip"), ("head_top", "left_hip"))
_TORSO = _pairs(("right_shoulder", "right_hip"), ("left_shoulder", "left_hip"))

DIAGONAL_PX, HEAD_TO_HIP_PX, TORSO_PX = crop.PERSON_PX, 75.0, 56.0
CROP = CropRule(window_px=600)


def read(data_dir, split):
    """Yields a LabelledPerson or Skipped for each single person, in the order of the file.

    Args:
      data_dir: folder with annotations/mpii_human_pose_v1_u12_1.mat and images/.
      split: "train".

    Raises:
      InputError: another split, no annotation file, an unreadable one, no image folder.
    """
    if split != "train":
        raise InputError(
            f"mpii has no split {split}: its test images have no annotations, pass --split=train"
        )
    release = _read_release(Path(data_dir))
    folder = Path(data_dir) / "images"
    if not folder.is_dir():
        raise InputError(f"there is no {folder}: unpack MPII's images there")
    for image, is_train, single_people in zip(*release):
        if not is_train:
            continue
        name = matlab.text(_only(matlab.field(image, "image"), "name"))
        path = folder / PureWindowsPath(name).name  # after / or \\
        people = matlab.items(matlab.field(image, "annorect"))
        for number in matlab.numbers(single_people).tolist():
            yield _person(path, people, number)


def _read_release(data_dir):
    """Struct of each image, whether it is for training, numbers of its single people."""
    present = [data_dir / folder / ANNOTATIONS for folder in FOLDERS]
    path = next((path for path in present if path.is_file()), None)
    if path is None:
        raise InputError(
            f"there is no {FOLDERS[0]}/{ANNOTATIONS} in {data_dir}: pass the folder of MPII"
        )
    (release, *_) = matlab.items(matlab.load(path, ["RELEASE"])["RELEASE"]) or [None]
    images = matlab.items(matlab.field(release, "annolist"))
    is_train = matlab.numbers(matlab.field(release, "img_train"))
    single_people = matlab.items(matlab.field(release, "single_person"))
    if not images or not len(images) == len(is_train) == len(single_people):
        raise InputError(
            f"{path} has no images, or not the same number in annolist, img_train and "
            "single_person: it is not MPII's release; download it again"
        )
    return images, is_train, single_people


def _only(structs, name):
    """A field of the only struct in an array."""
    members = matlab.items(structs)
    return matlab.field(members[0] if len(members) == 1 else None, name)


def _person(path, people, number):
    where = f"{path.name}, person {number:g}"
    if number not in range(1, len(people) + 1):
        return Skipped("no such person in the image", where)
    points = matlab.items(_only(matlab.field(people[int(number) - 1], "annopoints"), "point"))
    if len(points) < 2:  # as the original (`mpii_to_tfrecords.py:81-83`)
        return Skipped("fewer than 2 keypoints", where, is_problem=False)
    keypoints_px = np.zeros((len(skeleton.KEYPOINTS), 2))
    labelled = np.zeros(len(skeleton.KEYPOINTS), int)
    for point in points:
        x, y, joint_id = (matlab.number(matlab.field(point, name)) for name in ("x", "y", "id"))
        if joint_id in _KEYPOINT_OF_ID:
            keypoints_px[_KEYPOINT_OF_ID[joint_id]] = x, y
            labelled[_KEYPOINT_OF_ID[joint_id]] = 1
    if not np.isfinite(keypoints_px).all():
        return Skipped("keypoints are not numbers", where)
    size = _size(keypoints_px, labelled)
    if size is None:
        return Skipped("too close", where, is_problem=False)
    length, target_px = size
    if length == 0:
        return Skipped("keypoints all in one place", where)
    scale = target_px / length
    return LabelledPerson(str(path), keypoints_px, labelled, crop_rule=CROP, scale=scale)


def _size(keypoints_px, labelled):
    """A length in the image and its target, pixels; None if no such points are labelled.

    With an ankle, the diagonal of the labelled points' box becomes 150 px, else head top to hip
    75 px, else shoulder to hip 56 px (`mpii_to_tfrecords.py:136-165`).
    """
    if labelled[_ANKLES].any():
        return person_size.diagonal(keypoints_px, labelled), DIAGONAL_PX
    for pairs, target_px in ((_HEAD_TO_HIP, HEAD_TO_HIP_PX), (_TORSO, TORSO_PX)):
        length = person_size.mean_length(keypoints_px, labelled, pairs)
        if length is not None:
            return length, target_px
    return None

"""One person -> the bytes of one record: read the image, crop, encode. Same for all datasets."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from data_prep.reader_items import MocapPose, Skipped
from data_prep.writing import source_images
from hmr_tf.data import crop, record
from hmr_tf.data.smpl_truth import SmplTruth
from hmr_tf.files.errors import InputError

MAX_PX, MAX_M = 1e6, 1e4  # a point or joint further away is an error in the file


def encode(group):
    """Records of the people of one image.

    Args:
      group: list from `shard_files.group_by_image`.

    Yields:
      Serialized bytes or Skipped for each member, and IndexNote. The image is read once.
    """
    if isinstance(group[0], MocapPose):
        yield from (record.encode_mocap(pose.pose, pose.betas) for pose in group)
        return
    try:
        image = source_images.read(group[0])
    except (OSError, tf.errors.OpError) as error:
        missing = isinstance(error, FileNotFoundError)
        reason = "image missing" if missing else "image unreadable"
        yield from (Skipped(reason, str(person.image)) for person in group)
        return
    for person in group:
        try:
            fitted, notes = source_images.align_labels(person, image)
        except source_images.SizeError:
            reason = "image of another size and shape than in the annotations"
            yield Skipped(reason, _location(person))
            continue
        encoded = _encode_person(fitted, image.jpeg, image.pixels)
        if isinstance(encoded, bytes):
            yield from notes
        yield encoded


def _encode_person(person, jpeg, image):
    rule, labelled = person.crop_rule, np.asarray(person.labelled) > 0
    is_finite = (np.abs(person.keypoints_px) < MAX_PX).all(axis=1)  # and not NaN
    fault = _fault(person, labelled, is_finite)
    if fault:
        return Skipped(fault, _location(person))
    keypoints_px = np.where(is_finite[:, None], person.keypoints_px, 0.0)
    if rule.min_inside and _count_inside(keypoints_px[labelled], image) < rule.min_inside:
        reason = f"fewer than {rule.min_inside} keypoints inside the image"
        return Skipped(reason, _location(person), is_problem=False)
    if person.make_upright and 2 * _count_inside(keypoints_px[labelled], image, 1) < labelled.sum():
        return Skipped("most keypoints lie outside the image", _location(person))
    center_px = _middle(person, keypoints_px, labelled)
    person_crop, pixels = crop.whole_image(image), image
    if rule.window_px is not None:
        try:
            pixels, person_crop = crop.crop_inside(
                image, person.scale, center_px, rule.window_px, rule.center_on_pixel
            )
        except InputError as error:  # its first words are the same for all such people
            return Skipped(str(error).split(":")[0], _location(person))
    is_untouched = jpeg is not None and pixels is image
    return record.encode(
        record.ImageRecord(
            jpeg=jpeg if is_untouched else source_images.encode(pixels),
            filename=person.filename or Path(person.image).name,
            crop=person_crop,
            center_px=_center_in_crop(rule, center_px, person_crop),
            keypoints_px=crop.to_crop(keypoints_px, person_crop),
            labelled=person.labelled,
            has_face=person.has_face,
            lsp_joints=person.lsp_joints,
            pose=person.pose,
            betas=person.betas,
            camera=_camera_in_crop(person, person_crop),
            reference=person.reference,
        )
    )


def _middle(person, keypoints_px, labelled):
    """(2,) middle of the person's box, or of the labelled points'."""
    if person.box_px is not None:
        return (person.box_px[:2] + person.box_px[2:]) / 2
    low, high = crop.box_of_labelled(keypoints_px, labelled)
    return (low + high) / 2


def _location(person):
    name = person.filename or str(person.image)
    return f"{person.sequence}, {name}" if person.sequence else name


def _fault(person, labelled, is_finite):
    """Why the numbers of a LabelledPerson cannot be used, or None."""
    if not labelled.any():
        return "no labelled keypoint"
    if not is_finite[labelled].all():
        return "keypoints are not numbers"
    if isinstance(person.reference, SmplTruth):
        truth = person.reference
        needed = (truth.pose, truth.betas, truth.transl, truth.camera)
        return None if _are_numbers(*needed) else "SMPL parameters are not numbers"
    joints = [person.lsp_joints, *(person.reference or ())[:2]]
    are_numbers = _are_numbers(*(array for array in joints if array is not None))
    return None if are_numbers else "joints are not numbers"


def _are_numbers(*arrays):
    return all((np.abs(array) < MAX_M).all() for array in arrays)


def _count_inside(points_px, image, tolerance_px=0):
    height, width = image.shape[:2]
    low, high = -tolerance_px, np.array([width, height]) + tolerance_px
    return ((points_px >= low) & (points_px < high)).all(axis=1).sum()


def _center_in_crop(rule, center_px, person_crop):
    if rule.center_on_pixel:
        return np.round(center_px * person_crop.scale_xy) - person_crop.corner_px
    return crop.to_crop(center_px, person_crop)


def _camera_in_crop(person, person_crop):
    """Focal length and principal point. The focal length is multiplied by the wanted scale, not by
    that of the whole pixels, as in the original.
    """
    if person.camera is None:
        return None
    focal_px, *principal_px = person.camera
    return np.array([focal_px * person.scale, *crop.to_crop(principal_px, person_crop)])

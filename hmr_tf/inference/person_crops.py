"""Crops of people for the network, and its predictions as people in the photograph's pixels."""

from typing import NamedTuple

import numpy as np
from absl import logging

from hmr_tf.body import camera
from hmr_tf.body.skeleton import KEYPOINTS, SMPL_JOINTS
from hmr_tf.data.crop import CROP_PX, PERSON_PX, Crop, crop_padded, to_image
from hmr_tf.inference import boxes as person_boxes

_CORNERS = (
    "The box %g,%g,%g,%g reaches far out of the %d x %d photograph. Are these the corners x1, y1, "
    "x2, y2? Needed are x, y, width, height."
)
LARGEST_COLOUR = 2.0  # of a crop: above 1, where interpolation overshoots, and far below 255


class Person(dict):
    """One predicted person: a dict of named arrays, whose entries are attributes too.

    theta (85,); camera (3,) weak perspective of the crop; pose (24, 3) axis-angle, of which
    global_orient (3,) is the first row and body_pose (23, 3) the rest; rotations (24, 3, 3); betas
    (10,); vertices (V, 3), joints3d (19, 3) and smpl_joints (24, 3) in metres, x right, y down, z
    away from the viewer; joint_names and smpl_joint_names; keypoints2d_px (19, 2) in the
    photograph's pixels; box (4,) x, y, width, height of the crop's person; transl (3,) metres:
    vertices + transl, seen by a pinhole of focal_px with its axis through principal_px (2,), lie on
    the person.
    """

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"a person has no {name}, only {', '.join(self)}") from None


class PersonCrop(NamedTuple):
    """A person's crop, as the network sees it, and where it lies in the photograph."""

    pixels: np.ndarray  # (S, S, 3) uint8
    crop: Crop
    box: tuple  # (x, y, width, height) in the photograph
    pinhole: camera.Pinhole


def as_box(values):
    """Four numbers in any form -> tuple of float; None stays; ValueError for texts and others."""
    try:
        if isinstance(values, (str, bytes, dict)):
            raise TypeError("not a sequence of numbers")
        return None if values is None else tuple(map(float, values))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"a box must be four numbers, x, y, width, height in pixels; received {values!r}"
        ) from error


def crop_person(image, box, image_size):
    """Cuts the square crop that the network sees.

    Args:
      image: (H, W, 3) uint8.
      box: (x, y, width, height) of the person in pixels; None: the whole photograph, as in the
        original's `demo.py:99-104`.
      image_size: side of the crop.

    Returns:
      (S, S, 3) uint8 and its `Crop`.

    Raises:
      InputError: the box is empty or outside the photograph.
    """
    height, width = image.shape[:2]
    if box is None:
        middle = np.round(np.array([width, height]) / 2)
        return crop_padded(image, image_size / max(height, width), middle, image_size)
    person_boxes.check(box, height, width)
    x, y, box_width, box_height = box
    person_px = PERSON_PX * image_size / CROP_PX
    scale = person_px / np.hypot(box_width, box_height)
    return crop_padded(image, scale, (x + box_width / 2, y + box_height / 2), image_size)


def pinhole_of(image, focal_px=None, principal_px=None):
    """The `camera.Pinhole` of a photograph; see `camera.default_pinhole`.

    Raises:
      ValueError: the focal length is not a number above 0, or the principal point not two numbers.
    """
    for name, given, number in (("focal_px", focal_px, 1), ("principal_px", principal_px, 2)):
        if given is None:
            continue
        values = np.ravel(np.asarray(given, np.float64))
        if values.size != number or not np.isfinite(values).all():
            raise ValueError(f"{name} must be {number} finite number(s); received {given!r}")
        if number == 1 and values[0] <= 0:
            raise ValueError(f"{name} must be above 0; received {given!r}")
    height, width = image.shape[:2]
    _warn_of_other_units(focal_px, principal_px, max(height, width))
    focal_px = None if focal_px is None else np.ravel(focal_px)[0]
    pinhole = camera.default_pinhole(height, width, CROP_PX, focal_px)
    if principal_px is None:
        return pinhole
    return pinhole._replace(principal_px=tuple(np.ravel(principal_px).astype(float)))


def _warn_of_other_units(focal_px, principal_px, longer_px):
    """A warning for a focal length in millimetres, a principal point in shares of the size."""
    if focal_px is not None and np.ravel(focal_px)[0] < longer_px / 5:  # 136 degrees
        logging.log_first_n(
            logging.WARNING,
            "A focal length of %g px is short for a photograph of %d px: is it in millimetres? "
            "Pixels are millimetres * photograph's width / sensor's width.",
            1,
            np.ravel(focal_px)[0],
            longer_px,
        )
    if principal_px is not None and longer_px > 2 and np.abs(principal_px).max() <= 1:
        logging.log_first_n(
            logging.WARNING,
            "The principal point %g,%g is the photograph's corner: it is needed in pixels, not in "
            "shares of width and height.",
            1,
            *np.ravel(principal_px),
        )


def crop_people(image, boxes, pinhole, image_size):
    """Cuts the crops of all people of one photograph.

    Args:
      image: (H, W, 3) uint8 RGB.
      boxes: list of boxes, see `crop_person`; None means the whole photograph.
      pinhole: `camera.Pinhole` of the photograph.
      image_size: S.

    Returns:
      list of PersonCrop.

    Raises:
      InputError: a box is empty, outside the photograph or far larger.
    """
    height, width = image.shape[:2]
    for box in boxes:
        if box is not None:
            person_boxes.check_given(box, height, width)
            if person_boxes.are_corners(box, height, width):
                logging.log_first_n(logging.WARNING, _CORNERS, 1, *box, width, height)
    return [
        PersonCrop(*crop_person(image, box, image_size), box or (0, 0, width, height), pinhole)
        for box in boxes
    ]


def checked_crops(images, size):
    """`images` of `Model.predict_crops` as float32; warns where they look like colours of 0..1.

    Args:
      images: (B, S, S, 3) in [-1, 1].
      size: S.

    Raises:
      ValueError: another shape or range, or uint8.
    """
    if np.asarray(images).dtype == np.uint8:
        raise ValueError("images must be float32 in [-1, 1]: pixels / 127.5 - 1")
    images = np.asarray(images, np.float32)
    if images.ndim != 4 or images.shape[1:] != (size, size, 3) or not len(images):
        raise ValueError(
            f"images must be (B, {size}, {size}, 3), B at least 1; received {images.shape}"
        )
    lowest, highest = images.min(), images.max()
    if not max(highest, -lowest) <= LARGEST_COLOUR:  # also where there is a NaN
        largest = max(highest, -lowest)
        raise ValueError(f"images must lie in [-1, 1]: pixels / 127.5 - 1; one has {largest}")
    if lowest >= 0 and highest > 0:
        logging.warning(
            "No colour of the crops is below 0: black is -1, white 1. Are they in 0..1? Then pass "
            "2 * images - 1."
        )
    return images


def people_from_crops(predicted, person_crops):
    """The network's predictions for crops -> people in their photographs.

    Args:
      predicted: dict of arrays with B rows, as of `networks.prediction.prediction_as_dict`, and
        `pose` (B, 24, 3).
      person_crops: list of B PersonCrop.

    Returns:
      list of Person.
    """
    transl = _translations(predicted["camera"], person_crops).numpy()
    return [
        _person({name: values[i] for name, values in predicted.items()}, transl[i], person_crop)
        for i, person_crop in enumerate(person_crops)
    ]


def _translations(cameras, person_crops):
    """(B, 3) metres from the photograph's camera to each person."""
    pinhole = camera.Pinhole(
        np.array([[c.pinhole.focal_px] for c in person_crops], np.float32),
        np.array([c.pinhole.principal_px for c in person_crops], np.float32),
    )
    return camera.place_in_photograph(
        cameras,
        crop_size=len(person_crops[0].pixels),
        scale_xy=np.stack([c.crop.scale_xy for c in person_crops]),
        corner_px=np.stack([c.crop.corner_px for c in person_crops]),
        pinhole=pinhole,
    )


def _person(predicted, transl, person_crop):
    keypoints_px = to_image(predicted["keypoints2d_px"], person_crop.crop)
    pinhole = person_crop.pinhole
    return Person(
        {
            **predicted,
            "transl": transl,
            "global_orient": predicted["pose"][0],
            "body_pose": predicted["pose"][1:],
            "joint_names": KEYPOINTS,
            "smpl_joint_names": SMPL_JOINTS,
            "keypoints2d_px": keypoints_px.astype(np.float32),
            "box": np.array(person_crop.box, np.float32),
            "focal_px": np.float32(pinhole.focal_px),
            "principal_px": np.array(pinhole.principal_px, np.float32),
        }
    )

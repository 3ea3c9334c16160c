"""People in photographs: crops for the network, and its answers in the photographs' own pixels."""

from typing import NamedTuple

import numpy as np

from hmr_tf import render
from hmr_tf.body import camera, theta
from hmr_tf.body.skeleton import KEYPOINTS, SMPL_JOINTS
from hmr_tf.data import boxes as box_files
from hmr_tf.data import crop as crops

# In pictures that turn people: metres from the camera at least, and how far to the edge they go.
_NEAREST, _REACH = 0.1, 0.95


class Person(dict):
    """One predicted person: a dict of named arrays, whose entries are attributes too.

    theta (85,); camera (3,) weak perspective of the crop; pose (24, 3) axis-angle, of which
    global_orient (3,) is the first row and body_pose (23, 3) the rest; rotations (24, 3, 3); betas
    (10,); vertices (V, 3), joints3d (19, 3) and smpl_joints (24, 3) in metres, x right, y down, z
    away from the viewer; joint_names and smpl_joint_names; keypoints2d_px (19, 2) in the
    photograph's pixels; box (4,) x, y, width, height that was looked at; transl (3,) metres:
    vertices + transl, seen by a pinhole of focal_px with its axis through principal_px (2,), lie on
    the person.
    """

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"a person has no {name}, only {', '.join(self)}") from None


def crop_person(image, box, image_size):
    """The square the network sees.

    Args:
      image: (H, W, 3) uint8.
      box: (x, y, width, height) of the person in pixels; None: the whole photograph is seen, as in
        the original's `demo.py:99-104`.
      image_size: side of the crop.

    Returns:
      (S, S, 3) uint8 and the `Crop` that leads back.

    Raises:
      InputError: the box is empty or outside the photograph.
    """
    height, width = image.shape[:2]
    if box is None:
        middle = np.round(np.array([width, height]) / 2)
        return crops.crop_padded(image, image_size / max(height, width), middle, image_size)
    box_files.check(box, height, width)
    x, y, box_width, box_height = box
    person_px = crops.PERSON_PX * image_size / crops.CROP_PX
    scale = person_px / np.hypot(box_width, box_height)
    return crops.crop_padded(image, scale, (x + box_width / 2, y + box_height / 2), image_size)


def pinhole_of(image, focal_px=None, principal_px=None):
    """The `camera.Pinhole` of a photograph; what is not given is assumed, see there."""
    height, width = image.shape[:2]
    assumed = camera.pinhole_of_photograph(height, width, crops.CROP_PX, focal_px)
    return assumed._replace(principal_px=tuple(principal_px)) if principal_px else assumed


class Cut(NamedTuple):
    """A person cut out of a photograph."""

    pixels: np.ndarray  # (S, S, 3) uint8, what the network sees
    crop: crops.Crop
    box: tuple  # (x, y, width, height) in the photograph
    pinhole: camera.Pinhole


def cut_people(image, boxes, pinhole, image_size):
    """Cuts everybody out of one photograph.

    Args:
      image: (H, W, 3) uint8 RGB.
      boxes: list of boxes, see `crop_person`; None stands for the whole photograph.
      pinhole: `camera.Pinhole` of the photograph.
      image_size: S.

    Returns:
      list of Cut.

    Raises:
      InputError: a box is empty or outside the photograph.
    """
    height, width = image.shape[:2]
    return [
        Cut(*crop_person(image, box, image_size), box or (0, 0, width, height), pinhole)
        for box in boxes
    ]


def predict_people(predict_crops, cuts):
    """The bodies of people who were cut out, all in one batch.

    Args:
      predict_crops: (B, S, S, 3) float32 in [-1, 1] -> dict of arrays, `Model.predict_crops`.
      cuts: list of Cut.

    Returns:
      list of Person.
    """
    if not cuts:
        return []
    pixels = np.stack([cut.pixels for cut in cuts]).astype(np.float32) / 127.5 - 1.0
    answers = predict_crops(pixels)
    answers["pose"] = theta.split(answers["theta"]).pose.numpy()
    answers["transl"] = _places(answers["camera"], cuts).numpy()
    return [
        _person({name: values[i] for name, values in answers.items()}, cut)
        for i, cut in enumerate(cuts)
    ]


def _places(cameras, cuts):
    """(B, 3) where everybody stands before the camera of the photograph."""
    pinhole = camera.Pinhole(
        np.array([[cut.pinhole.focal_px] for cut in cuts], np.float32),
        np.array([cut.pinhole.principal_px for cut in cuts], np.float32),
    )
    scale_xy, start_px = (
        np.stack([getattr(cut.crop, name) for cut in cuts]) for name in ("scale_xy", "start_px")
    )
    return camera.place_in_photograph(cameras, len(cuts[0].pixels), scale_xy, start_px, pinhole)


def _person(answer, cut):
    keypoints_px = crops.to_image(answer["keypoints2d_px"], cut.crop)
    return Person(
        {
            **answer,
            "global_orient": answer["pose"][0],
            "body_pose": answer["pose"][1:],
            "joint_names": KEYPOINTS,
            "smpl_joint_names": SMPL_JOINTS,
            "keypoints2d_px": keypoints_px.astype(np.float32),
            "box": np.array(cut.box, np.float32),
            "focal_px": np.float32(cut.pinhole.focal_px),
            "principal_px": np.array(cut.pinhole.principal_px, np.float32),
        }
    )


def draw(people, faces, size, background=None, degrees=0.0):
    """The bodies of one photograph, those in front before those behind.

    Args:
      people: list of Person, at least one, of one camera.
      faces: (F, 3).
      size: (height, width) of the picture.
      background: (H, W, 3) uint8 of that size, or None for white.
      degrees: turn everybody about the vertical through their common middle, and step back until
        all of them are in the picture.

    Returns:
      (H, W, 3) uint8 picture and (H, W) bool mask of the bodies.
    """
    points = np.concatenate([person["vertices"] + person["transl"] for person in people])
    pinhole = camera.Pinhole(people[0]["focal_px"], people[0]["principal_px"])
    if degrees:
        points = render.side_view(points[None], degrees)[0].numpy()
        points, pinhole = _all_in_view(points, pinhole, size)
    shifts = np.arange(len(people))[:, None, None] * len(people[0]["vertices"])
    picture, mask = render.render_scene(
        points[None],
        np.zeros((1, 3), np.float32),
        (np.asarray(faces) + shifts).reshape(-1, 3).astype(np.int32),
        pinhole.focal_px,
        pinhole.principal_px,
        size,
        background=None if background is None else background[None],
    )
    return picture[0].numpy(), mask[0].numpy()


def _all_in_view(points, pinhole, size):
    """Moves points away from the camera until all are in the picture; those that are stay.

    They move along the ray through their middle m, by d m / m_z, so that m stays on its pixel c.
    There a point p is then at c + f (p_xy - p_z m_xy / m_z) / (p_z + d), which gives d.

    Args:
      points: (N, 3) metres, their middle before the camera.
      pinhole: camera.Pinhole.
      size: (height, width) of the picture.

    Returns:
      (N, 3) points and the Pinhole, whose principal point differs where the middle was near the
      edge of the picture or outside: it is now a quarter of the picture inside.
    """
    width_height = np.array(size[::-1], np.float32)
    ray = points.mean(axis=0) / points[:, 2].mean()
    middle_px = pinhole.focal_px * ray[:2] + pinhole.principal_px
    inside_px = np.clip(middle_px, 0.25 * width_height, 0.75 * width_height)
    aside = pinhole.focal_px * (points[:, :2] - points[:, 2:] * ray[:2])  # pixels at 1 m
    room_px = _REACH * np.where(aside > 0, width_height - inside_px, inside_px)
    depth = np.maximum((np.abs(aside) / room_px).max(axis=1), _NEAREST)
    back = max(0.0, (depth - points[:, 2]).max())
    principal_px = np.asarray(pinhole.principal_px) + inside_px - middle_px
    return (points + back * ray).astype(np.float32), pinhole._replace(principal_px=principal_px)

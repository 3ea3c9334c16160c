"""The six panels of the original's demo: photograph, skeleton, overlay, and three views."""

import cv2
import numpy as np

from hmr_tf.body.camera import project_perspective
from hmr_tf.rendering import draw_people, drawing

_SIDE_DEGREES = 60.0
_MAX_SIDE = 800  # of one panel, pixels
_TITLES = (
    "input",
    "joint projection",
    "3D mesh overlay",
    "3D mesh",
    f"rotated by {_SIDE_DEGREES:.0f} degrees",
    f"rotated by -{_SIDE_DEGREES:.0f} degrees",
)


def overlay(image, people, faces, with_skeleton=True):
    """(H, W, 3) uint8: the bodies over the photograph, and their keypoints."""
    if not people:
        return image
    picture, _ = draw_people.draw(people, faces, image.shape[:2], image)
    if not with_skeleton:
        return picture
    return skeletons(picture, [_keypoints_of_mesh_px(person) for person in people])


def transparent(image, people, faces):
    """(H, W, 4) uint8 RGBA: the bodies without the photograph."""
    if not people:
        return np.zeros((*image.shape[:2], 4), np.uint8)
    picture, mask = draw_people.draw(people, faces, image.shape[:2])
    return np.dstack([picture * mask[..., None], 255 * mask.astype(np.uint8)])


def _keypoints_of_mesh_px(person):
    """(19, 2) pixels: the keypoints as the camera sees them that draws the mesh.

    `keypoints2d_px` are weak perspective, as the network was trained: of a person near the camera
    they lie elsewhere.
    """
    points = (person["joints3d"] + person["transl"])[None]
    projected, _ = project_perspective(points, person["focal_px"], person["principal_px"])
    return projected[0].numpy()


def skeletons(image, keypoints_px):
    """(H, W, 3) uint8: the keypoints of each person, (19, 2) pixels, drawn on the picture."""
    for points in keypoints_px:
        image = drawing.draw_keypoints(image, points, np.ones(len(points), bool))
    return image


def demo_panels(image, people, faces):
    """(2 * h, 3 * w, 3) uint8 with titles; large photographs are drawn smaller."""
    size = image.shape[:2]
    views = [
        image,
        skeletons(image, [person["keypoints2d_px"] for person in people]),
        overlay(image, people, faces, with_skeleton=False),
        *(_view(people, faces, size, degrees) for degrees in (0.0, _SIDE_DEGREES, -_SIDE_DEGREES)),
    ]
    shrink = min(1.0, _MAX_SIDE / max(size))
    panel = max(1, round(size[1] * shrink)), max(1, round(size[0] * shrink))
    views = [cv2.resize(view, panel, interpolation=cv2.INTER_AREA) for view in views]
    views = [_titled(view, title) for view, title in zip(views, _TITLES)]
    return np.vstack([np.hstack(views[:3]), np.hstack(views[3:])])


def _view(people, faces, size, degrees):
    if not people:
        return np.full((*size, 3), 255, np.uint8)
    return draw_people.draw(people, faces, size, degrees=degrees)[0]


def _titled(picture, title):
    bar = np.full((24, picture.shape[1], 3), 255, np.uint8)
    cv2.putText(bar, title, (6, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    return np.vstack([bar, picture])

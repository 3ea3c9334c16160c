"""Pictures of people in photographs: the labels, and the predicted bodies."""

import cv2
import numpy as np

from hmr_tf.body import skeleton
from hmr_tf.evaluation.protocols import scores
from hmr_tf.evaluation.report import people_pictures, results
from hmr_tf.files.errors import InputError
from hmr_tf.inference import boxes as person_boxes
from hmr_tf.inference import photo
from hmr_tf.rendering import drawing, panels

_SIDE_PX = 360  # of each of the two pictures
_MARGIN = 1.4  # the part of the photograph that is shown, in sides of the box


def of_representative(photographs, oks, boxes, model):
    """The best, the median, the 95th percentile and the worst person.

    Args:
      photographs: list of `CocoPhotograph`.
      oks: for each photograph (n,) of its labelled people.
      boxes: for each photograph its list of ScoredBox; None: the detector's.
      model: `inference.model.Model`.

    Returns:
      list of (caption, JPEG).
    """
    places = [(number, k) for number, values in enumerate(oks) for k in range(len(values))]
    pictures = []
    for title, index in scores.representative(1.0 - np.concatenate(oks)).items():
        number, k = places[index]
        photograph = photographs[number]
        person = [person for person in photograph.people if person.is_labelled][k]
        given = None if boxes is None else [scored.box for scored in boxes[number]]
        caption = f"{title}: OKS {results.format_number(float(oks[number][k]))}; "
        caption += photograph.file_name
        picture = people_pictures.encode_jpeg(_draw(photograph, person, given, model))
        pictures.append((caption, picture))
    return pictures


def _draw(photograph, person, boxes, model):
    """(S, 2 S, 3) uint8: the photograph around the person with the labels, with the bodies."""
    image = photo.read_image(photograph.path)
    if boxes is not None:
        boxes, _ = person_boxes.usable(boxes, *image.shape[:2])
    (people,) = model.predict_batch([image], [boxes]) if boxes != [] else ([],)
    people = [] if isinstance(people, InputError) else people
    bodies = image
    if len(model.faces):
        bodies = panels.overlay(image, people, model.faces, with_skeleton=False)
    labels = skeleton.convert(person.keypoints, skeleton.COCO_KEYPOINTS, skeleton.KEYPOINTS)
    transform = _square_around(person.box)
    pictures = [cv2.warpAffine(x, transform, (_SIDE_PX, _SIDE_PX)) for x in (image, bodies)]
    pictures[0] = _with_keypoints(pictures[0], labels[:, :2], transform, labels[:, 2] > 0)
    for predicted in people:
        is_drawn = np.ones(len(skeleton.KEYPOINTS), bool)
        pictures[1] = _with_keypoints(pictures[1], predicted["keypoints2d_px"], transform, is_drawn)
    return np.concatenate(pictures, axis=1)


def _with_keypoints(picture, keypoints_px, transform, is_drawn):
    """The keypoints of the photograph drawn in a part of it."""
    points = keypoints_px @ transform[:, :2].T + transform[:, 2]
    return drawing.draw_keypoints(picture, points, is_drawn)


def _square_around(box):
    """(2, 3) affine transform of the photograph's pixels to the square around a box."""
    x, y, width, height = box
    side = _MARGIN * max(width, height, 1)
    scale = _SIDE_PX / side
    corner = np.array([x + width / 2 - side / 2, y + height / 2 - side / 2])
    return np.column_stack([scale * np.eye(2), -scale * corner])

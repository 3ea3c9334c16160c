"""Pictures of people in photographs: the labels, and the predicted bodies."""

import cv2
import numpy as np

from hmr_tf.body import skeleton
from hmr_tf.evaluation.protocols import scores
from hmr_tf.evaluation.report import people_pictures, results
from hmr_tf.files.errors import InputError
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
    labels = skeleton.convert(person.keypoints, skeleton.COCO_KEYPOINTS, skeleton.KEYPOINTS)
    labelled = drawing.draw_keypoints(image, labels[:, :2], labels[:, 2] > 0)
    (people,) = model.predict_batch([image], [boxes]) if boxes != [] else ([],)
    people = [] if isinstance(people, InputError) else people
    if people and len(model.faces):
        image = panels.overlay(image, people, model.faces)
    else:
        image = panels.skeletons(image, [person["keypoints2d_px"] for person in people])
    return np.concatenate([_around(person.box, picture) for picture in (labelled, image)], axis=1)


def _around(box, picture):
    """(S, S, 3) the square around a box."""
    x, y, width, height = box
    side = _MARGIN * max(width, height)
    scale = _SIDE_PX / side
    corner = np.array([x + width / 2 - side / 2, y + height / 2 - side / 2])
    transform = np.array([[scale, 0, -scale * corner[0]], [0, scale, -scale * corner[1]]])
    return cv2.warpAffine(picture, transform, (_SIDE_PX, _SIDE_PX), flags=cv2.INTER_AREA)

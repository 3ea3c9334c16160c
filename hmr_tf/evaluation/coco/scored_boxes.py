"""The boxes of the people to predict, each with a score: annotated ones, or a detector's."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from hmr_tf.data import coco_names
from hmr_tf.files.errors import InputError
from hmr_tf.inference import box_files, boxes, openpose

_GIVEN_SCORE = 1.0  # of boxes without a score
_SHOWN = 3


class ScoredBox(NamedTuple):
    """Where a person is, and how sure that is."""

    box: tuple  # (x, y, width, height), pixels
    score: float


def annotated(photographs):
    """The boxes of the labelled people: a list of ScoredBox for each `CocoPhotograph`."""
    return [
        [ScoredBox(person.box, _GIVEN_SCORE) for person in photograph.people if person.is_labelled]
        for photograph in photographs
    ]


def read(path, labels, category=""):
    """Reads the boxes of a file.

    Args:
      path: COCO's detections, a list of image_id, category_id, bbox and score; or a file as
        `inference.boxes.read` takes, whose boxes have the score 1.
      labels: `person_labels.CocoLabels`, the photographs.
      category: as of `inference.boxes.read`.

    Returns:
      list of ScoredBox for each photograph, and a list of str, one for each unusable entry.

    Raises:
      InputError: the file is missing, of another form, or has no box in these photographs.
    """
    content = None
    if boxes.is_json(Path(path)):
        content = openpose.read_json(path, "boxes", box_files.MAX_BYTES)
    if isinstance(content, list):
        by_photograph, problems = _of_detections(content, labels, category)
    else:
        by_photograph, problems = _of_other_file(path, labels.photographs, category)
    if not any(by_photograph):
        reason = f"; the first of {len(problems)} entries: {problems[0]}" if problems else ""
        raise InputError(f"--boxes={path} has no box in the photographs of --annotations{reason}.")
    return by_photograph, problems


def _of_detections(entries, labels, category):
    ids = {labels.category_id, *coco_names.person_category_ids(None, category)}
    number_of = {photograph.image_id: n for n, photograph in enumerate(labels.photographs)}
    by_photograph, problems, unknown = [[] for _ in labels.photographs], [], []
    for number, entry in enumerate(entries):
        try:
            if not isinstance(entry, dict):
                raise InputError("is not a dictionary")
            kind = coco_names.entry_id(entry.get("category_id"))
            if kind is not None and kind not in ids:
                continue
            image_id = coco_names.entry_id(entry.get("image_id"))
            if image_id in number_of:
                by_photograph[number_of[image_id]].append(_scored_box(entry))
            else:
                unknown.append(image_id)
        except InputError as error:
            problems.append(f"--boxes: entry {number} {error}")
    if unknown:
        distinct = list(dict.fromkeys(map(str, unknown)))
        shown = ", ".join(distinct[:_SHOWN]) + (", ..." if len(distinct) > _SHOWN else "")
        problems.append(
            f"--boxes: {len(unknown)} boxes of images that --annotations does not list, "
            f"image_id {shown}"
        )
    return by_photograph, problems


def _scored_box(entry):
    values = entry.get("bbox"), entry.get("score", _GIVEN_SCORE)
    try:
        box, score = [float(value) for value in values[0]], float(values[1])
    except (TypeError, ValueError, OverflowError):
        box, score = (), 0.0
    if len(box) != 4 or not np.isfinite([*box, score]).all() or min(box[2:]) <= 0:
        raise InputError(f"has no bbox and score that are numbers, but {coco_names.shown(values)}")
    return ScoredBox(tuple(box), score)


def _of_other_file(path, photographs, category):
    content = boxes.read(path, category)
    by_path = content.of_photographs([photograph.path for photograph in photographs])
    by_photograph, problems = [], list(content.problems)
    for photograph in photographs:
        listed = by_path[photograph.path]
        if isinstance(listed, InputError):
            problems.append(str(listed))
            listed = []
        elif photograph.size:  # else the size is known when the photograph is read
            listed, wrong = boxes.usable(listed, *photograph.size)
            problems += [f"{photograph.path}: {reason}" for reason in wrong]
        by_photograph.append([ScoredBox(tuple(box), _GIVEN_SCORE) for box in listed])
    return by_photograph, problems

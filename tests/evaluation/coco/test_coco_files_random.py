"""Annotations and detections with one wrong value of any kind: one line, never another error."""

import json

import numpy as np

from hmr_tf.evaluation.coco import oks_precision, person_labels, scored_boxes
from hmr_tf.files.errors import InputError
from tests.fakes import coco_files
from tests.fakes.random_cases import check_cases, choose

JUNK = (
    *(None, True, -1, 0, 1.5, 10**400, 1e308, -1e308, float("nan"), float("inf"), "", "person"),
    *("1", [], [None], [[]], {}, {"a": 1}, [10**400] * 4, ["x"] * 51, [1e308] * 51, {"id": 1}),
)


def with_junk(rng, content):
    """The content with one value, at any depth, replaced or removed."""
    container, value = None, content
    while isinstance(value, (dict, list)) and value and (container is None or rng.random() < 0.8):
        key = list(value)[rng.integers(len(value))] if isinstance(value, dict) else None
        key = int(rng.integers(len(value))) if key is None else key
        container, value = (value, key), value[key]
    place, key = container
    if rng.random() < 0.2:
        del place[key]
    else:
        place[key] = choose(rng, *JUNK)
    return content


def valid(rng):
    people = [np.c_[rng.integers(0, 99, (17, 2)), rng.integers(0, 3, 17)] for _ in range(4)]
    people[0][:, 2] = 2
    return [coco_files.annotation(1 + k % 2, points) for k, points in enumerate(people)]


def check_junk(rng, folder):
    annotations, images = valid(rng), {k: (f"{k}.jpg", 100, 100) for k in (1, 2)}
    path = folder / "labels.json"
    coco_files.write(path, images, annotations)
    boxes = [
        {"image_id": entry["image_id"], "category_id": 1, "bbox": entry["bbox"], "score": 0.5}
        for entry in annotations
    ]
    if rng.random() < 0.5:
        path.write_text(json.dumps(with_junk(rng, json.loads(path.read_text()))))
    else:
        boxes = with_junk(rng, boxes)
    (folder / "boxes.json").write_text(json.dumps(boxes))
    message = ""
    try:
        labels = person_labels.read(str(path), folder)
        oks_precision.evaluate(labels.photographs, [[] for _ in labels.photographs])
        scored_boxes.annotated(labels.photographs)
        by_photograph, _ = scored_boxes.read(str(folder / "boxes.json"), labels)
        for scored in (scored for of_photograph in by_photograph for scored in of_photograph):
            assert np.isfinite([*scored.box, scored.score]).all()
    except InputError as error:
        message = str(error)
    assert "\n" not in message
    assert len(message) < 500 + 2 * len(str(folder))


def test_coco_files_with_one_wrong_value_are_refused_in_one_line(tmp_path):
    check_cases(check_junk, tmp_path, number=500)

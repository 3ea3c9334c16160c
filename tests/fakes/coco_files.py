"""Annotation files of COCO's form, made of a few people."""

import json

import numpy as np

from hmr_tf.body.skeleton import COCO_KEYPOINTS

CATEGORIES = [{"id": 1, "name": "person", "keypoints": list(COCO_KEYPOINTS)}]


def annotation(image_id, keypoints, **changes):
    """A person's entry; keypoints: (17, 3) x, y, flag. `changes` replace or, as None, remove."""
    keypoints = np.asarray(keypoints, float)
    known = keypoints[keypoints[:, 2] > 0, :2] if len(keypoints) else keypoints
    low, high = (known.min(0), known.max(0)) if len(known) else (np.zeros(2), np.full(2, 50.0))
    entry = {
        "image_id": image_id,
        "category_id": 1,
        "keypoints": keypoints.ravel().tolist(),
        "num_keypoints": len(known),
        "bbox": [*low.tolist(), *(high - low).tolist()],
        "area": float(0.6 * np.prod(high - low)),
        "iscrowd": 0,
        **changes,
    }
    return {key: value for key, value in entry.items() if value is not None}


def write(path, images, annotations, categories=CATEGORIES):
    """Writes a file; images: {id: (file name, height, width)}. Returns the path as text."""
    listed = [
        {"id": key, "file_name": name, "height": height, "width": width}
        for key, (name, height, width) in images.items()
    ]
    numbered = [{"id": number, **entry} for number, entry in enumerate(annotations)]  # 0, too
    content = {"images": listed, "annotations": numbered, "categories": categories}
    path.write_text(json.dumps(content))
    return str(path)

"""Valid files of COCO's form in many forms, each with a known person: random tests."""

import json
import re

import numpy as np

from data_prep.reader_items import LabelledPerson, Skipped
from data_prep.readers import coco
from data_prep.writing import source_images
from hmr_tf.body import skeleton
from hmr_tf.files import orientation
from tests.fakes.random_cases import check_cases

NAMES = (*skeleton.COCO_KEYPOINTS, "neck", "head_top", "pelvis", "left_heel", "right_big_toe")
ALIASES = {"neck": ("neck", "head_bottom", "upper_neck"), "head_top": ("head_top", "top_head")}
STYLES = (
    lambda name: name,
    lambda name: name.replace("_", " ").title(),
    lambda name: name.replace("_", "-").upper(),
    lambda name: name.replace("left_", "l_").replace("right_", "r_"),
    lambda name: re.sub(r"^(left|right)_(.*)", r"\2_\1", name),
    lambda name: "".join(word.title() for word in name.split("_")),
)
UNUSABLE = (None, 3, {}, {"image_id": 99}, {"image_id": None, "category_id": 1}, [])


def stored_points(points_px, stored_size, exif_orientation):
    """Points of the upright image -> of the image as it is stored."""
    numbers = np.arange(np.prod(stored_size)).reshape(stored_size)
    x, y = points_px.T
    row, column = np.unravel_index(
        orientation.make_upright(numbers, exif_orientation)[y, x], stored_size
    )
    return np.stack([column, row], axis=1)


def random_file(rng):
    """A file's content, the person's keypoints {name: (x, y)} upright, size, orientation."""
    height, width = rng.integers(200, 260), rng.integers(100, 180)
    exif_orientation = int(rng.integers(1, 9))
    names = list(rng.permutation(NAMES[: rng.choice([17, 19, 22])]))
    if rng.random() < 0.2:
        names = list(skeleton.COCO_KEYPOINTS)
    points = np.stack(
        [rng.integers(5, width - 5, len(names)), rng.integers(5, height - 5, len(names))], 1
    )
    points[0], points[1] = (10, 10), (20, height - 10)  # taller than 60 px
    truth = dict(zip(names, points.tolist()))
    labelled_size, labels = (height, width), points
    if exif_orientation >= 5 and rng.random() < 0.5:  # labelled as it is stored
        labelled_size = (width, height)
        labels = stored_points(points, labelled_size, exif_orientation)
    factor = int(rng.choice([1, 1, 2, 3]))  # made smaller since
    labels, labelled_size = labels * factor, tuple(int(side) * factor for side in labelled_size)
    style = STYLES[rng.integers(len(STYLES))]
    listed = [style(str(rng.choice(ALIASES.get(name, (name,))))) for name in names]
    category_id = [0, 1, 5, "1", "person", "0007", 5.0][rng.integers(7)]
    category = {"id": category_id, "name": ["person", "Person", " PERSON "][rng.integers(3)]}
    if names != list(skeleton.COCO_KEYPOINTS) or rng.random() < 0.5:
        category["keypoints"] = listed
    image_id = [0, 7, "7", "000000000139", "a.jpg", 7.0][rng.integers(6)]
    flags = np.full((len(names), 1), rng.choice([1, 2]))
    annotation = {"image_id": image_id, "category_id": category_id, "iscrowd": 0, "id": 1}
    annotation["keypoints"] = np.hstack([labels, flags]).ravel().tolist()
    unused = [i for i, name in enumerate(names) if name in ("pelvis", "left_heel", "nose")]
    for i in unused[: rng.integers(0, 4)]:  # not labelled
        none = [[0, 0, 0], [None, None, 0], [None] * 3, [float("nan")] * 2 + [0], [-1] * 3]
        annotation["keypoints"][3 * i : 3 * i + 3] = none[rng.integers(len(none))]
        truth.pop(names[i])
    annotation["num_keypoints"] = int(rng.choice([len(names), 0]))
    annotation["iscrowd"] = [0, "0", False, 0.0][rng.integers(4)]
    outline = [[1, 1, 90, 1, 90, 150, 1, 150]]
    outline = [[side * factor for side in polygon] for polygon in outline]
    masks = [None, [], {}, [[10, 10]], [[1, 1, 50, 1]], [[5, 5], *outline], outline]
    annotation["segmentation"] = masks[rng.integers(len(masks))]
    annotation["bbox"] = [1, 1, 90 * factor, 150 * factor]
    for key in ("iscrowd", "num_keypoints", "bbox", "id"):
        if rng.random() < 0.3:
            del annotation[key]
    image = {"id": image_id, "file_name": "s1/a.jpg"}
    image.update(height=labelled_size[0], width=labelled_size[1])
    if factor == 1 and labelled_size == (height, width) and rng.random() < 0.3:
        del image["height"]
    unusable = [UNUSABLE[i] for i in rng.integers(0, len(UNUSABLE), rng.integers(0, 3))]
    annotations = [*unusable, annotation]
    rng.shuffle(annotations)
    others = [{"id": 33, "name": "dog", "keypoints": ["tail"]}] * int(rng.integers(2))
    content = {"images": [image], "annotations": annotations, "categories": [*others, category]}
    return content, truth, (height, width), exif_orientation, len(unusable)


def check_coco(rng, folder):
    path = folder / "other.json"
    content, truth, size, exif_orientation, num_unusable = random_file(rng)
    path.write_text(json.dumps(content))
    items = list(coco.read(folder, "train", annotations=path))
    assert sum(isinstance(item, Skipped) for item in items) == num_unusable
    (person,) = (item for item in items if isinstance(item, LabelledPerson))
    pixels = np.broadcast_to(np.uint8(0), (*size, 3))
    image = source_images.SourceImage(pixels, None, exif_orientation)
    fitted, _ = source_images.align_labels(person, image)
    for i, name in enumerate(skeleton.KEYPOINTS):
        assert (fitted.labelled[i] > 0) == (name in truth), name
        if name in truth:
            error_px = np.abs(fitted.keypoints_px[i] - truth[name]).max()
            assert error_px <= 1, (name, exif_orientation)  # a pixel's centre, when scaled


def test_coco_meaning_is_the_same_in_every_form(tmp_path):
    check_cases(check_coco, tmp_path)

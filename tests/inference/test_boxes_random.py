"""Valid files of boxes in many forms: OpenPose's JSON, COCO's, detections, CSV; frames' names."""

import csv
import io
import json
import unicodedata
import urllib.parse

import numpy as np

from hmr_tf.inference import boxes, openpose
from tests.fakes.random_cases import chance, check_cases, choose

COLUMNS = ("image", "x", "y", "width", "height")
STEMS = ("a", "im 1", "Fräulein", "IMG_0001", "frame.v2", "日本")


def random_box(rng):
    """Whole pixels, larger than 1."""
    return tuple(float(x) for x in (*rng.integers(0, 300, 2), *rng.integers(2, 300, 2)))


def photographs(rng):
    """Names of some photographs, some of them in two folders."""
    stems = rng.permutation(STEMS)[: rng.integers(1, 4)]
    extensions = [choose(rng, ".jpg", ".JPG", ".png") for _ in stems]
    names = [stem + extension for stem, extension in zip(stems, extensions)]
    return [f"{folder}/{name}" for name in names for folder in ("s1", "s2")]


def listed_name(rng, name):
    """The photograph's path as a file on another machine may list it."""
    forms = (name, f"/home/me/{name}", f"./{name}", "C:\\photos\\" + name.replace("/", "\\"))
    url = f"https://example.org/{urllib.parse.quote(name)}"
    return unicodedata.normalize(choose(rng, "NFC", "NFD"), choose(rng, *forms, url, f"{url}?a=/b"))


def random_people(rng):
    """dict: name -> boxes; the same as (name, box) in any order; dict: name -> as it is listed."""
    by_name = {
        name: [random_box(rng) for _ in range(rng.integers(0, 4))] for name in photographs(rng)
    }
    rows = [(name, box) for name, of_name in by_name.items() for box in of_name]
    return by_name, rows, {name: listed_name(rng, name) for name in by_name}


def check_boxes(path, by_name, folder, category=""):
    paths = {name: folder / name for name in by_name}
    result = boxes.read(path, category)
    assert not result.problems
    of_paths = result.of_photographs(list(paths.values()))
    for name, expected in by_name.items():
        assert of_paths[paths[name]] == expected, name


def check_csv(rng, folder):
    by_name, rows, listed = random_people(rng)
    if not rows:
        return
    delimiter, is_decimal_comma = choose(rng, ",", ";", "\t"), chance(rng)
    columns = list(rng.permutation([*COLUMNS, "score", "id"][: choose(rng, 5, 7)]))
    header = [choose(rng, str, str.upper, str.title)(name) for name in columns]
    header = [choose(rng, name, f" {name}") for name in header]
    lines = []
    for name, box in rows:
        numbers = [choose(rng, f"{x:g}", f"{x:.1f}", f" {x:g}") for x in box]
        if delimiter == ";" and is_decimal_comma:
            numbers = [number.replace(".", ",") for number in numbers]
        cells = dict(zip(COLUMNS, (listed[name], *numbers)), score="0.9", id="3")
        lines.append([cells[column] for column in columns])
        if chance(rng, 0.1):
            lines.append([""] * len(columns))
    text = io.StringIO()
    end = choose(rng, "\n", "\r\n")
    quoting = choose(rng, csv.QUOTE_MINIMAL, csv.QUOTE_ALL)
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerows([header, *lines])
    codes = ["utf-8", "utf-8-sig", "utf-16"]
    if all(name.encode("cp1252", "ignore").decode("cp1252") == name for name in listed.values()):
        codes.append("cp1252")
    path = folder / choose(rng, "boxes.csv", "boxes.CSV")
    path.write_bytes(text.getvalue().encode(choose(rng, *codes)))
    check_boxes(path, by_name, folder)


def check_coco(rng, folder):
    by_name, rows, listed = random_people(rng)
    image_ids = dict(
        zip(by_name, choose(rng, range(0, 99), range(7, 99), map("im{}".format, range(99))))
    )
    kind = choose(rng, lambda x: x, str, lambda x: float(x) if isinstance(x, int) else x)
    person_id = choose(rng, 0, 1, 5)
    images = [{"id": image_ids[name], "file_name": listed[name]} for name in by_name]
    annotations = [
        {"image_id": kind(image_ids[name]), "category_id": choose(rng, int, str)(person_id)}
        | {"bbox": list(box)}
        for name, box in rows
    ]
    for name in by_name:
        dog = {"image_id": image_ids[name], "category_id": 3, "bbox": [1, 1, 9, 9]}
        crowd = {**dog, "category_id": person_id, "iscrowd": 1}
        annotations += [other for other in (dog, crowd) if chance(rng, 0.2)]
    order = rng.permutation(len(annotations))
    by_image = {name: [] for name in by_name}
    for i in order:
        if i < len(rows):
            by_image[rows[i][0]].append(rows[i][1])
    name = choose(rng, "person", "Person", "player")
    categories = [{"id": 3, "name": "dog"}, {"id": person_id, "name": name}]
    content = {
        "images": [images[i] for i in rng.permutation(len(images))],
        "annotations": [annotations[i] for i in order],
        "categories": categories if chance(rng) else categories[::-1],
    }
    if chance(rng):
        content["info"] = {}
    path = folder / choose(rng, "a.json", "a.JSON")
    path.write_text(json.dumps(content, ensure_ascii=chance(rng)))
    category = choose(rng, "player", "Player") if name == "player" else choose(rng, "", name)
    check_boxes(path, by_image, folder, category)


def check_detections(rng, folder):
    """COCO's results and AlphaPose's: a list, ids are names."""
    by_name, rows, listed = random_people(rng)
    if not rows:
        return
    key = choose(rng, "bbox", "box")
    entries = []
    for name, box in rows:
        entry = {"image_id": listed[name], key: choose(rng, list, tuple)(box), "score": 0.9}
        if chance(rng):
            entry["category_id"] = choose(rng, 1, "1")
        entries.append(entry)
        if chance(rng, 0.2):
            entries.append({**entry, "category_id": 18})
    (folder / "a.json").write_text(json.dumps(entries))
    check_boxes(folder / "a.json", by_name, folder)


def check_results(rng, folder):
    """COCO's results: image ids; the box, or keypoints that fill it."""
    numbers = list(dict.fromkeys(rng.integers(0, 10**6, rng.integers(1, 4)).tolist()))
    form = choose(rng, "{:012d}.jpg", "COCO_val2014_{:012d}.jpg", "im_{}.png")
    by_name = {
        form.format(n): [random_box(rng) for _ in range(rng.integers(1, 3))] for n in numbers
    }
    entries, kind = [], choose(rng, int, str, float, "{:012d}".format)
    for number, of_name in zip(numbers, by_name.values()):
        for box in of_name:
            entry = {"image_id": kind(number), "category_id": 1, "score": 0.9}
            if chance(rng):
                entry["bbox"] = list(box)
            if chance(rng) or "bbox" not in entry:
                (entry["keypoints"],) = random_keypoints(rng, box)
            entries.append(entry)
    (folder / "a.json").write_text(json.dumps(entries))
    check_boxes(folder / "a.json", by_name, folder)


def check_alphapose(rng, folder):
    """AlphaPose's dictionary of images, in both of its forms."""
    by_name, _, listed = random_people(rng)
    people, key = choose(rng, ("people", "pose_keypoints_2d"), ("bodies", "joints"))
    content = {
        listed[name]: {
            "version": "AlphaPose v0.3",
            people: [{key: keypoints} for keypoints in random_keypoints(rng, *of_name)],
        }
        for name, of_name in by_name.items()
    }
    (folder / "a.json").write_text(json.dumps(content))
    check_boxes(folder / "a.json", by_name, folder)


def random_keypoints(rng, *of_people):
    """For each box a list x, y, confidence, ... that fills it."""
    of_all = []
    for box in of_people:
        person = random_openpose(rng, box)
        of_all.append(next(person[key] for key in openpose._KEYS if key in person))
    return of_all


def random_openpose(rng, box):
    """A person whose confident keypoints fill the box; 15, 18, 25 or more of them."""
    number = choose(rng, 15, 18, 25, 135)
    x, y, width, height = box
    points = np.stack(
        [rng.integers(x, x + width + 1, number), rng.integers(y, y + height + 1, number)], 1
    )
    points[0], points[1] = (x, y), (x + width, y + height)
    confidences = rng.choice([0.3, 0.9, 1.0, 1.02], number)
    for i in range(2, number):  # not detected: elsewhere, of low confidence
        if chance(rng, 0.3):
            points[i], confidences[i] = (0, 0), choose(rng, 0.0, 0.1)
    order = rng.permutation(number)
    triples = np.column_stack([points, confidences])[order].ravel().tolist()
    person = {choose(rng, *openpose._KEYS): triples}
    if chance(rng):
        person["face_keypoints_2d"], person["person_id"] = [], [-1]
        person["hand_left_keypoints_2d"] = [1.0, 1.0, 0.9] * 21
    return person


def check_openpose(rng, folder):
    """One file is for every photograph; of a folder, each file for the one of its name."""
    by_name = {}
    for stem in rng.permutation(STEMS)[: rng.integers(1, 4)]:
        by_name[f"{stem}.jpg"] = [random_box(rng) for _ in range(rng.integers(0, 3))]
    of_folder = folder / "json"
    of_folder.mkdir()
    extension = choose(rng, "_keypoints.json", ".json")
    for name, of_name in by_name.items():
        people = [random_openpose(rng, box) for box in of_name]
        content = {"version": choose(rng, 1.1, 1.3), "people": people}
        text = json.dumps(content, indent=choose(rng, None, 1))
        code = choose(rng, "utf-8", "utf-8-sig", "utf-16")
        (of_folder / f"{name[:-4]}{extension}").write_bytes(text.encode(code))
    check_boxes(of_folder, by_name, folder)
    name, of_name = next(iter(by_name.items()))
    if of_name:
        single = of_folder / f"{name[:-4]}{extension}"
        check_boxes(single, {"anything.png": of_name}, folder)


def check_frames(rng, folder):
    """Names of a video's frames: bare numbers, padded, with a stem, from 0 or 1, some missing."""
    num_frames = int(rng.integers(2, 30))
    frames = [int(f) for f in range(num_frames) if chance(rng, 0.8) or f in (0, num_frames - 1)]
    form = choose(
        rng, "{}", "{:06d}", "walk_{:012d}_keypoints", "x/frame_{:04d}.png", "v2.{}", "{}.0"
    )
    first = choose(rng, 0, 1)
    of_frame = {frame: [random_box(rng)] for frame in frames}
    listed = {
        form.format(frame + first).replace("_keypoints", ""): box for frame, box in of_frame.items()
    }
    names = [list(listed)[i] for i in rng.permutation(len(listed))]
    result = boxes.BoxesByName({name: listed[name] for name in names})
    boxes_of = result.of_frames("walk", lambda: num_frames).of_frame
    for frame in range(num_frames):
        assert boxes_of(frame) == of_frame.get(frame, []), (form, first, frame)


def test_boxes_of_csv_mean_the_same_in_every_form(tmp_path):
    check_cases(check_csv, tmp_path)


def test_boxes_of_coco_mean_the_same_in_every_form(tmp_path):
    check_cases(check_coco, tmp_path)


def test_boxes_of_detections_mean_the_same_in_every_form(tmp_path):
    check_cases(check_detections, tmp_path)


def test_boxes_of_results_mean_the_same_in_every_form(tmp_path):
    check_cases(check_results, tmp_path, 500)


def test_boxes_of_alphapose_mean_the_same_in_every_form(tmp_path):
    check_cases(check_alphapose, tmp_path, 500)


def test_boxes_of_openpose_mean_the_same_in_every_form(tmp_path):
    check_cases(check_openpose, tmp_path)


def test_boxes_of_frames_mean_the_same_in_every_form(tmp_path):
    check_cases(check_frames, tmp_path)

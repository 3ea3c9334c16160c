"""The protocol coco_keypoints from flags to files, with a model that predicts its own labels."""

import contextlib
import io
import json

import cv2
import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from hmr_tf import main
from hmr_tf.body import body_model, skeleton
from hmr_tf.body.skeleton import COCO_KEYPOINTS, KEYPOINTS
from hmr_tf.evaluation.coco import evaluate_photographs, person_labels, scored_boxes
from hmr_tf.evaluation.report import comparison, comparison_page, results
from hmr_tf.files.errors import InputError
from hmr_tf.inference.detection.detector import DetectedPerson
from hmr_tf.inference.model import Model
from tests.fakes import coco_files, tiny_body
from tests.fakes import evaluation_fakes as fakes

HEIGHT, WIDTH = 200, 240
BOXES = {1: [40, 30, 90, 140], 2: [60, 20, 80, 150], 3: [30, 40, 150, 120], 7: [90, 30, 70, 130]}


@pytest.fixture(scope="module")
def body(tmp_path_factory):
    return body_model.read_model(tiny_body.write(tmp_path_factory.mktemp("body") / "tiny.npz"))


@pytest.fixture
def oracle(body):
    return fakes.Oracle(fakes.thetas(), fakes.SMPL(body))


@pytest.fixture
def labelled(tmp_path, oracle, body):
    """Photographs 1, 2, 3 and 7 below `tmp_path/photos`, and annotations as they are predicted."""
    folder = tmp_path / "photos" / "val2017"
    folder.mkdir(parents=True)
    model, annotations, images = Model(oracle, body), [], {}
    for image_id, box in BOXES.items():
        image = fakes.image_of(image_id, (HEIGHT, WIDTH))
        cv2.imwrite(str(folder / f"{image_id:012d}.png"), image)
        images[image_id] = (f"{image_id:012d}.png", HEIGHT, WIDTH)
        (person,) = model.predict(image, [box])
        points = skeleton.convert(person.keypoints2d_px, KEYPOINTS, COCO_KEYPOINTS)
        points = np.c_[points, np.full(17, 2)]
        annotations.append(coco_files.annotation(image_id, points, bbox=box, area=40.0 * 150))
    return images, annotations


@pytest.fixture
def evaluate(tmp_path, oracle, body, labelled, monkeypatch):
    """Runs --mode=evaluate; gives the exit code and results.json."""
    if not flags.FLAGS.is_parsed():
        flags.FLAGS(["test"])
    monkeypatch.setattr("hmr_tf.cli.evaluate.load_with_body", lambda options: (oracle, body))

    labels = tmp_path / "labels.json"

    def evaluate_(annotations=None, path=str(labels), **values):
        coco_files.write(labels, labelled[0], annotations or labelled[1])
        options = {
            "mode": "evaluate",
            "protocol": "coco_keypoints",
            "load_path": fakes.load_path(tmp_path / "run"),
            "data_dir": str(tmp_path / "photos"),
            "annotations": path,
            "output_dir": str(tmp_path / "output"),
            **values,
        }
        with flagsaver.flagsaver(**options):
            code = main.main(["main"])
        return code, json.loads((tmp_path / "output" / "results.json").read_text())

    return evaluate_


def test_coco_keypoints_of_the_labels_have_every_figure_100(evaluate, tmp_path, capsys):
    code, content = evaluate()
    assert code == 0
    measured = {k: v for k, v in content["metrics"].items() if v is not None}
    assert measured == pytest.approx(dict.fromkeys(measured, 100.0), abs=0.02)
    assert {"ap_percent", "ar_percent", "oks_percent", "pck05_percent"} <= set(measured)
    assert content["counts"] == {
        **{"photographs": 4, "people": 4, "predictions": 4, "areas_from_boxes": 0}
    }
    assert content["intervals"]["ap_percent"] == pytest.approx([100.0, 100.0])
    assert content["bootstrap"]["of"] == "photographs"
    assert set(content["tables"]["joint"]) == set(COCO_KEYPOINTS)
    out = capsys.readouterr().out
    assert "4 labelled people in 4 photographs, 4 predictions" in out
    assert "AP (OKS" in out
    html = (tmp_path / "output" / "report.html").read_text()
    assert html.count("data:image/jpeg") == 4
    predicted = json.loads((tmp_path / "output" / "coco_results.json").read_text())
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(tmp_path / "labels.json"))
        evaluation = COCOeval(truth, truth.loadRes(predicted), "keypoints")
        evaluation.evaluate()
    oks = [evaluation.ious[image_id, 1].item() for image_id in BOXES]
    assert oks == pytest.approx([1.0] * 4, abs=1e-5)


def test_coco_keypoints_count_who_must_be_predicted(evaluate, labelled):
    """A crowd, a person without keypoints and a chair are no misses; an unpredicted person is."""
    nobody = np.zeros((17, 3))
    extras = [
        coco_files.annotation(1, nobody, bbox=[5, 5, 30, 30], iscrowd=1),
        coco_files.annotation(2, nobody, bbox=[5, 5, 30, 30]),
        coco_files.annotation(3, nobody, category_id=62),
    ]
    _, content = evaluate([*labelled[1], *extras])
    assert content["metrics"]["ap_percent"] == pytest.approx(100, abs=0.02)
    assert content["counts"]["people"] == content["counts"]["predictions"] == 4


def test_coco_keypoints_runs_are_compared_person_by_person(evaluate, tmp_path, oracle):
    """With an interval of the difference of the APs, though they are no sums over people."""
    outputs = [tmp_path / "output", tmp_path / "second"]
    evaluate()
    outputs[0].rename(tmp_path / "first")
    outputs[0] = tmp_path / "first"
    oracle._translation_norm += 0.1  # all keypoints are further off
    evaluate()
    (tmp_path / "output").rename(outputs[1])
    compared = comparison.compare(outputs)
    assert compared.notes == []
    rows = {row[0]: row[1:] for row in compared.rows}
    for metric in ("ap_percent", "oks_percent"):
        difference, interval, word = rows[results.metric_label(metric)][2:]
        assert float(difference) < -1
        low, high = map(float, interval.strip("[]").split(", "))
        assert low <= float(difference) <= high < 0
        assert word == comparison.BEYOND
    page = comparison_page.page(compared, "oks_error")
    assert "worse for 100.0 %" in page
    assert "not drawn" not in page
    assert f"{min(BOXES):012d}.png" in page


def test_coco_keypoints_boxes_with_unknown_ids_are_named(evaluate, tmp_path, capsys):
    boxes = [
        {"image_id": image_id, "category_id": 1, "bbox": box, "score": 0.5 + image_id / 20}
        for image_id, box in BOXES.items()
        if image_id != 2
    ]
    boxes.append({"image_id": 99, "category_id": 1, "bbox": [1, 2, 30, 40], "score": 0.9})
    boxes.append({"image_id": 3, "category_id": 1, "bbox": [1, 2, None, 40], "score": 0.9})
    boxes.append({"image_id": 3, "category_id": 1, "bbox": [900, 2, 30, 40], "score": 0.9})
    boxes.append({"image_id": 3, "category_id": 18, "bbox": [1, 2, 30, 40], "score": 0.9})
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(boxes))
    code, content = evaluate(boxes=str(path))
    assert code == 1
    error = capsys.readouterr().err
    assert "1 boxes of images that --annotations does not list, image_id 99" in error
    assert "--boxes: entry 4 has no bbox and score that are numbers" in error
    assert "lies outside the 240 x 200 photograph" in error
    assert content["metrics"]["ar_percent"] == pytest.approx(75, abs=0.02)  # 2 has no box
    assert content["metrics"]["ap_percent"] == pytest.approx(100 * 76 / 101, abs=0.02)
    predicted = json.loads((tmp_path / "output" / "coco_results.json").read_text())
    assert [(entry["image_id"], entry["score"]) for entry in predicted] == [
        *((1, 0.55), (3, 0.65), (7, 0.85))
    ]
    path.write_text(json.dumps(boxes[3:4]))
    with pytest.raises(InputError, match="has no box in the photographs"):
        evaluate(boxes=str(path))


def test_coco_keypoints_box_far_too_large_does_not_cost_the_others(evaluate, tmp_path, capsys):
    people = [{"image_id": key, "category_id": 1, "bbox": box} for key, box in BOXES.items()]
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps([*people, {**people[0], "bbox": [0, 0, 9000, 9000]}]))
    code, content = evaluate(boxes=str(path))
    assert code == 1
    assert content["counts"]["predictions"] == len(BOXES)
    assert "more than 10 times as large as the 240 x 200 photograph" in capsys.readouterr().err


def test_coco_keypoints_boxes_of_a_smaller_copy_are_scaled(evaluate, tmp_path):
    """Boxes of COCO's form state the size of their images, as for predictions."""
    images = {key: (f"{key:012d}.png", HEIGHT // 2, WIDTH // 2) for key in BOXES}
    people = [
        coco_files.annotation(key, [[0, 0, 0]], bbox=[side / 2 for side in box])
        for key, box in BOXES.items()
    ]
    path = coco_files.write(tmp_path / "boxes.json", images, people)
    code, content = evaluate(boxes=path)
    assert code == 0
    assert content["metrics"]["ap_percent"] == pytest.approx(100, abs=0.02)


def test_coco_keypoints_boxes_of_a_table_need_no_csv_in_their_name(evaluate, tmp_path):
    rows = [f"{key:012d}.png\t" + "\t".join(map(str, box)) for key, box in BOXES.items()]
    path = tmp_path / "boxes.tsv"
    path.write_text("\n".join(["image\tx\ty\twidth\theight", *rows]))
    code, content = evaluate(boxes=str(path))
    assert code == 0
    assert content["metrics"]["ap_percent"] == pytest.approx(100, abs=0.02)


@pytest.mark.parametrize("category_id", ["person", None])
def test_coco_keypoints_of_people_by_the_name_of_their_category(tmp_path, category_id):
    """Some files write the name in place of the id, or nothing where there is one category."""
    entry = coco_files.annotation(1, np.full((17, 3), 2), category_id=category_id)
    path = coco_files.write(tmp_path / "labels.json", {1: ("a.jpg", 10, 10)}, [entry])
    (photograph,) = person_labels.read(path, tmp_path).photographs
    assert len(photograph.people) == 1


def test_coco_keypoints_missing_photographs_are_refused_unless_allowed(evaluate, tmp_path):
    missing = tmp_path / "photos" / "val2017" / f"{2:012d}.png"
    missing.unlink()
    cv2.imwrite(str(missing.with_name(f"{3:012d}.png")), np.zeros((50, 60, 3), np.uint8))
    with pytest.raises(InputError, match=r"2 photographs missing or unusable.*000000000002\.png"):
        evaluate()
    _, content = evaluate(allow_missing=True)
    assert content["counts"]["people"] == 2
    assert content["metrics"]["ap_percent"] == pytest.approx(100, abs=0.02)
    assert "has 60 x 50 pixels, not 240 x 200 as annotated" in content["missing"][1]


def test_coco_keypoints_of_a_detector(tmp_path, labelled, oracle, body):
    class Detector:
        """Finds the person of each photograph but the first, and no confident keypoint."""

        def detect(self, image):
            image_id = int(image[0, 0, 0]) // 20
            box, score = tuple(BOXES[image_id]), image_id / 10
            found = DetectedPerson(box, np.zeros((17, 3)), score)
            return [] if image_id == 1 else [found]

    path = coco_files.write(tmp_path / "labels.json", *labelled)
    given = {"annotations": path, "detector": "movenet"}
    plan = evaluate_photographs.plan(tmp_path / "photos", given, allow_missing=False)
    output = tmp_path / "output"
    output.mkdir()
    model = Model(oracle, body, Detector())
    content, problems = evaluate_photographs.evaluate(plan, model, "oracle", output)
    assert not problems
    assert content["counts"]["predictions"] == 3
    assert content["metrics"]["ar50_percent"] == 75
    assert "pck05_percent" not in content["metrics"]
    predicted = json.loads((output / "coco_results.json").read_text())
    assert [entry["score"] for entry in predicted] == [0.2, 0.3, 0.7]


def test_coco_keypoints_of_a_file_with_other_keypoints(tmp_path):
    """PoseTrack's list: head_bottom and head_top are not COCO's, eyes and areas are missing."""
    names = ["nose", "head_bottom", "head_top", *COCO_KEYPOINTS[3:]]
    points = np.c_[np.arange(34).reshape(17, 2), np.full(17, 1)]
    points[3:5, 2] = 0  # the ears
    entries = [coco_files.annotation(5, points, area=None, num_keypoints=None)]
    images = {5: ("images/val/a/000000.jpg", 100, 100), 6: ("images/val/a/000001.jpg", 100, 100)}
    categories = [{"id": 1, "name": "person", "keypoints": names}]
    path = tmp_path / "posetrack.json"
    coco_files.write(path, images, entries, categories)
    content = json.loads(path.read_text())
    content["images"][1]["is_labeled"] = False
    path.write_text(json.dumps(content))
    labels = person_labels.read(str(path), tmp_path)
    (photograph,) = labels.photographs
    (person,) = photograph.people
    known = person.keypoints[:, 2] > 0
    assert [n for n, is_known in zip(COCO_KEYPOINTS, known) if is_known] == [
        *("nose", *COCO_KEYPOINTS[5:])
    ]
    assert person.keypoints[0, :2].tolist() == [0, 1]
    assert person.keypoints[5, :2].tolist() == [10, 11]
    assert person.area == pytest.approx(0.53 * 32 * 32)
    assert labels.num_areas_from_boxes == 1
    assert scored_boxes.annotated(labels.photographs) == [[(person.box, 1.0)]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bbox": None}, "annotation 0 .* has no bbox x, y, width, height, but null"),
        ({"area": "large"}, "annotation 0 .* has the area large"),
        ({"keypoints": [1, 2, 2]}, "annotation 0 .* not 17 times x, y, v"),
        (
            {"keypoints": [float("nan"), 2, 2] * 17},
            "labelled keypoint that is not a number of pixels",
        ),
        ({"image_id": 9}, "image that is not listed, image_id 9"),
        ({"keypoints": [0] * 51}, "no person with labelled keypoints"),
    ],
)
def test_coco_keypoints_refuse_wrong_annotations(tmp_path, changes, message):
    entry = {**coco_files.annotation(1, np.full((17, 3), 2)), **changes}
    entry = {key: value for key, value in entry.items() if value is not None}
    path = coco_files.write(tmp_path / "labels.json", {1: ("a.jpg", 10, 10)}, [entry])
    with pytest.raises(InputError, match=message):
        person_labels.read(path, tmp_path)


def test_coco_keypoints_refuse_wrong_flags(evaluate, tmp_path):
    with pytest.raises(InputError, match="--protocol=coco_keypoints needs --annotations"):
        evaluate(path="")
    with pytest.raises(InputError, match=r"--annotations=none.json: no such file"):
        evaluate(path="none.json")
    with pytest.raises(InputError, match=r"--boxes=none.json: no such file"):
        evaluate(boxes="none.json")
    given = {"annotations": "a", "boxes": "b", "detector": "m"}
    with pytest.raises(InputError, match="--boxes and --detector both"):
        evaluate_photographs.plan(tmp_path, given, allow_missing=False)

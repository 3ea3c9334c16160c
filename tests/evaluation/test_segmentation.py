"""Parts and silhouettes: an independent rasterizer, exact counts, known errors, broken files."""

import json

import cv2
import numpy as np
import pytest
import tensorflow as tf
from absl import flags
from absl.testing import flagsaver

from hmr_tf import main
from hmr_tf.body import body_parts, camera
from hmr_tf.evaluation import evaluate_protocol, metrics
from hmr_tf.evaluation.protocols import segmentation
from hmr_tf.files.errors import InputError
from tests.fakes import evaluation_fakes as fakes
from tests.fakes import image_records

SIZE = (150, 110)  # height, width of the images
CENTER_PX = np.array([50, 80])  # x, y


@pytest.fixture(scope="module")
def smpl():
    return fakes.smpl()


@pytest.fixture(scope="module")
def labels(smpl):
    return body_parts.face_labels_from_weights(smpl.lbs_weights, smpl.faces)


def scan(points_px, depth, faces, labels, size):
    """Part map line by line in float64: each pixel of a line asks every front face that meets it.

    A pixel whose centre lies in a face, edges included, shows the nearest one; of equals the first.
    """
    a, b, c = np.moveaxis(np.float64(points_px[faces]), 1, 0)
    is_front = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) < (c[:, 0] - a[:, 0]) * (b[:, 1] - a[:, 1])
    low, high = (reduce([a[:, 1], b[:, 1], c[:, 1]], axis=0) for reduce in (np.min, np.max))
    inverse = 1.0 / np.float64(depth[faces])
    x, picture = np.arange(size[1]) + 0.5, np.zeros(size, int)
    for line in range(size[0]):
        y = line + 0.5
        met = np.flatnonzero(is_front & (low <= y) & (high >= y))
        if not len(met):
            continue
        pa, pb, pc = (points[met, :, None] for points in (a, b, c))  # (faces, 2, 1)
        edges = [
            (p[:, 0] - x) * (q[:, 1] - y) - (p[:, 1] - y) * (q[:, 0] - x)
            for p, q in ((pb, pc), (pc, pa), (pa, pb))
        ]
        with np.errstate(invalid="ignore", divide="ignore"):
            z = sum(edges) / sum(edge * inverse[met, k, None] for k, edge in enumerate(edges))
        z = np.where((np.max(edges, axis=0) <= 0) & (z > 0), z, np.inf)
        first = z.argmin(axis=0)
        is_covered = np.isfinite(z.min(axis=0))
        picture[line, is_covered] = labels[met[first[is_covered]]]
    return picture


def test_segmentation_equals_an_independent_rasterizer(smpl, labels):
    rng = np.random.default_rng(1)
    count, image_size = 20, 224
    pose = 0.4 * rng.normal(size=(count, 24, 3))
    pose[:, 0] = (np.pi, 0, 0) + 0.6 * rng.normal(size=(count, 3))
    body = smpl(
        tf.constant(pose, tf.float32), tf.constant(rng.normal(size=(count, 10)), tf.float32)
    )
    cameras = np.float32(np.column_stack([rng.uniform(0.5, 1.1, count), np.zeros((count, 2))]))
    for number in range(count):
        scale_xy = np.float32(rng.uniform(0.8, 1.25, 2))
        corner_px = np.float32(rng.integers(-9, 10, 2) - (57, 37))
        drawn = segmentation.draw(
            body.vertices[number],
            cameras[number],
            smpl.faces,
            labels,
            scale_xy,
            corner_px,
            image_size,
            SIZE,
        )
        # The same points in float32, as the picture is defined by them; all else in float64.
        translation = camera.perspective_translation(cameras[number][None], image_size, 5000.0)
        points = (body.vertices[number] + translation).numpy()
        pixels = np.float32(5000) * points[:, :2] / points[:, 2:] + np.float32(image_size / 2)
        pixels = (pixels + corner_px) / scale_xy
        expected = scan(pixels, points[:, 2], smpl.faces, labels, SIZE)
        assert (expected > 0).sum() > 500
        np.testing.assert_array_equal(drawn, expected)


def test_segmentation_counts_of_a_small_picture():
    truth = np.array([[0, 0, 1], [1, 2, 255]])
    predicted = np.array([[0, 1, 1], [2, 2, 1]])
    counts = metrics.label_counts(predicted, truth, 3)
    # Hits, false positives, false negatives of 0, 1 and 2; the ignored pixel is in none of them.
    assert counts[:3].tolist() == [[1, 0, 1], [1, 1, 1], [1, 1, 0]]
    assert metrics.f1(counts) == pytest.approx([2 / 3, 1 / 2, 2 / 3])
    # Three of six equal; the ignored one is background, and 1 was predicted.
    assert metrics.accuracy(counts) == 3 / 6
    on_background = metrics.label_counts(np.where(truth == 255, 0, predicted), truth, 3)
    assert metrics.accuracy(on_background) == 4 / 6
    assert np.array_equal(on_background[:3], counts[:3])


def write_lsp(data_dir, smpl, people):
    oracle = fakes.Oracle(fakes.thetas(), smpl)
    truth = fakes.truth_of(oracle)
    records = [
        image_records.image_record(
            fakes.image_of(person, SIZE),
            truth["keypoints_px"][person],
            filename=f"im{1001 + person}.jpg",
            center_px=CENTER_PX,
        )
        for person in people
    ]
    image_records.write(data_dir / "lsp" / "test_000.tfrecord", records)
    return oracle


def drawn_by(oracle, labels, person):
    """The part map of the oracle's prediction in the image; the crop has half of its scale."""
    half = np.float32([SIZE[1] // 2 / SIZE[1], SIZE[0] // 2 / SIZE[0]])
    corner_px = np.trunc(CENTER_PX * half) - fakes.SIZE // 2
    last = oracle.with_mesh(oracle.predictions_from_thetas([oracle.encoder.thetas])[0])
    return segmentation.draw(
        last.vertices[person],
        last.camera[person],
        oracle.smpl.faces,
        labels,
        np.float32(half),
        np.float32(corner_px),
        fakes.SIZE,
        SIZE,
    )


def write_pngs(folder, person, part_map):
    folder.mkdir(parents=True, exist_ok=True)
    mask_path, parts_path = segmentation.paths(folder, f"im{1001 + person}.jpg")
    mask = np.where(part_map == metrics.IGNORED, 0, 255 * (part_map > 0))
    assert cv2.imwrite(str(mask_path), mask.astype(np.uint8))
    assert cv2.imwrite(str(parts_path), part_map.astype(np.uint8))


@pytest.fixture
def evaluate(tmp_path, monkeypatch):
    if not flags.FLAGS.is_parsed():
        flags.FLAGS(["test"])
    monkeypatch.setattr(evaluate_protocol, "TIMED_IMAGES", 1)

    def evaluate_(oracle, **values):
        monkeypatch.setattr("hmr_tf.cli.evaluate.load", lambda options: oracle)
        options = {
            "mode": "evaluate",
            "protocol": "lsp_parts",
            "load_path": fakes.load_path(tmp_path / "run"),
            "data_dir": str(tmp_path / "data"),
            "output_dir": str(tmp_path / "output"),
            "segmentation_dir": str(tmp_path / "pngs"),
            "allow_missing": True,
            **values,
        }
        with flagsaver.flagsaver(**options):
            main.main(["main"])
        return json.loads((tmp_path / "output" / "results.json").read_text())

    return evaluate_


def test_segmentation_scores_of_the_truth_and_of_swapped_arms(evaluate, smpl, labels, tmp_path):
    """Person 0 as drawn; of person 1 the arms are swapped, and a strip beside is ignored."""
    oracle = write_lsp(tmp_path / "data", smpl, (0, 1, 2))
    first, second = (drawn_by(oracle, labels, person) for person in (0, 1))
    assert min(np.bincount(first.ravel(), minlength=7)) > 0
    swapped = np.choose(second, [0, 2, 1, 3, 4, 5, 6])
    swapped[:, :3] = metrics.IGNORED
    assert not second[:, :3].any()
    write_pngs(tmp_path / "pngs", 0, first)
    write_pngs(tmp_path / "pngs", 1, swapped)
    content = evaluate(oracle)
    measured, tables = content["metrics"], content["tables"]
    assert content["counts"]["frames"] == 2  # the third has no segmentation
    assert len(content["missing"]) == 998
    assert measured["foreground_accuracy_percent"] == 100
    assert measured["foreground_f1"] == 1
    arms = [np.sum(second == arm) for arm in (1, 2)]
    accuracy = 1 - sum(arms) / (2 * first.size)
    assert measured["parts_accuracy_percent"] == pytest.approx(100 * accuracy)
    # An arm's hits are the first person's; what one arm gains wrongly the other loses.
    hits = [np.sum(first == arm) for arm in (1, 2)]
    f1 = [2 * hit / (2 * hit + sum(arms)) for hit in hits]
    assert measured["parts_f1"] == pytest.approx((5 + sum(f1)) / 7)
    assert tables["part"]["left_arm"]["f1"] == pytest.approx(f1[0])
    assert tables["sequence"]["im1001.jpg"]["parts_accuracy_percent"] == 100


def test_segmentation_refuses_missing_and_broken_files(evaluate, smpl, tmp_path):
    oracle = write_lsp(tmp_path / "data", smpl, (0,))
    with pytest.raises(InputError, match="is not a folder"):
        evaluate(oracle)
    blank = np.zeros(SIZE, np.uint8)
    write_pngs(tmp_path / "pngs", 0, blank)
    with pytest.raises(InputError, match=r"999 missing .*im1002.*--allow_missing"):
        evaluate(oracle, allow_missing=False)
    write_pngs(tmp_path / "pngs", 0, blank[:-1])
    with pytest.raises(InputError, match="110 x 149 pixels, its image 110 x 150"):
        evaluate(oracle)
    write_pngs(tmp_path / "pngs", 0, blank + 31)
    with pytest.raises(InputError, match="other numbers than 0 to 6"):
        evaluate(oracle)
    path = segmentation.paths(tmp_path / "pngs", "im1001.jpg")[0]
    write_pngs(tmp_path / "pngs", 0, blank)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(InputError, match="damaged"):
        evaluate(oracle)
    path.write_bytes(b"GIF89a" + bytes(40))
    with pytest.raises(InputError, match="not a PNG"):
        evaluate(oracle)
    path.unlink()
    with pytest.raises(InputError, match="has no person to evaluate: im1001"):
        evaluate(oracle)

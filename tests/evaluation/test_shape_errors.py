"""SSP-3D: known shapes and silhouettes, a plain restatement, refusals, from flags to files."""

import cv2
import numpy as np
import pytest

from hmr_tf.evaluation import true_bodies
from hmr_tf.evaluation.protocols import segmentation, shape_errors
from hmr_tf.files.errors import InputError
from tests.fakes import evaluation_fakes as fakes
from tests.fakes import tiny_body

PEOPLE = (0, 1, 2, 3)
SIZE = (300, 260)  # height, width of the photographs
SCALE_XY, CORNER_PX = np.array([1.25, 1.5]), np.array([31, 17])  # of the stored images in them


@pytest.fixture(scope="module")
def smpl():
    """The built-in body as if its vertices were SMPL's, so that it has faces to draw."""
    body = fakes.smpl()
    body.topology = "smpl"
    return body


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    content = dict(np.load(fakes.body_model.BUILT_IN, allow_pickle=True))
    changed = {**content, "v_template": content["v_template"] * (1.1, 1.0, 0.9)}
    np.savez(folder / "SMPL_FEMALE.npz", **content)
    np.savez(folder / "SMPL_MALE.npz", **changed)
    return folder


@pytest.fixture
def oracle(smpl):
    return fakes.Oracle(fakes.thetas(), smpl)


@pytest.fixture
def evaluate(oracle, models, tmp_path, monkeypatch):
    """Runs --protocol=ssp3d on people of some genders, one photograph each."""
    monkeypatch.setattr(shape_errors, "NUM_PHOTOGRAPHS", len(PEOPLE))

    def evaluate_(genders=("female",), **values):
        truth = fakes.truth_of(oracle)
        crop = fakes.record.Crop(SCALE_XY, CORNER_PX, (fakes.STORED, fakes.STORED))
        names = {f"test_{person:03d}": (person,) for person in PEOPLE}
        fakes.write_smpl_truth(tmp_path / "data", "ssp3d", names, truth, genders, crop=crop)
        values = {"protocol": "ssp3d", "smpl_model_dir": str(models), **values}
        return fakes.evaluate(oracle, tmp_path, monkeypatch, **values)

    return evaluate_


def write_silhouettes(folder, oracle, erase=0):
    """The drawn bodies, with the upper `erase` lines of them taken away; their bools."""
    folder.mkdir(exist_ok=True)
    masks = []
    for person in PEOPLE:
        theta = oracle.encoder.thetas[person : person + 1]
        body = oracle.with_mesh(oracle.predictions_from_thetas([theta])[0])
        half = fakes.SIZE / fakes.STORED  # the model's input has half the size of the record
        drawn = segmentation.draw(
            body.vertices[0],
            body.camera[0],
            oracle.smpl.faces,
            np.ones(len(oracle.smpl.faces), int),
            scale_xy=np.float32(half * SCALE_XY),
            corner_px=np.float32(half * CORNER_PX),
            image_size=fakes.SIZE,
            size=SIZE,
        )
        mask = drawn > 0
        lines = np.flatnonzero(mask.any(1))
        mask[lines[:erase]] = False
        cv2.imwrite(str(folder / f"img_{person:06d}.png"), np.uint8(255 * mask))
        masks.append((mask, drawn > 0))
    return masks


def test_shape_errors_of_the_truth_are_zero_and_its_silhouettes_are_equal(
    evaluate, oracle, tmp_path, capsys
):
    folder = tmp_path / "silhouettes"
    write_silhouettes(folder, oracle)
    content = evaluate(silhouette_dir=str(folder))
    metrics = content["metrics"]
    assert metrics["pve_t_sc_mm"] == pytest.approx(0, abs=1e-3)
    assert metrics["pa_pve_mm"] == pytest.approx(0, abs=2e-3)
    assert metrics["silhouette_iou_percent"] == pytest.approx(100, abs=0.5)
    assert metrics["silhouette_mean_iou_percent"] == pytest.approx(100, abs=0.5)
    assert content["tables"]["gender"]["female"]["frames"] == len(PEOPLE)
    assert content["counts"]["frames"] == len(PEOPLE)
    assert "PVE-T-SC" in capsys.readouterr().out
    masks = write_silhouettes(folder, oracle, erase=60)
    metrics = evaluate(silhouette_dir=str(folder))["metrics"]
    shares = [(mask.sum(), whole.sum()) for mask, whole in masks]
    expected = 100 * np.mean([part / whole for part, whole in shares])
    assert metrics["silhouette_mean_iou_percent"] == pytest.approx(expected, abs=0.5)
    expected = 100 * sum(part for part, _ in shares) / sum(whole for _, whole in shares)
    assert metrics["silhouette_iou_percent"] == pytest.approx(expected, abs=0.5)
    assert expected < 95


def test_shape_errors_equal_a_plain_restatement(evaluate, oracle, models):
    content = evaluate(("female", "male"))
    bodies = true_bodies.read_models(models, ("female", "male"))
    genders = np.array([("female", "male")[person % 2] for person in PEOPLE])
    thetas = oracle.encoder.thetas.numpy()[list(PEOPLE)]
    pose, betas = thetas[:, 3:75].reshape(-1, 24, 3), thetas[:, 75:]
    rest, own = np.zeros_like(pose), dict.fromkeys(genders.tolist(), oracle.smpl)
    rest_pairs, posed_pairs = (
        [
            true_bodies.pose_labels(models, genders, values, betas).vertices
            for models in (own, bodies)
        ]
        for values in (rest, pose)
    )
    posed_pairs[0] = true_bodies.pose_predictions(oracle, thetas).vertices
    errors, aligned = {"female": [], "male": []}, []
    for person, gender in enumerate(genders):
        p, t = (part[person] - part[person].mean(0) for part in rest_pairs)
        factor = np.sqrt((t**2).sum() / (p**2).sum())
        errors[gender].append(1e3 * np.mean(np.sqrt(((factor * p - t) ** 2).sum(1))))
        p, t = (part[person] - part[person].mean(0) for part in posed_pairs)
        u, s, vt = np.linalg.svd(t.T @ p)
        moved = s.sum() / (p**2).sum() * p @ (u @ vt).T
        aligned.append(1e3 * np.mean(np.sqrt(((moved - t) ** 2).sum(1))))
    expected = np.mean(errors["female"] + errors["male"])
    assert content["metrics"]["pve_t_sc_mm"] == pytest.approx(expected, rel=1e-9)
    assert content["metrics"]["pa_pve_mm"] == pytest.approx(np.mean(aligned), rel=1e-9)
    rows = content["tables"]["gender"]
    assert rows["male"]["pve_t_sc_mm"] == pytest.approx(np.mean(errors["male"]), rel=1e-9)
    assert rows["male"]["pve_t_sc_mm"] > 10
    assert rows["female"]["pve_t_sc_mm"] < 1e-2


def test_shape_errors_ignore_the_size_of_a_person(rng):
    body = rng.normal(size=(3, 50, 3))
    moved = 1.3 * body + rng.normal(size=(3, 1, 3))
    assert shape_errors.metrics.scale_aligned(moved, body) == pytest.approx(body, abs=1e-12)


def test_shape_errors_refuse_other_bodies_missing_and_broken_silhouettes(
    evaluate, oracle, smpl, tmp_path, monkeypatch
):
    folder = tmp_path / "silhouettes"
    with pytest.raises(InputError, match=r"silhouette_dir=.* is not a folder"):
        evaluate(silhouette_dir=str(folder))
    write_silhouettes(folder, oracle)
    path = folder / "img_000002.png"
    path.write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"img_000002.png is not a PNG"):
        evaluate(silhouette_dir=str(folder))
    header = np.zeros((2, 2), np.uint8)
    content = bytearray(cv2.imencode(".png", header)[1].tobytes())
    content[16:24] = (2**20).to_bytes(4, "big") * 2
    path.write_bytes(content)
    with pytest.raises(InputError, match="at most 16384 a side"):
        evaluate(silhouette_dir=str(folder))
    path.unlink()
    with pytest.raises(InputError, match=r"1 missing \(img_000002.png\)"):
        evaluate(silhouette_dir=str(folder))
    content = evaluate(silhouette_dir=str(folder), allow_missing=True)
    assert content["missing"] == ["img_000002.png"]
    assert content["counts"]["frames"] == 3
    with pytest.raises(InputError, match="needs --smpl_model_dir"):
        evaluate(smpl_model_dir="")
    monkeypatch.setattr(shape_errors, "NUM_PHOTOGRAPHS", 311)
    with pytest.raises(InputError, match=r"1 missing \(307 of 311 photographs\)"):
        evaluate()
    monkeypatch.setattr(shape_errors, "NUM_PHOTOGRAPHS", len(PEOPLE))
    tiny = tmp_path / "tiny"
    tiny.mkdir()
    tiny_body.write(tiny / "SMPL_FEMALE.npz")
    with pytest.raises(InputError, match=r"has \d+ vertices, not 60"):
        evaluate(smpl_model_dir=str(tiny))
    monkeypatch.setattr(smpl, "topology", "cc0")
    with pytest.raises(InputError, match="built-in one"):
        evaluate()

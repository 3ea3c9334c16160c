"""Engines: TensorFlow and OpenVINO give the same numbers; a fake stands in for OpenVINO."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from absl import logging

from hmr_tf.files.errors import InputError
from hmr_tf.inference.model import Model
from hmr_tf.networks import engines
from tests.fakes import tiny_hmr
from tests.fakes.fake_openvino import FakeOpenVINO


@pytest.fixture
def fake(monkeypatch, tmp_path):
    fake = FakeOpenVINO()
    monkeypatch.setitem(sys.modules, "openvino", fake)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return fake


def assert_same(outputs, expected, atol):
    assert set(outputs) == set(expected)
    for name, value in expected.items():
        assert outputs[name].dtype == np.float32
        np.testing.assert_allclose(outputs[name], value, atol=atol, err_msg=name)


def test_engine_of_openvino_gives_the_numbers_of_tensorflow(hmr, images, tmp_path, monkeypatch):
    pytest.importorskip("openvino", reason="OpenVINO is not installed")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    expected = engines.in_tensorflow(hmr).predict(images)
    for _ in ("converted", "read from the cache"):
        engine = engines.make(hmr, "openvino")
        assert_same(engine.predict(images), expected, atol=1e-4)
        assert_same(engine.predict(images[:1]), {k: v[:1] for k, v in expected.items()}, atol=1e-4)
    assert len(list((tmp_path / "hmr_tf" / engines.CACHE).iterdir())) == 1
    rounded = engines.make(hmr, "openvino", "bfloat16").predict(images)
    scale = np.abs(expected["vertices"]).max()
    np.testing.assert_allclose(rounded["vertices"], expected["vertices"], atol=0.05 * scale)


def test_engine_for_threads_gives_the_same_numbers_on_shares_of_the_cores(
    fake, hmr, images, monkeypatch
):
    """Each call has a separately compiled network, with a share of the cores."""
    monkeypatch.setattr(engines, "calls_at_once", lambda: 3)
    monkeypatch.setattr(engines.os, "cpu_count", lambda: 6)
    engine = engines.make(hmr)
    assert [o.get("PERFORMANCE_HINT") for o in fake.options] == ["LATENCY"] * 2
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(engine.for_threads.predict, [images] * 6))
    threads = [options.get("INFERENCE_NUM_THREADS") for options in fake.options[2:]]
    assert threads == [2] * 2 * 3  # encoder and head of three networks, compiled once
    for outputs in together:
        assert_same(outputs, engine.predict(images), atol=1e-6)
    plain = engines.in_tensorflow(hmr)
    assert plain.for_threads.predict is plain.predict


def test_engine_of_the_model_computes_its_predictions(fake, hmr, images, tmp_path):
    model, plain = (
        Model(hmr, tiny_hmr.with_body(tmp_path)[1], engine=engine)
        for engine in (engines.make(hmr), None)
    )
    assert (model.engine.name, plain.engine.name) == ("openvino", "tensorflow")
    assert_same(model.predict_crops(images), plain.predict_crops(images), atol=1e-6)
    picture = np.full((30, 40, 3), 200, np.uint8)
    boxes = [(5, 5, 10, 20), None]
    for person, expected in zip(model.predict(picture, boxes), plain.predict(picture, boxes)):
        np.testing.assert_allclose(person.vertices, expected.vertices, atol=1e-6)


def test_engine_reads_the_cache_until_the_weights_change(fake, hmr, images, tmp_path):
    folder = tmp_path / "cache" / "hmr_tf" / engines.CACHE
    engines.make(hmr)
    assert len(fake.models) == 2  # encoder, and what follows it
    engines.make(hmr)
    assert len(fake.models) == 2
    (kept,) = folder.iterdir()
    (kept / "head.xml").write_text("damaged")
    engines.make(hmr)
    assert len(fake.models) == 4
    hmr.regressor.mean.assign_add(0.1 * np.ones((1, 85), np.float32))
    changed = engines.make(hmr)
    assert len(fake.models) == 6
    assert_same(changed.predict(images), engines.in_tensorflow(hmr).predict(images), atol=1e-6)
    (newer,) = folder.iterdir()
    assert newer.name != kept.name


def test_engine_without_a_writable_cache_is_converted_each_time(fake, hmr, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    engines.make(hmr)
    engines.make(hmr)
    assert len(fake.models) == 4


def test_engine_keeps_its_files_beside_a_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "ckpt-7.index").touch()
    assert engines.cache_folder(tmp_path / "ckpt-7") == tmp_path / engines.CACHE
    assert engines.cache_folder("released") == tmp_path / "cache" / "hmr_tf" / engines.CACHE
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert engines.cache_folder().parts[-3:] == (".cache", "hmr_tf", engines.CACHE)


def test_engine_rounds_the_encoder_alone_and_only_where_the_cpu_can(fake, hmr, monkeypatch):
    assert engines.make(hmr, precision="bfloat16").precision == "bfloat16"
    assert [o["INFERENCE_PRECISION_HINT"] for o in fake.options] == ["bf16", "f32"]
    older = FakeOpenVINO(capabilities=("FP32",))
    monkeypatch.setitem(sys.modules, "openvino", older)
    assert engines.make(hmr, precision="bfloat16").precision == "float32"
    assert [o["INFERENCE_PRECISION_HINT"] for o in older.options] == ["f32", "f32"]


def test_engine_of_tensorflow_in_bfloat16_is_close(hmr, images):
    exact = engines.make(hmr, "tensorflow").predict(images)
    rounded = engines.make(hmr, "tensorflow", "bfloat16").predict(images)
    for name, value in exact.items():
        assert rounded[name].dtype == np.float32
        np.testing.assert_allclose(rounded[name], value, atol=0.05 * np.abs(value).max())
    assert np.abs(rounded["theta"] - exact["theta"]).max() > 0


def test_engine_without_openvino_is_tensorflow_and_says_so(hmr, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setattr(logging.get_absl_logger(), "propagate", True)
    with caplog.at_level("INFO"):
        assert engines.make(hmr).name == "tensorflow"
    assert [r.getMessage() for r in caplog.records if r.name == "absl"] == [
        "TensorFlow computes; OpenVINO is faster on a CPU: pip install openvino"
    ]
    with pytest.raises(InputError, match=r"--engine=openvino: .* pip install openvino, or pass"):
        engines.make(hmr, "openvino")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "torch"}, "--engine=torch is not one of auto, tensorflow, openvino"),
        ({"precision": "float16"}, "--precision=float16 is not one of float32, bfloat16"),
    ],
)
def test_engine_refuses_unknown_names(hmr, given, message):
    with pytest.raises(InputError, match=message):
        engines.make(hmr, **given)


def test_engine_difference_is_part_of_what_predictions_are_kept_by():
    made = {
        (name, precision): engines.Engine(None, name, precision).difference
        for name in ("tensorflow", "openvino")
        for precision in engines.PRECISIONS
    }
    assert made["tensorflow", "float32"] == ""
    assert len(set(made.values())) == 4

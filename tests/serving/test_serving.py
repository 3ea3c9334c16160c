"""What a server gets, read with TensorFlow Serving's messages; and a small server."""

import base64
import json
import re
import socket
import threading
from concurrent import futures

import cv2
import numpy as np
import pytest
import tensorflow as tf

from examples import serving_client
from hmr_tf.serving import warmup
from tests.fakes import rest_server

BOXES = [[40.0, 10.0, 30.0, 60.0], [0.0, 0.0, 160.0, 90.0]]


@pytest.fixture(scope="module")
def apis():
    """TensorFlow Serving's messages; skips where its package is not installed."""
    pytest.importorskip("tensorflow_serving", reason="tensorflow-serving-api is not installed")
    from tensorflow_serving.apis import prediction_log_pb2, prediction_service_pb2_grpc

    return prediction_log_pb2, prediction_service_pb2_grpc


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "photo.jpg"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (90, 160, 3), np.uint8))
    return path


def outputs_of(served, spec, inputs):
    """What a server does with a request: finds the signature, feeds every input by its name."""
    return served[spec.signature_name](**inputs)


def test_warmup_requests_are_read_and_predicted(apis, exported, served):
    records = list(tf.data.TFRecordDataset(str(exported[1] / "assets.extra" / warmup.FILE_NAME)))
    requests = []
    for record in records:
        log = apis[0].PredictionLog.FromString(record.numpy())
        assert log.WhichOneof("log_type") == "predict_log"
        request = log.predict_log.request
        inputs = {k: tf.constant(tf.make_ndarray(v)) for k, v in request.inputs.items()}
        outputs = outputs_of(served, request.model_spec, inputs)
        requests.append((request.model_spec.signature_name, len(outputs["vertices"])))
    names = ("serving_default", "predict_image_bytes", "body")
    assert sorted(requests) == sorted((name, people) for name in names for people in (1, 8))


def test_warmup_long_fields_have_long_lengths(apis):
    """A length of one byte, of two, of more."""
    for size in (1, 127, 128, 16_383, 16_384, 3_000_000):
        tensor = tf.make_tensor_proto([b"x" * size])
        log = apis[0].PredictionLog.FromString(warmup.prediction_log("s", {"image": tensor}))
        assert log.predict_log.request.inputs["image"].string_val == [b"x" * size]
        assert log.predict_log.request.model_spec.name == "hmr"


def grpc_server(served, service):
    """A server of the real service, with the errors of TensorFlow Serving's."""
    import grpc
    from tensorflow_serving.apis import predict_pb2

    class Servicer(service.PredictionServiceServicer):
        def Predict(self, request, context):
            inputs = {k: tf.constant(tf.make_ndarray(v)) for k, v in request.inputs.items()}
            try:
                tensors = outputs_of(served, request.model_spec, inputs)
            except tf.errors.InvalidArgumentError as error:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, error.message)
            outputs = {k: tf.make_tensor_proto(v) for k, v in tensors.items()}
            return predict_pb2.PredictResponse(outputs=outputs)

    server = grpc.server(futures.ThreadPoolExecutor(1))
    service.add_PredictionServiceServicer_to_server(Servicer(), server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    return server, port


@pytest.fixture(params=["rest", "grpc"])
def command(request, served, photo):
    """Arguments of the client that reach a server."""
    if request.param == "rest":
        server = rest_server.start(served)
        yield [str(photo), f"--port={server.server_port}"]
        server.shutdown()
        server.server_close()
    else:
        server, port = grpc_server(served, request.getfixturevalue("apis")[1])
        yield [str(photo), "--grpc", f"--port={port}"]
        server.stop(None)


def test_serving_client_shows_all_people(command, capsys):
    boxes = [f"--box={','.join(map(str, box))}" for box in BOXES]
    serving_client.main([*command, *boxes])
    printed = capsys.readouterr().out
    assert printed.count("m away") == 2
    assert "keypoints2d_px" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.jpg", "--box=1,2,3,4"], "none.jpg cannot be read: No such file"),
        (["photo", "--box=1,2,x,4"], "'1,2,x,4' is not x,y,width,height in pixels"),
        (["photo", "--box=1,2,3"], "'1,2,3' is not x,y,width,height in pixels"),
        (["photo", "--box=nan,2,3,4"], "is not x,y,width,height in pixels"),
        (["photo", "--box=1,2,3,4", "--port=65536"], "'65536' is not a port, 1 to 65535"),
        (["photo", "--box=1,2,3,4", "--port=x"], "'x' is not a port"),
        (["photo"], "the following arguments are required: --box"),
    ],
)
def test_serving_client_refuses_wrong_arguments_in_one_line(arguments, message, photo, capsys):
    with pytest.raises(SystemExit) as ended:
        serving_client.main([str(photo) if a == "photo" else a for a in arguments])
    assert ended.value.code == 2
    assert re.fullmatch(f"error: .*{re.escape(message)}.*\n", capsys.readouterr().err)


@pytest.mark.parametrize("reply", [b"", b"\0\0\x04\x08 of gRPC\n", b"HTTP/1.0 200 OK\r\n\r\nhello"])
def test_serving_client_reports_a_server_of_another_kind(reply, photo):
    with socket.create_server(("localhost", 0)) as server:

        def answer():
            connection, _ = server.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(reply)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(SystemExit, match=r"No server at|sent something else"):
            serving_client.main([str(photo), "--box=1,2,3,4", f"--port={server.getsockname()[1]}"])
        thread.join()


@pytest.mark.parametrize("protocol", [[], ["--grpc"]])
def test_serving_client_reports_a_missing_server(protocol, photo):
    if protocol:
        pytest.importorskip("tensorflow_serving")
    with pytest.raises(SystemExit, match=r"No server at .*:1[:/]"):
        serving_client.main([str(photo), "--box=1,2,3,4", "--port=1", *protocol])


@pytest.mark.parametrize(
    ("boxes", "message"),
    [([[0, 0, 0, 9]], "above 0"), ([[900, 0, 9, 9]], "outside"), (BOXES, None)],
)
def test_serving_client_reports_what_the_server_refused(command, boxes, message, capsys):
    boxes = [f"--box={','.join(map(str, box))}" for box in boxes]
    if message:
        with pytest.raises(SystemExit, match=f"(?s)refused.*{message}"):
            serving_client.main([*command, *boxes])
    else:
        serving_client.main([*command, *boxes])
        assert "person 1" in capsys.readouterr().out


def test_serving_rest_and_grpc_requests_agree(apis, served, photo):
    content = photo.read_bytes()
    body = json.loads(json.dumps(serving_client.rest_body(content, BOXES)))
    request = serving_client.grpc_request("hmr", content, BOXES)
    assert body["signature_name"] == request.model_spec.signature_name
    assert set(body["inputs"]) == set(request.inputs) == {"image_bytes", "boxes"}
    assert base64.b64decode(body["inputs"]["image_bytes"][0]["b64"]) == content
    np.testing.assert_array_equal(
        tf.make_ndarray(request.inputs["boxes"]), np.float32(body["inputs"]["boxes"])
    )

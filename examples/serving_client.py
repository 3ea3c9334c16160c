"""Sends a photograph to TensorFlow Serving and prints where its people are; needs no hmr_tf.

    python examples/serving_client.py photo.jpg --box=40,30,120,260 --box=300,25,90,250
    python examples/serving_client.py photo.jpg --box=40,30,120,260 --grpc --port=8500

REST needs Python alone. gRPC needs `pip install --no-deps tensorflow-serving-api==2.15.1` beside
TensorFlow, and is quicker: vertices travel as numbers and not as text.
"""

import argparse
import base64
import http.client
import json
import math
import os
import sys
import urllib.error
import urllib.request

SIGNATURE = "predict_image_bytes"


def rest_body(content, boxes):
    """The JSON of a request: bytes of a JPEG or PNG, list of (x, y, width, height)."""
    image_bytes = [{"b64": base64.b64encode(content).decode()}]
    return {"signature_name": SIGNATURE, "inputs": {"image_bytes": image_bytes, "boxes": boxes}}


def request_rest(host, port, model, content, boxes):
    """Name -> nested lists, one entry for each box."""
    url = f"http://{host}:{port}/v1/models/{model}:predict"
    body = json.dumps(rest_body(content, boxes)).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=60) as reply:
            return json.load(reply)["outputs"]
    except urllib.error.HTTPError as error:
        raise SystemExit(f"The server refused: {_reason(error.read())}") from None
    except (OSError, http.client.HTTPException) as error:  # also where a gRPC port was named
        reason = getattr(error, "reason", error)
        raise SystemExit(f"No server at {url}: {reason}") from None
    except (ValueError, LookupError):
        raise SystemExit(f"{url} sent something else than TensorFlow Serving's reply") from None


def _reason(reply):
    """What TensorFlow Serving states in the JSON of an error, or the start of another reply."""
    try:
        return json.loads(reply)["error"]
    except (ValueError, LookupError, TypeError):
        return reply[:200].decode(errors="replace") or "without a reason"


def grpc_request(model, content, boxes):
    """The same request as a PredictRequest."""
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = SIGNATURE
    request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto([content]))
    request.inputs["boxes"].CopyFrom(tf.make_tensor_proto(boxes, tf.float32))
    return request


def request_grpc(host, port, model, content, boxes):
    """Name -> numpy array, one row for each box."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # else it lists missing GPU libraries
    try:
        import grpc
        import tensorflow as tf
        from tensorflow_serving.apis import prediction_service_pb2_grpc
    except ImportError as error:
        raise SystemExit(
            f"--grpc: {error}: pip install --no-deps tensorflow-serving-api==2.15.1"
        ) from None

    # A body is 0.1 MB; gRPC's limit of 4 MB is that of 40 people.
    options = [("grpc.max_receive_message_length", 1 << 28)]
    with grpc.insecure_channel(f"{host}:{port}", options) as channel:
        service = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        try:
            response = service.Predict(grpc_request(model, content, boxes), timeout=60)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                raise SystemExit(f"No server at {host}:{port}: {error.details()}") from None
            raise SystemExit(f"The server refused: {error.details()}") from None
    return {name: tf.make_ndarray(tensor) for name, tensor in response.outputs.items()}


def read_box(text):
    """For `add_argument(type=...)`: x,y,width,height in pixels -> a list of four numbers."""
    try:
        box = [float(value) for value in text.split(",")]
    except ValueError:
        box = []
    if len(box) != 4 or not all(map(math.isfinite, box)):
        raise argparse.ArgumentTypeError(f"{text!r} is not x,y,width,height in pixels")
    return box


def read_port(text):
    """For `add_argument(type=...)`: the number of a port."""
    if not (text.isdecimal() and 0 < int(text) < 1 << 16):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port, 1 to 65535")
    return int(text)


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        _end(message)


def _end(reason):
    """Wrong input: one line, exit code 2."""
    sys.stderr.write(f"error: {reason}\n")
    sys.exit(2)


def main(arguments):
    parser = _Parser(description=__doc__.splitlines()[0])
    parser.add_argument("photo")
    parser.add_argument(
        "--box", action="append", required=True, type=read_box, help="x,y,width,height in pixels"
    )
    parser.add_argument("--grpc", action="store_true")
    parser.add_argument("--host", default="localhost")
    parser.add_argument("--port", type=read_port, help="default: 8501, gRPC 8500")
    parser.add_argument("--model", default="hmr")
    args = parser.parse_args(arguments)
    try:
        with open(args.photo, "rb") as file:
            content = file.read()
    except OSError as error:
        _end(f"{args.photo} cannot be read: {error.strerror}")
    request, port = (request_grpc, 8500) if args.grpc else (request_rest, 8501)
    people = request(args.host, args.port or port, args.model, content, args.box)
    for person, transl in enumerate(people["transl"]):
        x, y, z = transl
        print(f"person {person}: {x:.2f} m to the right, {y:.2f} m down, {z:.2f} m away")
    print("also:", ", ".join(sorted(people)))


if __name__ == "__main__":
    main(sys.argv[1:])
